"""Signing in with a code that is typed elsewhere (RFC 8628, in the original's dialect)."""

from __future__ import annotations

import logging
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, ClassVar, Final

import attrs
import trio

from codex_trio.errors import LoginError, UpstreamError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from codex_trio.account.attempt import Attempt, GiveWay
    from codex_trio.account.oauth import DeviceCode, Grant, Issuer

log = logging.getLogger(__name__)

_MIN_INTERVAL: Final = 1.0
_MAX_INTERVAL: Final = 60.0


@asynccontextmanager
async def open_device_code_login(
    issuer: Issuer, _give_way: GiveWay
) -> AsyncGenerator[DeviceCodeLogin]:
    """Ask for a code that is good within the block.

    Raises:
        DeviceCodeError: the issuer gives none.
        UpstreamError: the issuer cannot be asked.
    """
    yield DeviceCodeLogin(issuer, await issuer.request_device_code())


@attrs.define(eq=False)
class DeviceCodeLogin:
    """A sign-in that asks, again and again, whether its code has been typed."""

    patience: ClassVar[float] = 900.0
    prefix: ClassVar[str] = ""
    too_late: ClassVar[str] = "device auth timed out after 15 minutes"

    _issuer: Issuer
    code: DeviceCode
    port: int | None = attrs.field(default=None, init=False)
    expires_at: int = attrs.field(init=False)
    """When it is too late, in seconds of Unix time."""

    def __attrs_post_init__(self) -> None:
        self.expires_at = int(time.time() + self.patience)

    @property
    def interval(self) -> float:
        """Seconds between two questions: what the issuer wants, but not less than one."""
        return max(float(self.code.interval), _MIN_INTERVAL)

    async def run(self, attempt: Attempt, nursery: trio.Nursery) -> None:
        """Poll until the code is typed, then redeem what that has brought. See ``Login.run``."""
        credentials = await self._issuer.redeem(
            await self._poll(), "device code exchange failed: "
        )
        try:
            await attempt.keep(credentials)
        except LoginError as error:  # there is no page for the details
            raise LoginError(error.details or str(error)) from None

    async def _poll(self) -> Grant:
        interval = self.interval
        while True:
            try:
                grant = await self._issuer.poll_device_code(self.code)
            except UpstreamError as error:
                # It could not be asked, which says nothing about the code. Ask it less often
                # (RFC 8628, section 3.5); where the original gives up.
                log.warning("the issuer could not be asked about a device code: %s", error)
                interval = min(interval * 2, max(interval, _MAX_INTERVAL))
            else:
                if grant is not None:
                    return grant
            await trio.sleep(interval)
