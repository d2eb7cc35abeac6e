"""Devices that wait for a code to be typed elsewhere. No I/O, no Trio."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import attrs
from attrs.validators import ge, in_, instance_of, optional

from codex_trio.testing.issuer import Grant, Issuer, challenge_of
from codex_trio.testing.replies import RefusedError, required
from codex_trio.testing.tokens import Account, make_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"  # RFC 8628, section 6.1: no words come of them
_COUNT: Final[Any] = optional([instance_of(int), ge(0)])
_STATUS: Final[Any] = in_([int(status) for status in HTTPStatus if status >= HTTPStatus.OK])


@attrs.define(kw_only=True)
class DeviceScript:
    """How signing in with a device code goes.

    Args:
        approve_after: polls that are told to wait before one succeeds; None waits for somebody
            who types the code, or for ``approve_device``.
        refuse: a status that every poll is answered with.
        pending: the status that tells a poll to wait: 403 or 404.
        interval: what the device is told of the time between polls, as it is sent.
    """

    approve_after: int | None = attrs.field(default=None, validator=_COUNT)
    refuse: int | None = attrs.field(default=None, validator=optional(_STATUS))
    pending: int = attrs.field(default=403, validator=_STATUS)
    interval: Any = "1"


@attrs.define(eq=False)
class _Device:
    id: str
    user_code: str
    client_id: str
    polls: int = 0
    account: Account | None = None


@attrs.define(eq=False)
class Devices:
    """Keeps who waits, and who was approved."""

    _issuer: Issuer
    _waiting: dict[str, _Device] = attrs.field(factory=dict, init=False)

    def start(self, fields: Mapping[str, Any], script: DeviceScript) -> dict[str, Any]:
        """Give a device its codes."""
        letters = "".join(secrets.choice(_LETTERS) for _ in range(8))
        device = _Device(
            id=make_secret("device"),
            user_code=f"{letters[:4]}-{letters[4:]}",
            client_id=required(fields, "client_id"),
        )
        self._waiting[device.id] = device
        return {
            "device_auth_id": device.id,
            "user_code": device.user_code,
            "interval": script.interval,
        }

    def approve(self, user_code: str, account: Account) -> None:
        """Let the device with this code sign in to an account.

        Raises:
            KeyError: no device waits with this code.
        """
        typed = user_code.strip().upper()
        for device in self._waiting.values():
            if device.user_code == typed:
                device.account = account
                return
        raise KeyError(user_code)

    def poll(
        self,
        fields: Mapping[str, Any],
        script: DeviceScript,
        account: Account,
        redirect_uri: str,
    ) -> dict[str, Any]:
        """Answer a device that asks whether it may; the account is whose the script approves.

        Raises:
            RefusedError: not yet, or never.
        """
        device = self._waiting.get(required(fields, "device_auth_id"))
        if device is None or device.user_code != required(fields, "user_code"):
            raise RefusedError.coded(400, "deviceauth_invalid", "No device waits with these.")
        if script.refuse is not None:
            raise RefusedError.coded(script.refuse, "deviceauth_refused", "It may not.")
        if script.approve_after is not None and device.polls >= script.approve_after:
            device.account = device.account or account
        device.polls += 1
        if device.account is None:
            code = "deviceauth_authorization_pending"
            raise RefusedError.coded(script.pending, code, "Nobody has typed the code yet.")
        del self._waiting[device.id]
        verifier = make_secret("verifier") + secrets.token_hex(16)
        grant = Grant(device.account, device.client_id, redirect_uri, challenge_of(verifier))
        return {
            "authorization_code": self._issuer.grant_code(grant),
            "code_challenge": grant.challenge,
            "code_verifier": verifier,
        }
