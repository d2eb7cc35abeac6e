"""What a model's host says of tokens and of limits. No I/O, no Trio."""

from __future__ import annotations

from typing import Any, Final

import attrs
from attrs.validators import and_, ge, instance_of, matches_re, optional

_COUNT: Final[Any] = and_(instance_of(int), ge(0))
_MAYBE_COUNT: Final[Any] = optional(_COUNT)  # mypy reads optional(…) as if None were refused
_MAYBE_NUMBER: Final[Any] = optional(instance_of((int, float)))
_MAYBE_FLAG: Final[Any] = optional(instance_of(bool))
_MAYBE_TEXT: Final[Any] = optional(instance_of(str))


@attrs.frozen(kw_only=True)
class Usage:
    """The tokens that a response has cost, as ``response.completed`` says it.

    Args:
        input_tokens: of what was sent, the cached ones among them.
        cached_tokens: of those, what was known before.
        cache_write_tokens: of those, what was kept for later; None for a host that does not say.
        output_tokens: of what was answered, the reasoning among them.
        reasoning_tokens: of those, what was thought.
        total_tokens: None for the sum.
    """

    input_tokens: int = attrs.field(default=100, validator=_COUNT)
    cached_tokens: int = attrs.field(default=0, validator=_COUNT)
    cache_write_tokens: int | None = attrs.field(default=None, validator=_MAYBE_COUNT)
    output_tokens: int = attrs.field(default=20, validator=_COUNT)
    reasoning_tokens: int = attrs.field(default=0, validator=_COUNT)
    total_tokens: int | None = attrs.field(default=None, validator=_MAYBE_COUNT)

    def spoken(self) -> dict[str, Any]:
        """Say it in JSON."""
        details = {"cached_tokens": self.cached_tokens}
        if self.cache_write_tokens is not None:
            details["cache_write_tokens"] = self.cache_write_tokens
        total = self.total_tokens
        return {
            "input_tokens": self.input_tokens,
            "input_tokens_details": details,
            "output_tokens": self.output_tokens,
            "output_tokens_details": {"reasoning_tokens": self.reasoning_tokens},
            "total_tokens": self.input_tokens + self.output_tokens if total is None else total,
        }


@attrs.frozen(kw_only=True)
class RateLimits:
    """How much of a family of limits is used, as the headers of a response say it.

    What is None is not said.

    Args:
        family: ``codex`` for the usual one; another's headers are ``x-codex-FAMILY-…``.
        limit_name: what people call it.
        primary_used_percent: of the shorter window.
        primary_window_minutes: how long that is.
        primary_reset_at: when it begins anew, in Unix seconds.
        secondary_used_percent: of the longer window, and so on.
        has_credits: whether the account has some to spend beyond.
        unlimited: whether these are without limit.
        balance: how many there are, as text.
    """

    family: str = attrs.field(default="codex", validator=matches_re("[a-z0-9-]+"))
    limit_name: str | None = attrs.field(default=None, validator=_MAYBE_TEXT)
    primary_used_percent: float | None = attrs.field(default=None, validator=_MAYBE_NUMBER)
    primary_window_minutes: int | None = attrs.field(default=None, validator=_MAYBE_COUNT)
    primary_reset_at: int | None = attrs.field(default=None, validator=_MAYBE_COUNT)
    secondary_used_percent: float | None = attrs.field(default=None, validator=_MAYBE_NUMBER)
    secondary_window_minutes: int | None = attrs.field(default=None, validator=_MAYBE_COUNT)
    secondary_reset_at: int | None = attrs.field(default=None, validator=_MAYBE_COUNT)
    has_credits: bool | None = attrs.field(default=None, validator=_MAYBE_FLAG)
    unlimited: bool | None = attrs.field(default=None, validator=_MAYBE_FLAG)
    balance: str | None = attrs.field(default=None, validator=_MAYBE_TEXT)

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Say it in headers."""
        prefix = "x-codex" if self.family == "codex" else f"x-codex-{self.family}"
        values = attrs.asdict(self)
        del values["family"]
        return tuple(
            (f"{prefix}-{_HEADERS.get(name, name.replace('_', '-'))}", _text(value))
            for name, value in values.items()
            if value is not None
        )


_HEADERS: Final = {
    "has_credits": "credits-has-credits",
    "unlimited": "credits-unlimited",
    "balance": "credits-balance",
}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
