"""``python -m codex_trio``, and where ``codex-trio`` begins."""

from __future__ import annotations

import os
import signal


def main() -> None:
    """Run the command line; see ``codex_trio.commands``.

    Until somebody takes it, Ctrl-C ends the process, as it would any other. Python's own handler
    would raise an exception wherever the process is, which is within imports for most of that
    time: there it may be swallowed, or crash a module in C that does not expect it.
    """
    parent = os.getppid()  # before it can be gone
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from codex_trio.commands import run

    run(parent)


if __name__ == "__main__":
    main()
