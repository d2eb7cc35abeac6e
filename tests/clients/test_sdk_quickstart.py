"""A first program with the official SDK, as its description shows one, runs with our server."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.clients.sdk import texts_of
from tests.clients.servers import SERVER, furnish
from tests.schema import genuine_environment

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.testing import StandInProcess

pytestmark = pytest.mark.clients

FIRST_STEPS = """
from openai_codex import Codex

with Codex() as client:
    conversation = client.thread_start()
    answer = conversation.run("What is this folder about?")
    print(answer.final_response)
"""

# The SDK asks this package where the server is, unless it is told.
RUNTIME = f"""
from pathlib import Path

def bundled_codex_path():
    return Path({SERVER!r})
"""


def test_a_first_program_runs(
    home: Path, work: Path, tmp_path: Path, stand_in_process: StandInProcess
) -> None:
    furnish(home, stand_in_process.config)
    packages = tmp_path / "packages"
    packages.mkdir()
    (packages / "codex_cli_bin.py").write_text(RUNTIME, encoding="utf-8")
    stand_in_process.answer("It is empty.")
    done = subprocess.run(
        [sys.executable, "-c", FIRST_STEPS],
        env={**genuine_environment(home), "PYTHONPATH": os.fspath(packages)},
        cwd=work,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("It is empty.\n", 0), done.stderr
    (asked,) = stand_in_process.response_requests()
    assert texts_of(asked, "user")[-1] == "What is this folder about?"
