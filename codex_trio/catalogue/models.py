"""The models that there are, in the order in which people are offered them.

Ids, order and figures are those of release 0.163.0; the sentences are ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codex_trio.model import EFFORTS, Model, ServiceTier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def _efforts(most: str) -> Mapping[str, str]:
    names = list(EFFORTS)
    return {name: EFFORTS[name] for name in names[: names.index(most) + 1]}


def _fast(description: str) -> tuple[ServiceTier, ...]:
    return (ServiceTier(id="priority", name="Fast", description=description),)


_TWICE: Final = _fast("Twice as fast; counts more")
_FASTER: Final = _fast("Half as fast again")
_DEARER: Final = _fast("Half as fast again; counts more")

MODELS: Final[tuple[Model, ...]] = (
    Model(
        id="gpt-6.1-sol",
        name="GPT-6.1-Sol",
        description="For coding and whatever else the day brings; the usual choice.",
        reasoning_efforts=_efforts("ultra"),
        default_reasoning_effort="low",
        verbosity="low",
        tiers=_TWICE,
        multi_agent="v2",
    ),
    Model(
        id="gpt-6-astra",
        name="GPT-6-Astra",
        description="For work that asks for the most.",
        reasoning_efforts=_efforts("ultra"),
        default_reasoning_effort="low",
        verbosity="low",
        tiers=_TWICE,
        multi_agent="v2",
    ),
    Model(
        id="gpt-6-sol",
        name="GPT-6-Sol",
        description="What came before GPT-6.1-Sol.",
        reasoning_efforts=_efforts("ultra"),
        default_reasoning_effort="medium",
        verbosity="low",
        tiers=_FASTER,
        tier="priority",
        multi_agent="v2",
    ),
    Model(
        id="gpt-6-luna",
        name="GPT-6-Luna",
        description="Quick and cheap, for what is not hard.",
        reasoning_efforts=_efforts("max"),
        default_reasoning_effort="medium",
        verbosity="low",
        tiers=_FASTER,
        tier="priority",
        multi_agent="v2",
    ),
    Model(
        id="gpt-5.6-sol",
        name="GPT-5.6-Sol",
        description="What came before GPT-6-Sol.",
        reasoning_efforts=_efforts("ultra"),
        default_reasoning_effort="low",
        upgrade="gpt-6-sol",
        verbosity="low",
        tiers=_DEARER,
        multi_agent="v2",
    ),
    Model(
        id="gpt-5.6-terra",
        name="GPT-5.6-Terra",
        description="An earlier model for plain work.",
        reasoning_efforts=_efforts("ultra"),
        default_reasoning_effort="medium",
        upgrade="gpt-6-sol",
        verbosity="low",
        tiers=_DEARER,
        multi_agent="v2",
    ),
    Model(
        id="gpt-5.6-luna",
        name="GPT-5.6-Luna",
        description="What came before GPT-6-Luna.",
        reasoning_efforts=_efforts("max"),
        default_reasoning_effort="medium",
        upgrade="gpt-6-luna",
        verbosity="low",
        tiers=_DEARER,
        multi_agent="v1",
    ),
    Model(
        id="gpt-daybreak-blue-latest",
        name="Daybreak Blue",
        description="For defending systems.",
        reasoning_efforts=_efforts("ultra"),
        default_reasoning_effort="low",
        hidden=True,
        verbosity="low",
        specialty="cyber",
        multi_agent="v2",
    ),
    Model(
        id="gpt-daybreak-red-latest",
        name="Daybreak Red",
        description="For authorised research into the security of systems.",
        reasoning_efforts=_efforts("ultra"),
        default_reasoning_effort="medium",
        hidden=True,
        context_window=372_000,
        verbosity="high",
        specialty="cyber",
        multi_agent="v2",
    ),
    Model(
        id="gpt-5.5",
        name="GPT-5.5",
        description="An old model for coding.",
        reasoning_efforts=_efforts("xhigh"),
        default_reasoning_effort="medium",
        upgrade="gpt-6-sol",
        verbosity="low",
        tiers=_DEARER,
    ),
    Model(
        id="codex-auto-review",
        name="Codex Auto Review",
        description="Looks over what needs approval.",
        reasoning_efforts=_efforts("max"),
        default_reasoning_effort="medium",
        hidden=True,
        verbosity="low",
        tiers=_DEARER,
        multi_agent="v1",
    ),
)


def find_model(name: str, models: Iterable[Model] = MODELS) -> Model | None:
    """Find what is known of a model.

    One whose id goes on behind that of a model we know is taken for that, the longest first;
    what stands before a slash is the name of whoever offers it (observed).
    """
    offerer, _, rest = name.partition("/")
    names = (name, rest) if offerer and rest and "/" not in rest else (name,)
    for one in names:
        known = [model for model in models if one.startswith(model.id)]
        if known:
            return max(known, key=lambda model: len(model.id))
    return None


def default_model(models: Sequence[Model] = MODELS) -> Model:
    """Return the model that is used when nobody says otherwise: the first that is not hidden."""
    return next((model for model in models if not model.hidden), models[0])
