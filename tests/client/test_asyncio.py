"""Servers and clients from asyncio: what is said, cancelled, raised, left behind."""

from __future__ import annotations

import asyncio
import errno
import shlex
import subprocess
import sys
import threading
import time
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio

import codex_trio
import codex_trio.asyncio
from codex_trio.bridge.thread import Errand, TrioThread
from codex_trio.errors import RpcError, ServerGoneError
from codex_trio.protocol import account as words
from codex_trio.protocol import limits, methods
from codex_trio.protocol.codec import Request
from codex_trio.protocol.rows import ServerRequest
from tests.conftest import PATIENCE
from tests.schema import genuine_environment

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from codex_trio.client import Client
    from codex_trio.settings import Settings
    from codex_trio.testing import StandInProcess

READ = words.GetAccountParams()
KEY = words.ApiKeyLoginAccountParams(api_key="k")


def own_threads() -> list[str]:
    """Trio keeps idle threads for ten seconds, and names them; those are not ours."""
    named = (thread.name for thread in threading.enumerate())
    return [name for name in named if name == "codex-trio"]


def run(main: Callable[[], Awaitable[object]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE):
            await main()

    asyncio.run(bounded())
    assert own_threads() == []


def test_a_server_and_its_client_take_one_line(settings: Settings) -> None:
    async def main() -> None:
        async with (
            codex_trio.asyncio.open_server(settings) as server,
            server.connect() as client,
        ):
            assert client.server.codex_home == str(settings.codex_home)
            assert (await client.call(methods.ACCOUNT_READ, READ)).account is None
            async with client.notifications(methods.ACCOUNT_UPDATED) as news:
                await client.call(methods.LOGIN_START, KEY)
                async for told in news:
                    assert told.auth_mode == "apikey"
                    break
            assert "in a Trio thread" in repr(client)

    run(main)


def test_a_turn_and_a_sign_in_are_blocks(
    led: Settings, stand_in_process: StandInProcess
) -> None:
    async def main() -> None:
        async with codex_trio.asyncio.open_server(led) as server, server.connect() as client:
            async with client.login_with_device_code() as login:
                await asyncio.to_thread(stand_in_process.approve_device, login.user_code)
                await login.wait_completed()
            thread = await client.start_thread()
            stand_in_process.answer(
                {"text": "One, two.", "deltas": ["One, ", "two."]}, "Three."
            )
            async with thread.run("Count.") as turn:
                assert [piece async for piece in turn.text()] == ["One, ", "two."]
            assert await thread.ask("Go on.") == "Three."

    run(main)


def test_a_cancelled_task_cancels_what_it_waits_for(
    led: Settings, stand_in_process: StandInProcess
) -> None:
    async def main() -> None:
        async with codex_trio.asyncio.open_server(led) as server, server.connect() as client:
            await client.login_with_api_key("k")
            thread = await client.start_thread()
            stand_in_process.answer({"parts": [{"hold": "here"}]})
            asking = asyncio.create_task(thread.ask("Wait."))
            await asyncio.to_thread(stand_in_process.wait_response_request)
            asking.cancel()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            # Its end was waited for: the turn has been interrupted.
            read = await client.call("thread/read", {"threadId": thread.id})
            assert read["thread"]["status"] == {"type": "idle"}
            assert stand_in_process.open_responses() == 0

    run(main)


def test_a_cancelled_body_leaves_its_blocks(settings: Settings) -> None:
    async def main() -> None:
        inside = asyncio.Event()

        async def work() -> None:
            async with codex_trio.asyncio.open_server(settings) as server:
                async with server.connect() as client:
                    async with client.notifications(methods.ACCOUNT_UPDATED) as news:
                        inside.set()
                        await anext(news)

        task = asyncio.create_task(work())
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert own_threads() == []

    run(main)


def test_it_can_be_cancelled_at_any_moment(settings: Settings) -> None:
    async def work() -> None:
        async with (
            codex_trio.asyncio.open_server(settings) as server,
            server.connect() as client,
        ):
            async with client.notifications(methods.ACCOUNT_UPDATED) as news:
                await client.call(methods.LOGIN_START, KEY)
                await anext(news)

    async def main() -> None:
        for step in range(40):
            task = asyncio.create_task(work())
            for _ in range(step):
                await asyncio.sleep(0.0005)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled() or task.exception() is None
            assert own_threads() == []

    run(main)


def test_exceptions_come_across_as_they_are(settings: Settings) -> None:
    async def main() -> None:
        async with codex_trio.asyncio.open_server(settings) as server:
            async with server.connect() as client:
                with pytest.raises(RpcError, match="experimentalApi"):
                    await client.call(methods.STATUS_READ)
            with pytest.raises(KeyError, match="mine"):
                async with server.connect():
                    raise KeyError("mine")
            with pytest.raises(RpcError, match="clientInfo"):
                async with server.connect(name="a\nb"):
                    pytest.fail("there is nobody")
        with pytest.raises(ServerGoneError):
            await client.call(methods.ACCOUNT_READ, READ)
        with pytest.raises(ServerGoneError):
            server.hang_up()

    run(main)


def test_what_is_not_async_is_called_where_the_server_lives(settings: Settings) -> None:
    async def main() -> None:
        async with codex_trio.asyncio.open_server(settings) as server:
            async with server.connect() as client:
                server.hang_up()
                with pytest.raises(ServerGoneError):
                    await client.call(methods.ACCOUNT_READ, READ)
            assert server.hung_up

    run(main)


def test_another_account_can_be_opened(settings: Settings, tmp_path: Path) -> None:
    async def main() -> None:
        other = codex_trio.Settings(codex_home=tmp_path / "other")
        async with (
            codex_trio.asyncio.open_server(settings) as server,
            server.open_account(other) as account,
            server.connect(account=account) as theirs,
            server.connect() as ours,
        ):
            await theirs.call(methods.LOGIN_START, KEY)
            assert (await theirs.call(methods.ACCOUNT_READ, READ)).account is not None
            assert (await ours.call(methods.ACCOUNT_READ, READ)).account is None

    run(main)


def test_many_calls_are_made_at_once(settings: Settings) -> None:
    async def main() -> None:
        async with (
            codex_trio.asyncio.open_server(settings) as server,
            server.connect() as client,
        ):
            answers = await asyncio.gather(
                *(client.call(methods.ACCOUNT_READ, READ) for _ in range(120))
            )
            assert {answer.account for answer in answers} == {None}

    run(main)


def test_servers_of_several_loops_do_not_meet(tmp_path: Path) -> None:
    async def main(name: str) -> None:
        settings = codex_trio.Settings(codex_home=tmp_path / name)
        async with (
            codex_trio.asyncio.open_server(settings) as server,
            server.connect() as client,
        ):
            await client.login_with_api_key(name)
            status = await client.call("getAuthStatus", {"includeToken": True})
            assert status["authToken"] == name

    failed: list[Exception] = []

    def loop(name: str) -> None:
        try:
            asyncio.run(main(name))
        except Exception as error:
            failed.append(error)

    loops = [threading.Thread(target=loop, args=(name,)) for name in "abc"]
    for one in loops:
        one.start()
    for one in loops:
        one.join(PATIENCE)
    assert failed == []
    assert own_threads() == []


def test_a_block_that_is_never_left_ends_with_its_loop(settings: Settings) -> None:
    kept: list[Any] = []

    async def main() -> None:
        kept.append(codex_trio.asyncio.open_server(settings))
        await kept[0].__aenter__()
        assert own_threads() != []

    run(main)


LEFT_BEHIND = """
import asyncio, sys, codex_trio, codex_trio.asyncio
async def main():
    settings = codex_trio.Settings(codex_home=sys.argv[1])
    global block, server
    block = codex_trio.asyncio.open_server(settings)
    server = await block.__aenter__()
    print(server.hung_up)
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
loop.close()
"""


def test_a_loop_that_is_left_behind_hangs_nothing(home: Path) -> None:
    """As a notebook does that is closed: the thread ends with Python."""
    command = [sys.executable, "-c", LEFT_BEHIND, str(home)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (0, b"False\n")


def test_handlers_run_in_asyncio(led: Settings, stand_in_process: StandInProcess) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        asked: list[str] = []

        async def refresh(
            params: words.ChatgptAuthTokensRefreshParams,
        ) -> words.ChatgptAuthTokensRefreshResponse:
            assert asyncio.get_running_loop() is loop
            asked.append(params.reason)
            token = await asyncio.to_thread(stand_in_process.issue_access_token)
            return words.ChatgptAuthTokensRefreshResponse(
                access_token=token, chatgpt_account_id=params.previous_account_id or ""
            )

        async with (
            codex_trio.asyncio.open_server(led) as server,
            server.connect(experimental=True) as client,
        ):
            client.answers(methods.AUTH_TOKENS_REFRESH, refresh)
            await sign_in_with_tokens(client, stand_in_process)
            await asyncio.to_thread(stand_in_process.expire_access_tokens)
            await client.call(methods.RATE_LIMITS_READ, limits.GetAccountRateLimitsParams())
            assert asked == ["unauthorized"]

    run(main)


async def sign_in_with_tokens(client: Client, stand_in_process: StandInProcess) -> None:
    token = await asyncio.to_thread(stand_in_process.issue_access_token)
    params = words.ChatgptAuthTokensLoginAccountParams(
        access_token=token, chatgpt_account_id="fake-account"
    )
    await client.call(methods.LOGIN_START, params)


def test_a_handler_is_cancelled_with_its_client(
    led: Settings, stand_in_process: StandInProcess
) -> None:
    async def main() -> None:
        asked, ended = asyncio.Event(), asyncio.Event()

        async def refresh(params: object) -> words.ChatgptAuthTokensRefreshResponse:
            asked.set()
            try:
                await asyncio.sleep(PATIENCE)
            finally:
                ended.set()
            raise AssertionError

        async with codex_trio.asyncio.open_server(led) as server:
            async with server.connect(experimental=True) as client:
                client.answers(methods.AUTH_TOKENS_REFRESH, refresh)
                await sign_in_with_tokens(client, stand_in_process)
                await asyncio.to_thread(stand_in_process.expire_access_tokens)
                params = limits.GetAccountRateLimitsParams()
                reading = asyncio.create_task(client.call(methods.RATE_LIMITS_READ, params))
                await asked.wait()
            assert ended.is_set()
            with pytest.raises(ServerGoneError):
                await reading

    run(main)


def test_a_handler_that_is_cancelled_by_others_has_failed(
    led: Settings, stand_in_process: StandInProcess
) -> None:
    async def main() -> None:
        async def refresh(params: object) -> words.ChatgptAuthTokensRefreshResponse:
            await asyncio.sleep(0)
            raise asyncio.CancelledError

        async with (
            codex_trio.asyncio.open_server(led) as server,
            server.connect(experimental=True) as client,
        ):
            client.answers(methods.AUTH_TOKENS_REFRESH, refresh)
            await sign_in_with_tokens(client, stand_in_process)
            await asyncio.to_thread(stand_in_process.expire_access_tokens)
            params = limits.GetAccountRateLimitsParams()
            with pytest.raises(RpcError):
                await client.call(methods.RATE_LIMITS_READ, params)

    run(main)


def test_a_server_can_be_a_child(home: Path) -> None:
    url = f"stdio:{shlex.quote(sys.executable)} -m codex_trio app-server"

    async def main() -> None:
        async with codex_trio.asyncio.connect(url, environ=genuine_environment(home)) as client:
            assert (await client.call(methods.ACCOUNT_READ, READ)).account is None

    run(main)


def test_what_is_given_is_taken_along(settings: Settings) -> None:
    async def main() -> None:
        async def undo(answer: object) -> None:
            await asyncio.sleep(0)
            pytest.fail("nothing was cancelled")

        def wanted(told: object) -> bool:
            server.stop_listening()  # called where it lives, so it does not wait for itself
            return True

        async with (
            codex_trio.asyncio.open_server(settings) as server,
            server.connect() as client,
        ):
            async with client.notifications(methods.ACCOUNT_UPDATED, where=wanted) as news:
                await client.call(methods.LOGIN_START, KEY, undo=undo)
                assert (await anext(news)).auth_mode == "apikey"
            with pytest.raises(TypeError):
                server.hang_up(1, 2)  # type: ignore[call-arg]  # that is what is tested

    run(main)


def test_what_comes_too_late_is_not_done() -> None:
    ended: list[str] = []
    thread = TrioThread()
    thread.start()
    thread.stop(lambda: ended.append("thread"))
    errands = [Errand(thread, lambda: ended.append("errand")) for _ in range(2)]
    thread.order(errands[0], trio.sleep_forever)
    thread.join()
    thread.order(errands[1], trio.sleep_forever)
    thread.stop(lambda: ended.append("again"))
    assert sorted(ended) == ["again", "errand", "errand", "thread"]
    for errand in errands:
        with pytest.raises(ServerGoneError):
            errand.result()


def test_an_iteration_that_is_cancelled_loses_nothing(settings: Settings) -> None:
    """At whatever moment that is, also when it has just ended over there."""

    async def main() -> None:
        async with codex_trio.asyncio.open_server(settings) as server:
            async with server.connect() as client:
                async with client.notifications(methods.ACCOUNT_UPDATED) as news:
                    target: Any = news
                    for step in range(20):
                        task = asyncio.create_task(anext(news))
                        await asyncio.sleep(0)  # it is ordered
                        update = {"authMode": None, "planType": None}
                        thread, put = target._side.thread, target._target.put
                        thread.call(partial(put, "account/updated", update, 0))
                        thread.call(lambda: None)
                        for _ in range(step % 4):
                            await asyncio.sleep(0)
                        if step % 2:
                            await asyncio.to_thread(thread.call, lambda: None)
                        if task.cancel():
                            with pytest.raises(asyncio.CancelledError):
                                await task
                            assert (await anext(news)).auth_mode is None
                        else:
                            assert (await task).auth_mode is None

    run(main)


def test_a_call_that_is_cancelled_when_it_has_ended_is_undone(settings: Settings) -> None:
    async def main() -> None:
        undone: list[object] = []

        async def undo(answer: object) -> None:
            await asyncio.sleep(0)
            undone.append(answer)

        async with codex_trio.asyncio.open_server(settings) as server:
            async with server.connect() as client:
                task = asyncio.create_task(client.call(methods.LOGIN_START, KEY, undo=undo))
                async with client.notifications(methods.ACCOUNT_UPDATED) as news:
                    await asyncio.sleep(0)
                    # The loop stands still until it has been done, and heard of it.
                    target: Any = client
                    deadline = time.monotonic() + PATIENCE
                    while target._side.thread.call(lambda: bool(target._target._link._calls)):
                        assert time.monotonic() < deadline
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                    assert news is not None
                assert undone == [words.ApiKeyLoginAccountResponse()]

    run(main)


@pytest.mark.parametrize(
    "handler",
    [lambda _: 5, lambda _: 1 / 0, lambda: None],
    ids=["plain", "raises", "no params"],
)
def test_a_handler_that_is_no_coroutine_function_has_failed(
    settings: Settings, handler: Any
) -> None:
    async def main() -> None:
        async with codex_trio.asyncio.open_server(settings) as server:
            async with server.connect() as client:
                with pytest.raises(RpcError, match="Internal error"):
                    await ask_handler(client, handler)

    run(main)


def test_a_handler_runs_in_the_context_in_which_it_was_registered(settings: Settings) -> None:
    place = ContextVar("place", default="nowhere")

    async def main() -> None:
        async def look(params: object) -> str:
            await asyncio.sleep(0)
            return place.get()

        async with codex_trio.asyncio.open_server(settings) as server:
            async with server.connect() as client:
                token = place.set("here")
                answering = ask_handler(client, look)
                place.reset(token)
                assert await answering == "here"

    run(main)


def ask_handler(client: Any, handler: Any) -> Awaitable[object]:
    row = methods.SERVER_REQUESTS[0]
    client.answers(ServerRequest(row.name), handler)
    question = Request("q", row.name, {})
    asking: Awaitable[object] = client._side.do(lambda: client._target._ask_handler(question))
    return asking


def test_a_thread_that_cannot_start_is_an_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(main: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    async def main() -> None:
        with pytest.raises(OSError, match="Too many"):
            async with codex_trio.asyncio.open_server(settings):
                pytest.fail("there is none")

    monkeypatch.setattr(trio, "run", fail)
    run(main)
