"""Small facts about threads in one file: each line says something of one, and the last counts."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import attrs
import orjson

from codex_trio.plain_files import open_plain

if TYPE_CHECKING:
    from pathlib import Path

_MOST: Final = 256 * 2**20  # bytes that are read, of a file that others may fill


def now() -> str:
    """Write the present moment as the original does here: to the nanosecond, zeros cut off."""
    seconds, nanoseconds = divmod(time.time_ns(), 10**9)
    moment = datetime.fromtimestamp(seconds, UTC)
    rest = f".{nanoseconds:09}".rstrip("0").rstrip(".")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{rest}Z"


@attrs.define(eq=False)
class Journal:
    """A JSONL file to which processes append; what others have appended is read when asked.

    Lines that cannot be read are left out. Blocks.
    """

    _path: Path
    _latest: dict[str, dict[str, Any]] = attrs.field(factory=dict, init=False)
    _read: int = attrs.field(default=0, init=False)
    _inode: int = attrs.field(default=0, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def latest(self) -> dict[str, dict[str, Any]]:
        """Return the last line of each thread, by its id; not to be changed."""
        with self._lock:
            return self._look()

    def _look(self) -> dict[str, dict[str, Any]]:
        try:
            with open_plain(self._path) as file:
                status = os.fstat(file.fileno())
                latest, read = self._latest, self._read
                if status.st_ino != self._inode or status.st_size < read:
                    latest, read = {}, 0  # it is another file
                if status.st_size == read:
                    return latest
                file.seek(read)
                content = file.read(min(status.st_size, _MOST) - read)
        except OSError:
            return {}
        whole = content[: content.rfind(b"\n") + 1]  # what somebody is writing is for later
        latest = dict(latest)
        for raw in whole.splitlines():
            fields = _decode(raw)
            if fields is not None:
                latest[fields["id"]] = fields
        self._latest, self._read, self._inode = latest, read + len(whole), status.st_ino
        return latest

    def append(self, thread_id: str, **fields: object) -> None:
        """Say something of a thread, in one piece.

        Raises:
            OSError: it cannot be written.
        """
        line = {"id": thread_id, **fields, "updated_at": now()}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            size = os.lseek(fd, 0, os.SEEK_END)
            if size:  # a line that was torn is closed
                os.lseek(fd, -1, os.SEEK_END)
            torn = b"\n" if size and os.read(fd, 1) != b"\n" else b""
            os.write(fd, torn + orjson.dumps(line) + b"\n")
        finally:
            os.close(fd)


def _decode(raw: bytes) -> dict[str, Any] | None:
    try:
        fields = orjson.loads(raw)
    except ValueError:
        return None
    if isinstance(fields, dict) and isinstance(fields.get("id"), str):
        return fields
    return None
