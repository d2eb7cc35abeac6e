"""Files of configuration, parsed once for as long as they stay what they are."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from codex_trio.config import Table, parse_config, read_text
from codex_trio.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

Stamp: TypeAlias = tuple[int, ...]

_SETTLED: Final = (
    50_000_000  # ns; what is younger may change again within one tick of its clock
)

_PATHS: Final = ("model_instructions_file", "model_catalog_json")


@attrs.frozen(eq=False)
class File:
    """One look at a file.

    Args:
        path: where it is.
        text: what it says; nothing if there is none.
        table: the same as JSON values, or empty if it cannot be read.
        error: why it cannot be read.
    """

    path: Path
    text: str = attrs.field(repr=False)
    table: Table = attrs.field(repr=False)
    error: ConfigError | None = None


@attrs.define(eq=False)
class Files:
    """What was found at each path; may be used by several worker threads."""

    _seen: dict[Path, tuple[Stamp | None, File]] = attrs.field(factory=dict, init=False)

    def look(self, path: Path) -> File:
        """Look at a file; blocks. The same object is returned while the file says the same."""
        # If it changes between this look and the reading, the next look finds another stamp.
        stamp = stamp_of(path)
        seen, known = self._seen.get(path, (None, None))
        if known is not None and stamp is not None and stamp == seen:
            return known
        text, table, error, settled = "", {}, None, _is_settled(stamp)
        try:
            text = read_text(path)
        except ConfigError as fault:
            # This may be over while the file stays what it is: no descriptor was left, say.
            error, settled = fault, False
        else:
            try:
                table = plain_table(parse_config(text), path.parent)
            except ConfigError as fault:
                error = fault
        if known is None or (text, str(error)) != (known.text, str(known.error)):
            known = File(path, text, table, error)
        self._seen[path] = (stamp if settled else None), known
        return known


def stamp_of(path: Path | str) -> Stamp | None:
    """Return what one look at a file says, which every save changes; () if there is none.

    None when that cannot be known.
    """
    try:
        seen = os.stat(path)
    except FileNotFoundError:
        return ()
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino, seen.st_size


def _is_settled(stamp: Stamp | None) -> bool:
    return not stamp or time.time_ns() - max(stamp[:2]) > _SETTLED


def plain_table(table: Table, folder: Path) -> Table:
    """Turn what TOML says into JSON values, paths made absolute as seen from a folder.

    Dates become what the original makes of them; versions of layers depend on it.
    """
    plain: Table = _plain(table)
    for key in _PATHS:
        if type(path := plain.get(key)) is str:
            plain[key] = absolute(path, folder)
    match plain.get("sandbox_workspace_write"):
        case {"writable_roots": list() as roots, **others}:
            found = [absolute(root, folder) if type(root) is str else root for root in roots]
            plain["sandbox_workspace_write"] = {**others, "writable_roots": found}
        case _:
            pass
    if plain.get("approval_policy") == "on-failure":
        plain["approval_policy"] = "on-request"  # what has become of it (observed)
    return plain


def absolute(path: str, folder: Path | str) -> str:
    """Make a path of a configuration absolute, as seen from a folder."""
    return os.path.normpath(os.path.join(folder, os.path.expanduser(path)))


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {key: _plain(one) for key, one in value.items()}
        case list():
            return [_plain(one) for one in value]
        case str() | bool() | int() | float():
            return value
        case _:
            moment = value.isoformat().replace("+00:00", "Z")
            return {"$__toml_private_datetime": moment}
