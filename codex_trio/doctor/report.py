"""What has been found, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import attrs

import codex_trio
from codex_trio.terminal import BOLD, CYAN, DIM, GREEN, RED, YELLOW, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_trio.terminal import Screen

Status: TypeAlias = Literal["ok", "warning", "error", "skipped"]

_STYLES: Final[dict[Status, str]] = {
    "ok": GREEN,
    "warning": YELLOW,
    "error": RED,
    "skipped": DIM,
}
_NAME: Final = 14  # characters of the longest name of a check, and two more
_STATUS: Final = 9
_INDENT: Final = _STATUS + _NAME


@attrs.frozen(kw_only=True)
class Finding:
    """What one look has shown; no part of it is a secret.

    Args:
        check: what has been looked at.
        status: ``skipped`` if it was not, or could not be.
        summary: what has been found, in a line.
        detail: more of it.
        advice: what to do. Warnings and errors always say.
    """

    check: str
    status: Status
    summary: str
    detail: str | None = None
    advice: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.status in ("warning", "error") and not self.advice:
            raise ValueError(f"no advice for {self.check}")


@attrs.frozen
class Report:
    """All that has been found, in the order of the checks."""

    findings: tuple[Finding, ...]

    @property
    def status(self) -> Status:
        """The worst of all: ``ok``, ``warning`` or ``error``."""
        found = {one.status for one in self.findings}
        return "error" if "error" in found else "warning" if "warning" in found else "ok"

    def as_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints; ``detail`` and ``advice`` are there where there is one."""
        return {
            "version": codex_trio.__version__,
            "findings": [_as_json(one) for one in self.findings],
            "status": self.status,
        }

    def show(self, screen: Screen) -> None:
        """Print it for a person."""
        screen.say(f"codex-trio {codex_trio.__version__}\n", BOLD)
        for one in self.findings:
            label = screen.styled(f"{one.status:{_STATUS}}", _STYLES[one.status])
            first, *more = screen.wrap(one.summary, _INDENT)
            screen.write_line(f"{label}{one.check:{_NAME}}{visible(first)}")
            _show_below(screen, "\n".join(more), "")
            if one.detail is not None:
                _show_below(screen, one.detail, DIM)
            if one.advice is not None:
                _show_below(screen, f"=> {one.advice}", CYAN)
        screen.say()
        screen.say(self._count(), BOLD)

    def _count(self) -> str:
        counts = [
            (sum(one.status == status for one in self.findings), status)
            for status in ("error", "warning")
        ]
        said = [f"{n} {name}{'' if n == 1 else 's'}" for n, name in counts if n]
        return ", ".join(said) or "Nothing is wrong."


def _as_json(finding: Finding) -> dict[str, str]:
    members = attrs.asdict(finding, filter=lambda _, value: value is not None)
    # Names of files need not be Unicode; JSON is.
    return {
        name: text.encode(errors="backslashreplace").decode() for name, text in members.items()
    }


def _show_below(screen: Screen, text: str, style: str) -> None:
    for whole in text.splitlines():
        for line in screen.wrap(whole, _INDENT):
            screen.say(f"{'':{_INDENT}}{line}", style)


def ok(check: str, summary: str, detail: str | None = None) -> Finding:
    """Make a finding that all is well."""
    return Finding(check=check, status="ok", summary=summary, detail=detail)


def skipped(check: str, summary: str, advice: str | None = None) -> Finding:
    """Make a finding that nothing could be found, or that there was no need to look."""
    return Finding(check=check, status="skipped", summary=summary, advice=advice)


def warning(check: str, summary: str, advice: str, detail: str | None = None) -> Finding:
    """Make a finding of what works, but may not always."""
    return Finding(check=check, status="warning", summary=summary, advice=advice, detail=detail)


def error(check: str, summary: str, advice: str, detail: str | None = None) -> Finding:
    """Make a finding of what does not work."""
    return Finding(check=check, status="error", summary=summary, advice=advice, detail=detail)


def unless(problems: Sequence[Finding], fine: Finding) -> list[Finding]:
    """Return the problems that there are, or else that all is well."""
    return list(problems) or [fine]
