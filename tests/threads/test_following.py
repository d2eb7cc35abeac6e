"""Several connections that follow one conversation, and those that come, go, or do not read."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import orjson
import pytest
import trio

from codex_trio.errors import RpcError
from codex_trio.rpc.client import OUTBOX_SIZE
from codex_trio.server import Server, open_server
from codex_trio.testing import Hold, ModelResponse, Part, Reasoning, StandIn, Text, WireClient
from codex_trio.transport.memory import MemoryWire, memory_wire_pair
from tests.processes import INITIALIZE
from tests.threads.conversing import (
    Conversation,
    Ear,
    connect,
    converse,
    ends_in,
    lines_of,
    patience,
    resume,
    until,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from codex_trio.settings import Settings

WORDS = [f"word{number} " for number in range(5_000)]


# --- clients that do not read ---


@attrs.define(eq=False)
class Raw:
    """A client that reads when it wants to."""

    wire: MemoryWire
    heard: list[Any] = attrs.field(factory=list)

    async def call(self, number: int, method: str, params: Any) -> Any:
        message = {"id": number, "method": method, "params": params}
        await self.wire.send(orjson.dumps(message))
        return (await self.hear(lambda one: one.get("id") == number)).get("result")

    async def hear(self, wanted: Any) -> Any:
        """Read up to a message."""
        while True:
            message = orjson.loads(await self.wire.receive())
            self.heard.append(message)
            if wanted(message):
                return message

    @property
    def deltas(self) -> list[str]:
        told = [one for one in self.heard if one.get("method") == "item/agentMessage/delta"]
        return [one["params"]["delta"] for one in told]


@asynccontextmanager
async def connect_raw(server: Server) -> AsyncGenerator[Raw]:
    ours, theirs = memory_wire_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve, theirs)  # noqa: ASYNC113 - the wire keeps what is said
        raw = Raw(ours)
        with trio.fail_after(patience()):
            await ours.send(INITIALIZE)
            await raw.hear(lambda one: one.get("id") == "i")
            yield raw
            await ours.aclose()


async def heard_of(talk: Conversation, kind: str) -> Any:
    """Wait until an item of a kind is complete."""
    while (item := (await talk.heard("item/completed"))["item"])["type"] != kind:
        pass
    return item


def is_end(message: Any) -> bool:
    return bool(message.get("method") == "turn/completed")


async def test_who_does_not_read_holds_up_nobody_and_loses_nothing(
    server: Server, client: WireClient, ear: Ear, stand_in: StandIn
) -> None:
    talk = await converse(client)
    await talk.run()
    async with connect_raw(server) as slow:
        await slow.call(1, "thread/resume", {"threadId": talk.id})
        stand_in.answer(Text("".join(WORDS), deltas=WORDS))
        before = len(ear.news)
        await talk.start("tell me everything")
        await talk.ended()  # which it hears, although the other one has read nothing
        told = [one for one in ear.news[before:] if one["method"] == "item/agentMessage/delta"]
        assert "".join(one["params"]["delta"] for one in told) == "".join(WORDS)
        await slow.hear(is_end)
        assert "".join(slow.deltas) == "".join(WORDS)
        assert len(slow.deltas) < 2 * OUTBOX_SIZE
        kinds = [one.get("method") for one in slow.heard if "method" in one]
        assert kinds.index("turn/started") < kinds.index("item/agentMessage/delta")
        assert kinds[-1] == "turn/completed"


async def test_who_catches_up_is_told_single_pieces_again(
    server: Server, client: WireClient, stand_in: StandIn
) -> None:
    talk = await converse(client)
    await talk.run()
    async with connect_raw(server) as slow:
        await slow.call(1, "thread/resume", {"threadId": talk.id})
        message = Text("".join(WORDS), deltas=WORDS)
        late = Text("at last", deltas=["at ", "last"])
        stand_in.answer(message, Hold("middle"), late)
        await talk.start("tell me everything")
        await heard_of(talk, "agentMessage")
        await stand_in.wait_held("middle")
        await slow.hear(lambda one: "word4999" in str(one))
        stand_in.release("middle")
        await slow.hear(is_end)
        assert slow.deltas[-2:] == ["at ", "last"]
        assert "".join(slow.deltas) == "".join(WORDS) + "at last"


async def test_who_asks_while_it_lags_is_answered_in_its_place(
    server: Server, client: WireClient, stand_in: StandIn
) -> None:
    talk = await converse(client)
    await talk.run()
    async with connect_raw(server) as slow:
        await slow.call(1, "thread/resume", {"threadId": talk.id})
        stand_in.answer(Text("".join(WORDS), deltas=WORDS), Hold("middle"))
        await talk.start("tell me everything")
        await heard_of(talk, "agentMessage")
        await stand_in.wait_held("middle")
        assert await slow.call(2, "turn/interrupt", {"threadId": talk.id, "turnId": ""}) == {}
        ended = await slow.hear(is_end)
        assert ended["params"]["turn"]["status"] == "interrupted"
        assert "".join(slow.deltas) == "".join(WORDS)


async def test_who_reads_nothing_of_very_much_is_cut_off_alone(
    server: Server, stand_in: StandIn
) -> None:
    piece = "0123456789abcdef" * 2**10
    async with connect_raw(server) as quick, connect_raw(server) as slow:
        thread = (await quick.call(1, "thread/start", {}))["thread"]["id"]
        said = [{"type": "text", "text": "tell me everything"}]
        await quick.call(2, "turn/start", {"threadId": thread, "input": said})
        await quick.hear(is_end)
        await slow.call(1, "thread/resume", {"threadId": thread})
        stand_in.answer(Text(piece * 2_400, deltas=2_400))
        await quick.call(3, "turn/start", {"threadId": thread, "input": said})
        ended = await quick.hear(is_end)
        assert len(ended["params"]["turn"]["items"][0]["text"]) == len(piece) * 2_400
        with pytest.raises(trio.EndOfChannel):
            await slow.hear(is_end)


# --- who follows, and who does not ---


async def test_two_follow_one(server: Server, talk: Conversation, stand_in: StandIn) -> None:
    await talk.run()
    ear = Ear()
    async with connect(server, ear) as other:
        theirs = await resume(other, talk.id)
        assert len(theirs.words["turns"]) == 1
        await talk.run("once more")
        turn = await theirs.ended()
        assert turn["items"][0]["text"]
        assert await theirs.start("from the other side")
        await talk.ended()
    ear.check()


async def test_who_unsubscribes_hears_no_more(server: Server, talk: Conversation) -> None:
    await talk.run()
    ear = Ear()
    async with connect(server, ear) as other:
        await resume(other, talk.id)
        params = {"threadId": talk.id}
        left = await other.call("thread/unsubscribe", params)
        assert left == {"status": "unsubscribed"}
        left = await other.call("thread/unsubscribe", params)
        assert left == {"status": "notSubscribed"}
        await talk.run("between us")
        while ear.of("thread/status/changed")[-1]["status"]["type"] != "idle":
            await other.next_notification("thread/status/changed")
        assert "turn/completed" not in ear.methods
        assert "thread/status/changed" in ear.methods  # as everybody is told
        await resume(other, talk.id)
        await talk.run("again")
        await other.next_notification("turn/completed")
        assert ear.methods.count("turn/completed") == 1


async def test_a_turn_outlives_who_has_begun_it(
    server: Server, talk: Conversation, stand_in: StandIn
) -> None:
    await talk.run()
    async with connect(server) as brief:
        theirs = await resume(brief, talk.id)
        stand_in.answer(Text("one two", deltas=2), Hold("middle"), "three")
        turn_id = await theirs.start("go on without me")
        await stand_in.wait_held("middle")
    stand_in.release("middle")
    turn = await talk.ended()
    assert turn["id"] == turn_id
    assert turn["items"][0]["text"] == "three"


async def test_a_turn_goes_on_when_nobody_follows(
    server: Server, settings: Settings, stand_in: StandIn
) -> None:
    stand_in.answer(Text("one", deltas=1), Hold("middle"), "two")
    async with connect(server) as client:
        talk = await converse(client)
        await talk.start()
        await stand_in.wait_held("middle")
    stand_in.release("middle")
    await until(lambda: talk.path.exists() and ends_in(talk.path) == ["task_complete"])
    async with connect(server) as client:
        again = await resume(client, talk.id)
        (turn,) = again.words["turns"]
        assert [item.get("text") for item in turn["items"]] == [None, "one", "two"]


async def test_who_comes_in_the_middle_hears_the_rest(
    server: Server, talk: Conversation, stand_in: StandIn
) -> None:
    await talk.run()
    stand_in.answer(Text("one", deltas=1), Hold("middle"), Text("two", deltas=1))
    turn_id = await talk.start()
    await stand_in.wait_held("middle")
    await talk.text()
    async with connect(server) as other:
        theirs = await resume(other, talk.id)
        assert theirs.words["status"]["type"] == "active"
        *_, last = theirs.words["turns"]
        assert (last["id"], last["status"]) == (turn_id, "inProgress")
        stand_in.release("middle")
        turn = await theirs.ended()
        assert turn["id"] == turn_id
    await talk.ended()


async def test_who_comes_in_the_middle_of_a_message_is_told_what_has_come_of_it(
    server: Server, talk: Conversation, stand_in: StandIn
) -> None:
    await talk.run()
    stand_in.answer(Reasoning("why", item_id="rs_1"), *halves("one two ", "three"))
    await talk.start()
    while await talk.text() != "two ":
        pass
    async with connect(server) as other:
        theirs = await resume(other, talk.id)
        begun = await theirs.heard("item/started")
        assert begun["item"]["text"] == "one two "
        await resume(other, talk.id)  # who follows already is told nothing again
        stand_in.release("middle")
        assert await theirs.text() == "three"
        assert (await theirs.heard("item/completed"))["item"]["text"] == "one two three"
        await theirs.ended()
        assert "item/started" not in [one["method"] for one in other._notifications._messages]


def halves(first: str, second: str) -> list[Part]:
    """Say a message with a pause in its middle."""
    deltas = [*(f"{word} " for word in first.split()), second]
    whole = Text(first + second, deltas=deltas, item_id="msg_1")
    (data,) = ModelResponse.of(whole, bare=True).steps
    assert isinstance(data, bytes)
    events = data.split(b"\n\n")
    place = next(at for at, event in enumerate(events) if b'"delta":"three"' in event)
    return [
        b"\n\n".join([*events[:place], b""]), Hold("middle"), b"\n\n".join(events[place:]),
    ]  # fmt: skip


async def test_what_is_experimental_is_told_to_those_who_want_it(
    server: Server, talk: Conversation
) -> None:
    await talk.run()
    plain, choosy = Ear(), Ear()
    unwanted = ["item/agentMessage/delta", "turn/started"]
    async with (
        connect(server, plain, experimental=False) as one,
        connect(server, choosy, optOutNotificationMethods=unwanted) as other,
    ):
        one_talk = await resume(one, talk.id)
        other_talk = await resume(other, talk.id)
        await talk.run()
        await one_talk.ended()
        await other_talk.ended()
    assert "thread/readState/changed" not in plain.methods
    assert "item/agentMessage/delta" in plain.methods
    assert "thread/readState/changed" in choosy.methods
    assert not {*unwanted} & {*choosy.methods}


async def test_two_servers_do_not_write_to_one_conversation(
    talk: Conversation, settings: Settings
) -> None:
    await talk.run()
    async with open_server(settings) as other, connect(other) as client:
        with pytest.raises(RpcError, match=f"thread {talk.id} already has an active writer"):
            await resume(client, talk.id)
    await talk.run()
    lines = lines_of(talk.path)
    assert [line["ordinal"] for line in lines] == list(range(len(lines)))
