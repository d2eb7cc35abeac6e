"""What is imported only by who needs it."""

from __future__ import annotations

import subprocess
import sys


def imported_by(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    return set(said.stdout.split())


def test_who_writes_nothing_does_not_wait_for_an_editor() -> None:
    assert "tomlkit" not in imported_by("codex_trio.conversations")


def test_who_only_signs_in_waits_for_no_conversations() -> None:
    imported = imported_by("codex_trio.server")
    rooms = ("threads", "responses", "catalogue", "conversations")
    assert not {f"codex_trio.{room}" for room in rooms} & imported
