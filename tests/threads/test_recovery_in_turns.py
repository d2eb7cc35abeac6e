"""Turns whose token is refused on the way: healed without a word, one renewal for all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.testing import ModelResponse, StandIn, WireClient
from tests.account.renewals import TOKEN
from tests.account.signed_in import sign_in
from tests.threads.conversing import Conversation, Ear, converse

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.server import Server


@pytest.fixture
def config() -> dict[str, Any]:
    return {"model_providers": {"stand_in": {"stream_max_retries": 0}}}


@pytest.fixture
async def signed_in(home: Path, stand_in: StandIn, server: Server) -> Server:
    """The server, with somebody signed in."""
    sign_in(home, stand_in.issue_tokens())
    await server.account.auth.look()
    return server


def renewals(stand_in: StandIn) -> int:
    return sum(one.path == TOKEN for one in stand_in.requests)


async def test_a_turn_heals_a_refused_token(
    signed_in: Server, talk: Conversation, ear: Ear, stand_in: StandIn
) -> None:
    await talk.run()
    stand_in.expire_access_tokens()
    await talk.run()
    assert renewals(stand_in) == 1
    assert ear.of("error") == []
    assert stand_in.response_requests[-1].headers["chatgpt-account-id"] == "fake-account"


async def test_turns_in_many_threads_share_one_renewal(
    signed_in: Server, client: WireClient, ear: Ear, stand_in: StandIn
) -> None:
    talks = [await converse(client) for _ in range(20)]
    stand_in.hold(TOKEN)
    stand_in.expire_access_tokens()
    for talk in talks:
        await talk.start()
    await stand_in.wait_held(TOKEN)
    await stand_in.wait_response_request(len(talks))
    stand_in.release(TOKEN)
    ended = [(await client.next_notification("turn/completed"))["params"] for _ in talks]
    assert {one["turn"]["status"] for one in ended} == {"completed"}
    assert {one["threadId"] for one in ended} == {talk.id for talk in talks}
    assert renewals(stand_in) == 1


async def test_an_interrupt_leaves_the_renewal_to_the_others(
    signed_in: Server, client: WireClient, stand_in: StandIn
) -> None:
    one, other = await converse(client), await converse(client)
    stand_in.hold(TOKEN)
    stand_in.expire_access_tokens()
    await one.start()
    await stand_in.wait_held(TOKEN)
    await other.start()
    assert await one.interrupt() < 1
    stand_in.release(TOKEN)
    ended = {}
    for _ in range(2):
        told = (await client.next_notification("turn/completed"))["params"]
        ended[told["threadId"]] = told["turn"]["status"]
    assert ended == {one.id: "interrupted", other.id: "completed"}
    assert renewals(stand_in) == 1


async def test_a_renewal_that_is_refused_fails_the_turn(
    signed_in: Server, talk: Conversation, stand_in: StandIn
) -> None:
    stand_in.expire_access_tokens()
    stand_in.end_refresh_tokens("expired")
    turn = await talk.run(status="failed")
    assert turn["error"]["codexErrorInfo"] == "unauthorized"


async def test_who_is_not_signed_in_is_told_what_the_host_says(
    talk: Conversation, stand_in: StandIn
) -> None:
    stand_in.respond = lambda _: ModelResponse.error(401, "who are you?")
    turn = await talk.run(status="failed")
    assert "401 Unauthorized: who are you?" in turn["error"]["message"]


# --- tokens that a host owns ---


async def be_hosted(client: WireClient, stand_in: StandIn) -> None:
    params = {
        "type": "chatgptAuthTokens",
        "accessToken": stand_in.issue_access_token(),
        "chatgptAccountId": "fake-account",
    }
    await client.call("account/login/start", params)


async def test_turns_in_many_threads_ask_the_host_once(
    client: WireClient, stand_in: StandIn
) -> None:
    await be_hosted(client, stand_in)
    talks = [await converse(client) for _ in range(10)]
    stand_in.expire_access_tokens()
    for talk in talks:
        await talk.start()
    question = await client.next_question()
    assert question.method == "account/chatgptAuthTokens/refresh"
    await stand_in.wait_response_request(len(talks))
    fresh = {
        "accessToken": stand_in.issue_access_token(),
        "chatgptAccountId": "fake-account",
        "chatgptPlanType": None,
    }
    await client.answer(question, fresh)
    ended = [(await client.next_notification("turn/completed"))["params"] for _ in talks]
    assert {one["turn"]["status"] for one in ended} == {"completed"}
    with trio.move_on_after(0.05):
        await client.next_question()
        raise AssertionError("the host is asked once")


async def test_a_host_that_refuses_fails_the_turn(
    client: WireClient, stand_in: StandIn
) -> None:
    await be_hosted(client, stand_in)
    talk = await converse(client)
    stand_in.expire_access_tokens()
    await talk.start()
    await client.refuse(await client.next_question(), -32000, "no way")
    turn = await talk.ended("failed")
    assert turn["error"]["message"] == "auth refresh request failed: code=-32000"


async def test_a_host_that_is_silent_is_interrupted_at_once(
    client: WireClient, stand_in: StandIn
) -> None:
    await be_hosted(client, stand_in)
    talk = await converse(client)
    stand_in.expire_access_tokens()
    await talk.start()
    await client.next_question()
    assert await talk.interrupt() < 1
    await talk.ended("interrupted")
