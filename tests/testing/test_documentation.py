"""The examples of docs/testing-your-client.md, as they are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "testing-your-client.md"
EXAMPLES = re.findall(
    r"^```python\n(.*?)^```$", DOCUMENT.read_text("utf-8"), re.DOTALL | re.MULTILINE
)
SAID = [
    ["'planType': 'pro'", "Exchange(outcome='rotated'", "'usedPercent': 99"],
    [
        "'text': 'All is well.'",
        "Exchange(outcome='rotated'",
        "{'call_1': 'unsupported call: no_such_tool'}",
        "'status': 'failed'",
        "'status': 'interrupted'",
    ],
    [],
]


@pytest.mark.parametrize(("example", "said"), [*zip(EXAMPLES, SAID, strict=True)])
def test_an_example_runs_and_says_what_it_should(
    example: str, said: list[str], tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) == len(said)
    for line, words in zip(lines, said, strict=True):
        assert words in line
