"""The command line: what is measured, how often, and where it is written."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cancels import measure_cancels
from benchmarks.cycles import measure_cycles, measure_endurance
from benchmarks.ends import measure_ends
from benchmarks.figures import GROUPS, Results
from benchmarks.listing import measure_listing
from benchmarks.many import measure_many
from benchmarks.plan import FULL, QUICK
from benchmarks.refresh import PROCESSES, TASKS, measure_herd, measure_refreshes
from benchmarks.report import as_json, as_text
from benchmarks.session import SESSION_GROUPS, measure_session
from benchmarks.startup import measure_cold, measure_warm
from benchmarks.talks import TALK_GROUPS, measure_talks
from benchmarks.wires import WIRE_GROUPS, measure_wires
from benchmarks.within import measure_inside

if TYPE_CHECKING:
    from collections.abc import Collection

    from benchmarks.plan import Plan


def main() -> None:
    """Measure and report."""
    arguments = _parse_arguments()
    plan = QUICK if arguments.quick else FULL
    results = measure(plan, arguments.only)
    print(as_text(results))
    if arguments.json is not None:
        arguments.json.write_text(as_json(results), encoding="utf-8")
    if arguments.write_docs:
        # Only now, and only for this: the page has a plot, and matplotlib is large.
        from benchmarks.page import write_page

        write_page(results, plan)


def measure(plan: Plan, groups: Collection[str]) -> Results:
    """Run all rounds, saying on standard error how far we are."""
    results = Results()
    if "spawn" in groups:
        _say(f"{plan.warm_starts} starts with files in memory")
        measure_warm(results, plan.warm_starts, plan.warm_ups)
    if "cold" in groups:
        _say(f"{plan.cold_starts} starts with files on disk")
        measure_cold(results, plan.cold_starts, plan.warm_ups)
    if "ends" in groups:
        for number in range(1, plan.sessions + 1):
            _say(f"servers that end, round {number} of {plan.sessions}")
            measure_ends(results, plan.effort.settle)
    if not SESSION_GROUPS.isdisjoint(groups):
        for number in range(1, plan.sessions + 1):
            _say(f"running servers, round {number} of {plan.sessions}")
            measure_session(results, plan.effort, groups)
    if "refresh" in groups:
        for number in range(1, plan.sessions + 1):
            _say(f"refreshes, round {number} of {plan.sessions}")
            measure_refreshes(results, plan.effort)
        _say(f"{plan.herds} times {PROCESSES * TASKS} who want new tokens at once")
        measure_herd(results, plan.herds)
    if not {"cancel", "cycles"}.isdisjoint(groups):
        for number in range(1, plan.sessions + 1):
            _say(f"sign-ins that are cancelled, round {number} of {plan.sessions}")
            if "cancel" in groups:
                measure_cancels(results, plan.effort)
            if "cycles" in groups:
                measure_cycles(results, plan.effort)
    if "cycles" in groups:
        _say(f"{plan.endurance:,} sign-ins that are cancelled")
        measure_endurance(results, plan.endurance)
    if "many" in groups:
        _say(f"{plan.crowd:,} sign-ins at once")
        measure_many(results, plan.crowd)
    if not TALK_GROUPS.isdisjoint(groups):
        for number in range(1, plan.talks + 1):
            _say(f"threads that are answered, round {number} of {plan.talks}")
            measure_talks(results, plan.effort, groups)
    if "listing" in groups:
        _say(f"{plan.listings} times lists of {plan.threads:,} threads")
        measure_listing(results, plan.threads, plan.listings, plan.effort)
    if not WIRE_GROUPS.isdisjoint(groups):
        for number in range(1, plan.wires + 1):
            _say(f"websockets, round {number} of {plan.wires}")
            measure_wires(results, plan.effort, plan.connections, groups)
    if "inside" in groups:
        for number in range(1, plan.wires + 1):
            _say(f"servers within a process, round {number} of {plan.wires}")
            measure_inside(results, plan.effort)
    return results


def _say(text: str) -> None:
    print(f"{text} ...", file=sys.stderr, flush=True)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure codex-trio and the genuine server side by side.",
        allow_abbrev=False,
    )
    parser.add_argument("--quick", action="store_true", help="few rounds, to see that it runs")
    parser.add_argument(
        "--only",
        metavar="GROUP,...",
        type=_groups,
        default=GROUPS,
        help=f"what to measure, of: {', '.join(GROUPS)}",
    )
    parser.add_argument(
        "--json", metavar="FILE", type=Path, help="write every sample to a file"
    )
    parser.add_argument(
        "--write-docs", action="store_true", help="write docs/performance.md and its plot"
    )
    arguments = parser.parse_args()
    if arguments.write_docs and arguments.only != GROUPS:
        parser.error("--write-docs needs all groups")
    return arguments


def _groups(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := [name for name in names if name not in GROUPS]:
        raise argparse.ArgumentTypeError(f"no such group: {', '.join(unknown)}")
    return names


if __name__ == "__main__":
    main()
