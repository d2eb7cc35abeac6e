"""What a client says and understands, word for word, and what it does when it is cancelled."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import orjson
import pytest
import trio

from codex_trio.client import Thread, open_client
from codex_trio.client.client import spoken
from codex_trio.client.news import MAX_UNHEARD
from codex_trio.errors import AnswerError, LaggedError, LoginError, RpcError, ServerGoneError
from codex_trio.protocol import account as words
from codex_trio.protocol import methods, thread_rows, threads
from codex_trio.protocol.rows import ClientRequest, ServerNotification
from codex_trio.transport.lines import LineWire
from codex_trio.transport.memory import memory_wire_pair
from tests.cancellation import cancel_at_step
from tests.client.servers import INTRODUCTION, puppet_and_client

if TYPE_CHECKING:
    from codex_trio.server import Server

READ = words.GetAccountParams()
SECRET = "sk-" + "secret"
SIGNED_OUT = {"account": None, "requiresOpenaiAuth": True, "newer": [1]}


async def test_who_connects_introduces_itself() -> None:
    async with puppet_and_client() as (_, client):
        assert client.server.user_agent == "puppet"


async def test_what_a_newer_server_says_besides_is_passed_over() -> None:
    async with puppet_and_client() as (puppet, client), trio.open_nursery() as nursery:

        async def answer() -> None:
            request = await puppet.hear()
            assert request == {
                "id": 1,
                "method": "account/read",
                "params": {"refreshToken": False},
            }
            await puppet.say(id=1, result=SIGNED_OUT, emittedAtMs=5)

        nursery.start_soon(answer)
        assert not (await client.call(methods.ACCOUNT_READ, READ)).account


@pytest.mark.parametrize(
    ("account", "read"),
    [
        (
            {"type": "chatgpt", "email": "a@b", "planType": "galactic"},
            words.ChatgptAccount(email="a@b", plan_type="galactic"),  # type: ignore[arg-type]  # it is new
        ),
        ({"type": "orb", "colour": 1}, {"type": "orb", "colour": 1}),
    ],
)
async def test_names_that_only_a_newer_server_knows_stay_as_they_are(
    account: object, read: object
) -> None:
    async with puppet_and_client() as (puppet, client), trio.open_nursery() as nursery:

        async def answer() -> None:
            request = await puppet.hear()
            result = {"account": account, "requiresOpenaiAuth": True}
            await puppet.say(id=request["id"], result=result)

        nursery.start_soon(answer)
        assert (await client.call(methods.ACCOUNT_READ, READ)).account == read


def test_what_is_none_is_left_out_where_that_is_the_default() -> None:
    assert spoken(threads.ThreadStartParams(cwd="/")) == {
        "cwd": "/",
        "allowProviderModelFallback": False,
        "experimentalRawEvents": False,
    }
    assert spoken(threads.ThreadStartParams(service_tier=None))["serviceTier"] is None
    assert spoken(None) is None


async def test_noise_on_the_wire_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with puppet_and_client() as (puppet, client), trio.open_nursery() as nursery:

        async def answer() -> None:
            await puppet.hear()
            await puppet.wire.send(b"npm warn something")
            await puppet.say(id=77, result={})
            await puppet.say(id=1, result=SIGNED_OUT)

        nursery.start_soon(answer)
        assert not (await client.call(methods.ACCOUNT_READ, READ)).account
    assert "npm" not in caplog.text
    assert "no message" in caplog.text


async def test_a_cancelled_call_tells_the_server() -> None:
    async with puppet_and_client() as (puppet, client), trio.open_nursery() as nursery:
        calling = trio.CancelScope()

        async def call() -> None:
            with calling:
                await client.call(methods.ACCOUNT_READ, READ)

        nursery.start_soon(call)
        request = await puppet.hear()
        calling.cancel()
        assert await puppet.hear() == {
            "method": "$/cancelRequest",
            "params": {"id": request["id"]},
        }
        assert calling.cancelled_caught
        await puppet.say(id=request["id"], error={"code": -32800, "message": "cancelled"})


async def test_nothing_is_said_of_a_request_that_was_never_sent() -> None:
    """Whatever the step at which it is cancelled: a request, and its cancellation behind it."""
    async with puppet_and_client() as (puppet, client), trio.open_nursery() as nursery:
        said: list[str] = []

        async def listen() -> None:
            async for line in puppet.wire:
                message = orjson.loads(line)
                said.append(message["method"])
                if message["method"] == "last":
                    await puppet.say(id=message["id"], result=None)

        nursery.start_soon(listen)
        step = 0

        async def bounded() -> None:
            with trio.move_on_after(0.01):
                await client.call(methods.ACCOUNT_READ, READ)

        while await cancel_at_step(bounded, step := step + 1):
            pass
        for _ in range(2):  # what is cancelled is told behind what is queued
            await client.call("last")
        asked = said.count("account/read")
        assert asked
        assert said.count("$/cancelRequest") == asked
        assert said.index("account/read") < said.index("$/cancelRequest")
        assert not client._link._calls
        nursery.cancel_scope.cancel()


async def test_what_was_done_for_a_cancelled_call_is_undone() -> None:
    async with puppet_and_client() as (puppet, client), trio.open_nursery() as nursery:
        undone: list[object] = []
        calling = trio.CancelScope()

        async def undo(answer: words.GetAccountResponse) -> None:
            await trio.lowlevel.checkpoint()
            undone.append(answer.account)

        async def call() -> None:
            with calling:
                await client.call(methods.ACCOUNT_READ, READ, undo=undo)

        nursery.start_soon(call)
        request = await puppet.hear()
        calling.cancel()
        await puppet.hear()
        await puppet.say(id=request["id"], result=SIGNED_OUT)
        while calling.cancel_called and not undone:
            await trio.testing.wait_all_tasks_blocked()
    assert undone == [None]


async def test_a_server_that_never_says_is_not_waited_for(autojump_clock: object) -> None:
    async with puppet_and_client() as (_, client):

        async def undo(answer: object) -> None:
            await trio.lowlevel.checkpoint()
            pytest.fail("nothing was done")

        started = trio.current_time()
        with trio.move_on_after(1):
            await client.call("thread/start", {}, undo=undo)
        assert trio.current_time() - started == pytest.approx(3)


async def test_questions_are_answered_by_handlers(caplog: pytest.LogCaptureFixture) -> None:
    async with puppet_and_client() as (puppet, client):

        async def refresh(
            params: words.ChatgptAuthTokensRefreshParams,
        ) -> words.ChatgptAuthTokensRefreshResponse:
            await trio.lowlevel.checkpoint()
            if params.previous_account_id == "refused":
                raise RpcError(-5, "no", {"why": 1})
            if params.previous_account_id == "broken":
                raise ValueError(SECRET)
            return words.ChatgptAuthTokensRefreshResponse(
                access_token="t", chatgpt_account_id="a"
            )

        async def ask(
            account: object, method: str = methods.AUTH_TOKENS_REFRESH.name
        ) -> object:
            params = {"reason": "unauthorized", "previousAccountId": account}
            await puppet.say(id="q", method=method, params=params)
            answer = await puppet.hear()
            assert answer.pop("id") == "q"
            return answer

        assert await ask("x") == {
            "error": {
                "code": -32601,
                "message": "`account/chatgptAuthTokens/refresh` is not answered here",
            }
        }
        client.answers(methods.AUTH_TOKENS_REFRESH, refresh)
        assert await ask(None) == {
            "result": {"accessToken": "t", "chatgptAccountId": "a", "chatgptPlanType": None}
        }
        refused = {"code": -5, "message": "no", "data": {"why": 1}}
        assert await ask("refused") == {"error": refused}
        internal = {"code": -32603, "message": "Internal error"}
        assert await ask("broken") == {"error": internal}
        assert await ask(5) == {
            "error": {
                "code": -32600,
                "message": "Invalid request: invalid type: integer `5`, expected a string",
            }
        }
    assert "ValueError" in caplog.text
    assert SECRET not in caplog.text


async def test_a_question_may_stay_open_when_the_client_leaves() -> None:
    async with puppet_and_client() as (puppet, client):

        async def think(params: object) -> object:
            return await trio.sleep_forever()

        row = methods.SERVER_REQUESTS[0]
        client.answers(row, think)
        await puppet.say(id="q", method=row.name, params={})
        await trio.testing.wait_all_tasks_blocked()


async def test_a_listener_that_lags_is_told_what_it_has_missed() -> None:
    row = methods.ACCOUNT_UPDATED
    big = "x" * (MAX_UNHEARD // 3)
    async with puppet_and_client() as (puppet, client), trio.open_nursery() as nursery:

        async def tell(number: int) -> None:
            for _ in range(number):
                params = {"authMode": None, "planType": None, "big": big}
                await puppet.say(method=row.name, params=params)
            await trio.testing.wait_all_tasks_blocked()

        async with client.notifications(row) as news:
            await tell(7)
            nursery.start_soon(tell, 0)
            for _ in range(2):
                assert (await anext(news)).auth_mode is None
            with pytest.raises(LaggedError, match="5 notifications") as caught:
                await anext(news)
            assert caught.value.missed == 5
            await tell(1)
            assert (await anext(news)).auth_mode is None


async def test_news_can_be_picked_and_be_without_words() -> None:
    row: ServerNotification[object] = ServerNotification("project/changed")
    async with puppet_and_client() as (puppet, client):
        async with client.notifications(row, where=lambda told: told != 1) as news:
            for params in (1, 2):
                await puppet.say(method=row.name, params=params)
            assert await anext(news) == 2
        assert [told async for told in news] == []
        await puppet.say(method=row.name, params=3)
        async with client.notifications(thread_rows.WARNING) as warnings:
            await puppet.say(method="warning", params={"message": 5})
            await puppet.say(method="warning", params={"message": "hot", "threadId": None})
            with pytest.raises(AnswerError, match="cannot be read"):
                await anext(warnings)
            assert (await anext(warnings)).message == "hot"


async def test_a_configuration_that_cannot_be_used_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with puppet_and_client() as (puppet, _):
        with caplog.at_level(logging.WARNING):
            await puppet.say(method="configWarning", params={"summary": "a typo"})
            await trio.testing.wait_all_tasks_blocked()
    assert "a typo" in caplog.text


async def test_an_answer_that_is_too_long_is_an_error_of_its_call() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    peer = LineWire(theirs)

    async def serve() -> None:
        async for line in peer:
            message = orjson.loads(line)
            match message:
                case {"method": "initialize"}:
                    await peer.send(orjson.dumps({"id": 0, "result": INTRODUCTION}))
                case {"method": "long"}:
                    await peer.send(b'{"method":"news","params":"%b"}' % (b"x" * 2000))
                    await peer.send(b'{"id":%d,"result":"%b"}' % (message["id"], b"x" * 2000))
                case _:
                    await peer.send(orjson.dumps({"id": message.get("id"), "result": 1}))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        async with open_client(LineWire(ours, 1000)) as client:
            with pytest.raises(AnswerError, match="too long"):
                await client.call("long")
            assert await client.call("short") == 1


async def test_a_wire_that_breaks_is_a_server_that_goes() -> None:
    ours, theirs = trio.testing.memory_stream_pair()

    async def fail() -> None:
        await trio.lowlevel.checkpoint()
        raise trio.BrokenResourceError

    async with trio.open_nursery() as nursery:

        async def serve() -> None:
            peer = LineWire(theirs)
            await peer.receive()
            await peer.send(orjson.dumps({"id": 0, "result": INTRODUCTION}))
            await peer.receive()
            ours.receive_stream.receive_some_hook = fail
            await peer.send(b"{}")

        nursery.start_soon(serve)
        async with open_client(LineWire(ours)) as client:
            with pytest.raises(ServerGoneError):
                await client.call("anything")


async def test_an_answer_about_another_sign_in_is_an_error() -> None:
    async with puppet_and_client() as (puppet, client), trio.open_nursery() as nursery:

        async def answer() -> None:
            request = await puppet.hear()
            await puppet.say(id=request["id"], result={"type": "apiKey"})

        nursery.start_soon(answer)
        with pytest.raises(AnswerError, match="another way to sign in"):
            async with client.login_with_browser():
                pytest.fail("it is none")


async def test_the_end_of_another_sign_in_is_not_ours() -> None:
    async with puppet_and_client() as (puppet, client), trio.open_nursery() as nursery:

        async def answer() -> None:
            request = await puppet.hear()
            login = {"type": "chatgpt", "loginId": "ours", "authUrl": "http://here"}
            await puppet.say(id=request["id"], result=login)
            for name, error in (("theirs", None), ("ours", None)):
                told = {"loginId": name, "success": False, "error": error}
                await puppet.say(method=methods.LOGIN_COMPLETED.name, params=told)
            cancel = await puppet.hear()
            await puppet.say(id=cancel["id"], result={"status": "notFound"})

        nursery.start_soon(answer)
        async with client.login_with_browser() as login:
            with pytest.raises(LoginError, match="the sign-in has failed"):
                await login.wait_completed()


async def test_several_may_wait_for_a_sign_in() -> None:
    login = {"type": "chatgpt", "loginId": "ours", "authUrl": "http://here"}
    async with puppet_and_client() as (puppet, client), trio.open_nursery() as nursery:

        async def answer() -> None:
            for result in (login, {"status": "notFound"}, login, {"status": "notFound"}):
                request = await puppet.hear()
                await puppet.say(id=request["id"], result=result)

        nursery.start_soon(answer)
        async with client.login_with_browser() as signing_in, trio.open_nursery() as waiting:
            for _ in range(3):
                waiting.start_soon(signing_in.wait_completed)
            await trio.testing.wait_all_tasks_blocked()
            told = {"loginId": "ours", "success": True, "error": None}
            await puppet.say(method=methods.LOGIN_COMPLETED.name, params=told)
        async with client.login_with_browser() as signing_in:
            pass
        with pytest.raises(ServerGoneError, match="its block was left"):
            await signing_in.wait_completed()


async def test_an_answer_that_nobody_takes_is_dropped() -> None:
    async with puppet_and_client() as (puppet, client):

        async def think(params: object) -> object:
            await puppet.wire.aclose()
            await trio.testing.wait_all_tasks_blocked()
            return {}

        row = methods.SERVER_REQUESTS[0]
        client.answers(row, think)
        await puppet.say(id="q", method=row.name, params={})
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(ServerGoneError):
            await client.call("anything")


async def test_a_row_without_words_takes_and_gives_json() -> None:
    async with puppet_and_client() as (puppet, client), trio.open_nursery() as nursery:

        async def answer() -> None:
            request = await puppet.hear()
            await puppet.say(id=request["id"], result=request["params"])

        nursery.start_soon(answer)
        row: ClientRequest[object, object] = ClientRequest("fs/readFile")
        assert await client.call(row, {"path": "/"}) == {"path": "/"}


async def test_another_answer_to_a_cancelled_sign_in_needs_no_undoing() -> None:
    async with puppet_and_client() as (puppet, client), trio.open_nursery() as nursery:
        signing_in = trio.CancelScope()

        async def sign_in() -> None:
            with signing_in:
                async with client.login_with_browser():
                    pytest.fail("it has not begun")

        nursery.start_soon(sign_in)
        request = await puppet.hear()
        signing_in.cancel()
        assert (await puppet.hear())["method"] == "$/cancelRequest"
        await puppet.say(id=request["id"], result={"type": "apiKey"})


async def test_what_is_told_of_other_turns_is_passed_over(server: Server) -> None:
    async with server.connect() as real:
        known = (await real.start_thread(ephemeral=True)).known
    async with puppet_and_client() as (puppet, client), trio.open_nursery() as nursery:
        thread = Thread(client, known, "a model")
        turn = {"id": "ours", "items": [], "status": "completed"}

        async def answer() -> None:
            request = await puppet.hear()
            for turn_id in ("theirs", "ours"):
                about = {"threadId": known.id, "turnId": turn_id}
                named = {"threadId": known.id, "turn": {**turn, "id": turn_id}}
                delta = {**about, "itemId": "i", "delta": turn_id}
                said = {"type": "agentMessage", "text": turn_id, "phase": None}
                aside = {**said, "text": "hm", "phase": "commentary"}
                await puppet.say(method="turn/started", params=named)
                await puppet.say(method="item/agentMessage/delta", params=delta)
                for item in (said, aside, {"type": "reasoning"}):
                    completed = {**about, "item": item, "completedAtMs": 1}
                    await puppet.say(method="item/completed", params=completed)
                await puppet.say(method="turn/completed", params=named)
            await puppet.say(id=request["id"], result={"turn": turn})

        nursery.start_soon(answer)
        async with thread.run("Hello?") as ours:
            told = [type(one).__name__ async for one in ours]
        assert told == [
            "TurnStartedNotification",
            "AgentMessageDeltaNotification",
            *["ItemCompletedNotification"] * 3,
            "TurnCompletedNotification",
        ]
        assert ours.answer == "ours"


async def test_a_server_that_goes_wakes_everybody() -> None:
    async with puppet_and_client() as (puppet, client), trio.open_nursery() as nursery:

        async def call() -> None:
            with pytest.raises(ServerGoneError, match="the server hung up"):
                await client.call(methods.ACCOUNT_READ, READ)

        async def listen() -> None:
            async with client.notifications(methods.ACCOUNT_UPDATED) as news:
                with pytest.raises(ServerGoneError):
                    await anext(news)

        for _ in range(3):
            nursery.start_soon(call)
            nursery.start_soon(listen)
        await trio.testing.wait_all_tasks_blocked()
        await puppet.wire.aclose()


async def test_a_server_that_goes_at_once_is_an_error() -> None:
    ours, theirs = memory_wire_pair(1)
    await theirs.aclose()
    with pytest.raises(ServerGoneError, match="the server hung up"):
        async with open_client(ours):
            pytest.fail("there is nobody")


async def test_many_calls_are_made_at_once(server: Server) -> None:
    async with server.connect() as client, trio.open_nursery() as nursery:
        for _ in range(120):
            nursery.start_soon(client.call, methods.ACCOUNT_READ, READ)
