"""Asking in the name of an account: who signs, and what is done when that is refused."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
import trio.testing

from codex_trio.account.routing import Routing
from codex_trio.account.workspace import WorkspacePolicy
from codex_trio.responses import sampling
from codex_trio.responses.sampling import Responses
from codex_trio.server import Server, open_server
from codex_trio.testing import Fault, StandIn, open_stand_in
from tests.account.renewals import TOKEN, asked, sign_in_for, sign_in_other
from tests.account.signed_in import sign_in
from tests.checked import connect
from tests.conftest import PATIENCE
from tests.responses.asking import AGENT, PROMPT, ask, failure, provider_of, text_of
from tests.responses.hosts import HELLO, ModelHost, open_model_host, reply

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from codex_trio.responses.events import Event
    from codex_trio.responses.failures import ResponseError
    from codex_trio.testing import WireClient
    from tests.responses.hosts import Said

NO = reply(401, {"error": {"message": "no"}})
UNAUTHORIZED = {"httpConnectionFailed": {"httpStatusCode": 401}}
EXPIRED = (
    "Your access token could not be refreshed because your refresh token has expired."
    " Please log out and sign in again."
)
MISMATCH = (
    "Your access token could not be refreshed because you have since logged out or signed in to"
    " another account. Please sign in again."
)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asks the backend in the background."""

    async def do_nothing(errand: object) -> None:
        await trio.sleep_forever()

    for errand in (Routing, WorkspacePolicy):
        monkeypatch.setattr(errand, "watch", do_nothing)


@attrs.define(eq=False)
class Scene:
    """A server with an account, who asks in its name, and the host that is asked."""

    home: Path
    server: Server
    responses: Responses
    stand_in: StandIn
    host: ModelHost

    async def ask(self, **more: Any) -> list[Event]:
        return await ask(
            self.responses, provider_of(self.host, requires_openai_auth=True, **more)
        )

    async def failure(self, **more: Any) -> ResponseError:
        return await failure(
            self.responses, provider_of(self.host, requires_openai_auth=True, **more)
        )

    def say(self, *said: Said) -> None:
        self.host.say(*said)

    @property
    def refreshes(self) -> int:
        return asked(self.stand_in, TOKEN)

    @property
    def token(self) -> str | None:
        """What is in force."""
        current = self.server.account.auth.current
        return None if current is None else current.bearer


@pytest.fixture
async def scene(home: Path) -> AsyncGenerator[Scene]:
    async with open_stand_in() as stand_in, open_model_host(HELLO) as host:
        settings = stand_in.settings(home, watch_interval=math.inf)
        async with open_server(settings) as server:
            backend = server.account.backend
            responses = Responses(
                settings,
                backend._upstream,
                backend._refresher,
                backend._recoveries,
                chance=lambda: 0.5,
            )
            with trio.fail_after(PATIENCE):
                yield Scene(home, server, responses, stand_in, host)


# --- who signs ---


async def test_an_account_signs(scene: Scene) -> None:
    tokens = scene.stand_in.issue_tokens()
    sign_in(scene.home, tokens)
    assert text_of(await scene.ask()) == "Hello"
    (asked,) = scene.host.asked
    assert asked.token == tokens.access_token
    assert asked.headers["chatgpt-account-id"] == "fake-account"
    names = list(asked.headers)
    assert names.index("authorization") + 1 == names.index("chatgpt-account-id")


async def test_a_workspace_that_cannot_be_said_is_not(scene: Scene) -> None:
    sign_in(scene.home, scene.stand_in.issue_tokens(), "a\nb")
    await scene.ask()
    assert "chatgpt-account-id" not in scene.host.asked[0].headers


async def test_a_key_signs(scene: Scene) -> None:
    (scene.home / "auth.json").write_text('{"OPENAI_API_KEY": "sk-1"}')
    await scene.ask()
    assert scene.host.tokens == ["sk-1"]
    assert "chatgpt-account-id" not in scene.host.asked[0].headers


async def test_nobody_is_asked_for_all_the_same(scene: Scene) -> None:
    """Whether that is allowed is the provider's affair (observed)."""
    await scene.ask()
    assert scene.host.tokens == [None]
    scene.say(NO)
    assert (await scene.failure()).info == UNAUTHORIZED


async def test_who_needs_no_account_is_not_told_of_one(scene: Scene) -> None:
    sign_in(scene.home, scene.stand_in.issue_tokens())
    await ask(scene.responses, provider_of(scene.host))
    assert scene.host.tokens == [None]


async def test_a_token_at_its_end_is_renewed_before(scene: Scene) -> None:
    tokens = sign_in_for(scene.home, scene.stand_in, seconds=10)
    await scene.ask()
    assert scene.refreshes == 1
    assert scene.host.tokens == [scene.token]
    assert scene.token != tokens.access_token


async def test_openai_is_where_the_account_is_served(scene: Scene) -> None:
    provider = attrs.evolve(
        provider_of(scene.host, requires_openai_auth=True),
        base_url=None,
        account_url=f"{scene.host.url}/backend-api/codex",
    )
    sign_in(scene.home, scene.stand_in.issue_tokens())
    await ask(scene.responses, provider)
    assert scene.host.asked[0].line == "POST /backend-api/codex/responses HTTP/1.1"


# --- what is done when it is refused ---


async def test_a_refused_token_is_renewed(scene: Scene) -> None:
    tokens = scene.stand_in.issue_tokens()
    sign_in(scene.home, tokens)
    scene.say(NO, HELLO)
    assert text_of(await scene.ask()) == "Hello"
    assert scene.refreshes == 1
    assert scene.host.tokens == [tokens.access_token, scene.token]
    assert len(set(scene.host.tokens)) == 2


async def test_a_newer_one_that_somebody_has_stored_is_taken(scene: Scene) -> None:
    sign_in(scene.home, scene.stand_in.issue_tokens())
    await scene.server.account.auth.ready()
    newer = scene.stand_in.issue_tokens()

    async def refuse(wire: trio.abc.Stream) -> None:
        sign_in(scene.home, newer)
        await wire.send_all(NO)

    scene.say(refuse, HELLO)
    await scene.ask()
    assert scene.refreshes == 0
    assert scene.host.tokens[1] == newer.access_token


async def test_refusals_are_told_while_they_are_healed(scene: Scene) -> None:
    sign_in(scene.home, scene.stand_in.issue_tokens())
    scene.say(NO, HELLO)
    told: list[bool] = []

    def note(message: str, *, completed: bool) -> None:
        assert message
        told.append(completed)

    provider = provider_of(scene.host, requires_openai_auth=True)
    async with scene.responses.open(provider, PROMPT, AGENT, note) as stream:
        assert told == [False, True]
        await stream.receive()
    assert told == [False, True]


async def test_a_refusal_costs_no_repetition(scene: Scene) -> None:
    """What it is repeated for is another thing than what it is healed of."""
    sign_in(scene.home, scene.stand_in.issue_tokens())
    scene.say(reply(500), NO, reply(500), HELLO)
    assert text_of(await scene.ask(request_max_retries=2)) == "Hello"
    assert scene.refreshes == 1


async def test_who_refuses_everything_is_told_so(scene: Scene) -> None:
    sign_in(scene.home, scene.stand_in.issue_tokens())
    scene.say(NO)
    caught = await scene.failure()
    url = f"{scene.host.url}/v1/responses"
    assert caught.message == f"unexpected status 401 Unauthorized: no, url: {url}"
    assert (caught.info, caught.retry, caught.status) == (UNAUTHORIZED, True, 401)
    assert (scene.refreshes, len(scene.host.asked)) == (1, 2)


async def test_a_new_token_that_is_refused_is_not_renewed_at_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(scene.home, scene.stand_in.issue_tokens())
    scene.say(NO)
    for times in (2, 3, 4):
        await scene.failure()
        assert (scene.refreshes, len(scene.host.asked)) == (1, times)
    monkeypatch.setattr(sampling, "_IN_VAIN", 0.0)
    await scene.failure()
    assert (scene.refreshes, len(scene.host.asked)) == (2, 6)


async def test_a_refused_key_stays_refused(scene: Scene) -> None:
    (scene.home / "auth.json").write_text('{"OPENAI_API_KEY": "sk-1"}')
    scene.say(NO)
    caught = await scene.failure()
    assert (caught.info, caught.retry) == (UNAUTHORIZED, True)
    assert len(scene.host.asked) == 1


@pytest.mark.parametrize(
    ("fault", "message", "info", "retry"),
    [
        (
            Fault.status(401, {"error": {"code": "refresh_token_expired"}}),
            EXPIRED,
            "unauthorized",
            False,
        ),
        (
            Fault.status(500),
            "Failed to refresh token: 500 Internal Server Error",
            "other",
            True,
        ),
    ],
)
async def test_a_token_may_not_be_renewed(
    scene: Scene, fault: Fault, message: str, info: str, retry: bool
) -> None:
    sign_in(scene.home, scene.stand_in.issue_tokens())
    scene.stand_in.faults.add(TOKEN, fault)
    scene.say(NO)
    caught = await scene.failure(request_max_retries=3)
    assert (caught.message, caught.info, caught.retry) == (message, info, retry)
    assert caught.status is None
    assert len(scene.host.asked) == 1


async def test_somebody_else_may_have_signed_in(scene: Scene) -> None:
    sign_in(scene.home, scene.stand_in.issue_tokens())
    await scene.server.account.auth.ready()

    async def refuse(wire: trio.abc.Stream) -> None:
        sign_in_other(scene.home, scene.stand_in)
        await wire.send_all(NO)

    scene.say(refuse, HELLO)
    caught = await scene.failure()
    assert (caught.message, caught.info, caught.retry) == (MISMATCH, "unauthorized", False)
    assert len(scene.host.asked) == 1


async def test_those_who_are_refused_together_share_a_renewal(scene: Scene) -> None:
    tokens = scene.stand_in.issue_tokens()
    sign_in(scene.home, tokens)
    everybody, waiting = trio.Event(), 0

    async def judge(wire: trio.abc.Stream) -> None:
        nonlocal waiting
        waiting += 1
        if waiting == 8:
            everybody.set()
        await everybody.wait()
        former = scene.host.asked[-1].token == tokens.access_token
        await wire.send_all(NO if former else HELLO)

    scene.say(judge)
    texts: list[str] = []

    async def turn() -> None:
        texts.append(text_of(await scene.ask()))

    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(turn)
    assert texts == ["Hello"] * 8
    assert scene.refreshes == 1
    assert sorted(scene.host.tokens, key=str) == sorted(
        [tokens.access_token] * 8 + [scene.token] * 8, key=str
    )


async def test_who_is_cut_leaves_the_renewal_to_the_others(scene: Scene) -> None:
    tokens = scene.stand_in.issue_tokens()
    sign_in(scene.home, tokens)
    scene.say(NO)
    scene.stand_in.faults.add(TOKEN, Fault.delay(0.05))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.ask)
        while not scene.refreshes:
            await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel(reason="the user has seen enough")
    scene.say(NO, HELLO)
    await scene.ask()
    assert scene.refreshes == 1
    assert scene.host.tokens[-1] == scene.token != tokens.access_token


# --- tokens of a host ---


@pytest.fixture
async def owner(scene: Scene) -> AsyncGenerator[WireClient]:
    """A client that owns the tokens that are in force."""
    async with connect(scene.server) as client:
        await client.initialize(experimental=True)
        await client.call(
            "account/login/start", {"type": "chatgptAuthTokens", **brought(scene)}
        )
        yield client


def brought(scene: Scene) -> dict[str, str]:
    return {
        "accessToken": scene.stand_in.issue_access_token(),
        "chatgptAccountId": "fake-account",
    }


async def test_a_host_is_asked_for_another_token(scene: Scene, owner: WireClient) -> None:
    former, newer = scene.token, brought(scene)
    scene.say(NO, HELLO)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.ask)
        question = await owner.next_question()
        assert question.params == {
            "reason": "unauthorized",
            "previousAccountId": "fake-account",
        }
        await owner.answer(question, newer)
    assert scene.host.tokens == [former, newer["accessToken"]]


async def test_a_host_is_asked_each_time(scene: Scene, owner: WireClient) -> None:
    scene.say(NO)
    for times in (2, 4):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scene.failure)
            await owner.answer(await owner.next_question(), brought(scene))
        assert len(scene.host.asked) == times


async def test_a_host_may_say_no(scene: Scene, owner: WireClient) -> None:
    scene.say(NO)
    caught = []

    async def turn() -> None:
        caught.append(await scene.failure())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(turn)
        await owner.answer(await owner.next_question(), {})
    (error,) = caught
    assert (error.message, error.info) == ("invalid auth refresh response", "other")
    assert error.retry
    assert len(scene.host.asked) == 1
