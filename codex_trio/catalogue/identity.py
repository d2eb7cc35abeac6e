"""Which installation this is: a number that stays, and says nothing of anybody."""

from __future__ import annotations

import contextlib
import os
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def installation_id(home: Path) -> str:
    """Return the id of the installation, which is kept beside the rest of the state; blocks.

    Where none can be kept, it is another one every time.
    """
    path = home / "installation_id"
    for _ in range(2):
        with contextlib.suppress(OSError, ValueError):
            return str(uuid.UUID(path.read_text(encoding="ascii").strip()))
        fresh = str(uuid.uuid4())
        with contextlib.suppress(OSError):
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = path.with_name(f"installation_id.{fresh}")
            draft.write_text(fresh, encoding="ascii")
            try:
                os.link(draft, path)  # unless somebody else has been faster
            finally:
                draft.unlink()
    return fresh
