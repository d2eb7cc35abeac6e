"""From the events of a response to the items of a turn, and what is told of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from codex_trio.protocol import items as words
from codex_trio.protocol import thread_rows as rows
from codex_trio.threads.ids import message_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_trio.rpc.client import Client
    from codex_trio.threads.context import Item
    from codex_trio.threads.followers import Followers

_SEARCHES: Final = {"search": "search", "open_page": "openPage", "find_in_page": "findInPage"}
_SEARCH_MEMBERS: Final = {
    "search": ("query", "queries"),
    "openPage": ("url",),
    "findInPage": ("url", "pattern"),
}

_PHASES: Final = ("commentary", "partial_answer", "final_answer")


@attrs.define(eq=False)
class Assembly:
    """What has come of one response so far; nothing in it waits.

    Args:
        followers: who is told.
        thread_id: the conversation.
        turn_id: the turn in it.
        used: the ids of items of the turn that are complete; some hosts give an id twice.
    """

    _followers: Followers
    _thread_id: str
    _turn_id: str
    _used: set[str] = attrs.field(factory=set)
    _message: words.AgentMessageThreadItem | None = attrs.field(default=None, init=False)
    _pieces: list[str] = attrs.field(factory=list, init=False)
    _reasoning: words.ReasoningThreadItem | None = attrs.field(default=None, init=False)
    _search: words.WebSearchThreadItem | None = attrs.field(default=None, init=False)
    _make_delta: Callable[[str], Any] | None = attrs.field(default=None, init=False)

    # --- pieces ---

    def add_item(self, item: Item) -> None:
        """Begin an item, if it is of a kind that is told of while it comes."""
        if item.get("type") == "message" and item.get("role", "assistant") == "assistant":
            self._begin_message(
                words.AgentMessageThreadItem(
                    id=self._id_of(item), text=text_of(item), phase=_phase_of(item)
                )
            )
        elif item.get("type") == "reasoning":
            self._begin_reasoning(words.ReasoningThreadItem(id=self._id_of(item)))
        elif item.get("type") == "web_search_call":
            self._search = _search_of(item, self._id_of(item))
            self.begin(self._search)

    def add_text(self, delta: str) -> None:
        """Go on with the message that has begun; without one, nobody could tell what it is of."""
        if self._message is not None and self._make_delta is not None:
            self._pieces.append(delta)
            self._followers.stream(
                rows.AGENT_MESSAGE_DELTA, self._message.id, delta, self._make_delta
            )

    def add_summary_part(self, index: int) -> None:
        """Begin another part of the summary of what the model thinks."""
        if self._reasoning is not None:
            self._followers.tell(
                rows.REASONING_SUMMARY_PART_ADDED,
                words.ReasoningSummaryPartAddedNotification(
                    thread_id=self._thread_id,
                    turn_id=self._turn_id,
                    item_id=self._reasoning.id,
                    summary_index=index,
                ),
            )

    def add_summary(self, index: int, delta: str) -> None:
        """Go on with a part of the summary."""
        if (reasoning := self._reasoning) is None:
            return

        def make(piece: str) -> words.ReasoningSummaryTextDeltaNotification:
            return words.ReasoningSummaryTextDeltaNotification(
                thread_id=self._thread_id,
                turn_id=self._turn_id,
                item_id=reasoning.id,
                delta=piece,
                summary_index=index,
            )

        text = (reasoning.id, "summary", index)
        self._followers.stream(rows.REASONING_SUMMARY_TEXT_DELTA, text, delta, make)

    def add_reasoning(self, index: int, delta: str) -> None:
        """Go on with what the model thinks, where a host tells that."""
        if (reasoning := self._reasoning) is None:
            return

        def make(piece: str) -> words.ReasoningTextDeltaNotification:
            return words.ReasoningTextDeltaNotification(
                thread_id=self._thread_id,
                turn_id=self._turn_id,
                item_id=reasoning.id,
                delta=piece,
                content_index=index,
            )

        text = (reasoning.id, "content", index)
        self._followers.stream(rows.REASONING_TEXT_DELTA, text, delta, make)

    # --- wholes ---

    def finish(self, item: Item) -> Any:
        """Make the item of a turn that an item of the response is; None when it is none.

        It is told to have begun if nothing was told of it before. That it is complete is to be
        told, with ``complete``, once it is kept.
        """
        match item.get("type"):
            case "message" if item.get("role", "assistant") == "assistant":
                return self._finish_message(item)
            case "reasoning":
                return self._finish_reasoning(item)
            case "web_search_call":
                return self._finish_search(item)
            case _:
                return None

    def take_partial(self) -> words.AgentMessageThreadItem | None:
        """Take the message that has begun, with the text that has come; None without any."""
        message, self._message = self._message, None
        if message is None or not (text := "".join(self._pieces)):
            return None
        return attrs.evolve(message, text=text)

    def complete(self, item: words.ThreadItem) -> None:
        """Tell that an item is complete."""
        if not isinstance(item, Mapping):
            self._used.add(item.id)
        self._followers.tell(
            rows.ITEM_COMPLETED,
            words.ItemCompletedNotification(
                item=item,
                thread_id=self._thread_id,
                turn_id=self._turn_id,
                completed_at_ms=_now(),
            ),
        )

    def begin(self, item: Any) -> None:
        """Tell that an item has begun."""
        self._followers.tell(rows.ITEM_STARTED, self._begun(item))

    def tell_begun(self, client: Client) -> None:
        """Tell a client that has come late what has begun: of a message, all that has come."""
        message = self._message
        if message is not None:
            message = attrs.evolve(message, text="".join(self._pieces))
        for item in (self._reasoning, message, self._search):
            if item is not None:
                client.tell(rows.ITEM_STARTED, self._begun(item))

    def _begun(self, item: Any) -> words.ItemStartedNotification:
        return words.ItemStartedNotification(
            item=item,
            thread_id=self._thread_id,
            turn_id=self._turn_id,
            started_at_ms=_now(),
        )

    def _id_of(self, item: Item) -> str:
        """Return the id that the host has given an item, or one of ours."""
        given = item.get("id")
        if isinstance(given, str) and given and given not in self._used:
            return given
        return message_id()

    def _begin_message(self, message: words.AgentMessageThreadItem) -> None:
        self._message, self._pieces = message, [message.text] if message.text else []

        def make(piece: str) -> words.AgentMessageDeltaNotification:
            return words.AgentMessageDeltaNotification(
                thread_id=self._thread_id,
                turn_id=self._turn_id,
                item_id=message.id,
                delta=piece,
            )

        self._make_delta = make
        self.begin(message)

    def _begin_reasoning(self, reasoning: words.ReasoningThreadItem) -> None:
        self._reasoning = reasoning
        self.begin(reasoning)

    def _finish_message(self, item: Item) -> words.AgentMessageThreadItem:
        begun, self._message = self._message, None
        text = text_of(item)
        if begun is None:
            begun = words.AgentMessageThreadItem(
                id=self._id_of(item), text=text, phase=_phase_of(item)
            )
            self.begin(begun)
        self._pieces = []
        return attrs.evolve(begun, text=text, phase=_phase_of(item) or begun.phase)

    def _finish_reasoning(self, item: Item) -> words.ReasoningThreadItem:
        begun, self._reasoning = self._reasoning, None
        whole = words.ReasoningThreadItem(
            id=begun.id if begun is not None else self._id_of(item),
            summary=_texts_of(item.get("summary")),
            content=_texts_of(item.get("content")),
        )
        if begun is None:
            self.begin(whole)
        return whole

    def _finish_search(self, item: Item) -> words.WebSearchThreadItem:
        begun, self._search = self._search, None
        whole = _search_of(item, self._id_of(item))
        if begun is None:
            self.begin(whole)
            return whole
        return attrs.evolve(whole, id=begun.id)


def _search_of(item: Item, item_id: str) -> words.WebSearchThreadItem:
    """Say what the host looks up for the model: a search, a page, or something in a page."""
    given = item.get("action")
    given = given if isinstance(given, dict) else {}
    kind = _SEARCHES.get(str(given.get("type")), "other")
    query, url = given.get("query"), given.get("url")
    shown = query if isinstance(query, str) else url
    action: dict[str, object] = {"type": kind}
    for name in _SEARCH_MEMBERS.get(kind, ()):
        action[name] = _texts_or_none(given.get(name))
    return words.WebSearchThreadItem(
        id=item_id, query=shown if isinstance(shown, str) else "", action=action
    )


def _texts_or_none(value: object) -> Any:
    if isinstance(value, list):
        return [one for one in value if isinstance(one, str)]
    return value if isinstance(value, str) else None


def _phase_of(item: Item) -> Any:
    phase = item.get("phase")
    return phase if phase in _PHASES else None


def text_of(item: Item) -> str:
    """Return the text of a message."""
    return "".join(_texts_of(item.get("content")))


def _texts_of(parts: object) -> list[str]:
    """List the texts in what should be a list of parts."""
    if not isinstance(parts, list):
        return []
    found = (part.get("text", part.get("refusal")) for part in parts if isinstance(part, dict))
    return [text for text in found if isinstance(text, str)]


def _now() -> int:
    return time.time_ns() // 1_000_000
