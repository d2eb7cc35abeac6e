"""account/login/complete: a login whose browser cannot reach the callback."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from codex_trio.errors import RpcError
from codex_trio.server import Server, open_server
from codex_trio.testing import Fault
from tests.account.browsing import FAILED, TOKEN, Begun, begin, count_exchanges, outcome_of
from tests.account.conftest import SlowStore, is_free, left_in, until
from tests.checked import connect

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from codex_trio.settings import Settings
    from codex_trio.testing import StandIn, WireClient
    from tests.account.conftest import Witness

COMPLETE = "account/login/complete"
COMPLETED = "account/login/completed"
LOGIN = {"type": "chatgpt"}
UNKNOWN_CODE = (
    "Token exchange failed: token endpoint returned status 400 Bad Request:"
    " The code is unknown or was used before."
)
NOT_COMPLETED = "Login was not completed"


def words_of(login: Begun, redirect: str | None = None) -> dict[str, str]:
    return {"loginId": login.id, "redirectUrl": redirect or login.granted}


async def refusal_of(client: WireClient, words: Any) -> str:
    with pytest.raises(RpcError) as caught:
        await client.call(COMPLETE, words)
    assert caught.value.code == -32600
    assert caught.value.data is None
    return caught.value.message


@pytest.fixture
def login_settings(stand_in: StandIn, home: Path) -> Settings:
    return stand_in.settings(home, grace=0.0)


@pytest.fixture
def clock() -> MockClock:
    """A clock that goes as all others do, and can be told to jump."""
    return MockClock(rate=1.0)


@pytest.fixture
def client(login_client: WireClient) -> WireClient:
    return login_client


@pytest.fixture
async def login(
    client: WireClient, login_server: Server, stand_in: StandIn
) -> AsyncGenerator[Begun]:
    yield await begin(client, stand_in)
    await login_server.account.desk.clear()  # the last page may still wait for its browser


async def test_a_redirect_that_is_brought_completes_the_login(
    client: WireClient, login: Begun, witness: Witness, home: Path
) -> None:
    del witness.seen[:]
    assert await client.call(COMPLETE, words_of(login)) == {}
    await client.next_notification("account/updated")
    said = [message for arrow, message in witness.seen if arrow == "<--"]
    assert [message.get("method", "the answer") for message in said] == [
        "the answer",
        COMPLETED,
        "account/updated",
    ]
    assert said[1]["params"]["success"] is True
    assert said[1]["params"]["loginId"] == login.id
    assert json.loads((home / "auth.json").read_bytes())["auth_mode"] == "chatgpt"
    assert await refusal_of(client, words_of(login)) == "no login through a browser has this id"


@pytest.mark.parametrize("shape", ["{url}", "http://localhost:1/other?{query}", "?{query}"])
@pytest.mark.parametrize("spell", [str.upper, str])
async def test_the_redirect_counts_in_whatever_url_it_comes(
    client: WireClient, login: Begun, shape: str, spell: Any
) -> None:
    _, _, query = login.granted.partition("?")
    words = words_of(login, shape.format(url=login.granted, query=query))
    assert await client.call(COMPLETE, {**words, "loginId": spell(login.id)}) == {}
    assert await outcome_of(client, login) is None


@pytest.mark.parametrize(
    "redirect",
    [
        "",
        "?code=c",
        "?state=&code=c",
        "?state=other&error=no",
        "http://[oops?state=x",
        "\ud7ff",
    ],
)
async def test_a_redirect_of_another_login_changes_nothing(
    client: WireClient, login: Begun, stand_in: StandIn, redirect: str
) -> None:
    words = {"loginId": login.id, "redirectUrl": redirect}
    assert await refusal_of(client, words) == "State mismatch"
    assert count_exchanges(stand_in) == 0
    assert await client.call(COMPLETE, words_of(login)) == {}
    assert await outcome_of(client, login) is None


async def test_a_login_has_to_be_one_through_a_browser(
    client: WireClient, login: Begun, stand_in: StandIn
) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    words = {**words_of(login), "loginId": unknown}
    assert await refusal_of(client, words) == "no login through a browser has this id"
    words = {**words_of(login), "loginId": "mine"}
    assert await refusal_of(client, words) == "invalid login id: mine"
    stand_in.user = "never"
    device = await client.call("account/login/start", {"type": "chatgptDeviceCode"})
    words = {**words_of(login), "loginId": device["loginId"]}
    assert await refusal_of(client, words) == "no login through a browser has this id"


async def test_it_is_there_for_those_who_ask_for_what_is_experimental(
    login_server: Server, client: WireClient, login: Begun
) -> None:
    async with connect(login_server) as other:
        await other.initialize()
        assert await refusal_of(other, words_of(login)) == (
            "account/login/complete requires experimentalApi capability"
        )
    assert (await refusal_of(client, {"loginId": login.id})).startswith("Invalid request: ")
    assert await client.call(COMPLETE, words_of(login)) == {}


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"error": "access_denied"}, "Sign-in failed: access_denied"),
        ({}, "Missing authorization code. Sign-in could not be completed."),
        (
            {"code": "other"},
            UNKNOWN_CODE,
        ),
    ],
)
async def test_a_redirect_that_brings_no_good_code_ends_the_login(
    client: WireClient, login: Begun, home: Path, parameters: dict[str, str], reason: str
) -> None:
    words = words_of(login, login.redirect(**parameters))
    assert await refusal_of(client, words) == reason
    assert await outcome_of(client, login) == f"{FAILED}{reason}"
    assert left_in(home) == []
    assert await refusal_of(client, words_of(login)) == "no login through a browser has this id"


async def test_credentials_that_cannot_be_stored_are_a_refusal(
    client: WireClient, login: Begun, home: Path
) -> None:
    (home / "auth.json").mkdir()
    reason = "Sign-in completed but credentials could not be saved locally."
    assert await refusal_of(client, words_of(login)) == reason
    assert await outcome_of(client, login) == f"{FAILED}{reason}"


# --- others who know the login ---


@pytest.mark.parametrize("first", ["the browser", "the client"])
@pytest.mark.parametrize("good", [True, False])
async def test_the_first_redirect_counts_by_whichever_way_it_comes(
    client: WireClient, login: Begun, stand_in: StandIn, first: str, good: bool
) -> None:
    stand_in.faults.add(TOKEN, Fault.delay(0.1))
    denied = login.redirect(error="access_denied")
    code = login.granted if good else login.redirect(code="wrong")
    answers: dict[str, object] = {}

    async def visit(url: str) -> None:
        answers["the browser"] = (await stand_in.visit(url, follow=False)).status

    async def complete(url: str) -> None:
        try:
            answers["the client"] = await client.call(COMPLETE, words_of(login, url))
        except RpcError as error:
            answers["the client"] = error.message

    begins, follows = (visit, complete) if first == "the browser" else (complete, visit)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(begins, code)
        await stand_in.wait_request(TOKEN)
        nursery.start_soon(follows, denied)
    reason = await outcome_of(client, login)
    assert (reason is None) is good
    assert answers["the browser"] == (302 if good else 200)
    told = {} if reason is None else reason.removeprefix(FAILED)
    assert answers["the client"] == told
    assert count_exchanges(stand_in) == 1


async def test_two_clients_may_bring_the_same_redirect(
    login_server: Server, client: WireClient, login: Begun, stand_in: StandIn
) -> None:
    answers = []

    async def complete(client: WireClient) -> None:
        answers.append(await client.call(COMPLETE, words_of(login)))

    stand_in.faults.add(TOKEN, Fault.delay(0.1))
    async with connect(login_server) as other:
        await other.initialize(experimental=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(complete, client)
            nursery.start_soon(complete, other)
        assert answers == [{}, {}]
        assert await outcome_of(other, login) is None
    assert count_exchanges(stand_in) == 1


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("account/login/cancel", "its id"),
        ("account/logout", None),
        ("account/login/start", {"type": "apiKey", "apiKey": "sk-1"}),
        ("account/login/start", LOGIN),
    ],
)
async def test_a_login_that_is_given_up_meanwhile_is_not_completed(
    client: WireClient,
    login: Begun,
    stand_in: StandIn,
    home: Path,
    method: str,
    words: Any,
) -> None:
    stand_in.faults.add(TOKEN, Fault.hang())

    async def complete() -> None:
        assert await refusal_of(client, words_of(login)) == NOT_COMPLETED

    async with trio.open_nursery() as nursery:
        nursery.start_soon(complete)
        await stand_in.wait_request(TOKEN)
        answer = await client.call(
            method, {"loginId": login.id} if words == "its id" else words
        )
    if method == "account/login/cancel":
        assert answer == {"status": "canceled"}
    assert await outcome_of(client, login) == f"{FAILED}{NOT_COMPLETED}"
    content = (home / "auth.json").read_bytes() if (home / "auth.json").exists() else b""
    assert b"fake" not in content


async def test_a_login_goes_on_when_who_has_brought_its_redirect_leaves(
    login_server: Server, client: WireClient, login: Begun, stand_in: StandIn
) -> None:
    stand_in.faults.add(TOKEN, Fault.delay(0.1))
    async with connect(login_server) as other:
        await other.initialize(experimental=True)
        await other.send({"id": "c", "method": COMPLETE, "params": words_of(login)})
        await stand_in.wait_request(TOKEN)
    assert await outcome_of(client, login) is None
    assert count_exchanges(stand_in) == 1


async def test_a_server_that_ends_meanwhile_tells_so(
    login_settings: Settings, stand_in: StandIn, home: Path
) -> None:
    stand_in.faults.add(TOKEN, Fault.hang())
    async with open_server(attrs.evolve(login_settings, grace=5.0)) as server:
        async with connect(server) as client:
            await client.initialize(experimental=True)
            login = await begin(client, stand_in)

            async def complete() -> None:
                assert await refusal_of(client, words_of(login)) == NOT_COMPLETED

            async with trio.open_nursery() as nursery:
                nursery.start_soon(complete)
                await stand_in.wait_request(TOKEN)
                server.hang_up()
            assert await outcome_of(client, login) == f"{FAILED}{NOT_COMPLETED}"
    assert left_in(home) == []


async def test_a_login_that_is_being_stored_when_its_time_is_up_is_answered_once(
    login_server: Server, client: WireClient, login: Begun, witness: Witness, clock: MockClock
) -> None:
    store = SlowStore.of(login_server)
    await client.send({"id": "complete", "method": COMPLETE, "params": words_of(login)})
    await store.storing.wait()
    clock.jump(601)
    await trio.testing.wait_all_tasks_blocked()
    store.go_on.set()
    assert await outcome_of(client, login) is None
    assert await client.call("account/read", {})
    answers = [message for _, message in witness.seen if message.get("id") == "complete"][1:]
    assert answers == [{"id": "complete", "result": {}}]


async def test_a_browser_that_has_never_come_is_not_waited_for(
    client: WireClient, login: Begun
) -> None:
    assert await client.call(COMPLETE, words_of(login)) == {}
    with trio.fail_after(1):
        await until(partial(is_free, login.port))
