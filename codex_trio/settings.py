"""Everything that can be configured, read once into one frozen value."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from urllib.parse import urljoin

from attrs import converters, field, frozen, validators

from codex_trio.config import Choices, merge, parse_overrides, read_config
from codex_trio.errors import ConfigError, SettingsError
from codex_trio.telemetry import is_wanted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codex_trio.model import Model

CredentialsStore: TypeAlias = Literal["file", "keyring", "auto", "ephemeral"]
LoginMethod: TypeAlias = Literal["chatgpt", "api"]

CONTRACT: Final = "0.163.0"
"""The release whose wire we speak, and whose version clients are told."""

ISSUER: Final = "https://auth.openai.com"
"""Who signs people in, unless somebody else is named."""

CHATGPT_BASE_URL: Final = "https://chatgpt.com/backend-api"
"""What knows the limits and the workspace of a ChatGPT account, unless another is named."""

SYSTEM_CONFIG: Final = Path("/etc/codex/config.toml")
"""The configuration of the machine, which lies below that of the user."""

CLIENT_ID: Final = "app_EMoamEEZ73f0CkXaXp7hrann"
"""What the issuer knows the original by; it expects the redirects that we ask for."""


DRAIN: Final = 25.0
"""Seconds: a little less than the 30 after which those who run containers kill them."""

_is_port: Final = validators.and_(validators.ge(0), validators.lt(2**16))


@frozen(kw_only=True)
class CaBundle:
    """Certificates that are trusted beside the system's: a PEM file, and who has named it."""

    path: Path = field(converter=Path)
    source: str = "the settings"


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

    Made by hand, or by ``load_settings``. What threads and turns are configured with is read
    from ``config.toml`` while the server runs, and ``config`` is laid over it.

    Args:
        codex_home: the directory in which state is kept.
        version: the release that clients are told they talk to.
        originator: overrides the name that clients give themselves.
        forced_login_method: the one way in which one may sign in.
        credentials_store: where credentials are kept. ``ephemeral`` keeps them in memory.
        forced_workspaces: the workspaces that a ChatGPT account must be of; any, when empty.
        requires_openai_auth: whether the model provider needs an OpenAI account.
        issuer: the URL of who signs people in, without a slash at its end.
        client_id: what the issuer knows us by.
        refresh_url: where tokens are renewed; below the issuer by default.
        revoke_url: where tokens are revoked; below the issuer by default.
        chatgpt_base_url: where a ChatGPT account's limits and workspace are asked for, without
            a slash at its end.
        login_callback_ports: on which of its ports the login callback listens, the first that
            is free; 0 is any.
        cancel_other_login: whether another Codex process that holds such a port is asked to
            give up its login, as the original does.
        login_ends_with_client: whether a sign-in ends when the connection ends over which it was
            begun; it goes on by default, as in the original.
        watch_interval: seconds between two looks whether others have changed what is stored.
            (It is looked at whenever somebody asks, too.)
        ca_bundle: certificates to trust beside the system's.
        proxies: where requests go through, as ``urllib.request.getproxies`` returns them, with
            ``all`` for what is not named and ``no`` for the hosts that are asked directly.
        config: what is laid over ``config.toml``, as a table: what ``-c`` says.
        system_config: the configuration of the machine, below the user's; None for none.
        models: the models that there are, the default one first; those of the original's
            release by default.
        max_message: the longest message that is read, in bytes.
        grace: seconds that requests in flight have once their client has hung up.
        request_deadline: seconds that a request has for its answer, from its arrival; what takes
            longer is cancelled. None for no end.
        drain: seconds that turns under way have to end by themselves when the server shuts down
            in good order; see ``Server.drain``.
        telemetry: whether spans of OpenTelemetry are made, which needs opentelemetry-api; for the
            whole process, as soon as one of its servers wants them.
        warnings: what clients are told when they connect.
    """

    codex_home: Path = field(converter=Path)
    version: str = CONTRACT
    originator: str | None = None
    forced_login_method: LoginMethod | None = None
    credentials_store: CredentialsStore = "file"
    forced_workspaces: tuple[str, ...] = ()
    requires_openai_auth: bool = True
    issuer: str = ISSUER
    client_id: str = CLIENT_ID
    refresh_url: str | None = None
    revoke_url: str | None = None
    chatgpt_base_url: str = CHATGPT_BASE_URL
    login_callback_ports: tuple[int, ...] = field(
        default=(1455, 1457),
        validator=[validators.min_len(1), validators.deep_iterable(_is_port)],
    )
    cancel_other_login: bool = True
    login_ends_with_client: bool = False
    watch_interval: float = field(default=2.0, validator=validators.gt(0))
    ca_bundle: CaBundle | None = None
    proxies: Mapping[str, str] = field(factory=dict, repr=False)  # may hold passwords
    config: Mapping[str, Any] = field(factory=dict, repr=False)  # may hold keys of providers
    system_config: Path | None = field(
        default=SYSTEM_CONFIG, converter=converters.optional(Path)
    )
    models: tuple[Model, ...] | None = field(
        default=None, validator=validators.optional(validators.min_len(1))
    )
    max_message: int = 64 * 2**20
    grace: float = 5.0
    request_deadline: float | None = field(
        default=None, validator=validators.optional(validators.gt(0))
    )
    drain: float = field(default=DRAIN, validator=validators.ge(0))
    telemetry: bool = False
    warnings: tuple[ConfigWarning, ...] = ()


def load_settings(
    overrides: Sequence[str] = (),
    *,
    environ: Mapping[str, str] = os.environ,
    system_config: Path = SYSTEM_CONFIG,
) -> Settings:
    """Read the environment, ``config.toml`` and overrides such as ``key="value"``.

    A ``config.toml`` that cannot be used is left out as a whole, with a warning for clients,
    and overrides still count, as in 0.163.0 (observed). Blocks; call it before serving.

    Raises:
        SettingsError: ``CODEX_HOME`` is no directory, or the configuration of the machine or an
            override cannot be used.
    """
    home = find_home(environ)
    try:
        given = parse_overrides(overrides)
    except ConfigError as error:
        raise SettingsError(error.reason) from None
    try:
        system = read_config(system_config)
    except ConfigError as error:
        raise SettingsError(_place(error, system_config) + error.reason) from None
    path = home / "config.toml"
    warnings = []
    try:
        choices = Choices.of(merge(system, read_config(path)), given)
    except ConfigError as error:
        warnings.append(_warning(error, path))
        try:
            choices = Choices.of(system, given)
        except ConfigError as fatal:
            raise SettingsError(fatal.reason) from None
    return Settings(
        **_of_environment(environ),
        codex_home=home,
        forced_login_method=choices.forced_login_method,
        credentials_store=choices.credentials_store,
        forced_workspaces=choices.forced_workspaces,
        requires_openai_auth=choices.requires_openai_auth,
        chatgpt_base_url=_chatgpt_base_url(choices.chatgpt_base_url),
        login_callback_ports=choices.login_callback_ports,
        cancel_other_login=choices.cancel_other_login,
        login_ends_with_client=choices.login_ends_with_client,
        config=given,
        system_config=system_config,
        telemetry=is_wanted(environ),
        warnings=tuple(warnings),
    )


def load_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the environment alone, for who goes on where ``load_settings`` has failed.

    No file is looked at: the home need not be there.
    """
    home = environ.get("CODEX_HOME") or os.path.expanduser("~/.codex")
    return Settings(**_of_environment(environ), codex_home=home)


def _of_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    return {
        "version": environ.get("CODEX_TRIO_COMPAT_VERSION") or CONTRACT,
        "originator": environ.get("CODEX_INTERNAL_ORIGINATOR_OVERRIDE"),
        "issuer": environ.get("CODEX_APP_SERVER_LOGIN_ISSUER", "").strip().rstrip("/")
        or ISSUER,
        "client_id": _client_id(environ),
        "refresh_url": environ.get("CODEX_REFRESH_TOKEN_URL_OVERRIDE") or None,
        "revoke_url": _revoke_url(environ),
        "ca_bundle": _ca_bundle(environ),
        "proxies": _proxies(environ),
    }


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


def _client_id(environ: Mapping[str, str]) -> str:
    given = environ.get("CODEX_APP_SERVER_LOGIN_CLIENT_ID", "")
    return given if given.strip() else CLIENT_ID  # taken as it is, unless it is blank


def _chatgpt_base_url(given: str | None) -> str:
    """Take a base URL, with the path that the well-known hosts are meant with (observed)."""
    base = (given or CHATGPT_BASE_URL).rstrip("/")
    known = base.startswith(("https://chatgpt.com", "https://chat.openai.com"))
    return f"{base}/backend-api" if known and "/backend-api" not in base else base


def _revoke_url(environ: Mapping[str, str]) -> str | None:
    """Find where tokens are revoked; with another place to renew them, it is beside that."""
    if given := environ.get("CODEX_REVOKE_TOKEN_URL_OVERRIDE"):
        return given
    if renewed := environ.get("CODEX_REFRESH_TOKEN_URL_OVERRIDE"):
        with contextlib.suppress(ValueError):
            return urljoin(renewed, "/oauth/revoke")
    return None


def _ca_bundle(environ: Mapping[str, str]) -> CaBundle | None:
    for variable in ("CODEX_CA_CERTIFICATE", "SSL_CERT_FILE"):
        if path := environ.get(variable):
            return CaBundle(path=path, source=variable)
    return None


def _proxies(environ: Mapping[str, str]) -> dict[str, str]:
    proxies = {}
    for name in ("http", "https", "all", "no"):
        variable = f"{name}_proxy"
        if value := environ.get(variable.upper()) or environ.get(variable):
            proxies[name] = value
    return proxies


def _warning(error: ConfigError, path: Path) -> ConfigWarning:
    summary = "Invalid configuration; using defaults."
    if error.start is None:
        return ConfigWarning(summary=summary, details=error.reason)
    return ConfigWarning(
        summary=summary,
        details=_place(error, path) + error.reason,
        path=str(path),
        start=error.start,
        end=error.end,
    )


def _place(error: ConfigError, path: Path) -> str:
    if error.start is None:
        return ""
    line, column = error.start
    return f"{path}:{line}:{column}: "
