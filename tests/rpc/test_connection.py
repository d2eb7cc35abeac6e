"""What a connection answers, and in what order."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from codex_trio.errors import AnswerError, ClientGoneError, RpcError
from codex_trio.rpc.connection import serve_connection
from codex_trio.testing import WireClient, open_client
from codex_trio.transport.lines import LineWire
from codex_trio.transport.memory import MemoryWire, memory_wire_pair
from tests.rpc.conftest import SECRET, Dial, Family, opened

if TYPE_CHECKING:
    from codex_trio.rpc.switchboard import Switchboard


async def refusal(client: WireClient, method: str, name: str = "") -> tuple[int, str]:
    with pytest.raises(RpcError) as caught:
        await client.call(method, {"name": name})
    return caught.value.code, caught.value.message


# --- opening ---


async def test_nothing_but_the_handshake_is_answered_before_it(dial: Dial) -> None:
    async with dial() as client:
        assert await refusal(client, "echo") == (-32600, "Not initialized")
        await client.call("open")
        assert await client.call("echo", {"name": "a"}) == {"name": "a"}


async def test_a_connection_is_opened_once(client: WireClient) -> None:
    assert await refusal(client, "open") == (
        -32600,
        "Invalid request: invalid type: map, expected unit",
    )
    with pytest.raises(RpcError, match="Already initialized"):
        await client.call("open")


async def test_what_arrives_behind_the_handshake_is_behind_it(board: Switchboard) -> None:
    ours, theirs = memory_wire_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, theirs, board)
        await ours.send(b'{"id":0,"method":"open","params":[]}')
        await ours.send(b'{"id":1,"method":"open"}')
        await ours.send(b'{"id":2,"method":"echo","params":{}}')
        ours.hang_up()
        answers = [json.loads(line) async for line in ours]
    assert [list(answer) for answer in answers] == [
        ["error", "id"],
        ["id", "result"],
        ["id", "result"],
    ]


async def test_a_handshake_that_fails_can_be_tried_again(
    dial: Dial, family: Family, board: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(call: object) -> None:
        raise RpcError.invalid_request("not you")

    async with dial() as client:
        with monkeypatch.context() as patch:
            patch.setitem(board.handlers, "open", refuse)
            with pytest.raises(RpcError, match="not you"):
                await client.call("open")
        assert await refusal(client, "echo") == (-32600, "Not initialized")
        await client.call("open")


# --- gates ---


async def test_what_is_experimental_is_reserved(client: WireClient) -> None:
    needs = "requires experimentalApi capability"
    assert await refusal(client, "odd") == (-32600, f"odd {needs}")
    assert await refusal(client, "part", "field") == (-32600, f"part.field {needs}")
    assert await client.call("part", {}) == {"name": ""}


async def test_a_gap_is_not_a_typo(client: WireClient) -> None:
    assert await refusal(client, "gap") == (-32601, "`gap` is not served by codex-trio yet")
    code, text = await refusal(client, "gapp")
    assert code == -32600
    assert text.startswith(
        "Invalid request: unknown variant `gapp`, expected one of `open`, `echo`"
    )


# --- handlers ---


async def test_an_answer_comes_before_what_follows_from_it(board: Switchboard) -> None:
    async with opened(board) as ours:
        await ours.send(b'{"id":1,"method":"story","params":{}}')
        ours.hang_up()
        _, answer, news = [line async for line in ours]
    assert answer == b'{"id":1,"result":{"name":"answer"}}'
    assert news.startswith(b'{"method":"news","params":{"name":"after"},"emittedAtMs":')


async def test_a_known_error_reaches_the_client_whole(client: WireClient) -> None:
    with pytest.raises(RpcError) as caught:
        await client.call("fail", {"name": "known"})
    assert (caught.value.code, caught.value.message, caught.value.data) == (
        -7,
        "known",
        {"why": 1},
    )


@pytest.mark.parametrize(
    ("method", "name", "kind"),
    [
        ("fail", "unknown", "KeyError"),
        ("story", "fails", "KeyError"),
        ("story", "refuses", "RpcError"),
        ("story", "repeats", "RuntimeError"),
    ],
)
async def test_an_unforeseen_error_is_told_without_its_text(
    client: WireClient, caplog: pytest.LogCaptureFixture, method: str, name: str, kind: str
) -> None:
    if method == "fail":
        assert await refusal(client, method, name) == (-32603, "Internal error")
    else:
        # It had been answered already, so there is nothing left to say to the client.
        assert await client.call(method, {"name": name}) == {"name": "answer"}
        await client.next_notification()
    assert await client.call("echo", {"name": "still here"}) == {"name": "still here"}
    assert f"{method} failed: {kind}" in caplog.text
    assert "conftest.py" in caplog.text
    assert SECRET not in caplog.text


# --- lanes ---


async def test_requests_in_a_lane_run_in_the_order_of_arrival(
    dial: Dial, client: WireClient, family: Family
) -> None:
    names = [str(number) for number in range(20)]
    async with trio.open_nursery() as nursery:
        for name in names:
            nursery.start_soon(client.call, "inTurn", {"name": name})
            await trio.testing.wait_all_tasks_blocked()
        assert family.started == ["0"]
        # A lane never delays what is not in it.
        assert await client.call("echo", {"name": "a"}) == {"name": "a"}
        assert await client.call("turnLess", {"name": "a"}) == {"name": "a"}
        assert await client.call("turnLess", {}) == {"name": ""}
        for name in names:
            family.gate(name).set()
    assert family.started == names


async def test_a_lane_spans_connections_and_a_disconnect_leaves_it(
    dial: Dial, client: WireClient, family: Family, board: Switchboard
) -> None:
    async with trio.open_nursery() as nursery:
        async with dial() as other:
            await other.call("open")
            async with trio.open_nursery() as calls:
                calls.start_soon(other.call, "inTurn", {"name": "theirs"})
                await trio.testing.wait_all_tasks_blocked()
                calls.start_soon(other.call, "inTurn", {"name": "theirs too"})
                await trio.testing.wait_all_tasks_blocked()
                nursery.start_soon(client.call, "inTurn", {"name": "ours"})
                await trio.testing.wait_all_tasks_blocked()
                assert family.started == ["theirs"]
                calls.cancel_scope.cancel()
        family.gate("ours").set()
    assert family.started == ["theirs", "ours"]
    assert len(board.lanes) == 0


# --- what is no message ---


@pytest.mark.parametrize("line", [b"garbage", b"", b"[]", b"\xff", b'{"id":9}', b"[" * 100_000])
async def test_what_is_no_message_is_logged_and_survived(
    client: WireClient, line: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    await client.send(line)
    assert await client.call("echo", {"name": "a"}) == {"name": "a"}
    assert "Failed to deserialize JSONRPCMessage" in caplog.text


async def test_notifications_and_stray_answers_are_survived(
    client: WireClient, caplog: pytest.LogCaptureFixture
) -> None:
    await client.notify("whatever", [1])
    await client.send({"id": 5, "result": {}})
    await client.send({"id": "x", "error": {"code": 1, "message": "m"}})
    assert await client.call("echo", {"name": "a"}) == {"name": "a"}
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2


async def test_a_message_too_long_to_hold_is_refused_by_its_id(
    board: Switchboard, family: Family
) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, LineWire(theirs, 1000), board)
        async with open_client(LineWire(ours)) as client:
            await client.call("open")
            with pytest.raises(RpcError, match="Invalid request: message exceeds 1000 bytes"):
                await client.call("echo", {"name": "x" * 5000})
            await client.send(b"x" * 5000)
            assert await client.call("echo", {"name": "a"}) == {"name": "a"}
            async with trio.open_nursery() as asking:
                # Not to be taken for a request of the same id.
                asking.start_soon(expect_failed_question, client)
                question = await client.next_question()
                await client.answer(question, {"name": "x" * 5000})
            assert isinstance(family.outcomes[0], AnswerError)


async def expect_failed_question(client: WireClient) -> None:
    with pytest.raises(RpcError) as caught:
        await client.call("ask", {})
    assert (caught.value.code, caught.value.message) == (
        -32603,
        "question: the client answered with an error",
    )


async def test_a_client_whose_server_takes_nothing_gives_up() -> None:
    ours, theirs = memory_wire_pair()
    theirs._receive.close()
    async with open_client(ours) as client:
        for _ in range(2):
            with pytest.raises(ClientGoneError, match="the server hung up"):
                await client.call("echo", {})


async def test_a_memory_wire_closes_both_ways() -> None:
    ours, theirs = memory_wire_pair()
    await ours.aclose()
    with pytest.raises(trio.EndOfChannel):
        await theirs.receive()
    with pytest.raises(trio.BrokenResourceError):
        await theirs.send(b"")
    assert isinstance(theirs, MemoryWire)
