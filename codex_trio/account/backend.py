"""What knows the limits and the workspace of a ChatGPT account: asked with its token."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import attrs

from codex_trio.errors import RefreshError
from codex_trio.upstream import PATIENCE
from codex_trio.user_agent import is_header_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_trio.account.credentials import Credentials
    from codex_trio.account.recovery import Recoveries
    from codex_trio.account.refresh import Refresher
    from codex_trio.account.standing import Standing
    from codex_trio.settings import Settings
    from codex_trio.upstream import Reply, Upstream

UNAUTHORIZED: Final = 401

log = logging.getLogger(__name__)


class SignedOutError(RefreshError):
    """Nobody is signed in with whose token something could be asked."""

    def __init__(self) -> None:
        super().__init__("Nobody is signed in with ChatGPT.", "other")


@attrs.define(eq=False)
class Backend:
    """Asks with the token in force, and sees to another one when that is refused."""

    _settings: Settings
    _upstream: Upstream
    _refresher: Refresher
    _recoveries: Recoveries
    _standing: Standing
    _in_vain: dict[str, Credentials] = attrs.field(factory=dict, init=False)
    """What is refused by path, although the token has been renewed for it."""

    def url(self, path: str) -> str:
        """Say where something is asked: ``wham/usage``, or what another host calls it."""
        base = self._settings.chatgpt_base_url
        if "/backend-api" in base:
            return f"{base}/{path}"
        return f"{base}/api/codex/{path.removeprefix('wham/')}"

    async def get(
        self,
        path: str,
        agent: Mapping[str, str],
        *,
        patience: float = PATIENCE,
        recover: bool = True,
    ) -> Reply:
        """Ask for something; a 401 that comes back is one that nothing could be done about.

        A cancelled call leaves a renewal of the token running, which others may wait for.

        Args:
            path: what is asked, from ``wham/`` on.
            agent: the headers that say who we are.
            patience: seconds that each attempt may take.
            recover: whether a 401 is worth another token.

        Raises:
            SignedOutError: there is no token to ask with.
            UpstreamError: the host cannot be asked.
        """
        credentials = await self._refresher.fresh(agent)
        reply: Reply | None = None
        recovery = None
        while True:
            if credentials is None or credentials.mode == "apikey":
                raise SignedOutError
            reply = await self.get_as(credentials, path, agent, patience)
            if reply.succeeded or reply.status == UNAUTHORIZED:  # all else says nothing of it
                self._standing.note(credentials, refused=not reply.succeeded)
            if reply.status != UNAUTHORIZED or not recover:
                return reply
            if self._in_vain.get(path) == credentials:
                return reply  # who refuses an account for good would have it renewed for ever
            if recovery is None:
                recovery = self._recoveries.of(credentials, agent)
            if recovery.exhausted:
                self._in_vain[path] = credentials
            try:
                credentials = await recovery.next()
            except RefreshError as error:
                log.warning("%s was refused, and the token not renewed: %s", path, error)
                return reply

    async def get_as(
        self, credentials: Credentials, path: str, agent: Mapping[str, str], patience: float
    ) -> Reply:
        """Ask for something in somebody's name, once, whatever the answer is.

        Raises:
            UpstreamError: the host cannot be asked.
        """
        headers = self._headers(credentials, agent)
        return await self._upstream.get(self.url(path), headers=headers, patience=patience)

    def _headers(self, credentials: Credentials, agent: Mapping[str, str]) -> dict[str, str]:
        headers = {"user-agent": agent["user-agent"], "accept": "*/*"}
        if (tokens := credentials.tokens) is not None:
            headers["authorization"] = f"Bearer {tokens.access_token}"
            if tokens.account_id is not None and is_header_value(tokens.account_id):
                headers["chatgpt-account-id"] = tokens.account_id
        return headers
