"""A conversation as a client has it, and what has to be so of whatever a client hears."""

from __future__ import annotations

from collections import defaultdict
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import orjson
import trio
from trio.testing import MockClock

from codex_trio import testing
from tests.conftest import PATIENCE
from tests.schema import SchemaWatch

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable

    from codex_trio.server import Server
    from codex_trio.testing import ResponseRequest, WireClient

Json = Any

ABORTED = "<turn_aborted>"

DELTAS = {
    "item/agentMessage/delta": "text",
    "item/reasoning/summaryTextDelta": "summary",
    "item/reasoning/textDelta": "content",
}


def patience() -> float:
    """Seconds after which nothing will come any more; under a clock that jumps, many."""
    return 50_000.0 if isinstance(trio.lowlevel.current_clock(), MockClock) else PATIENCE


class Ear(SchemaWatch):
    """Hears everything, and knows what must be so of it."""

    def __init__(self) -> None:
        super().__init__()
        self.checked = True
        """Whether what was heard is told from its beginning."""

    @property
    def news(self) -> list[Json]:
        """The notifications, in their order."""
        return [one for arrow, one in self.seen if arrow == "<--" and is_news(one)]

    @property
    def methods(self) -> list[str]:
        """The names of the notifications, in their order."""
        return [one["method"] for one in self.news]

    def of(self, method: str) -> list[Json]:
        """What was told with one method."""
        return [one["params"] for one in self.news if one["method"] == method]

    def of_turn(self, turn_id: str) -> list[str]:
        """What was told of one turn, in short, in its order."""
        return [in_short(one) for one in self.news if turn_of(one) == turn_id]

    def check(self) -> None:
        """Fail unless what was told makes sense."""
        if self.checked:
            check_turns(self.news)
            check_items(self.news)


def is_news(message: Json) -> bool:
    return "method" in message and "id" not in message


def turn_of(message: Json) -> str | None:
    params = message.get("params") or {}
    found = params.get("turnId") or (params.get("turn") or {}).get("id")
    return None if found is None else str(found)


def in_short(message: Json) -> str:
    """Name a notification, and what it is of."""
    params = message["params"]
    match message["method"]:
        case "item/started" | "item/completed" as method:
            return f"{method} {params['item']['type']}"
        case "turn/completed":
            return f"turn/completed {params['turn']['status']}"
        case "error":
            return f"error {params['error']['message']}"
        case method:
            return str(method)


def check_turns(news: Iterable[Json]) -> None:
    """Fail unless each turn begins once, ends once, and nothing is told of it afterwards."""
    begun: set[str] = set()
    ended: set[str] = set()
    for message in news:
        turn_id = turn_of(message)
        if turn_id is None or message["method"] == "thread/tokenUsage/updated":
            continue
        assert turn_id not in ended, f"{in_short(message)} behind the end"
        if message["method"] == "turn/started":
            assert turn_id not in begun
            begun.add(turn_id)
        else:
            assert turn_id in begun, f"{in_short(message)} before the beginning"
        if message["method"] == "turn/completed":
            ended.add(turn_id)
            assert message["params"]["turn"]["status"] != "inProgress"


def check_items(news: Iterable[Json]) -> None:
    """Fail unless items begin before they go on, and end once, with what was told of them."""
    begun: dict[tuple[str, str], dict[str, str]] = {}
    ended: set[tuple[str, str]] = set()
    for message in news:
        params = message["params"]
        if message["method"] == "item/started":
            key = (params["turnId"], params["item"]["id"])
            assert key not in ended
            begun[key] = defaultdict(str)  # anew, when a response has broken off
            if params["item"]["type"] == "agentMessage":
                begun[key]["text"] = params["item"]["text"]
        elif message["method"] in DELTAS:
            key = (params["turnId"], params["itemId"])
            assert key in begun
            assert key not in ended
            place = params.get("summaryIndex", params.get("contentIndex", ""))
            begun[key][f"{DELTAS[message['method']]}{place}"] += params["delta"]
        elif message["method"] == "item/completed":
            item = params["item"]
            key = (params["turnId"], item["id"])
            assert key in begun
            assert key not in ended
            ended.add(key)
            if item["type"] == "agentMessage" and begun[key]["text"]:
                assert begun[key]["text"] == item["text"]


@attrs.define(eq=False)
class Conversation:
    """A thread, as one of its clients has it."""

    client: WireClient
    id: str
    words: Json
    """What the thread was said to be at its beginning."""

    @property
    def path(self) -> Path:
        return Path(self.words["path"])

    async def start(self, text: str = "hi", **more: Json) -> str:
        """Begin a turn; returns its id."""
        params = {"threadId": self.id, "input": said(text), **more}
        answer = await self.client.call("turn/start", params)
        assert answer["turn"]["status"] == "inProgress"
        return str(answer["turn"]["id"])

    async def heard(self, method: str) -> Json:
        """Return the params of the next notification of a method."""
        while True:
            params = (await self.client.next_notification(method))["params"]
            if params.get("threadId", self.id) == self.id:
                return params

    async def ended(self, status: str = "completed") -> Json:
        """Wait for the end of the turn, which must be this."""
        turn = (await self.heard("turn/completed"))["turn"]
        assert turn["status"] == status, turn
        return turn

    async def run(self, text: str = "hi", status: str = "completed", **more: Json) -> Json:
        """Have a whole turn; what was told of it is not waited for any more."""
        turn_id = await self.start(text, **more)
        turn = await self.ended(status)
        assert turn["id"] == turn_id
        self.client._notifications._messages.clear()
        return turn

    async def interrupt(self, turn_id: str = "") -> float:
        """Interrupt the turn; returns how many seconds that has taken."""
        start = trio.current_time()
        params = {"threadId": self.id, "turnId": turn_id}
        assert await self.client.call("turn/interrupt", params) == {}
        return trio.current_time() - start

    async def steer(self, text: str, turn_id: str, **more: Json) -> Json:
        params = {"threadId": self.id, "expectedTurnId": turn_id, "input": said(text), **more}
        return await self.client.call("turn/steer", params)

    async def text(self, deltas: int = 1) -> str:
        """Wait for some deltas of a message, and join them."""
        return "".join(
            [(await self.heard("item/agentMessage/delta"))["delta"] for _ in range(deltas)]
        )


def said(text: str) -> list[Json]:
    return [{"type": "text", "text": text}]


@asynccontextmanager
async def connect(
    server: Server, ear: Ear | None = None, *, experimental: bool = True, **capabilities: Json
) -> AsyncGenerator[WireClient]:
    """Connect to a server, and open the connection."""
    async with testing.connect(server, ear or Ear()) as client:
        with trio.fail_after(patience()):  # noqa: ASYNC100 - the body waits
            await client.initialize(experimental=experimental, **capabilities)
            yield client


async def converse(client: WireClient, **params: Json) -> Conversation:
    """Begin a conversation."""
    thread = (await client.call("thread/start", params))["thread"]
    return Conversation(client, thread["id"], thread)


async def resume(client: WireClient, thread_id: str, **params: Json) -> Conversation:
    """Go on with a conversation."""
    answer = await client.call("thread/resume", {"threadId": thread_id, **params})
    thread = answer["thread"]
    return Conversation(client, thread["id"], thread)


def spoken(request: ResponseRequest) -> list[str]:
    """What a model is told that somebody has said, and not what the world is like."""
    return [
        text
        for text in request.input_texts()[1:]
        if not text.startswith(("<environment_context>", "<permissions instructions>"))
    ]


def lines_of(path: Path) -> list[Json]:
    """Read a record, every line of which must be whole."""
    data = path.read_bytes()
    assert data.endswith(b"\n")
    return [orjson.loads(line) for line in data.splitlines()]


def ends_in(path: Path) -> list[str]:
    """The ends of turns in a record."""
    kinds = ("task_complete", "turn_aborted")
    found = [line["payload"].get("type") for line in lines_of(path)]
    return [kind for kind in found if kind in kinds]


async def until(ready: Callable[[], object]) -> None:
    """Let everybody else run until something is so."""
    with trio.fail_after(patience()):  # noqa: ASYNC912 - it may be so already
        while not ready():  # noqa: ASYNC110 - it is what is looked at that has no event
            await trio.sleep(0.001)
