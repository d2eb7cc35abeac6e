"""Every scenario on both servers, side by side."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

import pytest
import trio

from codex_trio.settings import Settings
from tests.conftest import PATIENCE
from tests.parity.differences import RULES, without_routing
from tests.parity.login_differences import settle
from tests.parity.names import renumbered
from tests.parity.run import GENUINE, Json, Scenario, run
from tests.parity.scenarios import SCENARIOS
from tests.parity.thread_differences import settle_threads
from tests.parity.turn_differences import settle_turns
from tests.processes import OURS
from tests.schema import SchemaWatch

DOCUMENT = Path(__file__).parents[2] / "docs" / "differences.md"

pytestmark = pytest.mark.parity

used: set[str] = set()


async def on_both(scenario: Scenario, tmp_path: Path) -> tuple[list[Json], list[Json]]:
    transcripts: dict[str, list[Json]] = {}

    async def on_one(
        name: str, command: tuple[str, ...], watch: SchemaWatch | None = None
    ) -> None:
        # The genuine server refuses a home that is directly in the temporary folder.
        home = tmp_path / name / "home"
        home.mkdir(parents=True)
        transcripts[name] = await run(scenario, command, home, watch)

    if scenario.alone:
        for name, command, watch in [("genuine", GENUINE, None), ("ours", OURS, SchemaWatch())]:
            await wait_free_ports()
            await on_one(name, command, watch)
    else:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(on_one, "genuine", GENUINE)
            nursery.start_soon(on_one, "ours", OURS, SchemaWatch())
    return transcripts["genuine"], transcripts["ours"]


async def wait_free_ports() -> None:
    """Let others on this machine finish who sign in."""
    with trio.fail_after(PATIENCE):  # noqa: ASYNC912 - there are ports
        for port in Settings(codex_home=Path()).login_callback_ports:
            while not await is_free(port):  # noqa: ASYNC110 - nobody tells when they are done
                await trio.sleep(0.05)


async def is_free(port: int) -> bool:
    try:
        (listener,) = await trio.open_tcp_listeners(port, host="127.0.0.1")
    except OSError:
        return False
    await listener.aclose()
    return True


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_ours_says_what_the_genuine_server_says(
    scenario: Scenario, tmp_path: Path
) -> None:
    genuine, ours = await on_both(scenario, tmp_path)
    expected = without_routing(scenario, settle(settle_turns(settle_threads(genuine))))
    for name, rule in RULES.items():
        changed = rule(scenario, json.loads(json.dumps(expected)))
        if changed != expected:
            used.add(name)
        expected = changed
    assert renumbered(without_routing(scenario, ours)) == renumbered(expected)


@functools.cache
def documented() -> set[str]:
    """The rules in the table of what is compared."""
    compared = DOCUMENT.read_text(encoding="utf-8").split("\n## ")[1]
    return set(re.findall(r"^\| `([a-z-]+)` \|", compared, re.MULTILINE))


def test_every_difference_is_documented() -> None:
    assert documented() == set(RULES)


def test_every_difference_is_still_one(request: pytest.FixtureRequest) -> None:
    """Runs last, and says something only when all scenarios ran."""
    ran = {item.name for item in request.session.items}
    if len([name for name in ran if name.startswith("test_ours_says")]) < len(SCENARIOS):
        pytest.skip("not all scenarios ran")
    assert set(RULES) - used == set()
