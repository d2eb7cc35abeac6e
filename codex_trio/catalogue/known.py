"""Which models are known: those of an embedder, of a file, or of the release."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import orjson
import trio

from codex_trio.catalogue.models import MODELS
from codex_trio.errors import ConfigError, os_error_text
from codex_trio.model import MODALITIES, MULTI_AGENTS, Model, ServiceTier
from codex_trio.plain_files import open_plain

if TYPE_CHECKING:
    from codex_trio.settings import Settings

_MAX_SIZE: Final = 2**25  # bytes; that of the release has 660,000, for it holds instructions


@attrs.define(eq=False)
class KnownModels:
    """The models that are known, as the configuration says whenever somebody asks."""

    _settings: Settings

    async def read(self, file: str | None) -> tuple[Model, ...]:
        """Return the models that are known, the default one first.

        A call that is cancelled ends at once, and leaves a look at the file behind that nobody
        waits for.

        Args:
            file: the file that the configuration names, if it names one. What an embedder has
                set comes before it; and it must name a model, or it counts for nothing.

        Raises:
            ConfigError: the file cannot be used.
        """
        if self._settings.models is not None:
            return self._settings.models
        if file is None:
            return MODELS
        read = partial(read_catalogue, Path(file))
        return await trio.to_thread.run_sync(read, abandon_on_cancel=True) or MODELS


def read_catalogue(path: Path) -> tuple[Model, ...]:
    """Read a file of models, in the shape of 0.163.0; blocks.

    Raises:
        ConfigError: it cannot be read, or has another shape.
    """
    try:
        with open_plain(path) as file:
            content = file.read(_MAX_SIZE + 1)
    except OSError as error:
        raise ConfigError(os_error_text(error)) from None
    if len(content) > _MAX_SIZE:
        raise ConfigError(f"{path}: longer than {_MAX_SIZE} bytes")
    try:
        match orjson.loads(content):
            case {"models": list(entries)}:
                known = sorted(entries, key=lambda entry: entry.get("priority", 0))
                return tuple(_model(entry) for entry in known)
            case _:
                raise ConfigError(f"{path}: missing field `models`")
    except (ValueError, TypeError, AttributeError, KeyError):
        raise ConfigError(f"{path}: not a catalogue of models") from None


def _model(entry: dict[str, Any]) -> Model:
    """Take what is of use to us; what is missing is as of a model that nobody knows.

    Raises:
        ValueError, TypeError, KeyError: it is no model.
    """
    slug: str = entry["slug"]
    window = entry.get("context_window")
    verbosity = entry.get("default_verbosity") if entry.get("support_verbosity") else None
    return Model(
        id=slug,
        name=entry.get("display_name") or slug,
        description=entry.get("description") or "",
        reasoning_efforts={
            level["effort"]: level.get("description") or ""
            for level in entry.get("supported_reasoning_levels") or ()
        },
        default_reasoning_effort=entry.get("default_reasoning_level"),
        hidden=entry.get("visibility", "list") != "list",
        upgrade=(entry.get("upgrade") or {}).get("model"),
        **({} if window is None else {"context_window": window}),
        verbosity=verbosity,
        tiers=tuple(
            ServiceTier(
                id=tier["id"],
                name=tier.get("name") or tier["id"],
                description=tier.get("description") or "",
            )
            for tier in entry.get("service_tiers") or ()
        ),
        tier=entry.get("default_service_tier"),
        modalities=tuple(
            one for one in MODALITIES if one in entry.get("input_modalities", ("text", "image"))
        ),
        specialty=entry.get("model_specialty"),
        multi_agent=next(
            (one for one in MULTI_AGENTS if one == entry.get("multi_agent_version")), None
        ),
    )
