"""config.toml, that of the machine and that of a project, and what is laid over them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from codex_trio.doctor.report import error, ok
from codex_trio.errors import ConfigError

if TYPE_CHECKING:
    from codex_trio.configuration.layers import Layer
    from codex_trio.doctor.case import Case
    from codex_trio.doctor.report import Finding

_QUOTED: Final = re.compile(r'string "(?:[^"\\]|\\.)*"')
_OVERRIDE: Final = re.compile(r"(Invalid override \(missing '='\)|Empty key in override): .*")
_MEND: Final = "Mend it there."
_LEFT_OUT: Final = "Mend it there. Until then a server leaves the whole file out, and `codex-trio login` refuses."


async def check_config(case: Case) -> list[Finding]:
    """Read all layers, as seen from the present folder."""
    warnings = case.settings.warnings
    if warnings:
        return [
            error("config", discreet(one.details or one.summary), _LEFT_OUT) for one in warnings
        ]
    try:
        effective = await case.effective.get()
    except ConfigError as failure:
        return [error("config", discreet(failure.reason), _MEND)]
    counting = [_name(one) for one in effective.layers if one.table and one.disabled is None]
    disabled = [f"left out: {_name(one)}" for one in effective.layers if one.disabled]
    summary = ", over ".join(counting) or "there is none; everything is as it is by default"
    return [ok("config", summary, "\n".join(disabled) or None)]


def settings_failure(text: str) -> Finding:
    """Say that a server could not start at all."""
    if text.startswith("CODEX_HOME"):
        advice = "Make that folder, or unset CODEX_HOME: ~/.codex is used then."
    elif "-c overrides" in text:
        advice = "An override is written -c KEY=VALUE."
    else:
        advice = "Mend it there, or leave it out. No server starts before."
    return error("settings", discreet(text), advice)


def discreet(text: str) -> str:
    """Take out of an error what it quotes of the configuration: keys may stand there."""
    text = _OVERRIDE.sub(r"\1", text)
    return " ".join(_QUOTED.sub("a string", text).split())


def _name(layer: Layer) -> str:
    return layer.path or "-c"
