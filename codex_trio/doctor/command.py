"""``codex-trio doctor``."""

from __future__ import annotations

import json
import os
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from codex_trio.doctor.configuration import settings_failure
from codex_trio.doctor.examination import examine
from codex_trio.doctor.report import Report, error
from codex_trio.errors import SettingsError, os_error_text
from codex_trio.settings import load_environment, load_settings
from codex_trio.terminal import Screen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codex_trio.doctor.report import Finding
    from codex_trio.settings import Settings

_PATIENCE: Final = 4.0  # seconds
_HANGS: Final = "The disk of CODEX_HOME or of /etc hangs; no server starts before it is back."


def run_doctor(overrides: Sequence[str], *, as_json: bool) -> int:
    """Examine, print the report, and return the exit code.

    That is 0 without an error, 1 with one, 130 after Ctrl-C and 143 after SIGTERM. A second
    after that, nothing is waited for.
    """
    return trio.run(_run, overrides, as_json)


async def _run(overrides: Sequence[str], as_json: bool) -> int:
    signum = 0
    report: Report | None = None

    async def watch(
        everything: trio.CancelScope,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        nonlocal signum
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            signum = await anext(signals)
            everything.cancel(reason="a signal has come")

    async with trio.open_nursery() as nursery:
        await nursery.start(watch, nursery.cancel_scope)
        settings, failures = await _load(overrides, os.environ)
        examined = await examine(settings)
        report = Report((*failures, *examined.findings))
        nursery.cancel_scope.cancel(reason="the report is complete")
    if report is None:
        return 128 + signum
    return 1 if not _tell(report, as_json) or report.status == "error" else 0


def _tell(report: Report, as_json: bool) -> bool:
    """Print the report; says whether it has arrived, or nobody wants to read more of it."""
    try:
        if as_json:
            print(json.dumps(report.as_json(), indent=2), flush=True)
        else:
            report.show(Screen.of(sys.stdout, os.environ))
    except OSError as failure:
        # What is left in the buffer must not fail once more when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(failure, BrokenPipeError):
            reason = os_error_text(failure)
            print(f"Error: the report cannot be written: {reason}", file=sys.stderr)
            return False
    return True


async def _load(
    overrides: Sequence[str], environ: Mapping[str, str]
) -> tuple[Settings, list[Finding]]:
    """Load what a server would, or else what the environment says, and why."""
    load = partial(load_settings, overrides, environ=environ)
    try:
        with trio.fail_after(_PATIENCE):
            return await trio.to_thread.run_sync(load, abandon_on_cancel=True), []
    except SettingsError as failure:
        found = settings_failure(str(failure))
    except trio.TooSlowError:
        found = error("settings", f"no answer of the disk within {_PATIENCE:g} s", _HANGS)
    return load_environment(environ), [found]
