"""Where the requests of a workspace go: found out once, by and by, and never waited for."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import orjson
import pytest
import trio

from codex_trio.account.credentials import Credentials, Tokens
from codex_trio.account.routing import CHECK, PATIENCE, Routing, RoutingError, read_routing
from codex_trio.errors import RefreshError, UpstreamError
from codex_trio.protocol.account import WorkspaceRouting
from codex_trio.upstream import Reply

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from trio.testing import MockClock

Answer: TypeAlias = "Reply | Exception | None"

ORIGIN = "https://chatgpt.com"
ROUTING = WorkspaceRouting(
    chatgpt_account_id="acc", backend_origin=ORIGIN, account_routing_override="us"
)


def entry(**more: Any) -> dict[str, Any]:
    usual = {
        "id": "acc",
        "workspace_backend_origin": ORIGIN,
        "account_routing_override": "us",
    }
    return {**usual, **more}


def accounts(*entries: Any) -> Any:
    return {"accounts": list(entries)}


def signed_in(account_id: str | None = "acc", **more: Any) -> Credentials:
    tokens = Tokens(id_token="", access_token="", refresh_token="", account_id=account_id)
    return Credentials(**{"mode": "chatgpt", "tokens": tokens, **more})


def reply(value: Any, status: int = 200) -> Reply:
    return Reply(status=status, body=orjson.dumps(value))


# --- reading ---


@pytest.mark.parametrize("override", ["NO_CONSTRAINT", "us", "us_cr"])
@pytest.mark.parametrize(
    ("origin", "shown"),
    [
        (ORIGIN, ORIGIN),
        (f"{ORIGIN}/", ORIGIN),
        ("https://Example.com:8443", "https://example.com:8443"),
        ("https://[::1]:5", "https://[::1]:5"),
    ],
)
def test_a_workspace_is_served_from_somewhere(override: Any, origin: str, shown: str) -> None:
    mine = entry(workspace_backend_origin=origin, account_routing_override=override)
    told = read_routing(accounts(entry(id="other"), 5, mine), "acc")
    assert told == WorkspaceRouting(
        chatgpt_account_id="acc", backend_origin=shown, account_routing_override=override
    )


BROKEN: list[object] = [None, "eu", []]
MISSING = "selected workspace missing from routing discovery"
NO_ORIGIN = "workspace routing discovery must return an origin"
NOT_SAFE = "workspace backend must use an HTTPS origin without credentials"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({}, MISSING),
        ([], MISSING),
        (None, MISSING),
        (accounts(), MISSING),
        (accounts(entry(id=None), {}, None), MISSING),
        (accounts(entry(), entry()), "duplicate workspace in routing discovery"),
        ({"accounts": {}}, "workspace routing discovery failed: no list of accounts"),
        *(
            (
                accounts(entry(account_routing_override=override)),
                "workspace routing discovery has invalid account routing override",
            )
            for override in BROKEN
        ),
        *(
            (
                accounts(entry(workspace_backend_origin=origin)),
                "workspace routing discovery missing backend origin",
            )
            for origin in (None, 5)
        ),
        (accounts(entry(workspace_backend_origin=f"{ORIGIN}/a")), NO_ORIGIN),
        (accounts(entry(workspace_backend_origin=f"{ORIGIN}?a")), NO_ORIGIN),
        (accounts(entry(workspace_backend_origin=f"{ORIGIN}:x")), NO_ORIGIN),
        (accounts(entry(workspace_backend_origin="http://chatgpt.com")), NOT_SAFE),
        (accounts(entry(workspace_backend_origin="https://a@b.c")), NOT_SAFE),
        (accounts(entry(workspace_backend_origin="https://")), NOT_SAFE),
        (accounts(entry(workspace_backend_origin="")), NOT_SAFE),
    ],
)
def test_what_makes_no_sense_is_no_routing(payload: object, reason: str) -> None:
    with pytest.raises(RoutingError) as caught:
        read_routing(payload, "acc")
    assert str(caught.value) == reason


# --- asking ---


@attrs.define(eq=False)
class Scene:
    """A backend that says what it is told to say, in turn; None is that it says nothing."""

    who: Credentials | None = None
    answers: list[Answer] = attrs.field(factory=list)
    asked: list[float] = attrs.field(factory=list)
    routing: Routing = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.routing = Routing(lambda: self.who, self.ask)

    async def ask(self, path: str, patience: float) -> Reply:
        await trio.lowlevel.checkpoint()
        assert path == CHECK
        assert patience == PATIENCE
        self.asked.append(trio.current_time())
        answer = self.answers.pop(0)
        if answer is None:
            await trio.sleep_forever()
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Reply)
        return answer

    def sign_in(self, who: Credentials | None, *answers: Answer) -> None:
        self.who, self.answers = who, list(answers)
        self.asked.clear()
        self.routing.notice()


@asynccontextmanager
async def open_scene() -> AsyncGenerator[Scene]:
    scene = Scene()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.routing.watch)
        yield scene
        nursery.cancel_scope.cancel(reason="the test is over")


async def test_it_is_asked_once_for_each_workspace(autojump_clock: MockClock) -> None:
    async with open_scene() as scene:
        scene.sign_in(signed_in(), reply(accounts(entry())))
        assert scene.routing.current is None
        await trio.sleep(3600)
        assert scene.routing.current == ROUTING
        scene.sign_in(signed_in("other"), reply(accounts(entry(id="other"))))
        assert scene.routing.current is None
        await trio.sleep(3600)
        assert scene.routing.current == attrs.evolve(ROUTING, chatgpt_account_id="other")
        scene.sign_in(signed_in())
        assert scene.routing.current == ROUTING
        await trio.sleep(3600)
        assert scene.asked == []


@pytest.mark.parametrize(
    "who",
    [
        None,
        Credentials.of_api_key("sk-x"),
        signed_in(None),
        signed_in(tokens=None),
    ],
)
async def test_it_is_asked_for_no_other(
    autojump_clock: MockClock, who: Credentials | None
) -> None:
    async with open_scene() as scene:
        scene.sign_in(who)
        await trio.sleep(3600)
        assert scene.asked == []
        assert scene.routing.current is None


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (UpstreamError("down"), "workspace routing discovery failed: down"),
        (RefreshError("gone"), "workspace routing discovery failed: gone"),
        (reply({}, 404), "workspace routing discovery failed: 404 Not Found"),
        (Reply(status=200, body=b"<"), "workspace routing discovery failed: it is not JSON"),
        (reply({}), MISSING),
        (None, "workspace routing discovery timed out"),
    ],
)
async def test_what_fails_is_tried_again_later(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, answer: Answer, reason: str
) -> None:
    async with open_scene() as scene:
        scene.sign_in(signed_in(), answer, answer, answer, reply(accounts(entry())))
        await trio.sleep(3600)
        assert scene.routing.current == ROUTING
    first, second, third, fourth = scene.asked
    waited = PATIENCE if answer is None else 0
    assert second - first == pytest.approx(60 + waited, abs=1)
    assert third - second == pytest.approx(120 + waited, abs=1)
    assert fourth - third == pytest.approx(240 + waited, abs=1)
    assert caplog.messages == [reason] * 3


async def test_it_is_given_up_when_somebody_else_signs_in(autojump_clock: MockClock) -> None:
    async with open_scene() as scene:
        scene.sign_in(signed_in(), None)
        await trio.sleep(1)
        scene.sign_in(None)
        await trio.sleep(3600)
        assert scene.asked == []
        scene.sign_in(signed_in(), reply(accounts(entry())))
        await trio.sleep(1)
        assert scene.routing.current == ROUTING
