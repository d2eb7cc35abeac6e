"""Words of model/* and modelProvider/*."""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import field, frozen

from codex_trio.protocol.turns import CyberAccessProgram
from codex_trio.protocol.words import U32

InputModality: TypeAlias = Literal["text", "image", "audio"]


MultiAgentVersion: TypeAlias = Literal["disabled", "v1", "v2"]


@frozen(kw_only=True)
class ModelListParams:
    """Which page of the models, and with the hidden ones?"""

    cursor: str | None = None
    limit: U32 | None = None
    include_hidden: bool | None = None


@frozen(kw_only=True)
class ModelUpgradeInfo:
    """Which model takes the place of this one, and how a user is told."""

    model: str
    upgrade_copy: str | None = None
    model_link: str | None = None
    migration_markdown: str | None = None
    retirement_at: int | None = None


@frozen(kw_only=True)
class ModelAvailabilityNux:
    """How a user is told that the model is there."""

    message: str


@frozen(kw_only=True)
class ReasoningEffortOption:
    """How hard a model can be told to think, and what that is good for."""

    reasoning_effort: str
    description: str


@frozen(kw_only=True)
class ModelServiceTier:
    """How fast a model can be asked to answer."""

    id: str
    name: str
    description: str


@frozen(kw_only=True)
class ModelAccessPrograms:
    """Who may use a model for what."""

    cyber: list[CyberAccessProgram]


@frozen(kw_only=True)
class Model:
    """A model and what it can do."""

    id: str
    model: str
    upgrade: str | None = None
    upgrade_info: ModelUpgradeInfo | None = None
    availability_nux: ModelAvailabilityNux | None = None
    display_name: str
    description: str
    model_specialty: str | None = None
    hidden: bool
    supported_reasoning_efforts: list[ReasoningEffortOption]
    default_reasoning_effort: str
    input_modalities: list[InputModality] = field(factory=lambda: ["text", "image"])
    supports_personality: bool = False
    multi_agent_version: MultiAgentVersion | None = None
    additional_speed_tiers: list[str] = field(factory=list)
    service_tiers: list[ModelServiceTier] = field(factory=list)
    default_service_tier: str | None = None
    available_access_programs: ModelAccessPrograms | None = None
    is_default: bool


@frozen(kw_only=True)
class ModelListResponse:
    """Some models."""

    data: list[Model]
    next_cursor: str | None = None


@frozen(kw_only=True)
class ModelProviderCapabilitiesReadParams:
    """What can the provider of models do?"""


@frozen(kw_only=True)
class ModelProviderCapabilitiesReadResponse:
    """That."""

    image_generation: bool
    web_search: bool
