"""The layers of the configuration, from that of the machine up to the flags of a session."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs
import orjson

from codex_trio.config import locate, merge
from codex_trio.config_keys import fault_text, find_fault, find_gap
from codex_trio.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_trio.config import Table
    from codex_trio.configuration.choices import ThreadDefaults
    from codex_trio.configuration.files import File
    from codex_trio.configuration.projects import Trust

Kind: TypeAlias = Literal["sessionFlags", "project", "user", "system"]


class LayerError(ConfigError):
    """A layer cannot be read; ``reason`` names its file and, where known, the place in it."""


class InvalidValueError(ConfigError):
    """A value cannot be used.

    ``reason`` names the file and the place, if the value stands in a file; ``in_short`` names
    the key only.
    """

    def __init__(self, reason: str, in_short: str) -> None:
        super().__init__(reason)
        self.in_short = in_short


@attrs.frozen(kw_only=True, eq=False)
class Layer:
    """One layer.

    Args:
        kind: what it is, named as on the wire.
        path: its file; of a project its ``.codex`` folder; None for the flags.
        table: what it says, as JSON values with absolute paths.
        disabled: why it does not count.
        file: where it was read, if that was in a file.
    """

    kind: Kind
    path: str | None = None
    table: Table = attrs.field(repr=False)
    disabled: str | None = None
    file: File | None = attrs.field(default=None, repr=False)

    @cached_property
    def version(self) -> str:
        """What tells this layer from the same layer with other content (observed)."""
        return version_of(self.table)


@attrs.frozen(kw_only=True, eq=False)
class Effective:
    """The configuration in force somewhere; it stays what it was when it was read.

    Args:
        table: all layers in one, as JSON values; overrides included. Not to be changed.
        layers: the highest first, disabled ones included.
        trust: what is said of the folder that was asked for.
        defaults: what a new thread begins with.
    """

    table: Table = attrs.field(repr=False)
    layers: tuple[Layer, ...] = attrs.field(repr=False)
    trust: Trust | None
    defaults: ThreadDefaults

    @cached_property
    def origins(self) -> dict[str, Layer]:
        """Which layer each value comes from, by its path such as ``a.b.0``."""
        found: dict[str, Layer] = {}
        _find_origins(
            "", [(layer, layer.table) for layer in self.layers if layer.disabled is None], found
        )
        return found


def version_of(table: Table) -> str:
    """Return what tells a layer from the same layer with other content (observed)."""
    content = orjson.dumps(table, option=orjson.OPT_SORT_KEYS)
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def merge_layers(layers: Sequence[Layer]) -> Table:
    """Lay those that count over each other.

    Raises:
        InvalidValueError: a value of the whole cannot be used, or there is none where one must be.
    """
    merged: Table = {}
    for layer in reversed(layers):
        if layer.disabled is None:
            merged = merge(merged, layer.table)
    if (fault := find_fault(merged) or find_gap(merged)) is not None:
        in_short = fault_text(fault)
        raise InvalidValueError(_in_its_file(layers, fault[0]) or in_short, in_short)
    return merged


def _in_its_file(layers: Sequence[Layer], keys: tuple[str, ...]) -> str | None:
    """Say what is wrong with a value where it stands, if that is in a file."""
    for layer in layers:
        fault = None if layer.disabled else find_fault(layer.table) or find_gap(layer.table)
        if fault is not None and fault[0] == keys:
            place = None if layer.file is None else locate(layer.file.text, keys)
            if layer.file is not None and place is not None:
                (line, column), _ = place
                return f"{layer.file.path}:{line}:{column}: {fault[1]}"
    return None


def _find_origins(path: str, levels: list[tuple[Layer, Any]], found: dict[str, Layer]) -> None:
    """Note who says what below a path, given what each layer says there, the highest first."""
    layer, value = levels[0]
    if type(value) is list:
        for index, one in enumerate(value):
            _find_origins(f"{path}.{index}", [(layer, one)], found)
    elif type(value) is dict:
        below: dict[str, list[tuple[Layer, Any]]] = {}
        for one, table in levels:
            if type(table) is not dict:
                break  # what lies under that is hidden by it
            for key, inner in table.items():
                below.setdefault(key, []).append((one, inner))
        for key, inners in below.items():
            _find_origins(f"{path}.{key}" if path else key, inners, found)
    else:
        found[path] = layer
