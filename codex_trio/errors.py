"""Every exception we raise, as a tree, and the code it has on the wire.

::

    CodexTrioError
    ├── RpcError              an error as it stands on the wire: code, message, data
    │   └── InvalidParamsError    what was asked does not have the words of its method
    ├── MessageError          a line that is no message: not JSON, or not one of the four shapes
    │   └── MessageTooLongError   a message longer than a wire holds, or sends
    ├── AnswerError           a question of ours was answered, but not with what was asked for
    ├── ClientGoneError       a question of ours will not be answered: the client hung up
    ├── ServerGoneError       a call of a client will not be answered: the server hung up
    ├── ConnectError          a server does not let a client in
    ├── LaggedError           a listener was told more than is kept for it
    ├── TurnFailedError       a turn has ended without an answer
    ├── LoginError            a sign-in has ended without credentials
    ├── PortsTakenError       no port is left for the login callback (account/ports.py)
    ├── RefreshError          the tokens in force could not be renewed
    │   └── SignedOutError        there are none (account/backend.py)
    ├── PolicyError           it is not known what a workspace wants (account/policy.py)
    ├── RoutingError          it is not known where requests go (account/routing.py)
    ├── UpstreamError         a host on the network could not be asked
    │   ├── UnreachableError      nobody could be connected to (upstream.py)
    │   ├── SilentError           a host has not begun to reply in time (upstream.py)
    │   ├── DeviceCodeError       the issuer gives no device code (account/oauth.py)
    │   └── TrustError            the certificates to trust it by cannot be used
    ├── ResponseError         a model gives no answer, or no complete one (responses/failures.py)
    ├── SettingsError         the server cannot start as it was told to
    ├── ConfigError           config.toml cannot be used; the server runs on defaults instead
    │   ├── LayerError            … a layer of it (configuration/layers.py)
    │   └── InvalidValueError     … a value in it (configuration/layers.py)
    ├── FrontMatterError      a skill does not say what it is (catalogue/front_matter.py)
    ├── RecordError           what has happened in a thread is not on disk (threads/rollout.py)
    └── StoreError            credentials could not be read, written or removed
        └── KeyringMissingError   there is no keyring on this host (account/keyring_store.py)
"""

from __future__ import annotations

import os
from typing import Final, Literal, TypeAlias

INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INTERNAL_ERROR: Final = -32603
OVERLOADED: Final = -32001
REQUEST_CANCELLED: Final = -32800
"""As in the Language Server Protocol, whose ``$/cancelRequest`` we understand."""
SERVER_CANCELLED: Final = -32802
"""Likewise; the client has not asked for it."""


class CodexTrioError(Exception):
    """The root of all exceptions that this package raises on purpose."""


class RpcError(CodexTrioError):
    """An error as it stands on the wire.

    Raised by handlers to fail a request, and by questions that the client answered with an
    error. ``data`` is left out of the message when it is None.
    """

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    @classmethod
    def invalid_request(cls, message: str) -> RpcError:
        """Whatever the client did wrong; 0.163.0 has this one code for all of it."""
        return cls(INVALID_REQUEST, message)

    @classmethod
    def not_served(cls, what: str) -> RpcError:
        """A known method that we do not answer yet: a gap of ours, not a typo of theirs."""
        return cls(METHOD_NOT_FOUND, f"`{what}` is not served by codex-trio yet")

    @classmethod
    def internal(cls, message: str = "Internal error", data: object = None) -> RpcError:
        """Something failed on our side."""
        return cls(INTERNAL_ERROR, message, data)

    @classmethod
    def draining(cls) -> RpcError:
        """The server shuts down, and begins nothing that lasts any more (observed)."""
        return cls(
            INVALID_REQUEST,
            "Server is draining; retry after reconnecting",
            {"reason": "serverShuttingDown"},
        )

    @classmethod
    def overloaded(cls) -> RpcError:
        """Too many requests of one connection are being answered; the client may try again."""
        return cls(OVERLOADED, "Server overloaded; retry later.")

    @classmethod
    def cancelled(cls) -> RpcError:
        """The client wants no answer any more, and gets none."""
        return cls(REQUEST_CANCELLED, "Request cancelled")

    @classmethod
    def late(cls, seconds: float) -> RpcError:
        """A request has taken longer than the server allows, and was cancelled."""
        return cls(SERVER_CANCELLED, f"Request cancelled: no answer within {seconds:g} s")


class InvalidParamsError(RpcError):
    """What was asked does not have the words of its method."""

    def __init__(self, reason: str) -> None:
        super().__init__(INVALID_REQUEST, f"Invalid request: {reason}")
        self.reason = reason


class MessageError(CodexTrioError):
    """A line that is no message; the text never quotes the line."""


class MessageTooLongError(MessageError):
    """A message longer than a wire is willing to hold, or can send; ``head`` is how it began."""

    def __init__(self, head: bytes, limit: int) -> None:
        super().__init__(f"message exceeds {limit} bytes")
        self.head = head
        self.limit = limit


class AnswerError(CodexTrioError):
    """A question of ours was answered, but not with what was asked for.

    To a client it says the same of a server, and of what that tells by itself.

    It is no ``RpcError``: what one client says must not be quoted to another whose request
    happens to wait for it. ``error`` has what it said, for those who know what may be shown.
    """

    def __init__(self, message: str, error: RpcError) -> None:
        super().__init__(message)
        self.error = error


class ClientGoneError(CodexTrioError):
    """A question of ours will not be answered: every client that was asked has hung up."""


class ServerGoneError(CodexTrioError):
    """A call of a client will not be answered, and nothing will be told any more.

    The server has hung up, its process has ended, or the client's own block was left.
    """


class ConnectError(CodexTrioError):
    """A server does not let a client in; ``status`` is that of its HTTP answer, if it gave one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class LaggedError(CodexTrioError):
    """A listener was told more than is kept for it; ``missed`` notifications were left out."""

    def __init__(self, missed: int) -> None:
        super().__init__(
            f"{missed} notifications were left out: the listener lags too far behind"
        )
        self.missed = missed


class TurnFailedError(CodexTrioError):
    """A turn has ended without an answer; ``status`` is that of the turn, ``failed`` mostly."""

    def __init__(self, message: str, status: str) -> None:
        super().__init__(message)
        self.status = status


class LoginError(CodexTrioError):
    """A sign-in has ended without credentials; the text is for whoever wanted to sign in.

    ``code`` is a short name of what happened, from RFC 6749 where that has one; ``details`` is
    what a browser is told beside the text.
    """

    def __init__(
        self, message: str, code: str = "unknown_error", details: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.details = details


RefreshFailure: TypeAlias = Literal["expired", "reused", "revoked", "other", "transient"]


class RefreshError(CodexTrioError):
    """The tokens in force could not be renewed; the text is for whoever is signed in with them.

    ``kind`` is what has become of the refresh token; all but ``transient`` are for good.
    """

    def __init__(self, message: str, kind: RefreshFailure = "transient") -> None:
        super().__init__(message)
        self.kind: RefreshFailure = kind

    @property
    def permanent(self) -> bool:
        """Whether these tokens will never be renewed."""
        return self.kind != "transient"


class UpstreamError(CodexTrioError):
    """A host on the network could not be asked.

    The text names the URL without its query, what went wrong, the proxy and what certificates
    are trusted; it quotes nothing that was sent or received. ``unsent`` if the host has surely
    not seen the question.
    """

    def __init__(self, message: str, *, unsent: bool = False) -> None:
        super().__init__(message)
        self.unsent = unsent


class TrustError(UpstreamError):
    """The certificates that are to be trusted cannot be used; ``missing`` if there is no file."""

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message, unsent=True)
        self.missing = missing


class SettingsError(CodexTrioError):
    """The server cannot start as it was told to; the text is for the person who started it."""


class ConfigError(CodexTrioError):
    """config.toml cannot be used.

    ``start`` and ``end`` are one-based (line, column) pairs of the first and the last
    character at fault, where that is known.
    """

    def __init__(
        self,
        reason: str,
        *,
        start: tuple[int, int] | None = None,
        end: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.start = start
        self.end = end or start


class StoreError(CodexTrioError):
    """Credentials could not be read, written or removed."""


def os_error_text(error: OSError) -> str:
    """Name an operating system error as the original does: ``Is a directory (os error 21)``.

    The file's name is left out on purpose: the text goes to clients.
    """
    if error.errno is None:
        return type(error).__name__
    return f"{os.strerror(error.errno)} (os error {error.errno})"
