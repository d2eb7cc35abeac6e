"""Bytes that nobody has foreseen, for everything that reads what others have written."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.torture.figures import Fuzzed
from tests.torture.targets import SEEDS, TARGETS

if TYPE_CHECKING:
    from tests.torture.figures import Results

SECONDS: Final = 6  # that each target is fuzzed with Atheris

PATIENCE: Final = 60.0  # seconds in which it has to have started, and to be done


def like(seeds: list[bytes]) -> st.SearchStrategy[bytes]:
    """Make what is like some examples: of their words, in another order, with others between."""
    words = sorted({word for seed in seeds for word in re.findall(rb"\w+|\s+|.", seed)})
    some = st.lists(st.sampled_from(words) | st.binary(max_size=5), max_size=12).map(b"".join)
    whole = st.sampled_from(seeds)
    place = st.integers(0, 200)
    spliced = st.tuples(whole, some, whole, place, place).map(
        lambda parts: parts[0][: parts[3]] + parts[1] + parts[2][parts[4] :]
    )
    return some | spliced | st.binary(max_size=80)


@pytest.mark.parametrize("target", TARGETS)
def test_anything_can_be_read(target: str) -> None:
    @given(like(SEEDS[target]))
    @settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def read(data: bytes) -> None:
        TARGETS[target](data)

    for seed in SEEDS[target]:
        TARGETS[target](seed)
    read()


@pytest.mark.torture
@pytest.mark.parametrize("target", TARGETS)
def test_anything_can_be_read_that_atheris_finds(target: str, results: Results) -> None:
    if importlib.util.find_spec("atheris") is None:
        reason = "Atheris, which is not here for this Python on this system"
        results.skipped.append(reason)
        pytest.skip(reason)
    results.time_left()
    command = [sys.executable, "-m", "tests.torture.fuzz", target, str(SECONDS)]
    fuzzing = subprocess.run(
        [*command, str(results.seed + 1)],  # 0 would be any
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS + PATIENCE,
        check=False,
    )
    said = fuzzing.stderr
    assert fuzzing.returncode == 0, said[-4000:]
    done = re.search(r"Done (\d+) runs in (\d+) second", said)
    edges = re.findall(r"cov: (\d+)", said)
    assert done is not None, said[-4000:]
    results.fuzzed.append(Fuzzed(target, float(done[2]), int(done[1]), int(edges[-1])))
