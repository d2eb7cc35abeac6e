"""All checks at once, each with a time of its own."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Final

import attrs
import trio

from codex_trio.doctor import account, configuration, home, host, network, ports, routes
from codex_trio.doctor.case import Case
from codex_trio.doctor.report import Report, error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from codex_trio.doctor.report import Finding
    from codex_trio.settings import Settings

_GOODBYE: Final = 0.5  # seconds

_DISK: Final = (
    "The disk hangs, or a network behind it. Move CODEX_HOME to a local one, or wait for it."
)
_KEYRING: Final = (
    'Unlock or restart the keyring, or set cli_auth_credentials_store = "file" in config.toml.'
)
_CERTIFICATES: Final = (
    "Let CODEX_CA_CERTIFICATE or SSL_CERT_FILE name a plain file on a local disk, or unset it."
)
_SLOW: Final = "Is the network there? See the other findings, and try again."


@attrs.frozen
class _Check:
    """A look at something.

    Args:
        name: as findings have it.
        look: finds out; may be cancelled at any time.
        patience: seconds that it may take.
        advice: what to do when it takes longer.
    """

    name: str
    look: Callable[[Case], Awaitable[Sequence[Finding]]]
    patience: float
    advice: str

    async def findings(self, case: Case) -> Sequence[Finding]:
        """Look, and say so if that takes too long or fails in a way that nobody foresaw."""
        try:
            with trio.fail_after(self.patience):
                return await self.look(case)
        except trio.TooSlowError:
            return [error(self.name, f"no answer within {self.patience:g} s", self.advice)]
        except Exception as failure:  # its text may quote a secret
            summary = f"the check itself has failed ({type(failure).__name__})"
            return [error(self.name, summary, "Please report this.")]


def _on_disk(
    name: str, look: Callable[[Case], Sequence[Finding]], advice: str = _DISK
) -> _Check:
    async def in_thread(case: Case) -> Sequence[Finding]:
        return await case.in_thread(partial(look, case))

    return _Check(name, in_thread, 8, advice)


CHECKS: Final = (
    _on_disk("versions", host.look_at_versions),
    _on_disk("files", host.look_at_open_files),
    _on_disk("home", home.look_at_home),
    _Check("config", configuration.check_config, 8, _DISK),
    _on_disk("store", account.look_at_store),
    _Check("locks", account.check_locks, 8, _DISK),
    _Check("keyring", account.check_keyring, 8, _KEYRING),
    _Check("account", account.check_account, 8, _DISK),
    _on_disk("threads", home.look_at_threads),
    _Check("ports", ports.check_ports, 8, _SLOW),
    _Check("proxy", routes.check_proxy, 14, _SLOW),
    _on_disk("certificates", routes.look_at_certificates, _CERTIFICATES),
    _Check("issuer", network.check_issuer, 14, _SLOW),
    _Check("clock", network.check_clock, 14, _SLOW),
    _Check("backend", network.check_backend, 14, _SLOW),
    _Check("provider", network.check_provider, 15, _SLOW),
)
"""What is looked at, in the order in which it is reported."""


async def examine(settings: Settings, *, environ: Mapping[str, str] = os.environ) -> Report:
    """Look at everything that has to do with signing in and asking models.

    Takes 16 seconds at most; what hangs is left behind in a worker thread. Nothing is changed but for
    files that are written and removed at once, no token is sent, and no part of the report is a
    secret. A cancelled call leaves nothing but such threads.

    Args:
        settings: what a server would be started with.
        environ: from which they were read, for variables that do not count and for the keys of
            model providers.
    """
    case = Case(settings, environ)
    found: dict[str, Sequence[Finding]] = {}

    async def run(check: _Check) -> None:
        found[check.name] = await check.findings(case)

    try:
        async with trio.open_nursery() as nursery:
            for check in CHECKS:
                nursery.start_soon(run, check)
    finally:
        with trio.move_on_after(_GOODBYE, shield=True):
            await case.aclose()
    return Report(tuple(one for check in CHECKS for one in found[check.name]))
