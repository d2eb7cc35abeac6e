"""Rooms that are imported when they are first used."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from codex_trio import catalogue, configuration


@pytest.mark.parametrize("package", [catalogue, configuration])
def test_what_is_not_there_is_not_there(package: Any) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = package.nothing


def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    code = (
        "import sys, codex_trio.configuration.methods, codex_trio.configuration.reading;"
        " import codex_trio.catalogue.methods;"
        " print([name for name in ('tomlkit', 'codex_trio.configuration.writes',"
        " 'codex_trio.configuration.view', 'codex_trio.catalogue.skills',"
        " 'codex_trio.protocol.configuration') if name in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert said.stdout == "[]\n"
