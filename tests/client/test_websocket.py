"""Clients at websockets: of ours, of the genuine server, and of what is none."""

from __future__ import annotations

import hashlib
import ssl
import subprocess
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

import orjson
import pytest
import trio
import trustme
from codex_cli_bin import bundled_codex_path  # type: ignore[import-untyped]  # it has no types
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)

from codex_trio.client import connect
from codex_trio.client.websocket import open_websocket
from codex_trio.errors import ConnectError, MessageTooLongError, RpcError, ServerGoneError
from codex_trio.protocol import account as words
from codex_trio.protocol import methods
from codex_trio.testing import no_leaks
from tests.cancellation import cancel_at_step
from tests.client.servers import INTRODUCTION
from tests.conftest import PATIENCE
from tests.schema import genuine_environment

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

    from codex_trio.client.websocket import WebSocketWire
    from codex_trio.server import Server

READ = words.GetAccountParams()
LOOPBACK = "ws://127.0.0.1:0"
PING = b"\x89\x00"
GOODBYE = b"\x88\x0d\x03\xe8that was it"


@asynccontextmanager
async def genuine(home: Path, url: str, *arguments: str) -> AsyncGenerator[str]:
    """The genuine server at a URL, whose port it says."""
    command = [str(bundled_codex_path()), "app-server", "--listen", url, *arguments]
    process = await trio.lowlevel.open_process(
        command,
        env=genuine_environment(home),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        said = b""
        with trio.fail_after(PATIENCE):
            while url == LOOPBACK and not (b"ws://" in said and said.endswith(b"\n")):
                said += await process.stderr.receive_some()
        with trio.fail_after(PATIENCE):  # noqa: ASYNC100 - the body waits
            yield (
                url
                if url != LOOPBACK
                else "ws://" + said.split(b"ws://")[1].split()[0].decode()
            )
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
        await process.stderr.aclose()


@asynccontextmanager
async def ours(server: Server, url: str) -> AsyncGenerator[str]:
    async with trio.open_nursery() as nursery:
        bound: str = await nursery.start(server.listen, url)
        with trio.fail_after(PATIENCE):  # noqa: ASYNC100 - the body waits
            yield bound
        nursery.cancel_scope.cancel()


async def converse(url: str, token: str | None = None) -> None:
    async with connect(url, token=token) as client:
        assert (await client.call(methods.ACCOUNT_READ, READ)).account is None
        async with client.notifications(methods.ACCOUNT_UPDATED) as news:
            await client.login_with_api_key("sk-mine")
            assert (await anext(news)).auth_mode == "apikey"
        await client.logout()
        # Nearly as long as a frame may be, and longer.
        with pytest.raises(RpcError):
            await client.call("no/such/method", {"long": "é" * (8 * 2**20 - 50)})
        with pytest.raises(MessageTooLongError, match="exceeds 16777216 bytes"):
            await client.call("no/such/method", {"long": "é" * 8 * 2**20})
        assert (await client.call(methods.ACCOUNT_READ, READ)).account is None


async def test_ours_over_tcp(server: Server) -> None:
    async with ours(server, LOOPBACK) as url:
        await converse(url)


async def test_ours_over_a_unix_socket(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(folder / "socket")
    async with ours(server, f"unix://{folder}/socket") as url:
        await converse(url)
        await converse(f"unix://{tmp_path}/link")


async def test_the_genuine_server_over_tcp(home: Path) -> None:
    token = "a capability"
    digest = hashlib.sha256(token.encode()).hexdigest()
    flags = ("--ws-auth", "capability-token", "--ws-token-sha256", digest)
    async with genuine(home, LOOPBACK, *flags) as url:
        for wrong in (None, "something else"):
            with pytest.raises(ConnectError, match="401") as caught:
                await converse(url, wrong)
            assert caught.value.status == 401
        await converse(url, token)


async def test_the_genuine_server_over_a_unix_socket(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    async with genuine(home, f"unix://{folder}/socket") as url:
        with trio.fail_after(PATIENCE):  # noqa: ASYNC912 - sleeping waits
            while not (folder / "socket").exists():  # noqa: ASYNC110 - it does not say
                await trio.sleep(0.01)
        await converse(url)


async def test_a_server_that_hangs_up_may_say_why(server: Server) -> None:
    async with ours(server, LOOPBACK) as url, connect(url) as client:
        server.hang_up()
        with pytest.raises(ServerGoneError, match="the server hung up: the server is shutting"):
            async with client.notifications(methods.ACCOUNT_UPDATED) as news:
                await anext(news)


# --- what is no server ---


class Peer:
    """A websocket server that does what a test says."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.protocol = WSConnection(ConnectionType.SERVER)
        self.events = self.protocol.events()

    async def hear(self) -> Event:
        while True:
            for event in self.events:
                return event
            self.protocol.receive_data(bytes(await self.stream.receive_some()) or None)
            self.events = self.protocol.events()

    async def say(self, *events: Event) -> None:
        await self.stream.send_all(b"".join(map(self.protocol.send, events)))


@asynccontextmanager
async def peer(
    serve: Callable[[Peer], Awaitable[None]], tls: ssl.SSLContext | None = None
) -> AsyncGenerator[SplitResult]:
    async def handle(stream: trio.abc.Stream) -> None:
        async with stream:
            await serve(Peer(stream))

    listener: trio.abc.Listener[trio.abc.Stream]
    (listener,) = tcp = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port, scheme = tcp[0].socket.getsockname()[1], "ws"
    if tls is not None:
        listener, scheme = trio.SSLListener(tcp[0], tls, https_compatible=True), "wss"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, handle, [listener])  # noqa: ASYNC113 - it listens already
        with trio.fail_after(PATIENCE * 2):  # noqa: ASYNC100 - the body waits
            yield urlsplit(f"{scheme}://127.0.0.1:{port}/there?x=1")
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def wire_to(
    serve: Callable[[Peer], Awaitable[None]], limit: int = 1000
) -> AsyncGenerator[WebSocketWire]:
    async def accept(peer: Peer) -> None:
        await peer.hear()
        await peer.say(AcceptConnection())
        await serve(peer)

    async with peer(accept) as url, open_websocket(url, None, None, limit) as wire:
        yield wire


async def test_what_is_asked_for(home: Path) -> None:
    heard: list[Event] = []

    async def serve(peer: Peer) -> None:
        heard.append(await peer.hear())
        await peer.say(RejectConnection(status_code=404))

    async with peer(serve) as url:
        with pytest.raises(ConnectError, match="the server refuses: 404"):
            async with open_websocket(url, "t", None, 1):
                pytest.fail("it refuses")
    (request,) = heard
    assert isinstance(request, Request)
    assert request.target == "/there?x=1"
    headers = {name.lower(): value for name, value in request.extra_headers}
    assert headers[b"authorization"] == b"Bearer t"
    assert b"origin" not in headers


async def test_a_refusal_may_have_a_text() -> None:
    async def serve(peer: Peer) -> None:
        await peer.hear()
        headers = [(b"content-length", b"7")]
        await peer.say(RejectConnection(status_code=403, headers=headers, has_body=True))
        await peer.say(RejectData(data=b"go ", body_finished=False))
        await peer.say(RejectData(data=b"home", body_finished=True))

    async with peer(serve) as url:
        with pytest.raises(ConnectError, match="the server refuses: 403, go home"):
            async with open_websocket(url, None, None, 1):
                pytest.fail("it refuses")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"SSH-2.0\r\n\r\n",
        b"HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\nhm",
        b"HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nSec-WebSocket-Extensions: \xff\r\n\r\n",
    ],
)
async def test_who_does_not_shake_hands(said: bytes) -> None:
    async def serve(peer: Peer) -> None:
        await peer.hear()
        await peer.stream.send_all(said)

    async with peer(serve) as url:
        with pytest.raises(ConnectError):
            async with open_websocket(url, None, None, 1):
                pytest.fail("there is nobody")


async def test_who_hangs_up_at_once() -> None:
    async def serve(peer: Peer) -> None:
        pass

    async with peer(serve) as url:
        with pytest.raises(ConnectError, match="does not answer as a websocket would"):
            async with open_websocket(url, None, None, 1):
                pytest.fail("there is nobody")


async def test_who_does_not_answer(autojump_clock: object) -> None:
    async def serve(peer: Peer) -> None:
        await trio.sleep_forever()

    async with peer(serve) as url:
        with trio.fail_after(PATIENCE * 2), pytest.raises(ConnectError, match="in time"):
            async with open_websocket(url, None, None, 1):
                pytest.fail("there is nobody")


async def test_messages_come_in_pieces_and_pings_are_answered() -> None:
    answered = trio.Event()

    async def serve(peer: Peer) -> None:
        await peer.say(Pong(), TextMessage("on", message_finished=False), Ping(payload=b"!"))
        await peer.say(TextMessage("e", message_finished=True), BytesMessage(b"two"))
        event = await peer.hear()
        assert isinstance(event, Pong)
        answered.set()
        await peer.say(CloseConnection(4000))

    async with wire_to(serve) as wire:
        assert await wire.receive() == b"one"
        assert await wire.receive() == b"two"
        with pytest.raises(trio.EndOfChannel, match="code 4000"):
            await wire.receive()
    assert answered.is_set()


async def test_a_message_that_is_too_long_ends_the_connection() -> None:
    async def serve(peer: Peer) -> None:
        await peer.say(TextMessage("short"))
        await heard.wait()
        with suppress(trio.BrokenResourceError):
            for _ in range(9):
                await peer.say(TextMessage("x" * 300, message_finished=False))
            event = await peer.hear()
            assert isinstance(event, CloseConnection)
            assert event.code == 1009

    heard = trio.Event()
    async with wire_to(serve) as wire:
        assert await wire.receive() == b"short"
        heard.set()
        for _ in range(2):
            with pytest.raises(trio.EndOfChannel, match="Exceeded maximum message size: 1000"):
                await wire.receive()
        with pytest.raises(trio.BrokenResourceError):
            await wire.send(b"late")


async def test_an_answer_that_cannot_be_sent_is_a_refusal() -> None:
    said: list[Any] = []

    async def serve(peer: Peer) -> None:
        async def hear_message() -> Any:
            event = await peer.hear()
            parts = b""
            while isinstance(event, TextMessage):
                parts += event.data.encode()
                if event.message_finished:
                    return orjson.loads(parts)
                event = await peer.hear()
            return None

        async def say_message(**message: Any) -> None:
            await peer.say(TextMessage(orjson.dumps(message).decode()))

        await peer.hear()
        await peer.say(AcceptConnection())
        asked = await hear_message()
        await say_message(id=asked["id"], result=INTRODUCTION)
        await hear_message()
        await say_message(
            id="q",
            method="account/chatgptAuthTokens/refresh",
            params={"reason": "unauthorized", "previousAccountId": None},
        )
        said.append(await hear_message())
        done.set()

    async def refresh(
        asked: words.ChatgptAuthTokensRefreshParams,
    ) -> words.ChatgptAuthTokensRefreshResponse:
        await trio.lowlevel.checkpoint()
        return words.ChatgptAuthTokensRefreshResponse(
            access_token="x" * 16 * 2**20, chatgpt_account_id="a"
        )

    done = trio.Event()
    async with peer(serve) as url, connect(url.geturl()) as client:
        client.answers(methods.AUTH_TOKENS_REFRESH, refresh)
        await done.wait()
    message = "the answer is too long: message exceeds 16777216 bytes"
    assert said == [{"id": "q", "error": {"code": -32603, "message": message}}]


async def test_who_does_not_keep_to_the_protocol_is_not_read_from() -> None:
    async def serve(peer: Peer) -> None:
        await peer.stream.send_all(b"\xff\xff\xff\xff")
        assert await peer.stream.receive_some() == b""
        left.set()

    left = trio.Event()
    async with wire_to(serve) as wire:
        for _ in range(2):
            with pytest.raises(trio.EndOfChannel, match="Invalid opcode"):
                await wire.receive()
        await left.wait()


async def test_what_comes_behind_a_goodbye_harms_nobody() -> None:
    async def serve(peer: Peer) -> None:
        await peer.stream.send_all(GOODBYE + PING)
        while await peer.stream.receive_some():
            pass
        left.set()

    left = trio.Event()
    async with wire_to(serve) as wire:
        with pytest.raises(trio.EndOfChannel, match="that was it"):
            await wire.receive()
        with pytest.raises(trio.BrokenResourceError):
            await wire.send(b"late")
        await left.wait()


async def test_what_comes_behind_our_goodbye_harms_nobody() -> None:
    async def serve(peer: Peer) -> None:
        event = await peer.hear()
        assert isinstance(event, CloseConnection)
        await peer.stream.send_all(PING + GOODBYE)

    async with wire_to(serve) as wire:
        await wire.aclose()


async def test_who_hangs_up_without_a_word() -> None:
    async def serve(peer: Peer) -> None:
        pass

    async with wire_to(serve) as wire:
        with pytest.raises(trio.EndOfChannel):
            await wire.receive()


async def test_behind_its_block_a_wire_is_closed() -> None:
    async def serve(peer: Peer) -> None:
        await peer.stream.receive_some()

    async with wire_to(serve) as wire:
        pass
    with pytest.raises(trio.EndOfChannel):
        await wire.receive()
    with pytest.raises(trio.BrokenResourceError):
        await wire.send(b"late")
    await wire.aclose()


async def test_who_does_not_say_goodbye_is_waited_for_a_second(autojump_clock: object) -> None:
    async def serve(peer: Peer) -> None:
        await trio.sleep_forever()

    async with wire_to(serve) as wire:
        before = trio.current_time()
        await wire.aclose()
        assert trio.current_time() - before == pytest.approx(1)


async def test_over_tls() -> None:
    authority = trustme.CA()
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    async def serve(peer: Peer) -> None:
        await peer.hear()
        await peer.say(AcceptConnection(), TextMessage("safe"))
        await peer.hear()

    async with peer(serve, theirs) as url:
        async with open_websocket(url, None, trusting, 1000) as wire:
            assert await wire.receive() == b"safe"


async def test_who_is_not_trusted() -> None:
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(theirs)

    async def serve(peer: Peer) -> None:
        with pytest.raises(trio.BrokenResourceError):
            await peer.hear()

    async with peer(serve, theirs) as url:
        with pytest.raises(ConnectError, match=r"no TLS .*CERTIFICATE_VERIFY_FAILED"):
            async with open_websocket(url, None, None, 1):
                pytest.fail("it is a stranger")


@pytest.mark.parametrize("error", [KeyError("ours"), ExceptionGroup("", [KeyError("ours")])])
async def test_what_fails_within_the_block_comes_out_as_it_is(error: Exception) -> None:
    async def accept(peer: Peer) -> None:
        await peer.hear()
        await peer.say(AcceptConnection())
        await trio.sleep_forever()

    async with peer(accept) as url:
        with pytest.raises(type(error)) as caught:
            async with open_websocket(url, None, None, 1):
                raise error
    assert repr(caught.value) == repr(error)  # Trio makes a copy of a group


async def test_nothing_is_left_wherever_it_is_cancelled() -> None:
    async def serve(peer: Peer) -> None:
        await peer.hear()
        await peer.say(AcceptConnection())
        with suppress(trio.BrokenResourceError):
            if isinstance(await peer.hear(), TextMessage):
                await peer.say(TextMessage("so"))
                await peer.hear()

    async def exchange(url: SplitResult) -> None:
        async with open_websocket(url, None, None, 1000) as wire, wire:
            await wire.send(b"well?")
            assert await wire.receive() == b"so"

    step, reached = 1, True
    while reached:
        async with no_leaks(), peer(serve) as url:
            reached = await cancel_at_step(partial(exchange, url), step)
        step += 1
    assert step > 10


@pytest.mark.parametrize(
    "url", ["ws://", "ws:nowhere", "unix://", "ws://me@127.0.0.1:1", "ws://127.0.0.1:1/#x"]
)
async def test_what_names_no_place_is_an_error(url: str) -> None:
    with pytest.raises(ValueError, match=r"the URL of a server|a unix socket"):
        async with connect(url):
            pytest.fail("there is nobody")


async def test_where_nobody_is(tmp_path: Path) -> None:
    for url in ("ws://127.0.0.1:1", f"unix://{tmp_path}/nothing"):
        with pytest.raises(OSError, match=r"."):
            async with connect(url):
                pytest.fail("there is nobody")
