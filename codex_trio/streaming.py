"""Replies that are read while they arrive; imports httpx."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
import httpx
import trio

from codex_trio.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

_GOODBYE: Final = 0.02  # seconds that a connection has to be closed; then it is torn down
_REDIRECTS: Final = (307, 308)  # those that ask for the same request again
_MAX_REDIRECTS: Final = 5


@attrs.define(eq=False)
class ReplyStream:
    """A reply whose head is there, and whose body arrives; read by one task.

    Args:
        status: the status code.
        headers: by name in small letters; repeated ones are joined by commas.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    _response: httpx.Response = attrs.field(repr=False)
    _chunks: AsyncIterator[bytes] = attrs.field(repr=False)
    ended: bool = attrs.field(default=False, init=False)
    """Whether all of the body has arrived."""
    _cut: bool = attrs.field(default=False, init=False, repr=False)

    @classmethod
    def of(cls, response: httpx.Response) -> ReplyStream:
        """Read the body of a response."""
        headers: dict[str, str] = {}
        for name, value in response.headers.multi_items():
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return cls(response.status_code, headers, response, response.aiter_raw())

    async def receive(self) -> bytes:
        """Receive more of the body, as it comes; empty at its end.

        A cancelled call leaves a body of which nothing more can be read.

        Raises:
            UpstreamError: the body is cut, or is none; also from each call behind the one that
                was told so or was cancelled.
        """
        try:
            return await anext(self._chunks)
        except StopAsyncIteration:
            if self._cut:  # an iterator that has failed looks like one that is at its end
                raise UpstreamError("the connection was lost") from None
            self.ended = True
            return b""
        except trio.Cancelled:
            self._cut = True
            raise
        except httpx.RemoteProtocolError as error:
            self._cut = True
            raise UpstreamError(_explain_cut(error)) from None
        except httpx.HTTPError:
            self._cut = True
            raise UpstreamError("the connection was lost") from None

    async def read(self, limit: int) -> bytes:
        """Read the body to its end, and so many bytes of it at most.

        A cancelled call loses what it has read.

        Raises:
            UpstreamError: the body is cut, or is none.
        """
        body = bytearray()
        while len(body) < limit and (piece := await self.receive()):
            body += piece
        return bytes(body[:limit])

    async def aclose(self) -> None:
        """Give the connection back if the body has arrived to its end, and close it if not.

        It takes no time, however stuck the host is, and is done also by who is cancelled.
        """
        # What is left of the body is cut like any other wait, so that the generators of the
        # libraries end here, and not when they are collected.
        try:
            with trio.CancelScope() as rest:
                rest.cancel(reason="nobody wants the rest of a reply")
                while await self.receive():
                    pass
        except UpstreamError:
            pass
        with trio.move_on_after(_GOODBYE, shield=True):
            await self._response.aclose()


async def post(
    client: httpx.AsyncClient, url: str, headers: Mapping[str, str], content: bytes
) -> ReplyStream:
    """Send bytes, and return the reply as soon as its head is there, whatever its status.

    A redirect is followed where it asks for the same once more and leads to the same scheme,
    host and port; any other is a reply. A cancelled call leaves nothing open; the host may have
    acted all the same. Who is given a reply has to close it.

    Raises:
        httpx.HTTPError, httpx.InvalidURL, ValueError: there is no reply.
    """
    # Who signs a question says so; a user in its URL is for those who do not.
    auth = httpx.Auth() if "authorization" in headers else httpx.USE_CLIENT_DEFAULT
    encoded = {name.encode(): value.encode() for name, value in headers.items()}
    request = client.build_request("POST", url, headers=encoded, content=content)
    for _ in range(_MAX_REDIRECTS):
        response = await client.send(request, stream=True, auth=auth)
        following = response.next_request
        if response.status_code not in _REDIRECTS or following is None:
            return ReplyStream.of(response)
        if _origin(following.url) != _origin(request.url):
            return ReplyStream.of(response)
        await ReplyStream.of(response).aclose()
        request = following
    raise httpx.TooManyRedirects("too many redirects", request=request)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _explain_cut(error: httpx.RemoteProtocolError) -> str:
    if "without sending complete message body" in str(error):
        return "the connection was lost"
    return "the reply is no HTTP"
