"""Which server the clients start, and what is in its home.

It is ours, but where ``CODEX_TRIO_CLIENTS_SERVER`` names another program. The tests are right
when they pass with the genuine one as well::

    genuine=$(python -c "from codex_cli_bin import bundled_codex_path as p; print(p())")
    CODEX_TRIO_CLIENTS_SERVER=$genuine nox -s clients
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

OURS = str(Path(sys.executable).with_name("codex-trio"))
SERVER = os.environ.get("CODEX_TRIO_CLIENTS_SERVER") or OURS

PACKAGES = os.environ.get("CODEX_TRIO_NPM", "")
"""A folder with what `nox -s clients` installs from npm."""

MODEL = "gpt-5.5"
KEY = "sk-clients"

SDK_MARKS = [
    pytest.mark.clients,
    # The SDK leaves the outputs of its process to the collector.
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

only_ours = pytest.mark.skipif(SERVER != OURS, reason="another server does not do that")


def furnish(home: Path, config: str) -> None:
    """Sign in with an API key, and lead to a stand-in."""
    (home / "config.toml").write_text(f'model = "{MODEL}"\n{config}', encoding="utf-8")
    (home / "auth.json").write_text(json.dumps({"OPENAI_API_KEY": KEY}), encoding="utf-8")
