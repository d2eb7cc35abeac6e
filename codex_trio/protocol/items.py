"""What is said in a turn: input, items, and the pieces in which they come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from attrs import define, field, frozen

from codex_trio.protocol.as_it_came import (
    AsyncUserInputQuestion,
    MemoryCitation,
    WebSearchAction,
)
from codex_trio.protocol.words import (
    AS_WRITTEN,
    AsItCame,
    PathText,
    Tagged,
    USize,
    one_of,
)

ImageDetail: TypeAlias = Literal["auto", "low", "high", "original"]


@frozen(kw_only=True)
class ByteRange:
    """From the first byte to the one behind the last, of the text in UTF-8."""

    start: USize
    end: USize


@frozen(kw_only=True)
class TextElement:
    """A piece of the text that a client shows in its own way."""

    byte_range: ByteRange
    placeholder: str | None = None


@frozen(kw_only=True)
class TextUserInput:
    """Text; its elements are for those who show it."""

    type: Literal["text"] = "text"
    text: str
    text_elements: list[TextElement] = field(factory=list, metadata=AS_WRITTEN)


@frozen(kw_only=True)
class ImageUserInput:
    """A picture somewhere else: at a URL, which may be a data URL, or uploaded before."""

    type: Literal["image"] = "image"
    detail: ImageDetail | None = None
    url: str | None = field(default=None, metadata=one_of("ImageReference"))
    file_id: str | None = field(default=None, metadata=one_of("ImageReference"))


@frozen(kw_only=True)
class LocalImageUserInput:
    """A picture in a file of the server."""

    type: Literal["localImage"] = "localImage"
    detail: ImageDetail | None = None
    path: PathText


@frozen(kw_only=True)
class AudioUserInput:
    """A recording somewhere else."""

    type: Literal["audio"] = "audio"
    url: str


@frozen(kw_only=True)
class LocalAudioUserInput:
    """A recording in a file of the server."""

    type: Literal["localAudio"] = "localAudio"
    path: PathText


@frozen(kw_only=True)
class SkillUserInput:
    """A skill that is to be used."""

    type: Literal["skill"] = "skill"
    name: str
    path: PathText


@frozen(kw_only=True)
class MentionUserInput:
    """Something that is mentioned, an app for example."""

    type: Literal["mention"] = "mention"
    name: str
    path: str


UserInput: TypeAlias = Annotated[
    TextUserInput
    | ImageUserInput
    | LocalImageUserInput
    | AudioUserInput
    | LocalAudioUserInput
    | SkillUserInput
    | MentionUserInput,
    Tagged("UserInput"),
]


MessagePhase: TypeAlias = Literal["commentary", "partial_answer", "final_answer"]


@frozen(kw_only=True)
class UserMessageThreadItem:
    """What the user has said."""

    type: Literal["userMessage"] = "userMessage"
    id: str
    client_id: str | None = None
    content: list[UserInput]


@frozen(kw_only=True)
class AgentMessageThreadItem:
    """What the model has said."""

    type: Literal["agentMessage"] = "agentMessage"
    id: str
    text: str
    phase: MessagePhase | None = None
    memory_citation: MemoryCitation | None = None
    delivery: Literal["async"] | None = None
    questions: list[AsyncUserInputQuestion] | None = None


@frozen(kw_only=True)
class PlanThreadItem:
    """A plan that the model has made."""

    type: Literal["plan"] = "plan"
    id: str
    text: str


@frozen(kw_only=True)
class ReasoningThreadItem:
    """What the model has thought: in summary, and in full where it is told."""

    type: Literal["reasoning"] = "reasoning"
    id: str
    summary: list[str] = field(factory=list)
    content: list[str] = field(factory=list)


@frozen(kw_only=True)
class WebSearchThreadItem:
    """What the host has looked up for the model."""

    type: Literal["webSearch"] = "webSearch"
    id: str
    query: str
    action: WebSearchAction | None = None
    results: list[object] | None = None


@frozen(kw_only=True)
class ContextCompactionThreadItem:
    """From here on the model knows a summary of what was said before."""

    type: Literal["contextCompaction"] = "contextCompaction"
    id: str


ThreadItem: TypeAlias = Annotated[
    UserMessageThreadItem
    | AgentMessageThreadItem
    | PlanThreadItem
    | ReasoningThreadItem
    | WebSearchThreadItem
    | ContextCompactionThreadItem
    | Mapping[str, object],
    AsItCame("ThreadItem"),
]
"""Words for what we make, and as it came what others have made."""


@frozen(kw_only=True)
class ItemStartedNotification:
    """An item has begun; the time is in milliseconds of Unix time."""

    item: ThreadItem
    thread_id: str
    turn_id: str
    started_at_ms: int


@frozen(kw_only=True)
class ItemCompletedNotification:
    """An item is as it will stay; the time is in milliseconds of Unix time."""

    item: ThreadItem
    thread_id: str
    turn_id: str
    completed_at_ms: int


@define(kw_only=True, eq=False)
class AgentMessageDeltaNotification:
    """The next piece of a message."""

    thread_id: str
    turn_id: str
    item_id: str
    delta: str


@define(kw_only=True, eq=False)
class PlanDeltaNotification:
    """The next piece of a plan."""

    thread_id: str
    turn_id: str
    item_id: str
    delta: str


@define(kw_only=True, eq=False)
class ReasoningSummaryTextDeltaNotification:
    """The next piece of one part of a summary."""

    thread_id: str
    turn_id: str
    item_id: str
    delta: str
    summary_index: int


@frozen(kw_only=True)
class ReasoningSummaryPartAddedNotification:
    """A summary has got another part."""

    thread_id: str
    turn_id: str
    item_id: str
    summary_index: int


@define(kw_only=True, eq=False)
class ReasoningTextDeltaNotification:
    """The next piece of one part of a thought."""

    thread_id: str
    turn_id: str
    item_id: str
    delta: str
    content_index: int
