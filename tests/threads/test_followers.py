"""Who follows a conversation: nothing is lost, nothing changes places, and nobody is waited for."""

from __future__ import annotations

import math
import tracemalloc
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_trio.protocol import items
from codex_trio.protocol import thread_news as news
from codex_trio.protocol import thread_rows as rows
from codex_trio.rpc.client import MAX_UNREAD, OUTBOX_SIZE, Client, Unsaid
from codex_trio.threads.followers import Followers

if TYPE_CHECKING:
    from collections.abc import Callable


Told: TypeAlias = tuple[str, str]


class Reader:
    """A client, and what it has read; it reads when it is told to."""

    def __init__(self) -> None:
        outbox, self.queue = trio.open_memory_channel[bytes | Unsaid](math.inf)
        self.client = Client(outbox, trio.CancelScope())
        self.told: list[Told] = []

    def lag(self) -> None:
        """Have so much to read that it lags."""
        for _ in range(OUTBOX_SIZE):
            self.client.say(b"{}")

    def read(self, most: float = math.inf) -> None:
        """Read some messages, as many at a time as there are, like the writer."""
        size = 0
        while most > 0:
            try:
                message = self.queue.receive_nowait()
            except trio.WouldBlock:
                break
            data = message if isinstance(message, bytes) else message.take()
            size += len(data)
            most -= 1
            if data != b"{}":
                self.told.append(read(data))
        if size:
            self.client.took(size)

    @property
    def story(self) -> list[Told]:
        """What was told, with the pieces of a text that follow one another joined."""
        joined: list[Told] = []
        for text, piece in self.told:
            if joined and joined[-1][0] == text and text != "warning":
                joined[-1] = (text, joined[-1][1] + piece)
            else:
                joined.append((text, piece))
        return joined


def read(data: bytes) -> Told:
    message = orjson.loads(data)
    params = message["params"]
    if message["method"] == "warning":
        return ("warning", params["message"])
    return (params["itemId"], params["delta"])


def stream(followers: Followers, text: str, piece: str) -> None:
    followers.stream(rows.AGENT_MESSAGE_DELTA, text, piece, making(text))


def making(text: str) -> Callable[[str], Any]:
    def make(piece: str) -> items.AgentMessageDeltaNotification:
        return items.AgentMessageDeltaNotification(
            thread_id="thread", turn_id="turn", item_id=text, delta=piece
        )

    return make


def warn(followers: Followers, text: str) -> None:
    told = news.WarningNotification(thread_id="thread", message=text)
    followers.tell(rows.WARNING, told)


def following(*readers: Reader) -> Followers:
    followers = Followers()
    for reader in readers:
        followers.add(reader.client)
    return followers


def test_who_reads_is_told_every_piece() -> None:
    reader = Reader()
    followers = following(reader)
    for piece in ("one ", "two ", "three"):
        stream(followers, "a", piece)
        reader.read()
    assert reader.told == [("a", "one "), ("a", "two "), ("a", "three")]


def test_who_lags_is_told_pieces_that_are_joined() -> None:
    lagging, reading = Reader(), Reader()
    lagging.lag()
    followers = following(lagging, reading)
    for piece in ("one ", "two ", "three"):
        stream(followers, "a", piece)
    warn(followers, "careful")
    stream(followers, "a", "four")
    for reader in (lagging, reading):
        reader.read()
    assert lagging.told == [("a", "one two three"), ("warning", "careful"), ("a", "four")]
    assert len(reading.told) == 5


def test_texts_keep_their_places_when_a_client_catches_up_in_between() -> None:
    lagging = Reader()
    lagging.lag()
    followers = following(lagging)
    stream(followers, "a", "1")  # joined from here on, at its place in the queue
    lagging.read(OUTBOX_SIZE // 2)
    stream(followers, "b", "2")  # it does not lag any more, so this is queued as it is
    stream(followers, "a", "3")
    lagging.read()
    assert lagging.told == [("a", "1"), ("b", "2"), ("a", "3")]


STEPS = st.lists(
    st.sampled_from(("a", "b", "tell", "lag", 1, OUTBOX_SIZE // 2, OUTBOX_SIZE)), max_size=50
)


@settings(max_examples=500)
@given(STEPS)
def test_however_a_client_reads_it_is_told_the_same(steps: list[str | int]) -> None:
    slow, quick = Reader(), Reader()
    followers = following(slow, quick)
    slow.lag()
    for number, step in enumerate(steps):
        match step:
            case "tell":
                warn(followers, str(number))
            case "lag":
                slow.lag()
            case int():
                slow.read(step)
            case text:
                stream(followers, text, f"{number},")
        quick.read()
    slow.read()
    assert slow.story == quick.story
    assert "".join(piece for _, piece in slow.told) == "".join(p for _, p in quick.told)
    assert slow.client._unread == quick.client._unread == 0


def test_who_opted_out_hears_the_rest() -> None:
    deaf, plain = Reader(), Reader()
    deaf.client.opted_out = frozenset({"item/agentMessage/delta"})
    followers = following(deaf, plain)
    stream(followers, "a", "one")
    warn(followers, "careful")
    for reader in (deaf, plain):
        reader.read()
    assert deaf.told == [("warning", "careful")]
    assert len(plain.told) == 2


@pytest.mark.parametrize("piece", ["a" * 1000, "é" * 500], ids=["ASCII", "other"])
async def test_who_reads_nothing_is_cut_off(piece: str) -> None:  # noqa: ASYNC124 - see below
    stuck, reading = Reader(), Reader()
    followers = following(stuck, reading)
    for _ in range(2 * MAX_UNREAD // 1000 + 1):
        stream(followers, "a", piece)
        reading.read()
        if stuck.client.connection.cancel_called:  # which asks Trio for the time
            break
    assert stuck.client.connection.cancel_called
    assert not reading.client.connection.cancel_called
    assert stuck.queue.statistics().current_buffer_used <= OUTBOX_SIZE + 1


def test_what_waits_for_who_reads_nothing_takes_little_more_than_its_letters() -> None:
    stuck = Reader()
    stuck.lag()
    followers = following(stuck)
    pieces = 100_000
    tracemalloc.start()
    try:
        for number in range(pieces):
            stream(followers, "a", f"{number:05}")
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 4 * 5 * pieces
    assert stuck.client._unread >= 5 * pieces
    stuck.read()
    assert stuck.told == [("a", "".join(f"{number:05}" for number in range(pieces)))]
    assert stuck.client._unread == 0


def test_many_small_texts_for_who_reads_nothing_are_counted_as_what_they_take() -> None:
    stuck = Reader()
    stuck.lag()
    followers = following(stuck)
    tracemalloc.start()
    try:
        for number in range(2_000):
            stream(followers, "ab"[number % 2], "x")
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 3 * stuck.client._unread


def test_who_is_gone_is_told_nothing_and_forgotten() -> None:
    gone, here = Reader(), Reader()
    followers = following(gone, here)
    gone.client.gone = True
    stream(followers, "a", "one")
    warn(followers, "careful")
    assert gone.queue.statistics().current_buffer_used == 0
    assert gone.client in followers
    assert len(followers) == 1
    assert gone.client not in followers
    assert followers.remove(here.client)
    assert not followers.remove(here.client)
