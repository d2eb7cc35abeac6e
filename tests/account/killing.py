"""A program that does something to a home, and kills itself at some step of it.

A step is what a process does to the world: a call that opens, writes, renames or locks a file, or
sends or receives something. It is killed right before it, or with half of it written. Each line of
input is a task in JSON, done by a fork of this process, where everything is loaded already; each
line of output lists the steps that were taken.
"""

from __future__ import annotations

import builtins
import fcntl
import io
import json
import os
import signal
import socket
import sys
import traceback
from collections import Counter
from functools import wraps
from typing import Any


class Steps:
    """Counts the steps of this process by their names, and ends it at one of them."""

    def __init__(self) -> None:
        self.counting = False
        self.last: tuple[str, int] | None = None
        """At which one of which name it ends."""
        self.report = -1
        """Where the steps are told."""
        self.taken: Counter[str] = Counter()

    def take(self, name: str) -> None:
        if self.counting:
            self.taken[name] += 1
            WRITE(self.report, f"{name}\n".encode())
            if (name, self.taken[name]) == self.last:
                os.kill(os.getpid(), signal.SIGKILL)


STEPS = Steps()

WAYS: dict[str, tuple[str, Any]] = {
    "refresh": ("account/read", {"refreshToken": True}),
    "sign in": ("account/login/start", {"type": "apiKey", "apiKey": "sk-new-secret"}),
    "sign out": ("account/logout", None),
}

WRITE = os.write
FAMILIES = (socket.AF_INET, socket.AF_INET6)  # Trio wakes itself up with others


def count(owner: Any, name: str) -> None:
    """Count the calls of a function."""
    original = getattr(owner, name)

    @wraps(original)
    def step(*args: Any, **kwargs: Any) -> Any:
        if not isinstance(args[0], socket.socket) or args[0].family in FAMILIES:
            STEPS.take(name)
        return original(*args, **kwargs)

    setattr(owner, name, step)


class TornFile(io.FileIO):
    """A file whose first write is a short one."""

    torn = False

    def write(self, data: Any) -> int:
        STEPS.take("torn write" if self.torn else "write")
        self.torn, half = True, len(data) if self.torn else len(data) // 2
        return super().write(data[:half])


def open_torn(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
    if mode == "wb" and kwargs == {"buffering": 0}:
        return TornFile(file, mode)
    return OPEN(file, mode, *args, **kwargs)


OPEN = builtins.open


def write(fd: int, data: Any) -> int:
    STEPS.take("note")
    half = WRITE(fd, data[: len(data) // 2])
    STEPS.take("torn note")
    return half + WRITE(fd, data[half:])


WRITE = os.write

# Before Trio is loaded, which takes the methods of sockets as they are then.
for name in ("open", "read", "close", "fsync", "replace", "unlink", "makedirs", "ftruncate"):
    count(os, name)
count(fcntl, "flock")
for name in ("connect", "send", "recv", "close"):
    count(socket.socket, name)
builtins.open = open_torn
os.write = write

import trio  # noqa: E402 - see above

from codex_trio.account.storage import open_store  # noqa: E402, F401 - loaded before the fork
from codex_trio.settings import Settings  # noqa: E402
from codex_trio.testing import open_memory_client  # noqa: E402


async def do(settings: Settings, way: str) -> None:
    async with open_memory_client(settings) as client:
        await client.initialize()
        STEPS.counting = True
        await client.call(*WAYS[way])
        STEPS.counting = False


def do_in_fork(way: str, last: list[Any] | None, settings: dict[str, Any]) -> list[str]:
    """Do something in a child; returns the steps that it has taken, the last before its end."""
    readable, STEPS.report = os.pipe()
    if (child := os.fork()) == 0:
        code = 1
        try:
            STEPS.last = None if last is None else (last[0], last[1])
            ports = tuple(settings.pop("login_callback_ports"))
            trio.run(do, Settings(**settings, login_callback_ports=ports), way)
            code = 0
        except Exception:  # nothing of the parent's may run here
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(STEPS.report)
    with OPEN(readable, encoding="utf-8") as report:
        steps = report.read().split("\n")[:-1]
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise ChildProcessError("it has failed")
    return steps


def main() -> None:
    import httpx  # noqa: F401 - loaded before the fork

    import codex_trio.http_client  # noqa: F401 - loaded before the fork

    for line in sys.stdin:
        print(json.dumps(do_in_fork(**json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
