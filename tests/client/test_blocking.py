"""Servers and clients from worker threads and scripts."""

from __future__ import annotations

import inspect
import shlex
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any

import pytest

import codex_trio.blocking
import codex_trio.client
from codex_trio.errors import RpcError, TurnFailedError
from codex_trio.protocol import account as words
from codex_trio.protocol import limits, methods, turns
from codex_trio.protocol.codec import Request
from codex_trio.protocol.rows import ServerRequest
from tests.client.test_asyncio import own_threads
from tests.conftest import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from codex_trio.settings import Settings
    from codex_trio.testing import StandInProcess

READ = words.GetAccountParams()


def test_the_same_without_async(led: Settings, stand_in_process: StandInProcess) -> None:
    with codex_trio.blocking.open_server(led) as server, server.connect() as client:
        with client.notifications(methods.ACCOUNT_UPDATED) as news:
            with client.login_with_device_code() as login:
                stand_in_process.approve_device(login.user_code)
                login.wait_completed()
            assert next(news).auth_mode == "chatgpt"
        thread = client.start_thread()
        stand_in_process.answer({"text": "One, two.", "deltas": ["One, ", "two."]}, "Three.")
        with thread.run("Count.") as turn:
            assert list(turn.text()) == ["One, ", "two."]
        with thread.run("Go on.") as turn:
            assert isinstance(list(turn)[-1], turns.TurnCompletedNotification)
        stand_in_process.answer({"parts": [{"failed": "invalid_prompt", "message": "No."}]})
        with pytest.raises(TurnFailedError):
            thread.ask("Really?")
    assert own_threads() == []


def test_errors_come_across_as_they_are(settings: Settings) -> None:
    with codex_trio.blocking.open_server(settings) as server:
        with server.connect() as client, pytest.raises(RpcError, match="experimentalApi"):
            client.call(methods.STATUS_READ)
        with pytest.raises(KeyError, match="mine"), server.connect():
            raise KeyError("mine")
        with pytest.raises(RpcError, match="clientInfo"), server.connect(name="a\nb"):
            pytest.fail("there is nobody")
        with pytest.raises(SystemExit), server.connect():
            raise SystemExit


def test_several_threads_may_use_one_client(settings: Settings) -> None:
    with codex_trio.blocking.open_server(settings) as server, server.connect() as client:
        with ThreadPoolExecutor(8) as pool:
            answers = list(
                pool.map(lambda _: client.call(methods.ACCOUNT_READ, READ), range(120))
            )
    assert {answer.account for answer in answers} == {None}


def test_handlers_are_plain_functions(led: Settings, stand_in_process: StandInProcess) -> None:
    asked = []

    def refresh(
        params: words.ChatgptAuthTokensRefreshParams,
    ) -> words.ChatgptAuthTokensRefreshResponse:
        asked.append(threading.current_thread())
        return words.ChatgptAuthTokensRefreshResponse(
            access_token=stand_in_process.issue_access_token(),
            chatgpt_account_id="fake-account",
        )

    with (
        codex_trio.blocking.open_server(led) as server,
        server.connect(experimental=True) as client,
    ):
        client.answers(methods.AUTH_TOKENS_REFRESH, refresh)
        tokens = words.ChatgptAuthTokensLoginAccountParams(
            access_token=stand_in_process.issue_access_token(),
            chatgpt_account_id="fake-account",
        )
        client.call(methods.LOGIN_START, tokens)
        stand_in_process.expire_access_tokens()
        client.call(methods.RATE_LIMITS_READ, limits.GetAccountRateLimitsParams())
    assert len(asked) == 1
    assert asked[0].name != "codex-trio"


WAITS = """
import sys, codex_trio, codex_trio.blocking
from codex_trio.protocol import limits, methods
settings = codex_trio.Settings(codex_home=sys.argv[1])
try:
    with codex_trio.blocking.open_server(settings) as server, server.connect() as client:
        with client.notifications(methods.ACCOUNT_UPDATED) as news:
            print("waiting", flush=True)
            next(news)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_a_ctrl_c_ends_what_is_waited_for(home: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", WAITS, str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=PATIENCE)[0] == "interrupted\n"
        assert process.returncode == 0


FORGOTTEN = """
import sys, codex_trio, codex_trio.blocking
settings = codex_trio.Settings(codex_home=sys.argv[1])
block = codex_trio.blocking.open_server(settings)
print(block.__enter__().hung_up)
"""


def test_a_block_that_is_never_left_ends_with_python(home: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", FORGOTTEN, str(home)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"False\n", b"")


INTERRUPTED = """
import sys, codex_trio.blocking
try:
    with codex_trio.blocking.connect("stdio:" + sys.argv[1]) as client:
        print("connected?!")
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_a_ctrl_c_ends_what_is_being_entered() -> None:
    """The server says nothing, so the block is not entered."""
    silent = f"{shlex.quote(sys.executable)} -c 'import sys; sys.stderr.write(chr(10)); sys.stdin.read()'"
    command = [sys.executable, "-W", "error", "-c", INTERRUPTED, silent]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "\n"  # it has been started
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=PATIENCE)[0] == "interrupted\n"
        assert process.returncode == 0


def test_a_handler_that_waits_does_not_keep_the_block(settings: Settings) -> None:
    asked, let_go = threading.Event(), threading.Event()

    def think(params: object) -> object:
        asked.set()
        return let_go.wait(PATIENCE)

    row = methods.SERVER_REQUESTS[0]
    try:
        with codex_trio.blocking.open_server(settings) as server, server.connect() as client:
            client.answers(row, think)
            target: Any = client
            question = Request("q", row.name, {})
            thread = target._side.thread
            thread.call(lambda: target._target._hear(question, 0))
            assert asked.wait(PATIENCE)
        assert own_threads() == []
        assert not let_go.is_set()
    finally:
        let_go.set()


def test_a_where_cannot_wait(settings: Settings) -> None:
    with codex_trio.blocking.open_server(settings) as server, server.connect() as client:

        def wanted(told: object) -> bool:
            return client.call(methods.ACCOUNT_READ, READ).requires_openai_auth

        with client.notifications(methods.ACCOUNT_UPDATED, where=wanted) as news:
            client.login_with_api_key("sk-mine")
            with pytest.raises(RuntimeError, match="must not wait"):
                next(news)


def test_a_handler_runs_in_the_context_in_which_it_was_registered(settings: Settings) -> None:
    place = ContextVar("place", default="nowhere")
    with codex_trio.blocking.open_server(settings) as server, server.connect() as client:
        seen = ask_handler(client, lambda params: place.get(), lambda: place.set("here"))
        assert seen == "here"


def ask_handler(
    client: Any, handler: Callable[[Any], object], before: Callable[[], object]
) -> object:
    row = methods.SERVER_REQUESTS[0]

    def register() -> None:
        before()
        client.answers(ServerRequest(row.name), handler)

    copy_context().run(register)
    question = Request("q", row.name, {})
    return client._side.do(lambda: client._target._ask_handler(question))


FORKED = """
import os, sys, codex_trio, codex_trio.blocking
from codex_trio.errors import ServerGoneError
settings = codex_trio.Settings(codex_home=sys.argv[1])
with codex_trio.blocking.open_server(settings) as server, server.connect() as client:
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        client.call("account/read", {})
        print("parent", status, flush=True)
    else:
        for use in (lambda: client.call("account/read", {}), server.tasks):
            try:
                use()
            except ServerGoneError as error:
                print(error, flush=True)
"""


def test_a_fork_of_the_process_has_no_server(home: Path) -> None:
    command = [sys.executable, "-c", FORKED, str(home)]
    done = subprocess.run(
        command, capture_output=True, check=False, timeout=PATIENCE, text=True
    )
    gone = "the server runs in the process from which this one was forked\n"
    assert done.stdout == gone * 2 + "parent 0\n"


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


@pytest.mark.parametrize(
    ("held", "real", "elsewhere"),
    [
        # What needs words of Trio's, or is for who serves wires.
        (codex_trio.blocking.Server, codex_trio.Server, {"serve", "draining", "account"}),
        (codex_trio.blocking.Client, codex_trio.client.Client, {"listening"}),
        (codex_trio.blocking.Login, codex_trio.client.Login, set()),
        (codex_trio.blocking.Thread, codex_trio.client.Thread, {"client"}),
        (codex_trio.blocking.Turn, codex_trio.client.Turn, {"thread"}),
    ],
)
def test_what_is_held_is_typed_as_what_it_stands_for(
    held: type, real: type, elsewhere: set[str]
) -> None:
    typed = public(held) | set(inspect.get_annotations(held))
    assert public(real) - typed == elsewhere
    assert typed - public(real) == set()


def test_a_stand_in_can_be_explored(settings: Settings) -> None:
    with codex_trio.blocking.open_server(settings) as server, server.connect() as client:
        assert {"call", "answers", "server"} <= set(dir(client))
        assert client.call.__doc__ == codex_trio.client.Client.call.__doc__
        assert "undo" in inspect.signature(client.call).parameters


@pytest.mark.parametrize("cut", [0, 1])
def test_a_ctrl_c_that_comes_late_undoes_and_loses_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    """It comes when what is waited for has just ended."""
    cuts: list[None] = []

    def wait(event: threading.Event, ended: threading.Event, errand: object) -> None:
        assert ended.wait(PATIENCE)
        if cuts:
            cuts.pop()
            raise KeyboardInterrupt

    with codex_trio.blocking.open_server(settings) as server, server.connect() as client:
        undone: list[object] = []
        with client.notifications(methods.ACCOUNT_UPDATED) as news:
            monkeypatch.setattr(codex_trio.blocking, "_wait", wait)
            cuts.extend([None] * cut)
            with pytest.raises(KeyboardInterrupt) if cut else nullcontext():
                client.call(
                    methods.LOGIN_START,
                    words.ApiKeyLoginAccountParams(api_key="k"),
                    undo=undone.append,
                )
            assert undone == [words.ApiKeyLoginAccountResponse()] * cut
            cuts.extend([None] * cut)
            with pytest.raises(KeyboardInterrupt) if cut else nullcontext():
                assert next(news).auth_mode == "apikey"
            if cut:
                assert next(news).auth_mode == "apikey"
            monkeypatch.undo()
