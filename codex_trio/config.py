"""config.toml and overrides: the few keys that we use, checked as the original checks them."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from attrs import frozen

from codex_trio.errors import ConfigError, os_error_text
from codex_trio.faults import describe, unknown_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Table: TypeAlias = dict[str, Any]
Place: TypeAlias = tuple[tuple[int, int], tuple[int, int]]

NEEDS_OPENAI: Final = {
    "openai": True,
    "ollama": False,
    "lmstudio": False,
    "amazon-bedrock": False,
}
"""The model providers that need no definition, and whether they need an OpenAI account."""


@frozen(kw_only=True)
class Choices:
    """What the configuration says about the keys that we use."""

    forced_login_method: Literal["chatgpt", "api"] | None = None
    credentials_store: Literal["file", "keyring", "auto", "ephemeral"] = "file"
    forced_workspaces: tuple[str, ...] = ()
    requires_openai_auth: bool = True
    login_callback_ports: tuple[int, ...] = (1455, 1457)
    cancel_other_login: bool = True
    chatgpt_base_url: str | None = None

    @classmethod
    def of(cls, config: Table, overrides: Table) -> Choices:
        """Lay overrides over a configuration, both checked already, and choose.

        Raises:
            ConfigError: the chosen model provider is not defined.
        """
        merged = _merge(config, overrides)
        if "profile" in config:
            name = config["profile"]
            raise ConfigError(
                f'legacy `profile = "{name}"` config is no longer supported;'
                f" use `--profile {name}` with `{name}.config.toml` instead"
            )
        provider = merged.get("model_provider", "openai")
        defined = merged.get("model_providers", {})
        if provider in NEEDS_OPENAI:
            requires_openai_auth = NEEDS_OPENAI[provider]
        elif provider in defined:
            requires_openai_auth = defined[provider].get("requires_openai_auth", False)
        else:
            raise ConfigError(f"Model provider `{provider}` not found")
        return cls(
            forced_login_method=merged.get("forced_login_method"),
            credentials_store=merged.get("cli_auth_credentials_store", "file"),
            forced_workspaces=_workspaces(merged.get("forced_chatgpt_workspace_id", ())),
            requires_openai_auth=requires_openai_auth,
            login_callback_ports=tuple(merged.get("login_callback_ports", (1455, 1457))),
            cancel_other_login=merged.get("cancel_other_login", True),
            chatgpt_base_url=merged.get("chatgpt_base_url"),
        )


def _workspaces(given: str | Sequence[str]) -> tuple[str, ...]:
    """Take one id or several; blank ones count for nothing."""
    several = [given] if isinstance(given, str) else given
    return tuple(one.strip() for one in several if one.strip())


def read_config(path: Path) -> Table:
    """Read and check a file; none is an empty configuration.

    Raises:
        ConfigError: it cannot be read, is no TOML, or a key that we use has a wrong value.
    """
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return {}
    except IsADirectoryError:
        raise ConfigError(
            f"Failed to read config file {path}: path `{path}` is not a file"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"Failed to read config file {path}: {os_error_text(error)}"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(
            f"Failed to read config file {path}: stream did not contain valid UTF-8"
        ) from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(str(error), text) from None
    except (ValueError, RecursionError):  # numbers and brackets without end
        raise ConfigError("the file cannot be read as TOML") from None
    if (fault := _find_fault(table)) is not None:
        keys, reason = fault
        start, end = _locate(text, keys) or (None, None)
        raise ConfigError(reason, start=start, end=end)
    return table


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
        value: Any = _parse_value(raw.strip())
        for part in reversed(key.split(".")):
            value = {part: value}
        table = _merge(table, value)
    if (fault := _find_fault(table)) is not None:
        keys, reason = fault
        raise ConfigError(f"{reason}\nin `{'.'.join(keys)}`\n")
    return table


def _parse_value(raw: str) -> Any:
    try:
        return tomllib.loads(f"value = {raw}")["value"]
    except (ValueError, RecursionError):
        return raw.strip("\"'")


def _merge(below: Table, above: Table) -> Table:
    """Lay one table over another, table by table."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = (
            _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return merged


# --- what a value must be ---

Fault: TypeAlias = tuple[tuple[str, ...], str]
"""The way to a key, and what is wrong with its value."""


def _find_fault(table: Table) -> Fault | None:
    for key, check in _CHECKS.items():
        if key in table and (reason := check(table[key])) is not None:
            return (key,), reason
    for name, provider in table.get("model_providers", {}).items():
        if (fault := _find_provider_fault(name, provider)) is not None:
            return fault
    return None


def _find_provider_fault(name: str, provider: Any) -> Fault | None:
    where = ("model_providers", name)
    if (reason := _is_table(provider)) is not None:
        return where, reason
    reason = _is_boolean(provider.get("requires_openai_auth", False))
    return None if reason is None else ((*where, "requires_openai_auth"), reason)


def _one_of(*names: str) -> Callable[[Any], str | None]:
    def check(value: Any) -> str | None:
        if type(value) is not str:
            return "wanted string or table"
        if value in names:
            return None
        return unknown_name(value, names)

    return check


def _is_string(value: Any) -> str | None:
    return None if type(value) is str else f"invalid type: {describe(value)}, expected a string"


def _is_table(value: Any) -> str | None:
    return None if type(value) is dict else f"invalid type: {describe(value)}, expected a map"


def _is_boolean(value: Any) -> str | None:
    return (
        None if type(value) is bool else f"invalid type: {describe(value)}, expected a boolean"
    )


def _is_ports(value: Any) -> str | None:
    if type(value) is list and value and all(type(port) is int for port in value):
        wrong = [port for port in value if not 0 <= port <= 65535]
        return f"invalid value: {describe(wrong[0])}, expected a port" if wrong else None
    return "expected a list of ports"


def _is_workspaces(value: Any) -> str | None:
    several = value if type(value) is list else [value]
    if not all(type(one) is str for one in several):
        return "data did not match any variant of untagged enum Repr"
    return _COMMAS if type(value) is str and "," in value else None


_COMMAS: Final = (
    "forced_chatgpt_workspace_id must be a single workspace ID string or a TOML list of strings;"
    " comma-separated strings are not supported. Use `forced_chatgpt_workspace_id ="
    ' ["123e4567-e89b-42d3-a456-426614174000", "123e4567-e89b-42d3-a456-426614174001"]` instead.'
)

_CHECKS: Final[dict[str, Callable[[Any], str | None]]] = {
    "forced_login_method": _one_of("chatgpt", "api"),
    "forced_chatgpt_workspace_id": _is_workspaces,
    "login_callback_ports": _is_ports,
    "cancel_other_login": _is_boolean,
    "cli_auth_credentials_store": _one_of("file", "keyring", "auto", "ephemeral"),
    "chatgpt_base_url": _is_string,
    "model_provider": _is_string,
    "model_providers": _is_table,
}


# --- where it stands ---


def _syntax_error(message: str, text: str) -> ConfigError:
    """Take the place out of tomllib's message, which has it at the end."""
    reason, _, where = message.rpartition(" (at ")
    if numbers := re.fullmatch(r"line (\d+), column (\d+)\)", where):
        return ConfigError(reason, start=(int(numbers[1]), int(numbers[2])))
    lines = text.split("\n")
    return ConfigError(reason, start=(len(lines), len(lines[-1]) + 1))


def _locate(text: str, keys: Sequence[str]) -> Place | None:
    """Find the value of a key, as it is usually written; None when it is written otherwise."""
    *tables, key = keys
    here: list[str] = []
    value = re.compile(
        rf"\s*[\"']?{re.escape(key)}[\"']?\s*=\s*(\"[^\"]*\"|'[^']*'|[^#]*[^#\s])"
    )
    for number, line in enumerate(text.split("\n"), 1):
        if header := re.match(r"\s*\[([^\[\]]+)\]", line):
            here = [part.strip(" \"'") for part in header[1].split(".")]
        elif here == tables and (found := value.match(line)):
            return (number, found.start(1) + 1), (number, found.end(1))
    return None
