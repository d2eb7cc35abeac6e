"""The id of a sign-in, in every spelling that 0.163.0 takes for it."""

from __future__ import annotations

import re
import uuid
from typing import Final

_HEX: Final = "[0-9a-fA-F]"
_HYPHENATED: Final = f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"
_SPELLINGS: Final = re.compile(
    rf"{_HEX}{{32}}|{_HYPHENATED}|\{{{_HYPHENATED}\}}|urn:uuid:{_HYPHENATED}"
)


def parse_login_id(text: str) -> str | None:
    """Bring an id into the form in which we give them out; None when it is none."""
    if not _SPELLINGS.fullmatch(text):
        return None
    return str(uuid.UUID(text))
