"""Takes a script's steps in turn, and writes down what is said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs
import trio

from codex_trio.errors import MessageError
from codex_trio.protocol import codec
from tests.parity.steps import Act, Answer, Await, Cancel, HangUp, Hear, Send, Step

if TYPE_CHECKING:
    from codex_trio.testing import Watcher
    from codex_trio.transport.lines import LineWire
    from tests.parity.names import Names
    from tests.parity.world import World

Json: TypeAlias = Any

SILENCE: Final = 4.0
"""Seconds after which a request is taken to be left unanswered, since all others are answered."""

LATE: Final = {
    "thread/start": "thread/started",
    "thread/fork": "thread/started",
    "thread/resume": "thread/goal/cleared",
}
"""What follows an answer, now and then behind what is asked next."""

LATE_PATIENCE: Final = 2.0
"""Seconds; not everybody is told."""


class HungUpError(Exception):
    """The server has nothing more to say."""


@attrs.define(eq=False, kw_only=True)
class Conversation:
    """One script on one server."""

    world: World
    wire: LineWire
    names: Names
    watch: Watcher | None
    transcript: list[Json] = attrs.field(factory=list, init=False)
    _news: list[str] = attrs.field(factory=list, init=False)  # that nobody has waited for
    _answered: set[str] = attrs.field(factory=set, init=False)  # ids
    _begun: str | None = attrs.field(default=None, init=False)  # a thread, by the last answer
    _told: set[tuple[str, str]] = attrs.field(factory=set, init=False)  # and of which thread
    _markers: int = attrs.field(default=0, init=False)

    async def take(self, step: Step) -> None:
        """Take one step, and see what it causes.

        Raises:
            HungUpError: the server has hung up.
        """
        match step:
            case Hear():
                await self._hear(step)
            case HangUp():
                await self._hang_up()
            case Act():
                self._note({"act": step.name, "comes to": await step.do(self.world)})
            case Send(patient=True):
                await self._say(_line(step.make(self.world)))
            case Send():
                await self._say_alone(_line(step.make(self.world)))
            case Answer():
                await self._answer(step)
            case Await():
                await self._await(step)
            case Cancel():
                await self._say(self._cancelling(step))
            case _:
                await self._say(_line(step))

    async def _say(self, line: bytes) -> None:
        """Send a line, and hear what is said because of it."""
        self._begun = None
        self._told.clear()
        await self._say_and_ask(line)
        method = LATE.get(_method(line))
        if self._begun is not None and method is not None:
            with trio.move_on_after(LATE_PATIENCE):  # noqa: ASYNC912 - it may be there already
                while (method, self._begun) not in self._told:
                    await self._receive()

    async def _say_and_ask(self, line: bytes) -> None:
        """Send a line, and a question behind it whose answer shows that all has been said.

        The question is in the lane of the account, so that it is not answered before news of
        the account is out. Before the connection is open it is refused, which serves as well.
        A request that takes its time outside of the lane gets another question behind it.
        """
        self._note({"-->": line.decode(errors="replace")})
        missing = _ids(line)
        await self._send(line, self._marker())
        await self._receive_marker(missing)
        if not missing:
            return
        with trio.move_on_after(SILENCE):  # noqa: ASYNC912 - something is missing
            while missing:
                self._strike_off(missing, await self._receive())
        if missing:
            self._note({"unanswered": sorted(missing)})
        else:
            await self._send(self._marker())
            await self._receive_marker(missing)

    async def _say_alone(self, line: bytes) -> None:
        self._note({"-->": line.decode(errors="replace")})
        self._answered -= _ids(line)
        await self._send(line)

    async def _answer(self, step: Answer) -> None:
        """Answer what was asked last; a server that has not asked is told nothing."""
        if not self.world.questions:
            self._note("nothing is asked")
            return
        question = self.world.questions.pop()
        answer = {"id": question["id"], **step.make(self.world)}
        await self._say_alone(_line(answer))

    async def _await(self, step: Await) -> None:
        """Hear a request out, and what is said because of it."""
        missing = {json.dumps(step.message_id)} - self._answered
        with trio.move_on_after(step.patience):  # noqa: ASYNC912 - it may be there already
            while missing:
                self._strike_off(missing, await self._receive())
        if missing:
            self._note({"unanswered": sorted(missing)})
        else:
            await self._send(self._marker())
            await self._receive_marker(missing)

    def _cancelling(self, step: Cancel) -> bytes:
        login_id = step.spell(self.world.logins[step.number]["loginId"])
        if step.spell is not str:
            self.names.fixed[json.dumps(login_id)[1:-1]] = f"<an id, {step.spelling}>"
        return _line(
            {"id": 9, "method": "account/login/cancel", "params": {"loginId": login_id}}
        )

    def _marker(self) -> bytes:
        self._markers += 1
        return _line({"id": f"marker-{self._markers}", "method": "getAuthStatus", "params": {}})

    async def _send(self, *lines: bytes) -> None:
        if self.watch is not None:
            for line in lines:
                self.watch("-->", line)
        await self.wire.send_batch(lines)

    async def _receive_marker(self, missing: set[str]) -> None:
        while (message := await self._receive()).get("id") != f"marker-{self._markers}":
            self._strike_off(missing, message)

    def _strike_off(self, missing: set[str], message: Json) -> None:
        if "method" not in message:
            missing.discard(json.dumps(message["id"]))

    async def _hear(self, wanted: Hear) -> None:
        with trio.move_on_after(wanted.patience):  # noqa: ASYNC912 - it may be there already
            while wanted.method not in self._news:
                await self._receive()
        if wanted.method in self._news:
            self._news.remove(wanted.method)
        else:
            self._note({"unheard": wanted.method})

    async def _hang_up(self) -> None:
        assert self.world.process.stdin is not None
        await self.world.process.stdin.aclose()
        while True:
            await self._receive()

    async def _receive(self) -> Json:
        try:
            answer = await self.wire.receive()
        except trio.EndOfChannel:
            raise HungUpError from None
        if self.watch is not None:
            self.watch("<--", answer)
        message = json.loads(answer)
        if not str(message.get("id")).startswith("marker-"):
            self._note({"<--": message})
        if "method" in message:
            self._news.append(message["method"])
            self._told.add((message["method"], _thread_id(message["params"])))
            if "id" in message:
                self.world.questions.append(message)
            return message
        self._answered.add(json.dumps(message["id"]))
        result = message.get("result") or {}
        self.world.results.append(result)
        if "loginId" in result:
            self.world.logins.append(result)
        if "thread" in result:
            self._begun = result["thread"]["id"]
        return message

    def _note(self, entry: Json) -> None:
        self.transcript.append(self.names.apply(entry))


def _line(step: Json) -> bytes:
    if isinstance(step, bytes):
        return step
    return step.encode() if isinstance(step, str) else json.dumps(step).encode()


def _method(line: bytes) -> str:
    try:
        message = codec.decode(line)
    except MessageError:
        return ""
    return message.method if isinstance(message, codec.Request) else ""


def _thread_id(params: Json) -> str:
    return str(params.get("threadId") or (params.get("thread") or {}).get("id"))


def _ids(line: bytes) -> set[str]:
    """The id of a request, whose answer has to be waited for."""
    try:
        message = codec.decode(line)
    except MessageError:
        return set()
    return {json.dumps(message.id)} if isinstance(message, codec.Request) else set()
