"""What clients do, one thing after another; whatever befalls the server, each is answered."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import attrs
import trio

from codex_trio.errors import ClientGoneError, RpcError
from codex_trio.testing import ModelResponse, Text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from codex_trio.testing import StandIn, WireClient

PATIENT = 30.0
"""Seconds in which anything has to be answered, and a turn has to end, whatever happens."""

QUICK = """
model_providers.stand_in.request_max_retries = 1
model_providers.stand_in.stream_max_retries = 1
"""
"""What else a configuration says where hosts fail, so that nobody waits long for them."""


def speak_slowly(stand_in: StandIn, *, deltas: int = 10, every: float = 0.005) -> None:
    """Let models take their time, so that something can happen within an answer."""
    stand_in.respond = lambda _: ModelResponse.of(
        Text("One thing after another, until all is said. " * 4, deltas=deltas, every=every)
    )


@attrs.define(eq=False)
class Doer:
    """One client, who does things by chance.

    Raises what its connection raises when that breaks, and fails when something is not answered
    in time, or with an error that nobody has foreseen.
    """

    client: WireClient
    random: Random
    stays: bool = False
    """Whether the account is to stay as it is."""
    refusals: list[RpcError] = attrs.field(factory=list, init=False)
    """The errors that were heard."""
    _thread: str | None = attrs.field(default=None, init=False)

    async def do(self, number: int) -> None:
        """Do so many things by chance."""
        doings: list[Callable[[], Awaitable[object]]] = [
            self.read,
            self.list_threads,
            self.read_limits,
            self.write_config,
            self.cancel_device_login,
            self.cancel_browser_login,
            self.read_limits if self.stays else self.sign_in_with_key,
            self.run_turn,
            self.run_turn,
            self.interrupt_turn,
        ]
        for _ in range(number):
            await self.random.choice(doings)()

    async def do_until_gone(self) -> None:
        """Do things by chance until the connection ends."""
        with suppress(ClientGoneError, trio.EndOfChannel):
            while True:
                await self.do(1)

    async def ask(self, method: str, params: Any = None) -> Any:
        """Ask for something; an empty answer is as good as an error that is foreseen."""
        with trio.fail_after(PATIENT):  # noqa: ASYNC912 - a call waits
            try:
                return await self.client.call(method, {} if params is None else params)
            except RpcError as error:
                assert error.message != "Internal error", method
                self.refusals.append(error)
                return {}

    async def read(self) -> None:
        """Ask who is signed in."""
        assert "requiresOpenaiAuth" in await self.ask("account/read")

    async def list_threads(self) -> None:
        """Ask which threads there are."""
        await self.ask("thread/list", {"limit": 5})

    async def read_limits(self) -> None:
        """Ask a host for something, which may renew tokens."""
        await self.ask("account/rateLimits/read")

    async def write_config(self) -> None:
        """Write a value of ``config.toml``."""
        effort = self.random.choice(("low", "medium", "high"))
        edit = {
            "keyPath": "model_reasoning_effort",
            "value": effort,
            "mergeStrategy": "replace",
        }
        await self.ask("config/value/write", edit)

    async def cancel_device_login(self) -> None:
        """Begin to sign in with a code, and cancel that."""
        await self._begin_and_cancel({"type": "chatgptDeviceCode"})

    async def cancel_browser_login(self) -> None:
        """Begin to sign in with a browser, and cancel that."""
        await self._begin_and_cancel({"type": "chatgpt"})

    async def _begin_and_cancel(self, params: dict[str, str]) -> None:
        started = await self.ask("account/login/start", params)
        if "loginId" in started:
            await self.ask("account/login/cancel", {"loginId": started["loginId"]})

    async def sign_in_with_key(self) -> bool:
        """Sign in with a key; says whether that was possible."""
        params = {"type": "apiKey", "apiKey": f"sk-{self.random.randrange(10**9)}"}
        return bool(await self.ask("account/login/start", params))

    async def run_turn(self) -> str:
        """Have a turn, to its end; says how it has ended, and nothing if it did not begin."""
        if (turn_id := await self.start_turn()) is None:
            return ""
        return await self._end_of(turn_id)

    async def interrupt_turn(self) -> str:
        """Have a turn, and interrupt it; says as ``run_turn`` how it has ended."""
        if (turn_id := await self.start_turn()) is None:
            return ""
        await trio.sleep(self.random.uniform(0, 0.03))
        await self.ask("turn/interrupt", {"threadId": self._thread, "turnId": turn_id})
        return await self._end_of(turn_id)

    async def put_away(self) -> None:
        """Archive or delete all threads that are loaded, whoever has begun them."""
        self._thread = None
        while loaded := (await self.client.call("thread/loaded/list", {}))["data"]:
            for thread_id in loaded:
                method = self.random.choice(("thread/archive", "thread/delete"))
                await self.client.call(method, {"threadId": thread_id})

    async def start_turn(self) -> str | None:
        """Begin a turn, in a new thread if there is none; returns its id."""
        if self._thread is None or self.random.random() < 0.1:
            started = await self.ask("thread/start")
            if "thread" not in started:
                return None
            self._thread = started["thread"]["id"]
        text = [{"type": "text", "text": "hi"}]
        began = await self.ask("turn/start", {"threadId": self._thread, "input": text})
        return str(began["turn"]["id"]) if began else None

    async def _end_of(self, turn_id: str) -> str:
        def is_it(news: Any) -> bool:
            return bool(
                news["method"] == "turn/completed" and news["params"]["turn"]["id"] == turn_id
            )

        with trio.fail_after(PATIENT):
            # Others may wait for the ends of theirs on the same connection.
            news = await self.client._notifications.take(is_it)
        return str(news["params"]["turn"]["status"])
