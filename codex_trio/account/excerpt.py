"""What of a host's words may be shown to a client."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST: Final = 200
"""Characters that are shown."""

_READ: Final = 16 * 1024  # bytes that are looked at
_BLOT: Final = "\0"
_BLOTS: Final = re.compile(f"{_BLOT}+")
_SECRETS: Final = re.compile(
    r"""
      (?i:\bbearer\s+)[^\s"',;<>]+             # what a header of RFC 6750 carries
    | \beyJ[\w-]+(?:\.[\w-]*)*                 # a token of RFC 7519, also half of one
    | \b(?:sk|rt|at|ac|oai|sess|pat)[-_][\w-]{8,}   # what the issuer's secrets begin with
    | (?=[\w-]{0,64}\d)(?=[\w-]{0,64}[A-Za-z])[\w-]{40,}   # and whatever is long and unreadable
    """,
    re.VERBOSE | re.ASCII,
)


def excerpt(body: bytes, secrets: Iterable[str | None] = ()) -> str:
    """Take the beginning of a body, on one line, without secrets.

    Args:
        body: what a host has answered.
        secrets: what is ours and must not be repeated, beside all that looks like a secret.
    """
    text = body[:_READ].decode(errors="replace")
    text = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    # Secrets are blotted out before anything is cut, so that nothing is left of a half.
    for secret in secrets:
        if secret:
            text = text.replace(secret, _BLOT * len(secret))
    text = _SECRETS.sub(lambda found: _BLOT * len(found[0]), text)
    shown = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return _BLOTS.sub("[redacted]", shown)
