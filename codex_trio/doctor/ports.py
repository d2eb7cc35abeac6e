"""The ports of the login callback."""

from __future__ import annotations

import errno
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from codex_trio.account.ports import TakenPort, find_holder, is_login
from codex_trio.doctor.report import error, ok, unless, warning
from codex_trio.errors import os_error_text

if TYPE_CHECKING:
    from codex_trio.doctor.case import Case
    from codex_trio.doctor.report import Finding

_LOOPBACK: Final = "127.0.0.1"
_OTHERS: Final = (
    "Stop that program, or choose other ports: login_callback_ports = [1457, 0] in config.toml;"
    " codex-trio login --device-auth needs none."
)


async def check_ports(case: Case) -> list[Finding]:
    """Try to listen on each port for a moment, and say who has those that are taken.

    Nobody is asked to leave: the original's ``GET /cancel`` would end a sign-in.
    """
    ports = case.settings.login_callback_ports
    taken = [one for port in ports if (one := await _try(case, port)) is not None]
    free = [port for port in ports if port not in {one.port for one in taken}]
    give_way = case.settings.cancel_other_login
    problems = [await _judge(one, bool(free), give_way) for one in taken]
    named = ", ".join("any" if port == 0 else str(port) for port in free)
    return unless(problems, ok("ports", f"free for the login callback: {named}"))


async def _try(case: Case, port: int) -> TakenPort | None:
    where = f"Port {_LOOPBACK}:{port}"
    try:
        (listener,) = await trio.open_tcp_listeners(port, host=_LOOPBACK)
    except OSError as failure:
        if failure.errno != errno.EADDRINUSE:
            reason = f"{where} cannot be used: {os_error_text(failure)}"
            return TakenPort(port=port, reason=reason)
        holder = await case.in_thread(partial(find_holder, port))
        return TakenPort(port=port, reason=f"{where} is already in use", holder=holder)
    await listener.aclose()
    return None


async def _judge(taken: TakenPort, others: bool, give_way: bool) -> Finding:
    if await is_login(taken.port):
        summary = f"{taken}: a Codex login"
        if give_way:
            advice = "Finish that login, or start another one: it is asked to give way."
            return warning("ports", summary, advice)
        return (warning if others else error)(
            "ports", summary, "Finish that login, or cancel it; then start another one."
        )
    return (warning if others else error)("ports", str(taken), _OTHERS)
