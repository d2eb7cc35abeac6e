"""What is known of a model that answers turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from attrs import field, frozen, validators

if TYPE_CHECKING:
    from collections.abc import Mapping

Modality: TypeAlias = Literal["text", "image", "audio"]
MultiAgent: TypeAlias = Literal["disabled", "v1", "v2"]

MODALITIES: Final[tuple[Modality, ...]] = get_args(Modality)
MULTI_AGENTS: Final[tuple[MultiAgent, ...]] = get_args(MultiAgent)

EFFORTS: Final = {
    "low": "Quick answers, with little thinking",
    "medium": "A balance that suits everyday work",
    "high": "More thinking, for hard problems",
    "xhigh": "Much more thinking, for very hard problems",
    "max": "As much thinking as the model can do",
    "ultra": "As much thinking, and tasks handed on where that helps",
}
"""What the efforts are good for, in words of ours."""


_is_text: Final = validators.instance_of(str)


@frozen(kw_only=True)
class ServiceTier:
    """How fast a model can be asked to answer."""

    id: str = field(validator=_is_text)
    name: str = field(validator=_is_text)
    description: str = field(validator=_is_text)


@frozen(kw_only=True)
class Model:
    """A model, and what is known of it.

    Args:
        id: what requests call it.
        name: what people call it.
        description: one line for people who choose a model.
        reasoning_efforts: how hard it can be told to think, the least first, and what that is
            good for.
        default_reasoning_effort: how hard it thinks when nothing is asked for; None says
            nothing of it to the model either.
        hidden: whether people are offered it only when they ask for everything.
        upgrade: the id of the model that takes its place, if there is one.
        context_window: the tokens that fit into one request with its answer.
        usable: the part of that which history may fill, in percent.
        verbosity: how much it says when nothing is asked for; None if it cannot be told.
        tiers: how fast it can be asked to answer.
        tier: the id of the tier that is used when nothing is said.
        modalities: what it takes.
        specialty: what it is made for, if that is something special.
        multi_agent: which way of working with others it knows.
    """

    id: str = field(validator=validators.and_(_is_text, validators.min_len(1)))
    name: str = field(validator=_is_text)
    description: str = field(default="", validator=_is_text)
    reasoning_efforts: Mapping[str, str] = field(
        factory=dict, validator=validators.deep_mapping(_is_text, _is_text)
    )
    default_reasoning_effort: str | None = field(
        default=None, validator=validators.optional(_is_text)
    )
    hidden: bool = False
    upgrade: str | None = field(default=None, validator=validators.optional(_is_text))
    context_window: int = field(
        default=272_000, validator=[validators.instance_of(int), validators.gt(0)]
    )
    usable: int = 95
    verbosity: str | None = field(default=None, validator=validators.optional(_is_text))
    tiers: tuple[ServiceTier, ...] = ()
    tier: str | None = field(default=None, validator=validators.optional(_is_text))
    modalities: tuple[Modality, ...] = ("text", "image")
    specialty: str | None = field(default=None, validator=validators.optional(_is_text))
    multi_agent: MultiAgent | None = None

    @property
    def usable_window(self) -> int:
        """The tokens that history may fill."""
        return self.context_window * self.usable // 100
