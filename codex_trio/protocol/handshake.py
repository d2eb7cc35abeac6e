"""Words of initialize, and of what is said right after it."""

from __future__ import annotations

from attrs import field, frozen

from codex_trio.protocol.words import LEFT_OUT


@frozen(kw_only=True)
class ClientInfo:
    """Who connects; the name becomes the originator of what the server does for it."""

    name: str
    title: str | None = None
    version: str


@frozen(kw_only=True)
class InitializeCapabilities:
    """What the client can do and wants to hear."""

    experimental_api: bool = False
    request_attestation: bool = False
    mcp_server_openai_form_elicitation: bool = False
    explicit_gateway_oauth: bool = False
    extensions: dict[str, object] | None = None
    opt_out_notification_methods: list[str] | None = None


@frozen(kw_only=True)
class InitializeParams:
    """The first request of a connection."""

    client_info: ClientInfo
    capabilities: InitializeCapabilities | None = None


@frozen(kw_only=True)
class InitializeResponse:
    """Who answers, and from where."""

    user_agent: str
    codex_home: str
    platform_family: str
    platform_os: str


@frozen(kw_only=True)
class TextPosition:
    """A place in a text file; both numbers count from one."""

    line: int
    column: int


@frozen(kw_only=True)
class TextRange:
    """From the first character at fault to the last."""

    start: TextPosition
    end: TextPosition


@frozen(kw_only=True)
class ConfigWarningNotification:
    """The configuration could not be used as it is written."""

    summary: str
    details: str | None = None
    path: str | None = field(default=None, metadata=LEFT_OUT)
    range: TextRange | None = field(default=None, metadata=LEFT_OUT)
