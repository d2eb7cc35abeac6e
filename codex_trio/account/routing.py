"""Where the requests of a workspace go, found out in the background."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

import attrs
import trio

from codex_trio.account.following import Following
from codex_trio.account.lenient import read_json, read_object
from codex_trio.errors import CodexTrioError, RefreshError, UpstreamError
from codex_trio.protocol.account import WorkspaceRouting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from codex_trio.account.credentials import Credentials
    from codex_trio.upstream import Reply

Override: TypeAlias = Literal["NO_CONSTRAINT", "us", "us_cr"]

CHECK: Final = "wham/accounts/check"

PATIENCE: Final = 15.0
"""Seconds in which it must be told, as in 0.163.0."""

_FIRST_PAUSE: Final = 60.0  # seconds until it is asked again, and twice as many each time …
_LONGEST_PAUSE: Final = 3600.0  # … up to these
_OVERRIDES: Final[dict[object, Override]] = {name: name for name in get_args(Override)}

log = logging.getLogger(__name__)


class RoutingError(CodexTrioError):
    """It is not known where requests go; the texts are those of 0.163.0."""


@attrs.define(eq=False)
class Routing:
    """Asks where requests go when somebody signs in, and remembers it for their workspace.

    Nobody waits for it. (The original does not sign anybody in without it, and answers
    ``account/read`` with an error.)

    Args:
        who: says who is signed in.
        ask: asks the backend, with the account's token, and a patience in seconds.
    """

    _who: Callable[[], Credentials | None]
    _ask: Callable[[str, float], Awaitable[Reply]]
    _known: dict[str, WorkspaceRouting] = attrs.field(factory=dict, init=False)
    _following: Following[str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._following = Following(self._account_id, self._discover)

    @property
    def current(self) -> WorkspaceRouting | None:
        """Where the requests of whoever is signed in go, None while that is not known."""
        account_id = self._account_id()
        return None if account_id is None else self._known.get(account_id)

    def notice(self) -> None:
        """Look soon who is signed in. Never waits."""
        self._following.notice()

    async def watch(self) -> None:
        """Find out for whoever is signed in, until cancelled."""
        await self._following.follow()

    def _account_id(self) -> str | None:
        credentials = self._who()
        if credentials is None or credentials.mode == "apikey" or credentials.tokens is None:
            return None
        return credentials.tokens.account_id

    async def _discover(self, account_id: str | None) -> None:
        pause = _FIRST_PAUSE
        while account_id is not None and account_id not in self._known:
            try:
                self._known[account_id] = await self._fetch(account_id)
            except RoutingError as error:
                log.warning("%s", error)
                await trio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _fetch(self, account_id: str) -> WorkspaceRouting:
        try:
            with trio.fail_after(PATIENCE):
                reply = await self._ask(CHECK, PATIENCE)
        except trio.TooSlowError:
            raise RoutingError("workspace routing discovery timed out") from None
        except (RefreshError, UpstreamError) as error:
            raise RoutingError(f"workspace routing discovery failed: {error}") from None
        if not reply.succeeded:
            raise RoutingError(f"workspace routing discovery failed: {reply.status_line}")
        try:
            payload = read_json(reply.body)
        except ValueError as error:
            raise RoutingError(f"workspace routing discovery failed: {error}") from None
        return read_routing(payload, account_id)


def read_routing(payload: object, account_id: str) -> WorkspaceRouting:
    """Find a workspace in the reply to ``wham/accounts/check``.

    Raises:
        RoutingError: it is not there, is there twice, or is served from what is no origin.
    """
    accounts = read_object(payload).get("accounts", [])
    if not isinstance(accounts, list):
        raise RoutingError("workspace routing discovery failed: no list of accounts")
    found = [one for one in map(read_object, accounts) if one.get("id") == account_id]
    if not found:
        raise RoutingError("selected workspace missing from routing discovery")
    if len(found) > 1:
        raise RoutingError("duplicate workspace in routing discovery")
    override = found[0].get("account_routing_override")
    if not isinstance(override, str) or override not in _OVERRIDES:
        raise RoutingError("workspace routing discovery has invalid account routing override")
    return WorkspaceRouting(
        chatgpt_account_id=account_id,
        backend_origin=_read_origin(found[0].get("workspace_backend_origin")),
        account_routing_override=_OVERRIDES[override],
    )


def _read_origin(origin: object) -> str:
    if not isinstance(origin, str):
        raise RoutingError("workspace routing discovery missing backend origin")
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        raise RoutingError("workspace routing discovery must return an origin") from None
    if parts.scheme != "https" or "@" in parts.netloc or not parts.hostname:
        raise RoutingError("workspace backend must use an HTTPS origin without credentials")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise RoutingError("workspace routing discovery must return an origin")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"https://{host}" if port is None else f"https://{host}:{port}"
