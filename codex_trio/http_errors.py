"""What is said when httpx cannot ask somebody; imports httpx."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

import httpx
import trio

if TYPE_CHECKING:
    from collections.abc import Iterator

_BEFORE: Final = (
    httpx.ConnectError,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)


def explain(error: Exception) -> str:
    """Say what went wrong, without what was sent or received.

    Only the texts of what happens before anything is sent are our system's own; those of a
    broken reply quote it.
    """
    match error:
        case httpx.ConnectError() | httpx.ProxyError():
            return _find_tls_error(error) or str(error) or "it cannot be reached"
        case httpx.TooManyRedirects():
            return "too many redirects"
        case httpx.UnsupportedProtocol():
            return "not a http or https URL"
        case httpx.LocalProtocolError() | UnicodeEncodeError():
            return "a header that is none"
        case httpx.InvalidURL() | ValueError():
            return "a URL that is none"
        case httpx.ReadError() | httpx.WriteError():
            return "the connection was lost"
        case httpx.RemoteProtocolError() if str(error).startswith("Server disconnected"):
            return "the connection was lost"
        case _:
            return "the reply is no HTTP"


def is_unsent(error: Exception) -> bool:
    """Say whether it has gone wrong before the host could have read the question."""
    if isinstance(error, httpx.TransportError):
        return isinstance(error, _BEFORE)
    return isinstance(error, (httpx.InvalidURL, ValueError))


def is_unreachable(error: httpx.ConnectError) -> bool:
    """Say whether nobody is there; who breaks off a handshake is, but not as it should be."""
    return not any(isinstance(cause, trio.BrokenResourceError) for cause in _causes(error))


def _find_tls_error(error: Exception) -> str:
    """Find why a handshake failed; httpx keeps that at the bottom of the causes."""
    return next((str(one) for one in _causes(error) if isinstance(one, ssl.SSLError)), "")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
