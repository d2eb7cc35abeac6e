"""Very many sign-ins that wait at once: ours alone, for the genuine server has one."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.peers import OURS

if TYPE_CHECKING:
    from benchmarks.figures import Results


def measure_many(results: Results, logins: int) -> None:
    """Measure once."""
    command = [sys.executable, "-m", "benchmarks.crowd", str(logins)]
    child = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    for figure, value in json.loads(child.stdout).items():
        results.add(f"many_{figure}", OURS.name, value)
