"""Who answers: the model providers that need no definition, and those of config.toml."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlencode, urlsplit, urlunsplit

import attrs

from codex_trio.config_keys import find_fault
from codex_trio.errors import ConfigError
from codex_trio.user_agent import is_header_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from codex_trio.account.credentials import Credentials
    from codex_trio.settings import Settings

_API: Final = "https://api.openai.com/v1"
_LOCAL: Final = {"ollama": ("gpt-oss", 11434), "lmstudio": ("gpt-oss", 1234)}
_MOST_RETRIES: Final = 100
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2


@attrs.frozen(kw_only=True)
class Provider:
    """Somebody who serves the Responses API; made by ``find_provider``.

    Args:
        id: its name in the configuration.
        name: what people call it.
        base_url: what its URLs begin with; None goes where the account is served, which is
            another place for an API key than for ChatGPT.
        account_url: where a ChatGPT account is served.
        env_key: the environment variable that has the key.
        env_key_instructions: how to come by one.
        bearer_token: a token that stands in the configuration itself.
        http_headers: what is sent along.
        env_http_headers: what is sent along, by the environment variables that have it.
        query_params: what is put behind its URLs.
        request_max_retries: how often a request is repeated that was not answered.
        stream_max_retries: how often an answer is asked for again that broke off.
        stream_idle_timeout: seconds from one event to the next.
        requires_openai_auth: whether requests are signed by who is signed in here.
    """

    id: str
    name: str
    base_url: str | None = None
    account_url: str | None = None
    env_key: str | None = None
    env_key_instructions: str | None = None
    bearer_token: str | None = attrs.field(default=None, repr=False)
    http_headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)  # may hold keys
    env_http_headers: Mapping[str, str] = attrs.field(factory=dict)
    query_params: Mapping[str, str] = attrs.field(factory=dict, repr=False)  # may hold keys
    request_max_retries: int = 4
    stream_max_retries: int = 5
    stream_idle_timeout: float = 300.0
    requires_openai_auth: bool = False

    @property
    def uses_account(self) -> bool:
        """Whether requests are signed by who is signed in here, and by nothing else."""
        return self.requires_openai_auth and self.env_key is None and self.bearer_token is None

    def url(self, path: str, credentials: Credentials | None) -> str:
        """Say where something is asked.

        Args:
            path: what is asked, without a slash before it.
            credentials: with which it will be.
        """
        by_account = credentials is not None and credentials.mode != "apikey"
        base = self.base_url or (self.account_url if by_account else None) or _API
        try:
            parts = urlsplit(base)
        except ValueError:
            return base  # whoever asks it will say what is wrong
        query = "&".join(filter(None, (parts.query, urlencode(dict(self.query_params)))))
        whole = f"{parts.path.rstrip('/')}/{path}"
        return urlunsplit((parts.scheme, parts.netloc, whole, query, ""))

    def headers(self) -> dict[str, str]:
        """Compose what is sent along, by names in small letters.

        What cannot stand in a header is left out, and so is an environment variable that is
        empty (observed on 0.163.0).
        """
        from_environment = (
            (n, os.environ.get(v, "")) for n, v in self.env_http_headers.items()
        )
        given = (
            *self.http_headers.items(),
            *((n, v) for n, v in from_environment if v.strip()),
        )
        return dict(_sendable((name.lower(), value) for name, value in given))


def find_provider(name: str, table: Mapping[str, Any], settings: Settings) -> Provider:
    """Find a provider by its name.

    Args:
        name: its name in the configuration.
        table: the configuration that is in force.
        settings: those of the server.

    Raises:
        ConfigError: there is none, it is defined wrongly, or it is of a kind that we do not
            serve.
    """
    if name == "openai":
        return _openai(table, settings)
    if name in _LOCAL:
        return _local(name)
    if name == "amazon-bedrock":
        raise ConfigError("The model provider `amazon-bedrock` is not served by codex-trio")
    defined = table.get("model_providers")
    if not isinstance(defined, dict) or name not in defined:
        raise ConfigError(f"Model provider `{name}` not found")
    return _of_table(name, defined[name], settings)


def _openai(table: Mapping[str, Any], settings: Settings) -> Provider:
    base_url = table.get("openai_base_url")
    return Provider(
        id="openai",
        name="OpenAI",
        base_url=base_url if isinstance(base_url, str) and base_url else None,
        account_url=f"{settings.chatgpt_base_url}/codex",
        http_headers={"version": settings.version},
        env_http_headers={
            "openai-organization": "OPENAI_ORGANIZATION",
            "openai-project": "OPENAI_PROJECT",
        },
        requires_openai_auth=True,
    )


def _local(name: str) -> Provider:
    """Take what serves models on this machine, where it is unless the environment says so."""
    called, port = _LOCAL[name]
    given = os.environ.get("CODEX_OSS_PORT", "")
    port = int(given) if given.isascii() and given.isdecimal() else port
    base = os.environ.get("CODEX_OSS_BASE_URL", "").strip() or f"http://localhost:{port}/v1"
    return Provider(id=name, name=called, base_url=base)


def _of_table(name: str, told: Any, settings: Settings) -> Provider:
    if (fault := find_fault({"model_providers": {name: told}})) is not None:
        raise ConfigError(f"model_providers.{name}: {fault[1]}")
    table = cast("dict[str, Any]", told)
    if not table.get("name"):
        raise ConfigError(f"model_providers.{name}: provider name must not be empty")
    if "auth" in table or "aws" in table:
        how = "auth" if "auth" in table else "aws"
        raise ConfigError(f"`model_providers.{name}.{how}` is not served by codex-trio")
    return Provider(
        id=name,
        name=table["name"],
        base_url=table.get("base_url"),
        account_url=f"{settings.chatgpt_base_url}/codex",
        env_key=table.get("env_key"),
        env_key_instructions=table.get("env_key_instructions"),
        bearer_token=table.get("experimental_bearer_token"),
        http_headers=table.get("http_headers", {}),
        env_http_headers=table.get("env_http_headers", {}),
        query_params=table.get("query_params", {}),
        request_max_retries=min(table.get("request_max_retries", 4), _MOST_RETRIES),
        stream_max_retries=min(table.get("stream_max_retries", 5), _MOST_RETRIES),
        stream_idle_timeout=table.get("stream_idle_timeout_ms", 300_000) / 1000,
        requires_openai_auth=table.get("requires_openai_auth", False),
    )


def _sendable(headers: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    for name, value in headers:
        if _TOKEN.fullmatch(name) and is_header_value(value):
            yield name, value.strip()
