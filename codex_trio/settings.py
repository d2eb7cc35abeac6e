"""Everything that can be configured, read once into one frozen value."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from attrs import field, frozen

from codex_trio.config import Choices, parse_overrides, read_config
from codex_trio.errors import ConfigError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CredentialsStore: TypeAlias = Literal["file", "keyring", "auto", "ephemeral"]
LoginMethod: TypeAlias = Literal["chatgpt", "api"]

CONTRACT: Final = "0.163.0"
"""The release whose wire we speak, and whose version clients are told."""


@frozen(kw_only=True)
class ConfigWarning:
    """Something about the configuration that every client is told when it connects.

    ``start`` and ``end`` are one-based (line, column) pairs in the file at ``path``.
    """

    summary: str
    details: str | None = None
    path: str | None = None
    start: tuple[int, int] | None = None
    end: tuple[int, int] | None = None


@frozen(kw_only=True)
class Settings:
    """How a server behaves.

    Made by hand for a server that reads no configuration, or by ``load_settings``.

    Args:
        codex_home: the directory in which state is kept.
        version: the release that clients are told they talk to.
        originator: overrides the name that clients give themselves.
        forced_login_method: the one way in which one may sign in.
        credentials_store: where credentials are kept. ``ephemeral`` keeps them in memory.
        requires_openai_auth: whether the model provider needs an OpenAI account.
        max_message: the longest message that is read, in bytes.
        grace: seconds that requests in flight have once their client has hung up.
        warnings: what clients are told when they connect.
    """

    codex_home: Path = field(converter=Path)
    version: str = CONTRACT
    originator: str | None = None
    forced_login_method: LoginMethod | None = None
    credentials_store: CredentialsStore = "file"
    requires_openai_auth: bool = True
    max_message: int = 64 * 2**20
    grace: float = 5.0
    warnings: tuple[ConfigWarning, ...] = ()


def load_settings(
    overrides: Sequence[str] = (), *, environ: Mapping[str, str] = os.environ
) -> Settings:
    """Read the environment, ``config.toml`` and overrides such as ``key="value"``.

    A ``config.toml`` that cannot be used is left out as a whole, with a warning for clients,
    and overrides still count, as in 0.163.0 (observed). Blocks; call it before serving.

    Raises:
        SettingsError: ``CODEX_HOME`` is no directory, or an override cannot be used.
    """
    home = find_home(environ)
    try:
        given = parse_overrides(overrides)
    except ConfigError as error:
        raise SettingsError(error.reason) from None
    path = home / "config.toml"
    warnings = []
    try:
        choices = Choices.of(read_config(path), given)
    except ConfigError as error:
        warnings.append(_warning(error, path))
        try:
            choices = Choices.of({}, given)
        except ConfigError as fatal:
            raise SettingsError(fatal.reason) from None
    return Settings(
        codex_home=home,
        version=environ.get("CODEX_TRIO_COMPAT_VERSION") or CONTRACT,
        originator=environ.get("CODEX_INTERNAL_ORIGINATOR_OVERRIDE"),
        forced_login_method=choices.forced_login_method,
        credentials_store=choices.credentials_store,
        requires_openai_auth=choices.requires_openai_auth,
        warnings=tuple(warnings),
    )


def find_home(environ: Mapping[str, str]) -> Path:
    """Find the directory in which state is kept: ``CODEX_HOME``, else ``~/.codex``.

    The default need not exist yet.

    Raises:
        SettingsError: ``CODEX_HOME`` is set and is no directory, in the words of 0.163.0; or
            it is not set, and neither is the home of whoever runs us.
    """
    given = environ.get("CODEX_HOME")
    if not given:
        try:
            return Path.home() / ".codex"
        except RuntimeError:
            raise SettingsError("there is no home directory; set CODEX_HOME") from None
    path = Path(given)
    if not path.exists():
        raise SettingsError(f'CODEX_HOME points to "{given}", but that path does not exist')
    if not path.is_dir():
        raise SettingsError(f'CODEX_HOME points to "{given}", but that path is not a directory')
    return path.resolve()


def _warning(error: ConfigError, path: Path) -> ConfigWarning:
    summary = "Invalid configuration; using defaults."
    if error.start is None:
        return ConfigWarning(summary=summary, details=error.reason)
    line, column = error.start
    return ConfigWarning(
        summary=summary,
        details=f"{path}:{line}:{column}: {error.reason}",
        path=str(path),
        start=error.start,
        end=error.end,
    )
