"""Models as clients are told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_trio.catalogue.models import default_model
from codex_trio.protocol import models as words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_trio.model import Model


def in_words(models: Sequence[Model], *, hidden: bool) -> list[words.Model]:
    """Tell of models, in their order; of the hidden ones only if asked for."""
    default = default_model(models)
    return [
        _model(model, is_default=model is default)
        for model in models
        if hidden or not model.hidden
    ]


def _model(model: Model, *, is_default: bool) -> words.Model:
    return words.Model(
        id=model.id,
        model=model.id,
        upgrade=model.upgrade,
        upgrade_info=(
            None if model.upgrade is None else words.ModelUpgradeInfo(model=model.upgrade)
        ),
        display_name=model.name,
        description=model.description,
        model_specialty=model.specialty,
        hidden=model.hidden,
        supported_reasoning_efforts=[
            words.ReasoningEffortOption(reasoning_effort=effort, description=description)
            for effort, description in model.reasoning_efforts.items()
        ],
        default_reasoning_effort=model.default_reasoning_effort or "none",
        input_modalities=list(model.modalities),
        multi_agent_version=model.multi_agent,
        additional_speed_tiers=["fast"] if model.tiers else [],
        service_tiers=[
            words.ModelServiceTier(id=tier.id, name=tier.name, description=tier.description)
            for tier in model.tiers
        ],
        default_service_tier=model.tier,
        is_default=is_default,
    )
