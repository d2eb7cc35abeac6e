"""A program that appends to a rollout until it is killed.

Arguments: the path, and the size at which the system ends the process in the midst of a write; 0
for none. For each line that is on disk it prints the number of that line.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from pathlib import Path

import trio

from codex_trio.threads.line import Line
from codex_trio.threads.recorded import read_rollout
from codex_trio.threads.rollout import RecordError, Rollout
from tests.threads import records


async def main(path: Path) -> None:
    try:
        recorded = read_rollout(path)
        exists, ordinal = True, recorded.next_ordinal
    except RecordError:
        exists, ordinal = False, 0
    async with trio.open_nursery() as nursery:
        rollout = Rollout(path, nursery, ordinal=ordinal, exists=exists)
        if not exists:
            rollout.append(*records.thread())
        while True:
            number = rollout.ordinal
            rollout.append(
                Line("response_item", records.said("user", f"{number} " + "x" * 700, "m"))
            )
            trouble = await rollout.flush()
            assert trouble is None, trouble
            os.write(1, f"{number}\n".encode())


if __name__ == "__main__":
    if limit := int(sys.argv[2]):
        # Of a write that would go beyond the limit the first part is done; the next one kills.
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    trio.run(main, Path(sys.argv[1]))
