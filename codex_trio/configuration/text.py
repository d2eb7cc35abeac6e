"""Making a file say something else while its comments and its order stay; blocks."""

from __future__ import annotations

import contextlib
import re
import tomllib
from typing import TYPE_CHECKING, Any, Final

from codex_trio.errors import ConfigError

if TYPE_CHECKING:
    from types import ModuleType

    from codex_trio.config import Table

_NARROW: Final = re.compile(r"((?<=\n)[^\n#][^\n]*\n)(\[[^\n]*\]\n)")
"""A line, and the head of a table right behind it."""


def rewrite(text: str, old: Table, new: Table) -> str:
    """Make a text that says ``old`` say ``new``.

    Only what differs is touched. What comes of it is read again before it is returned: nobody's
    configuration is to suffer from a mistake, whoever has made it.

    Raises:
        ConfigError: that cannot be done, and nothing is lost.
    """
    import tomlkit

    lines = text.replace("\r\n", "\n")
    dos = lines != text
    if lines and not lines.endswith("\n"):
        lines += "\n"
    # What is written in an unusual way is at worst written anew as a whole, top level key by key.
    for finest in (True, False):
        with contextlib.suppress(
            tomlkit.exceptions.TOMLKitError, LookupError, AttributeError, TypeError, ValueError
        ):
            document = tomlkit.parse(lines)
            _Follower(tomlkit).follow(document, old, new, finest=finest)
            written = tomlkit.dumps(document)
            if not same(tomllib.loads(written), new):
                continue
            spaced = _spaced(written, lines)
            if same(tomllib.loads(spaced), new):  # it is not, where a text has such lines
                written = spaced
            return written.replace("\n", "\r\n") if dos else written
    raise ConfigError(
        "the file is written in a way that cannot be edited; please do it by hand"
    )


def same(one: Any, other: Any) -> bool:
    """Say whether two values of TOML are the same; ``==`` takes 1 for 1.0, and for true."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other or (one != one and other != other))


def _spaced(text: str, before: str) -> str:
    """Have an empty line before each table, but for those that had none before."""
    narrow = {found[2] for found in _NARROW.finditer(before)}
    return _NARROW.sub(
        lambda found: found[0] if found[2] in narrow else f"{found[1]}\n{found[2]}", text
    )


class _Follower:
    """Makes a document of tomlkit follow the difference between two tables."""

    def __init__(self, tomlkit: ModuleType) -> None:
        self._kit = tomlkit

    def follow(self, there: Any, old: Table, new: Table, *, finest: bool = True) -> None:
        for key in old:
            if key not in new:
                del there[key]
        for key, value in new.items():
            if key not in old:
                self._add(there, key, value)
            elif same(old[key], value):
                continue
            elif finest and isinstance(old[key], dict) and isinstance(value, dict):
                self.follow(there[key], old[key], value)
            elif _has_tables(old[key]) or _has_tables(value):
                del there[key]
                self._add(there, key, value)
            else:
                there[key] = value  # in place, so that the comment behind it stays

    def _add(self, there: Any, key: str, value: Any) -> None:
        inline = isinstance(there, self._kit.items.InlineTable)
        item = self._item(value, inline=inline)
        container = self._container(there)
        last = None if isinstance(value, dict) else self._last_key(container)
        if last is None:
            there.append(key, item)
        else:
            # Not at the end, where a comment may stand that belongs to the next table.
            container._insert_after(last, key, item)

    def _container(self, there: Any) -> Any:
        """Return what holds the lines of a document or of a table, if that is one thing."""
        if isinstance(there, self._kit.items.Table):
            return there.value
        return there if isinstance(there, self._kit.TOMLDocument) else None

    def _last_key(self, container: Any) -> Any:
        """Find behind which key others may be added; dotted ones belong to tables."""
        tables = (self._kit.items.Table, self._kit.items.AoT)
        keys = [
            key
            for key, item in (() if container is None else container.body)
            if key is not None and not isinstance(item, tables) and not key.is_dotted()
        ]
        return keys[-1] if keys else None

    def _item(self, value: Any, *, inline: bool) -> Any:
        if isinstance(value, dict) and not inline:
            only_tables = bool(value) and all(isinstance(one, dict) for one in value.values())
            table = self._kit.table(is_super_table=only_tables)
            for key in sorted(value, key=lambda key: isinstance(value[key], dict)):
                table.append(key, self._item(value[key], inline=False))
            return table
        if isinstance(value, dict):
            table = self._kit.inline_table()
            for key, one in value.items():
                table.append(key, self._item(one, inline=True))
            return table
        if isinstance(value, list):
            array = self._kit.array()
            for one in value:
                array.append(self._item(one, inline=True))
            return array
        return self._kit.item(value)


def _has_tables(value: Any) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and any(_has_tables(one) for one in value)
    )
