"""What a model says, thinks and wants, as the Responses API streams it. No I/O, no Trio."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import orjson
from attrs.validators import instance_of

from codex_trio.testing.events import MAYBE_TEXT, SECONDS, TEXT, Pause, response_event

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from codex_trio.testing.events import Step


def _id_of(kind: str) -> Any:
    """Make a field for the id of an item, which nobody else has; None leaves it out."""
    return attrs.field(factory=lambda: make_id(kind), validator=MAYBE_TEXT, kw_only=True)


def _texts(said: str | Sequence[str]) -> tuple[str, ...]:
    texts = (said,) if isinstance(said, str) else tuple(said)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("what is said is text")
    return texts


@attrs.frozen
class Text:
    """A message of the model.

    Args:
        text: all of it.
        deltas: in how many pieces of nearly the same length it comes, or the pieces themselves;
            None for a word at a time. With 0 it comes as a whole, at its end.
        every: seconds before each delta but the first.
        phase: ``commentary`` or ``final_answer``; None for a model that does not say.
        added: whether it is announced before its deltas.
        item_id: None for an item without one.
    """

    text: str = attrs.field(validator=TEXT)
    deltas: int | Sequence[str] | None = attrs.field(default=None, kw_only=True)
    every: float = attrs.field(default=0.0, validator=SECONDS, kw_only=True)
    phase: str | None = attrs.field(default=None, validator=MAYBE_TEXT, kw_only=True)
    added: bool = attrs.field(default=True, validator=instance_of(bool), kw_only=True)
    item_id: str | None = _id_of("msg")

    def __attrs_post_init__(self) -> None:
        _cut_up(self.text, self.deltas)  # wrong ones are told now, not when they are asked for

    def steps(self, index: int) -> Iterator[Step]:
        """Say it, as the item of the output with this index."""
        item = _item("message", self.item_id, role="assistant")
        if self.phase is not None:
            item["phase"] = self.phase
        place = {**_reference(self.item_id, index), "content_index": 0}
        if self.added:
            yield _added(index, item, content=[])
            yield response_event("content_part.added", **place, part=_output_text(""))
        # There may be thousands of them; what they have in common is written once.
        empty = response_event("output_text.delta", **place, delta="")
        before, _, after = empty.rpartition(b'""')
        pieces = _cut_up(self.text, self.deltas)
        yield from _spaced([before + orjson.dumps(one) + after for one in pieces], self.every)
        yield response_event("output_text.done", **place, text=self.text)
        part = _output_text(self.text)
        yield response_event("content_part.done", **place, part=part)
        yield _done(index, item, content=[part])


@attrs.frozen
class Reasoning:
    """What the model thinks.

    Args:
        summary: the parts of what it tells of that, each a word at a time; a text is one part.
        raw: the parts of what it really thinks, for models that show it.
        encrypted: the same for nobody's eyes.
        item_id: None for an item without one.
    """

    summary: str | Sequence[str] = attrs.field(default=(), converter=_texts)
    raw: str | Sequence[str] = attrs.field(default=(), converter=_texts, kw_only=True)
    encrypted: str | None = attrs.field(default=None, validator=MAYBE_TEXT, kw_only=True)
    item_id: str | None = _id_of("rs")

    def steps(self, index: int) -> Iterator[Step]:
        """Say it, as the item of the output with this index."""
        item = _item("reasoning", self.item_id)
        yield _added(index, item, summary=[])
        place = _reference(self.item_id, index)
        for number, text in enumerate(self.summary):
            at = {**place, "summary_index": number}
            name = "reasoning_summary"
            yield response_event(f"{name}_part.added", **at, part=_summary_text(""))
            for delta in _cut_up(text):
                yield response_event(f"{name}_text.delta", **at, delta=delta)
            yield response_event(f"{name}_text.done", **at, text=text)
            yield response_event(f"{name}_part.done", **at, part=_summary_text(text))
        for number, text in enumerate(self.raw):
            at = {**place, "content_index": number}
            for delta in _cut_up(text):
                yield response_event("reasoning_text.delta", **at, delta=delta)
            yield response_event("reasoning_text.done", **at, text=text)
        if self.raw:
            item["content"] = [{"type": "reasoning_text", "text": text} for text in self.raw]
        if self.encrypted is not None:
            item["encrypted_content"] = self.encrypted
        yield _done(index, item, summary=[_summary_text(text) for text in self.summary])


@attrs.frozen
class FunctionCall:
    """A tool that the model wants to be called.

    Args:
        name: of the tool.
        arguments: as text, or as an object that is made text.
        namespace: of the tool, for one that is in one.
        call_id: what its output will refer to.
        item_id: None for an item without one.
    """

    name: str = attrs.field(validator=TEXT)
    arguments: str | dict[str, Any] = attrs.field(
        default="{}", validator=instance_of((str, dict))
    )
    namespace: str | None = attrs.field(default=None, validator=MAYBE_TEXT, kw_only=True)
    call_id: str = attrs.field(factory=lambda: make_id("call"), validator=TEXT, kw_only=True)
    item_id: str | None = _id_of("fc")

    def steps(self, index: int) -> Iterator[Step]:
        """Say it, as the item of the output with this index."""
        said = self.arguments
        text = said if isinstance(said, str) else orjson.dumps(said).decode()
        item = _item("function_call", self.item_id, name=self.name, call_id=self.call_id)
        if self.namespace is not None:
            item["namespace"] = self.namespace
        place = _reference(self.item_id, index)
        yield _added(index, item, arguments="")
        for delta in _cut_up(text):
            yield response_event("function_call_arguments.delta", **place, delta=delta)
        yield response_event("function_call_arguments.done", **place, arguments=text)
        yield _done(index, item, arguments=text)


@attrs.frozen
class CustomToolCall:
    """A tool that takes any text, and that the model wants to be called.

    Args:
        name: of the tool.
        input: what it is given.
        call_id: what its output will refer to.
        item_id: None for an item without one.
    """

    name: str = attrs.field(validator=TEXT)
    input: str = attrs.field(default="", validator=TEXT)
    call_id: str = attrs.field(factory=lambda: make_id("call"), validator=TEXT, kw_only=True)
    item_id: str | None = _id_of("ctc")

    def steps(self, index: int) -> Iterator[Step]:
        """Say it, as the item of the output with this index."""
        item = _item("custom_tool_call", self.item_id, name=self.name, call_id=self.call_id)
        place = _reference(self.item_id, index)
        yield _added(index, item, input="")
        for delta in _cut_up(self.input):
            yield response_event("custom_tool_call_input.delta", **place, delta=delta)
        yield response_event("custom_tool_call_input.done", **place, input=self.input)
        yield _done(index, item, input=self.input)


@attrs.frozen
class Item:
    """Any other item, announced and done as it is."""

    item: dict[str, Any] = attrs.field(validator=instance_of(dict))

    def steps(self, index: int) -> Iterator[Step]:
        """Say it, as the item of the output with this index."""
        yield response_event("output_item.added", output_index=index, item=self.item)
        yield response_event("output_item.done", output_index=index, item=self.item)


OutputItem: TypeAlias = Text | Reasoning | FunctionCall | CustomToolCall | Item
"""An item of a response's output."""


def make_id(kind: str) -> str:
    """Make an id that is unique and recognisable, such as ``msg_fake…`` for a message."""
    return f"{kind}_fake{secrets.token_hex(12)}"


def _cut_up(text: str, deltas: int | Sequence[str] | None = None) -> Sequence[str]:
    if deltas is None:
        return re.findall(r"^\s+|\S+\s*", text)
    if not isinstance(deltas, int):
        return _texts(deltas)
    if not 0 <= deltas <= len(text):
        raise ValueError(f"{len(text)} characters cannot come in {deltas} deltas")
    ends = [len(text) * number // deltas for number in range(1, deltas + 1)]
    return [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _spaced(events: Sequence[bytes], every: float) -> Iterator[Step]:
    if every == 0:
        yield b"".join(events)
        return
    for number, one in enumerate(events):
        if number:
            yield Pause(every)
        yield one


def _item(kind: str, item_id: str | None, **more: Any) -> dict[str, Any]:
    named = {} if item_id is None else {"id": item_id}
    return {**named, "type": kind, **more}


def _reference(item_id: str | None, index: int) -> dict[str, Any]:
    named = {} if item_id is None else {"item_id": item_id}
    return {**named, "output_index": index}


def _added(index: int, item: dict[str, Any], **more: Any) -> bytes:
    begun = {**item, "status": "in_progress", **more}
    return response_event("output_item.added", output_index=index, item=begun)


def _done(index: int, item: dict[str, Any], **more: Any) -> bytes:
    done = {**item, "status": "completed", **more}
    return response_event("output_item.done", output_index=index, item=done)


def _output_text(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []}


def _summary_text(text: str) -> dict[str, Any]:
    return {"type": "summary_text", "text": text}
