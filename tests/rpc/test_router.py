"""Questions and their four endings, and news for everybody."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

from codex_trio.errors import AnswerError, ClientGoneError, RpcError
from codex_trio.rpc.client import OUTBOX_SIZE, Client, Unsaid
from codex_trio.rpc.router import Router
from tests.cancellation import cancel_at_step
from tests.rpc.conftest import NEWS, QUESTION, Dial, Family, Named

if TYPE_CHECKING:
    from codex_trio.rpc.switchboard import Switchboard
    from codex_trio.testing import WireClient


@pytest.fixture
def router(board: Switchboard) -> Router:
    return board.router


async def test_a_question_is_answered_while_its_request_runs(
    client: WireClient, router: Router
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.call, "ask", {"name": "you"})
        question = await client.next_question()
        assert (question.id, question.method, question.params) == (
            0,
            "question",
            {"name": "you"},
        )
        assert router.questions == 1
        # Neither the question nor its asker is in anybody's way.
        assert await client.call("echo", {"name": "a"}) == {"name": "a"}
        await client.answer(question, {"name": "me"})
    assert router.questions == 0


async def test_a_refused_question_raises_what_the_client_said(
    client: WireClient, family: Family
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(expect_failure, client)
        await client.refuse(await client.next_question(), -32000, "no token")
    (error,) = family.outcomes
    assert isinstance(error, AnswerError)
    assert (error.error.code, error.error.message) == (-32000, "no token")


async def test_an_answer_in_other_words_is_no_answer(
    client: WireClient, family: Family
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(expect_failure, client)
        await client.answer(await client.next_question(), {"name": 5})
    (error,) = family.outcomes
    assert isinstance(error, AnswerError)
    assert error.error.message.endswith("invalid type: integer `5`, expected a string")


async def expect_failure(client: WireClient) -> None:
    """What one client says is not quoted to another, which may be the one that waits for it."""
    with pytest.raises(RpcError) as caught:
        await client.call("ask", {})
    assert caught.value.code == -32603
    assert caught.value.message.startswith("question: the client")
    assert "token" not in caught.value.message
    assert "integer" not in caught.value.message


async def test_a_client_that_hangs_up_wakes_who_asked_it(
    dial: Dial, family: Family, router: Router
) -> None:
    async with dial() as client:
        await client.call("open")
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.call, "ask", {})
                await client.next_question()
                scope.cancel()
    (error,) = family.outcomes
    assert isinstance(error, ClientGoneError)
    assert router.questions == 0


async def test_an_asker_that_gives_up_leaves_nothing(
    client: WireClient, router: Router, autojump_clock: trio.testing.MockClock
) -> None:
    (far_end,) = router.clients
    with pytest.raises(trio.TooSlowError):
        with trio.fail_after(10):
            await router.ask([far_end], QUESTION, Named())
    assert router.questions == 0
    question = await client.next_question()
    await client.answer(question, {"name": "late"})
    assert await client.call("echo", {"name": "a"}) == {"name": "a"}


async def test_a_second_answer_and_a_foreign_one_find_nothing(
    dial: Dial, client: WireClient, router: Router
) -> None:
    answers = []

    async def ask() -> None:
        answers.append(await router.ask(router.clients[:1], QUESTION, Named()))

    async with dial() as other, trio.open_nursery() as nursery:
        await other.call("open")
        nursery.start_soon(ask)
        question = await client.next_question()
        await other.send({"id": question.id, "result": {"name": "foreign"}})
        await client.send({"id": str(question.id), "result": {"name": "another id"}})
        await other.call("echo", {})
        await client.answer(question, {"name": "first"})
        await client.answer(question, {"name": "second"})
        await client.call("echo", {})
    assert answers == [Named(name="first")]


async def test_of_several_the_first_answers_and_the_last_to_leave_ends_it(
    dial: Dial, client: WireClient, router: Router
) -> None:
    outcome: list[object] = []

    async def ask() -> None:
        try:
            answer = await router.ask(router.clients, QUESTION, Named())
            outcome.append(answer)
        except ClientGoneError as error:
            outcome.append(error)

    async with trio.open_nursery() as nursery:
        async with dial() as other:
            await other.call("open")
            nursery.start_soon(ask)
            ours, theirs = await client.next_question(), await other.next_question()
            assert ours.id == theirs.id
        assert router.questions == 1  # the other one may still answer
        await client.answer(ours, {"name": "ours"})
    assert outcome == [Named(name="ours")]


async def test_nobody_to_ask_is_nobody_to_wait_for(router: Router) -> None:
    with pytest.raises(ClientGoneError):
        await router.ask([], QUESTION, Named())
    client, outgoing = new_client()
    with pytest.raises(ClientGoneError):
        await router.ask([client], QUESTION, Named())
    with router.joined(client):
        router.hang_up(client)  # it still reads, and will answer nothing
        with pytest.raises(ClientGoneError):
            await router.ask([client], QUESTION, Named())
    assert outgoing.statistics().current_buffer_used == 0


def new_client() -> tuple[Client, trio.MemoryReceiveChannel[Any]]:
    outbox, outgoing = trio.open_memory_channel[bytes | Unsaid](math.inf)
    client = Client(outbox, trio.CancelScope())
    client.initialized = True
    return client, outgoing


async def test_an_asker_can_be_cancelled_at_every_step() -> None:
    """Answered in the very step in which it is cancelled or not: nothing is left behind."""
    step = 1
    while True:
        router = Router()
        client, outgoing = new_client()

        async def ask(router: Router = router, client: Client = client) -> None:
            await router.ask([client], QUESTION, Named())

        with router.joined(client):
            async with trio.open_nursery() as nursery:

                async def answer(
                    router: Router = router,
                    client: Client = client,
                    outgoing: trio.MemoryReceiveChannel[bytes] = outgoing,
                ) -> None:
                    await outgoing.receive()
                    router.answer(client, 0, {"name": "a"})

                nursery.start_soon(answer)
                reached = await cancel_at_step(ask, step)
                nursery.cancel_scope.cancel()
        assert router.questions == 0
        if not reached:
            break
        step += 1
    assert step == 2  # it waits once


async def test_news_reaches_every_open_connection_that_wants_it(
    dial: Dial, client: WireClient, router: Router
) -> None:
    async with dial() as unopened:
        with pytest.raises(RpcError, match="Not initialized"):
            await unopened.call("echo", {})
        async with dial() as deaf:
            await deaf.call("open")
            router.clients[2].opted_out = frozenset({"news"})
            router.broadcast(NEWS, Named(name="a"))
            assert (await client.next_notification())["params"] == {"name": "a"}
            await deaf.call("echo", {})
            await unopened.call("open")
            for other in (unopened, deaf):
                assert not other._notifications._messages


async def test_news_waits_for_nobody_and_who_never_reads_is_cut_off(  # noqa: ASYNC124 - cutting needs a run
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codex_trio.rpc.client.MAX_UNREAD", 10_000)
    (slow, _unread), (quick, read) = new_client(), new_client()
    with router.joined(slow), router.joined(quick):
        for number in range(500):
            router.broadcast(NEWS, Named(name=str(number)))
            message = read.receive_nowait()
            assert b'"%d"' % number in message
            quick.took(len(message))
    assert slow.connection.cancel_called
    assert not quick.connection.cancel_called


def test_who_streams_can_see_who_lags() -> None:
    client, outgoing = new_client()
    for _ in range(OUTBOX_SIZE - 1):
        client.say(b"x")
    assert not client.lags
    client.say(b"x")
    assert client.lags
    outgoing.receive_nowait()
    client.sending(1)
    assert not client.lags


def test_a_client_that_is_leaving_takes_everything() -> None:
    client, outgoing = new_client()
    outgoing.close()
    client.say(b"dropped")
    client._outbox.close()
    client.say(b"dropped too")
