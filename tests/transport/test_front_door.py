"""What is answered before a connection becomes a websocket."""

from __future__ import annotations

import logging
import socket
import struct
from typing import TYPE_CHECKING

import pytest
import trio

from codex_trio.transport.admission import CapabilityToken
from tests import conftest
from tests.websockets import (
    ACCEPT,
    TEXT,
    UPGRADE,
    dial,
    frame,
    read_answer,
    read_frame,
    read_head,
    read_rest,
    request,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from trio.testing import MockClock

    from codex_trio.server import Server

PING = frame(9, b"?")


@pytest.fixture
async def url(server: Server) -> AsyncGenerator[str]:
    async with trio.open_nursery() as nursery:
        with trio.fail_after(conftest.PATIENCE):
            yield await nursery.start(server.listen, "ws://127.0.0.1:0")
            nursery.cancel_scope.cancel()


async def ask(url: str, data: bytes, *, body: bool = True) -> tuple[int, dict[str, str], str]:
    """Ask once: the status, the headers and the body of the answer."""
    async with await dial(url) as stream:
        await stream.send_all(data)
        head, text = await read_answer(stream, body=body)
    status, *lines = head.decode("ascii").strip().split("\r\n")
    return int(status.split(" ")[1]), dict(line.split(": ", 1) for line in lines), text.decode()


NO_UPGRADE = "Connection header did not include 'upgrade'"
NO_WEBSOCKET = "`Upgrade` header did not include 'websocket'"
NO_VERSION = "`Sec-WebSocket-Version` header did not include '13'"
NO_KEY = "`Sec-WebSocket-Key` header missing"
NO_GET = "Request method must be `GET`"


@pytest.mark.parametrize(
    ("data", "status", "text"),
    [
        (request("GET /readyz"), 200, ""),
        (request("GET /healthz?x=1"), 200, ""),
        (request("GET /readyz", UPGRADE), 200, ""),
        (request("GET http://here/readyz"), 200, ""),
        (b"\r\n" + request("GET /readyz"), 200, ""),
        (b"GET /readyz HTTP/1.1\nHost: here\n\n", 200, ""),
        (request("POST /readyz"), 405, ""),
        (request("get /readyz"), 405, ""),
        (request("GET /readyz", "Origin: http://page\r\n"), 403, ""),
        (request("GET /", UPGRADE + "Origin:\r\n"), 403, ""),
        (request("POST /x", "oRIGIN: null\r\n"), 403, ""),
        (request("GET /"), 400, NO_UPGRADE),
        (request("GET /readyz/"), 400, NO_UPGRADE),
        (request("GET http://[/readyz"), 400, NO_UPGRADE),
        (request("POST /", UPGRADE), 405, NO_GET),
        (request("OPTIONS *"), 405, NO_GET),
        (request("GET /", "Connection: upgrade\r\n"), 400, NO_WEBSOCKET),
        (request("GET /", UPGRADE.replace("websocket", "h2c", 1)), 400, NO_WEBSOCKET),
        (request("GET /", UPGRADE.replace("13", "12")), 400, NO_VERSION),
        (request("GET /", UPGRADE.replace("13", "13, 8")), 400, NO_VERSION),
        (request("GET /", UPGRADE.partition("Sec-WebSocket-Key")[0]), 400, NO_KEY),
        (b"hello\r\n\r\n", 400, ""),
        (b"hello", 408, ""),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400, ""),
        (b"GET / HTTP/1.2\r\n\r\n", 400, ""),
        (b"GET  / HTTP/1.1\r\n\r\n", 400, ""),
        (request("GET /", "A: b\r\n c\r\n"), 400, ""),
        (request("GET /", "A : b\r\n"), 400, ""),
        (request("GET /", "A: \x01\r\n"), 400, ""),
        (request("GET /", "A\r\n"), 400, ""),
        (request("GET /", "".join(f"X{n}: 1\r\n" for n in range(100))), 431, ""),
        (request("GET /", f"X: {'x' * 2**15}\r\n")[:-2], 431, ""),
    ],
)
async def test_a_request_that_makes_no_websocket_is_answered(
    data: bytes, status: int, text: str, url: str, autojump_clock: MockClock
) -> None:
    answered, headers, said = await ask(url, data)
    assert (answered, said) == (status, text)
    assert headers["content-length"] == str(len(text))
    assert headers["date"].endswith(" GMT")
    assert headers.get("content-type") == ("text/plain; charset=utf-8" if text else None)


async def test_a_probe_allows_get_and_head(url: str) -> None:
    assert (await ask(url, request("DELETE /healthz")))[1]["allow"] == "GET,HEAD"
    assert (await ask(url, request("HEAD /healthz")))[0] == 200


async def test_an_answer_to_head_has_no_body(url: str) -> None:
    async with await dial(url) as stream:
        await stream.send_all(request("HEAD /", "Connection: close\r\n"))
        head, _, rest = (await read_rest(stream)).partition(b"\r\n\r\n")
    assert b"content-length: 28" in head
    assert rest == b""


@pytest.mark.parametrize(
    "headers",
    [
        UPGRADE,
        UPGRADE.replace("Connection: Upgrade", "Connection: keep-alive, UPGRADE"),
        UPGRADE.replace("websocket", "WebSocket", 1),
        UPGRADE
        + "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Extensions: permessage-deflate\r\n",
    ],
)
async def test_a_handshake_is_completed_without_protocols_and_extensions(
    headers: str, url: str
) -> None:
    status, answered, _ = await ask(url, request("GET /any/path?x", headers))
    assert status == 101
    assert {name: value for name, value in answered.items() if name != "date"} == {
        "connection": "upgrade",
        "upgrade": "websocket",
        "sec-websocket-accept": ACCEPT,
    }


async def test_frames_may_come_with_the_handshake(url: str) -> None:
    async with await dial(url) as stream:
        await stream.send_all(request("GET /", UPGRADE) + PING)
        await read_head(stream)
        assert await read_frame(stream) == (10, b"?")


async def test_a_connection_takes_one_request_after_the_other(url: str) -> None:
    async with await dial(url) as stream:
        await stream.send_all(
            request("GET /readyz") + request("GET /") + request("GET /", UPGRADE)
        )
        assert (await read_answer(stream))[0].startswith(b"HTTP/1.1 200 ")
        assert (await read_answer(stream))[0].startswith(b"HTTP/1.1 400 ")
        assert (await read_head(stream)).startswith(b"HTTP/1.1 101 ")
        await stream.send_all(PING)
        assert await read_frame(stream) == (10, b"?")


@pytest.mark.parametrize(
    "data",
    [
        request("GET /readyz", "Connection: close\r\n"),
        request("POST /readyz", "Content-Length: 3\r\n") + b"abc" + request("GET /readyz"),
        request("POST /readyz", "Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n",
        b"no request\r\n\r\n" + b"x" * 2**20,
    ],
)
async def test_an_answer_behind_which_nothing_is_read_is_the_last(
    data: bytes, url: str
) -> None:
    async with await dial(url) as stream:
        await stream.send_all(data)
        head, _, rest = (await read_rest(stream)).partition(b"\r\n\r\n")
    assert b"\r\nconnection: close\r\n" in head
    assert rest == b""  # and no reset


async def test_http_1_0_is_answered_and_closed(url: str) -> None:
    async with await dial(url) as stream:
        await stream.send_all(b"GET /readyz HTTP/1.0\r\n\r\n")
        assert (await read_rest(stream)).startswith(b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n")
    async with await dial(url) as stream:
        await stream.send_all(b"GET / HTTP/1.0\r\n" + UPGRADE.encode() + b"\r\n")
        assert (await read_rest(stream)).startswith(b"HTTP/1.0 426 ")


@pytest.mark.parametrize("data", [b"", b"GET /rea", request("GET /readyz")])
async def test_a_peer_that_ends_its_side_is_let_go(data: bytes, url: str) -> None:
    async with await dial(url) as stream:
        await stream.send_all(data)
        await stream.send_eof()
        assert b"reset" not in await read_rest(stream)


async def test_who_sends_nothing_is_let_go_after_ten_seconds(
    url: str, autojump_clock: MockClock
) -> None:
    before = trio.current_time()
    async with await dial(url) as stream:
        assert await read_rest(stream) == b""
    assert trio.current_time() - before == pytest.approx(10)


async def test_who_sends_a_byte_a_second_is_let_go_after_ten(
    url: str, autojump_clock: MockClock
) -> None:
    before = trio.current_time()
    async with await dial(url) as stream, trio.open_nursery() as nursery:

        async def drip() -> None:
            for byte in request("GET /", UPGRADE):
                await stream.send_all(bytes((byte,)))
                await trio.sleep(1)

        nursery.start_soon(drip)
        assert (await read_rest(stream)).startswith(b"HTTP/1.1 408 ")
        nursery.cancel_scope.cancel()
    assert trio.current_time() - before == pytest.approx(10)


async def test_who_does_not_take_answers_is_let_go(url: str, autojump_clock: MockClock) -> None:
    async with await dial(url) as stream:
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(request("GET /") * 10**6)


async def test_who_is_not_let_in_may_try_again(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    door = CapabilityToken.of("right")
    async with trio.open_nursery() as nursery:

        async def listen(task_status: trio.TaskStatus[str]) -> None:  # noqa: ASYNC128 - the server calls it
            await server.listen("ws://127.0.0.1:0", admission=door, task_status=task_status)

        url = await nursery.start(listen)
        with trio.fail_after(conftest.PATIENCE):
            async with await dial(url) as stream:
                for headers, status, text in [
                    ("", 401, b"missing websocket bearer token"),
                    ("Authorization: Bearer wrong\r\n", 401, b"invalid websocket bearer token"),
                    ("Authorization: Bearer right\r\nOrigin: x\r\n", 403, b""),
                ]:
                    await stream.send_all(request("GET /?token=right", UPGRADE + headers))
                    head, said = await read_answer(stream)
                    assert (head.split(b" ")[1], said) == (str(status).encode(), text)
                await stream.send_all(request("GET /readyz") + request("GET /"))
                assert b" 200 " in (await read_answer(stream))[0]
                assert b" 400 " in (await read_answer(stream))[0]
                await stream.send_all(
                    request("GET /", UPGRADE + "Authorization: bearer right\r\n")
                )
                assert b" 101 " in await read_head(stream)
                await stream.send_all(frame(TEXT, b"nonsense") + PING)
                assert await read_frame(stream) == (10, b"?")
        nursery.cancel_scope.cancel()
    refusals = [
        record.getMessage() for record in caplog.records if "let somebody" in record.message
    ]
    assert refusals == [
        "did not let somebody in: missing websocket bearer token",
        "did not let somebody in: invalid websocket bearer token",
        "did not let somebody in: Forbidden",
    ]
    assert "wrong" not in caplog.text


async def test_a_peer_that_resets_its_connection_is_let_go(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    for data in (b"", b"GET / HT", request("GET /") * 100):
        stream = await dial(url)
        await stream.send_all(data)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
    assert (await ask(url, request("GET /readyz")))[0] == 200
    assert caplog.records == []
