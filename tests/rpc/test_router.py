"""Questions and their four endings, and news for everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from codex_trio.errors import ClientGoneError, InvalidParamsError, RpcError
from codex_trio.rpc.client import OUTBOX_SIZE, Client
from codex_trio.rpc.router import Router
from tests.cancellation import cancel_at_step
from tests.rpc.conftest import NEWS, QUESTION, Dial, Family, Named

if TYPE_CHECKING:
    from codex_trio.rpc.connection import Switchboard
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
    assert isinstance(error, RpcError)
    assert (error.code, error.message) == (-32000, "no token")


async def test_an_answer_in_other_words_is_no_answer(
    client: WireClient, family: Family
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(expect_failure, client)
        await client.answer(await client.next_question(), {"name": 5})
    (error,) = family.outcomes
    assert isinstance(error, InvalidParamsError)
    assert error.reason == "invalid type: integer `5`, expected a string"


async def expect_failure(client: WireClient) -> None:
    with pytest.raises(RpcError):
        await client.call("ask", {})


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
    outbox, _ = trio.open_memory_channel[bytes](1)
    with pytest.raises(ClientGoneError):
        await router.ask([Client(outbox)], QUESTION, Named())


async def test_an_asker_can_be_cancelled_at_every_step() -> None:
    """Answered in the very step in which it is cancelled or not: nothing is left behind."""
    step = 1
    while True:
        router = Router()
        outbox, outgoing = trio.open_memory_channel[bytes](5)
        client = Client(outbox)

        async def ask(router: Router = router, client: Client = client) -> None:
            await router.ask([client], QUESTION, Named())

        with router.joined(client):
            async with trio.open_nursery() as nursery:

                async def answer(router: Router = router, client: Client = client) -> None:
                    await outgoing.receive()  # noqa: B023 - the loop waits for this task
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
    async with dial() as unopened, dial() as deaf:
        await deaf.call("open")
        router.clients[2].opted_out = frozenset({"news"})
        await router.broadcast(NEWS, Named(name="a"))
        assert (await client.next_notification())["params"] == {"name": "a"}
        for other in (unopened, deaf):
            with trio.move_on_after(0), pytest.raises(trio.Cancelled):
                await other.next_notification()


def full_client() -> tuple[Client, trio.MemoryReceiveChannel[bytes]]:
    outbox, outgoing = trio.open_memory_channel[bytes](OUTBOX_SIZE)
    client = Client(outbox)
    client.initialized = True
    while client.offer(b"x"):
        pass
    return client, outgoing


async def test_a_client_that_does_not_read_keeps_no_news_from_others(router: Router) -> None:
    slow, outgoing = full_client()
    quick_outbox, quick = trio.open_memory_channel[bytes](1)
    other = Client(quick_outbox)
    other.initialized = True
    with router.joined(slow), router.joined(other):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(router.broadcast, NEWS, Named(name="a"))
            await trio.testing.wait_all_tasks_blocked()
            assert b"news" in quick.receive_nowait()
            for _ in range(OUTBOX_SIZE):
                assert outgoing.receive_nowait() == b"x"
            await trio.testing.wait_all_tasks_blocked()
            assert b"news" in outgoing.receive_nowait()


async def test_a_cancelled_broadcast_has_told_those_with_room(router: Router) -> None:
    slow, _outgoing = full_client()
    quick_outbox, quick = trio.open_memory_channel[bytes](1)
    other = Client(quick_outbox)
    other.initialized = True
    with router.joined(slow), router.joined(other), trio.CancelScope() as scope:
        scope.cancel()
        await router.broadcast(NEWS, Named(name="a"))
    assert b"news" in quick.receive_nowait()


async def test_a_client_that_is_leaving_takes_everything(router: Router) -> None:
    client, outgoing = full_client()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.send, b"waits")
        await trio.testing.wait_all_tasks_blocked()
        outgoing.close()
    await client.send(b"dropped")
