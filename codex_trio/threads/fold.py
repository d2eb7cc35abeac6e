"""The lines of a rollout folded into what is known of its thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from codex_trio import protocol as words
from codex_trio.errors import InvalidParamsError
from codex_trio.protocol.structure import camel, structure
from codex_trio.threads.items_taken import is_taken
from codex_trio.threads.meta import Meta, read_whole
from codex_trio.threads.recorded_settings import RecordedSettings
from codex_trio.threads.rollout_items import camel_keys, preview_of, read_item

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from codex_trio.protocol.items import ThreadItem
    from codex_trio.protocol.thread_news import ThreadTokenUsage
    from codex_trio.protocol.turns import Turn, TurnError, TurnStatus
    from codex_trio.threads.line import Line
    from codex_trio.threads.rollout_items import Json


@attrs.frozen
class Place:
    """Where in the files of a thread a line is.

    Args:
        thread_id: whose file it is; of a fork, that may be the thread that it was made from.
        ordinal: of the line.
        offset: bytes before the line; None when that is not known.
    """

    thread_id: str
    ordinal: int
    offset: int | None = None


@attrs.define
class FoldedItem:
    """An item, where its line is, and its times in milliseconds of Unix time."""

    item: ThreadItem = attrs.field(repr=False)
    ordinal: int
    started_at_ms: int | None = None
    completed_at_ms: int | None = None


@attrs.define(eq=False)
class FoldedTurn:
    """A turn as far as its lines have been taken."""

    id: str
    place: Place
    root_turn_id: str | None = None
    status: TurnStatus = "inProgress"
    error: TurnError | None = attrs.field(default=None, repr=False)
    started_at: int | None = None
    completed_at: int | None = None
    duration_ms: int | None = None
    items: dict[str, FoldedItem] = attrs.field(factory=dict)
    history_start: int = 0
    """How long the history was before the turn."""
    _words: Turn | None = attrs.field(default=None, init=False, repr=False)

    def changed(self) -> None:
        """Forget the words that have been made."""
        self._words = None

    def words(self) -> Turn:
        """Say the turn with all its items."""
        if self._words is None:
            self._words = words.turns.Turn(
                id=self.id,
                root_turn_id=self.root_turn_id,
                items=[folded.item for folded in self.items.values()],
                items_view="full",
                status=self.status,
                error=self.error,
                started_at=self.started_at,
                completed_at=self.completed_at,
                duration_ms=self.duration_ms,
            )
        return self._words


@attrs.define(eq=False)
class Fold:
    """What the lines that were taken so far say of a thread.

    The same for a file that is read and for a thread that is under way: both take one line
    after the other, in order. No line is ever too strange to be taken; what cannot be
    understood changes nothing.
    """

    meta: Meta | None = attrs.field(default=None, init=False)
    history: list[Json] = attrs.field(factory=list, init=False, repr=False)
    """What the model is to be sent: items in the words of the Responses API."""
    folded_turns: dict[str, FoldedTurn] = attrs.field(factory=dict, init=False, repr=False)
    """The turns by their ids, oldest first."""
    settings: RecordedSettings = attrs.field(factory=RecordedSettings, init=False)
    usage: ThreadTokenUsage | None = attrs.field(default=None, init=False)
    usage_turn_id: str | None = attrs.field(default=None, init=False)
    """The turn after which the usage was that."""
    preview: str = attrs.field(default="", init=False, repr=False)
    """What the user has said first; empty if that was nothing."""
    user_has_spoken: bool = attrs.field(default=False, init=False)
    next_ordinal: int = attrs.field(default=0, init=False)
    compactions: int = attrs.field(default=0, init=False)
    """How often the history has been replaced by a summary."""
    _current: FoldedTurn | None = attrs.field(default=None, init=False, repr=False)
    _implicit: bool = attrs.field(default=False, init=False)
    _numbered: int = attrs.field(default=0, init=False)
    _lines: int = attrs.field(default=0, init=False)

    @property
    def legacy(self) -> bool:
        """Whether the file is of the older kind, which numbers neither lines nor items."""
        return self.meta is not None and self.meta.history_mode == "legacy"

    @property
    def turns(self) -> list[Turn]:
        """All turns with their items, oldest first, the one under way too."""
        return [turn.words() for turn in self.folded_turns.values()]

    def take(self, line: Line, place: Place | None = None) -> None:
        """Take the next line; ``place`` is where it is, when it has been read from a file."""
        ordinal = self.next_ordinal if line.ordinal is None else line.ordinal
        if place is None:
            place = Place(self.meta.id if self.meta is not None else "", ordinal)
        match line.kind:
            case "session_meta":
                self.meta = self.meta or Meta.read(line.payload)
            case "response_item":
                item = dict(line.payload)
                if is_taken(item):
                    self.history.append(item)
            case "compacted":
                self._compact(line.payload)
            case "turn_context":
                self.settings = self.settings.in_turn(line.payload)
            case "event_msg":
                take = _EVENTS.get(line.event)
                if take is not None:
                    take(self, line.payload, place)
            case _:
                pass
        self._lines += 1
        self.next_ordinal = max(self.next_ordinal, ordinal + 1)

    def settle(self) -> None:
        """Mark turns without an end as interrupted: nobody is left to end them."""
        for turn in self.folded_turns.values():
            if turn.status == "inProgress":
                turn.status = "interrupted"
                turn.changed()
        self._current = None

    def forget_preview(self) -> None:
        """Take for the preview what the user says next: what was said is of another thread."""
        self.preview, self.user_has_spoken = "", False

    # --- turns ---

    def _turn(self, turn_id: str, place: Place) -> FoldedTurn:
        turn = self.folded_turns.get(turn_id)
        if turn is None:
            turn = FoldedTurn(turn_id, place, history_start=len(self.history))
            self.folded_turns[turn_id] = turn
        return turn

    def _implicit_turn(self, place: Place) -> FoldedTurn:
        turn = self._turn(f"rollout-{self._lines}", place)
        turn.status, self._implicit, self._current = "completed", True, turn
        return turn

    def _started(self, payload: Mapping[str, Any], place: Place) -> None:
        turn_id = payload.get("turn_id")
        if not isinstance(turn_id, str):
            return
        turn = self._turn(turn_id, place)
        root = payload.get("root_turn_id")
        turn.root_turn_id = root if isinstance(root, str) else turn.root_turn_id
        turn.started_at = read_whole(payload.get("started_at"))
        turn.changed()
        self._current, self._implicit = turn, False

    def _ended(self, payload: Mapping[str, Any], status: TurnStatus) -> None:
        turn_id = payload.get("turn_id")
        turn = self.folded_turns.get(turn_id) if isinstance(turn_id, str) else self._current
        if turn is None:
            return
        turn.error = _read_error(payload.get("error"))
        turn.status = "failed" if turn.error is not None else status
        root = payload.get("root_turn_id")
        turn.root_turn_id = turn.root_turn_id or (root if isinstance(root, str) else None)
        started_at = read_whole(payload.get("started_at"))
        turn.started_at = turn.started_at if started_at is None else started_at
        turn.completed_at = read_whole(payload.get("completed_at"))
        turn.duration_ms = read_whole(payload.get("duration_ms"))
        turn.changed()
        if turn is self._current:
            self._current = None

    def _completed(self, payload: Mapping[str, Any], _: Place) -> None:
        self._ended(payload, "completed")

    def _aborted(self, payload: Mapping[str, Any], _: Place) -> None:
        self._ended(payload, "interrupted")

    def _rolled_back(self, payload: Mapping[str, Any], _: Place) -> None:
        """Take back the last turns: what 0.118 writes for ``thread/rollback``."""
        count = read_whole(payload.get("num_turns")) or 0
        for turn_id in list(self.folded_turns)[::-1][:count]:
            turn = self.folded_turns.pop(turn_id)
            del self.history[turn.history_start :]
        self._current = None

    # --- items ---

    def _item_completed(self, payload: Mapping[str, Any], place: Place) -> None:
        turn_id, item = payload.get("turn_id"), read_item(payload.get("item"))
        if item is None or not isinstance(turn_id, str):
            return
        turn = self._turn(turn_id, place)
        self._keep(
            turn,
            FoldedItem(
                item,
                place.ordinal,
                read_whole(payload.get("started_at_ms")),
                read_whole(payload.get("completed_at_ms")),
            ),
        )

    def _keep(self, turn: FoldedTurn, folded: FoldedItem) -> None:
        item_id = _id_of(folded.item)
        known = turn.items.get(item_id)
        if known is not None:  # it is said again, and stays where it was
            folded = attrs.evolve(folded, ordinal=known.ordinal)
        turn.items[item_id] = folded
        turn.changed()
        preview = preview_of(folded.item)
        if preview is not None and not self.user_has_spoken:
            self.user_has_spoken, self.preview = True, preview

    # --- items of older files ---

    def _legacy(self, item: Json, place: Place) -> None:
        """Take an item of an older file, which does not say whose it is nor its id."""
        if self.legacy:
            turn = self._current or self._implicit_turn(place)
            read = read_item({"id": self._number(), **item})
            if read is not None:
                self._keep(turn, FoldedItem(read, place.ordinal))

    def _number(self) -> str:
        self._numbered += 1
        return f"item-{self._numbered}"

    def _user_message(self, payload: Mapping[str, Any], place: Place) -> None:
        if self._implicit:  # each message begins a turn where nothing else says so
            self._current = None
        self._legacy({"type": "UserMessage", "content": _legacy_content(payload)}, place)

    def _agent_message(self, payload: Mapping[str, Any], place: Place) -> None:
        text = [{"type": "Text", "text": payload.get("message")}]
        item = {"type": "AgentMessage", "content": text, "phase": payload.get("phase")}
        self._legacy(item, place)

    def _agent_reasoning(self, payload: Mapping[str, Any], place: Place) -> None:
        """Take a part of a summary; those that follow one another are of one item."""
        text, turn = payload.get("text"), self._current
        last = next(reversed(turn.items.values()), None) if turn is not None else None
        if (
            turn is not None
            and last is not None
            and isinstance(last.item, words.items.ReasoningThreadItem)
            and isinstance(text, str)
            and self.legacy
        ):
            last.item = attrs.evolve(last.item, summary=[*last.item.summary, text])
            turn.changed()
            return
        self._legacy({"type": "Reasoning", "summary_text": [text]}, place)

    def _context_compacted(self, _: Mapping[str, Any], place: Place) -> None:
        self._legacy({"type": "ContextCompaction"}, place)

    # --- what else is known ---

    def _compact(self, payload: Mapping[str, Any]) -> None:
        replacement = payload.get("replacement_history")
        if isinstance(replacement, list):
            self.history = [
                dict(item) for item in replacement if isinstance(item, dict) and is_taken(item)
            ]
        else:  # an older file: what the user has said stays, and the summary is all else
            summary = {"type": "input_text", "text": str(payload.get("message") or "")}
            said = [item for item in self.history if item.get("role") == "user"]
            self.history = [
                *said,
                {"type": "message", "role": "user", "content": [summary]},
            ]
        self.compactions += 1
        for turn in self.folded_turns.values():  # what was before cannot be cut off any more
            turn.history_start = len(self.history)

    def _settings_applied(self, payload: Mapping[str, Any], _: Place) -> None:
        settings = payload.get("thread_settings")
        if isinstance(settings, dict):
            self.settings = self.settings.applied(settings)

    def _token_count(self, payload: Mapping[str, Any], _: Place) -> None:
        info = payload.get("info")
        if isinstance(info, dict):
            try:
                self.usage = structure(
                    {
                        "total": camel_keys(info.get("total_token_usage")),
                        "last": camel_keys(info.get("last_token_usage")),
                        "modelContextWindow": info.get("model_context_window"),
                    },
                    words.thread_news.ThreadTokenUsage,
                )
            except InvalidParamsError:
                return
            if self.folded_turns:
                self.usage_turn_id = next(reversed(self.folded_turns))


def _id_of(item: Any) -> str:
    return str(item["id"] if isinstance(item, dict) else item.id)


def _legacy_content(payload: Mapping[str, Any]) -> list[Json]:
    text = payload.get("message")
    content: list[Json] = []
    if text:
        elements = payload.get("text_elements") or []
        content.append({"type": "text", "text": text, "text_elements": elements})
    for kind, member in (("image", "image_url"), ("local_image", "path")):
        given = payload.get(f"{kind}s")
        if isinstance(given, list):
            content.extend({"type": kind, member: value} for value in given)
    return content


def _read_error(raw: object) -> TurnError | None:
    """Read why a turn has failed; one that cannot be read has failed all the same."""
    if raw is None:
        return None
    given = raw if isinstance(raw, dict) else {}
    try:
        error: TurnError = structure(
            {
                "message": given.get("message"),
                "codexErrorInfo": _camel_info(given.get("codex_error_info")),
                "additionalDetails": given.get("additional_details"),
                "misalignment": camel_keys(given.get("misalignment")),
            },
            words.turns.TurnError,
        )
    except InvalidParamsError:
        return words.turns.TurnError(message="", codex_error_info="other")
    return error


def _camel_info(info: Any) -> Any:
    return camel(info) if isinstance(info, str) else camel_keys(info)


_EVENTS: Final[Mapping[str | None, Callable[[Fold, Mapping[str, Any], Place], None]]] = {
    "task_started": Fold._started,
    "turn_started": Fold._started,
    "task_complete": Fold._completed,
    "turn_complete": Fold._completed,
    "turn_aborted": Fold._aborted,
    "thread_rolled_back": Fold._rolled_back,
    "item_completed": Fold._item_completed,
    "user_message": Fold._user_message,
    "agent_message": Fold._agent_message,
    "agent_reasoning": Fold._agent_reasoning,
    "context_compacted": Fold._context_compacted,
    "thread_settings_applied": Fold._settings_applied,
    "token_count": Fold._token_count,
}
