"""Very many threads on disk, all of them alike: a server that has been used for years."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_APART: Final = 600  # seconds between one thread and the next
_TIMESTAMP: Final = re.compile(rb'"timestamp":"[^"]+"')
_ID: Final = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def copy_rollout(template: Path, home: Path, count: int) -> None:
    """Write so many threads into a home that are like one that a server has recorded.

    Each has an id and a time of its own, the last is a little older than the template.
    """
    content, now = template.read_bytes(), int(time.time())
    found = _ID.findall(template.name.encode())
    (thread_id,) = found
    for number in range(1, count + 1):
        moment = now - number * _APART
        path, new_id = _place(home, moment, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)).encode()
        copy = content.replace(thread_id, new_id.encode())
        copy = copy.replace(b"Say something.", b"Say something, for the time %d." % number)
        path.write_bytes(_TIMESTAMP.sub(b'"timestamp":"%b.000Z"' % stamp, copy))
        os.utime(path, (moment, moment))


def link_rollouts(source: Path, home: Path) -> None:
    """Let another home have the same files; nobody writes to them."""
    for path in source.rglob("rollout-*.jsonl"):
        other = home / path.relative_to(source)
        other.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, other)


def _place(home: Path, moment: int, number: int) -> tuple[Path, str]:
    """Say where a thread is recorded that began at a moment (Unix time), and what its id is."""
    digits = f"{moment * 1000:012x}7{number:03x}8{number:015x}"[:32]
    lengths, parts = (8, 4, 4, 4, 12), []
    for length in lengths:
        parts.append(digits[:length])
        digits = digits[length:]
    thread_id, began = "-".join(parts), time.localtime(moment)
    folder = home / "sessions" / time.strftime("%Y/%m/%d", began)
    return (
        folder / f"rollout-{time.strftime('%Y-%m-%dT%H-%M-%S', began)}-{thread_id}.jsonl",
        thread_id,
    )
