"""How websockets are left; where tokens may go, and what they may have in them."""

from __future__ import annotations

import traceback
from functools import partial
from typing import TYPE_CHECKING

import orjson
import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketRequest, serve_websocket

from codex_trio.client import connect
from codex_trio.transport.admission import CapabilityToken
from tests.client.servers import INTRODUCTION
from tests.conftest import PATIENCE

if TYPE_CHECKING:
    from codex_trio.server import Server

SECRET = "sekret-token"


async def test_leaving_closes_a_websocket_properly() -> None:
    codes: list[int | None] = []
    heard: list[str] = []

    async def serve(request: WebSocketRequest) -> None:
        websocket = await request.accept()
        try:
            while True:
                message = orjson.loads(await websocket.get_message())
                heard.append(message["method"])
                if message["method"] == "initialize":
                    answer = {"id": message["id"], "result": INTRODUCTION}
                    await websocket.send_message(orjson.dumps(answer).decode())
        except ConnectionClosed as closed:
            codes.append(closed.reason.code if closed.reason else None)

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            listen = partial(serve_websocket, ssl_context=None)
            server = await nursery.start(listen, serve, "127.0.0.1", 0)
            async with connect(f"ws://127.0.0.1:{server.port}") as client:
                with trio.move_on_after(0.05):
                    await client.call("given/up")
            while not codes:
                await trio.testing.wait_all_tasks_blocked(0.01)
            nursery.cancel_scope.cancel()
    assert codes == [1000]
    assert heard == ["initialize", "initialized", "given/up", "$/cancelRequest"]


@pytest.mark.parametrize(
    "token", [f"{SECRET}\x00", f"{SECRET}\n{SECRET}", f"{SECRET}\N{GREEK SMALL LETTER ALPHA}"]
)
async def test_a_token_that_no_header_can_have_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="no header can have") as caught:
        async with connect("ws://127.0.0.1:1", token=token):
            pytest.fail("there is nobody")
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("host", ["192.0.2.1", "example.invalid", "[2001:db8::1]"])
async def test_a_token_goes_to_other_machines_by_tls_only(host: str) -> None:
    with pytest.raises(ValueError, match="needs wss") as caught:
        async with connect(f"WS://{host}", token=SECRET):
            pytest.fail("there is nobody")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "LOCALHOST"])
async def test_a_token_goes_to_this_machine_without_tls(server: Server, host: str) -> None:
    """White space around it, as a file may end with, does not count."""
    admission = CapabilityToken.of(SECRET)
    listen = partial(server.listen, admission=admission)
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            url = await nursery.start(listen, "ws://127.0.0.1:0")
            url = url.replace("127.0.0.1", host)
            async with connect(url, token=f"{SECRET}\n") as client:
                assert client.server.user_agent
            nursery.cancel_scope.cancel()
