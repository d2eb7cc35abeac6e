"""config.toml and overrides: how they are read, laid over each other, and found wrong."""

from __future__ import annotations

import os
import re
import tomllib
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from attrs import frozen

from codex_trio.config_keys import NEEDS_OPENAI, fault_text, find_fault, find_gap
from codex_trio.errors import ConfigError, os_error_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Table: TypeAlias = dict[str, Any]
Place: TypeAlias = tuple[tuple[int, int], tuple[int, int]]

_NO_TOML: Final = "the file cannot be read as TOML"

MAX_SIZE: Final = 2**24
"""Bytes that a file may have; usual are a few thousand."""

MAX_DEPTH: Final = 64
"""How deep tables and lists may lie in one another; a handful is usual."""


@frozen(kw_only=True)
class Choices:
    """What the configuration says about who may sign in, and how: read once, at the start."""

    forced_login_method: Literal["chatgpt", "api"] | None = None
    credentials_store: Literal["file", "keyring", "auto", "ephemeral"] = "file"
    forced_workspaces: tuple[str, ...] = ()
    requires_openai_auth: bool = True
    login_callback_ports: tuple[int, ...] = (1455, 1457)
    cancel_other_login: bool = True
    login_ends_with_client: bool = False
    chatgpt_base_url: str | None = None

    @classmethod
    def of(cls, config: Table, overrides: Table) -> Choices:
        """Lay overrides over a configuration, both checked already, and choose.

        Raises:
            ConfigError: the chosen model provider is not defined, or something is missing.
        """
        merged = merge(config, overrides)
        if (gap := find_gap(merged)) is not None:
            raise ConfigError(fault_text(gap))
        return cls(
            requires_openai_auth=needs_openai(merged),
            forced_login_method=merged.get("forced_login_method"),
            credentials_store=merged.get("cli_auth_credentials_store", "file"),
            forced_workspaces=_workspaces(merged.get("forced_chatgpt_workspace_id", ())),
            login_callback_ports=tuple(merged.get("login_callback_ports", (1455, 1457))),
            cancel_other_login=merged.get("cancel_other_login", True),
            login_ends_with_client=merged.get("login_ends_with_client", False),
            chatgpt_base_url=merged.get("chatgpt_base_url"),
        )


def needs_openai(table: Table) -> bool:
    """Say whether the model provider of a whole configuration needs an OpenAI account.

    Raises:
        ConfigError: there is no such provider, or the configuration is of an older kind.
    """
    if "profile" in table:
        name = table["profile"]
        raise ConfigError(
            f'legacy `profile = "{name}"` config is no longer supported;'
            f" use `--profile {name}` with `{name}.config.toml` instead"
        )
    name = table.get("model_provider", "openai")
    if name in NEEDS_OPENAI:
        return NEEDS_OPENAI[name]
    defined = table.get("model_providers", {})
    if name not in defined:
        raise ConfigError(f"Model provider `{name}` not found")
    needed: bool = defined[name].get("requires_openai_auth", False)
    return needed


def _workspaces(given: str | Sequence[str]) -> tuple[str, ...]:
    """Take one id or several; blank ones count for nothing."""
    several = [given] if isinstance(given, str) else given
    return tuple(one.strip() for one in several if one.strip())


# --- reading ---


def read_config(path: Path) -> Table:
    """Read and check a file; none is an empty configuration.

    Raises:
        ConfigError: it cannot be read, is no TOML, or a key that we use has a wrong value.
    """
    text = read_text(path)
    table = parse_config(text)
    if (fault := find_fault(table) or find_gap(table)) is not None:
        keys, reason = fault
        start, end = locate(text, keys) or (None, None)
        raise ConfigError(reason, start=start, end=end)
    return table


def read_text(path: Path) -> str:
    """Read a file, without the mark that some editors put at its beginning; none is empty.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        # A pipe in the file's place would hang until somebody writes to it.
        with open(path, "rb", opener=_open_at_once) as file:
            content = file.read(MAX_SIZE + 1)
    except FileNotFoundError:
        return ""
    except IsADirectoryError:
        raise ConfigError(
            f"Failed to read config file {path}: path `{path}` is not a file"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"Failed to read config file {path}: {os_error_text(error)}"
        ) from None
    if len(content) > MAX_SIZE:
        raise ConfigError(f"Failed to read config file {path}: longer than {MAX_SIZE} bytes")
    try:
        return content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise ConfigError(
            f"Failed to read config file {path}: stream did not contain valid UTF-8"
        ) from None


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def parse_config(text: str) -> Table:
    """Parse a file; its values are not checked.

    Raises:
        ConfigError: it is no TOML, or has what no configuration has: numbers of more than 64
            bits, more than ``MAX_DEPTH`` tables and lists in one another.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(str(error), text) from None
    except (ValueError, RecursionError):  # numbers and brackets without end
        raise ConfigError(_NO_TOML) from None
    if not is_usual(table):
        raise ConfigError(_NO_TOML)
    return table


def is_usual(value: Any, depth: int = MAX_DEPTH) -> bool:
    """Say whether a value has nothing that no configuration has. See ``parse_config``."""
    match value:
        case dict():
            return depth > 0 and all(is_usual(one, depth - 1) for one in value.values())
        case list():
            return depth > 0 and all(is_usual(one, depth - 1) for one in value)
        case int():
            return -(2**63) <= value < 2**63
        case _:
            return True


def parse_overrides(overrides: Sequence[str]) -> Table:
    """Parse overrides such as ``a.b=1``; a value that is no TOML is taken as a string.

    Raises:
        ConfigError: an override has no key or no value, or a key that we use has a wrong one.
    """
    table: Table = {}
    for override in overrides:
        key, equals, raw = override.partition("=")
        key = key.strip()
        if not equals:
            reason = f"Invalid override (missing '='): {override}"
            raise ConfigError(f"error parsing -c overrides: {reason}")
        if not key:
            raise ConfigError(f"error parsing -c overrides: Empty key in override: {override}")
        table = lay(table, key, _parse_value(raw.strip()))
    if (fault := find_fault(table)) is not None:
        raise ConfigError(fault_text(fault))
    return table


def _parse_value(raw: str) -> Any:
    try:
        value = tomllib.loads(f"value = {raw}")["value"]
    except (ValueError, RecursionError):
        return raw.strip("\"'")
    return value if is_usual(value) else raw


# --- laying one over the other ---


def merge(below: Table, above: Mapping[str, Any]) -> Table:
    """Lay one table over another, table by table; both stay as they are."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = (
            merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return merged


def lay(table: Table, path: str, value: Any) -> Table:
    """Lay one value over a table, at a path such as ``a.b``.

    Raises:
        ConfigError: the path or the value is deeper than any configuration.
    """
    parts = path.split(".")
    if len(parts) > MAX_DEPTH or not is_usual(value, MAX_DEPTH - len(parts)):
        raise ConfigError(f"more than {MAX_DEPTH} tables in one another in `{parts[0]}`")
    for part in reversed(parts):
        value = {part: value}
    return merge(table, value)


# --- where it stands ---


def _syntax_error(message: str, text: str) -> ConfigError:
    """Take the place out of tomllib's message, which has it at the end."""
    reason, _, where = message.rpartition(" (at ")
    if numbers := re.fullmatch(r"line (\d+), column (\d+)\)", where):
        return ConfigError(reason, start=(int(numbers[1]), int(numbers[2])))
    lines = text.split("\n")
    return ConfigError(reason, start=(len(lines), len(lines[-1]) + 1))


_HEADER: Final = re.compile(r"\s*\[([^\[\]]+)\]")
_PART: Final = re.compile(r"\"[^\"]*\"|'[^']*'|[^.]+")


def locate(text: str, keys: Sequence[str]) -> Place | None:
    """Find the value of a key, as it is usually written; None when it is written otherwise."""
    *tables, key = keys
    here: list[str] = []
    value = re.compile(
        rf"\s*[\"']?{re.escape(key)}[\"']?\s*=\s*(\"[^\"]*\"|'[^']*'|[^#]*[^#\s])"
    )
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.match(line):
            here = [part.strip(" \"'") for part in _PART.findall(header[1])]
            if here[: len(keys)] == list(keys):  # the value is a table, and this its beginning
                return (number, header.start(1) + 1), (number, header.end(1))
        elif here == tables and (found := value.match(line)):
            return (number, found.start(1) + 1), (number, found.end(1))
    return None
