"""What the workspace of whoever is signed in wants, kept current in the background."""

from __future__ import annotations

import logging
import random
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import attrs
import trio

from codex_trio.account.following import Following
from codex_trio.account.lenient import read_json
from codex_trio.account.policy import Member, Policy, PolicyError, read_bundle
from codex_trio.account.policy_cache import Known
from codex_trio.errors import RefreshError, UpstreamError, os_error_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from codex_trio.account.credentials import Credentials
    from codex_trio.account.policy_cache import PolicyCache
    from codex_trio.upstream import Reply

BUNDLE: Final = "wham/config/bundle"

PATIENCE: Final = 15.0
"""Seconds in which the policy must be told, all attempts together."""

FRESH: Final = 30 * 60.0
"""Seconds for which a policy that was kept counts without anybody being asked."""

PAUSE: Final = 5 * 60.0
"""Seconds between two questions."""

_SOON: Final = 60.0  # seconds until the next question when nothing is known
_ATTEMPTS: Final = 5
_BACK_OFF: Final = 0.2  # seconds behind the first attempt, and twice as many behind each other
_JITTER: Final = 0.1  # of it, up and down
_SHORT: Final = 16 * 1024  # bytes that are read sooner than a thread begins

Source: TypeAlias = Literal["none", "backend", "cache", "unknown"]
"""Where a policy comes from: nobody has one; it was told now, or earlier; or nobody knows."""

log = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class PolicyStatus:
    """What is known of the policy in force.

    Args:
        policy: what is wanted, as far as it is known.
        source: how that is known.
        told_at: when the backend has said so, in Unix time.
        failure: why it does not say so now, if it has been asked and has not.
    """

    policy: Policy = attrs.field(factory=Policy)
    source: Source = "none"
    told_at: float | None = None
    failure: str | None = None


@attrs.define(eq=False)
class WorkspacePolicy:
    """Asks for the policy of a workspace when somebody signs in to it, and every five minutes.

    It never delays anybody: until a policy is known, the last one that was known of the same
    member counts, however old it is (it fails closed); where there never was one, there is none
    (it fails open), which is logged and can be seen. It goes with the account: when that is
    signed out, nothing of it is left in force.

    ::

        watch
        └─ keep(member)     cut when somebody else signs in

    Args:
        who: says who is signed in, also when what we know of the policy does not allow that.
        ask: asks the backend, with the account's token, and a patience in seconds.
        cache: where it is kept.
        changed: called when another policy is in force. Never waits.
    """

    _who: Callable[[], Credentials | None]
    _ask: Callable[[str, float], Awaitable[Reply]]
    _cache: PolicyCache
    changed: Callable[[], None] = attrs.field(default=lambda: None)
    status: PolicyStatus = attrs.field(factory=PolicyStatus, init=False)
    """What is known of the policy in force."""
    _told_of: Member | None = attrs.field(default=None, init=False)  # whose policy is in force
    _following: Following[Member] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._following = Following(self._member, self._keep)

    @property
    def current(self) -> Policy:
        """The policy in force."""
        return self.status.policy

    def notice(self) -> None:
        """Look soon who is signed in. Never waits."""
        self._following.notice()

    async def recall(self, credentials: Credentials | None) -> Policy | None:
        """Find the kept policy of somebody who is about to be in force, None if there is none.

        It is what ``current`` says from here on, and nobody is told.
        """
        member = Member.of(credentials)
        if member is None or member == self._told_of:
            return None  # what the backend has told since it was kept is newer
        kept = await self._cache.load(member)
        if kept is None:
            return None
        self._told_of, self.status = member, _status_of(kept)
        return kept.policy

    async def watch(self) -> None:
        """Keep the policy current until cancelled."""
        await self._following.follow()

    def _member(self) -> Member | None:
        return Member.of(self._who())

    async def _keep(self, member: Member | None) -> None:
        if member != self._told_of:
            self._told_of = None
            self._adopt(PolicyStatus(source="none" if member is None else "unknown"))
            if member is not None and (kept := await self._cache.load(member)) is not None:
                self._adopt(_status_of(kept))
            self._told_of = member
        if member is None:
            return
        told_at = self.status.told_at
        if told_at is not None and 0 <= time.time() - told_at < FRESH:
            await trio.sleep(PAUSE)
        while True:
            await self._renew(member)
            await trio.sleep(_SOON if self.status.source == "unknown" else PAUSE)
            self.notice()  # whose plan may have changed, of which nobody is told

    async def _renew(self, member: Member) -> None:
        try:
            policy = await self._fetch()
        except PolicyError as error:
            self._note_failure(str(error))
            return
        if self._member() != member:
            return  # it may be the policy of whoever is in force by now
        known = Known(policy, time.time())
        self._adopt(PolicyStatus(policy=policy, source="backend", told_at=known.told_at))
        try:
            await self._cache.save(member, known)
        except OSError as error:
            log.warning("the workspace's policy cannot be kept: %s", os_error_text(error))

    def _note_failure(self, failure: str) -> None:
        if failure != self.status.failure:  # or the log would be full of it
            counts = "none" if self.status.source == "unknown" else "the last one that is known"
            log.warning("%s; until it is known, %s counts", failure, counts)
        self._adopt(attrs.evolve(self.status, failure=failure))

    def _adopt(self, status: PolicyStatus) -> None:
        former, self.status = self.status, status
        if status.policy != former.policy:
            self.changed()

    async def _fetch(self) -> Policy:
        """Ask until there is an answer.

        Raises:
            PolicyError: there is none, or none that can be read.
        """
        failure = ""
        with trio.move_on_after(PATIENCE):
            for attempt in range(_ATTEMPTS):
                if attempt:
                    await trio.sleep(_back_off(attempt))
                try:
                    reply = await self._ask(BUNDLE, PATIENCE)
                    if (policy := await _read(reply)) is not None:
                        return policy
                    failure = f"the workspace's policy was not told: {reply.status_line}"
                except RefreshError as error:
                    raise PolicyError(f"the workspace's policy was not told: {error}") from None
                except UpstreamError as error:
                    failure = f"the workspace's policy was not told: {error}"
            raise PolicyError(failure)
        raise PolicyError(f"the workspace's policy was not told within {PATIENCE:g} seconds")


async def _read(reply: Reply) -> Policy | None:
    """Read a reply; None if it may be another one the next time.

    Raises:
        PolicyError: it says what cannot be read, or that the account's token does not count.
    """
    if reply.status == HTTPStatus.NOT_FOUND:
        return Policy()
    if reply.status == HTTPStatus.UNAUTHORIZED:
        raise PolicyError(f"the workspace's policy was not told: {reply.status_line}")
    if not reply.succeeded:
        return None
    if len(reply.body) <= _SHORT:
        return _parse(reply.body)
    return await trio.to_thread.run_sync(_parse, reply.body)  # nobody else is to wait for it


def _parse(body: bytes) -> Policy | None:
    try:
        bundle = read_json(body)
    except ValueError:
        return None
    return read_bundle(bundle)


def _status_of(kept: Known) -> PolicyStatus:
    return PolicyStatus(policy=kept.policy, source="cache", told_at=kept.told_at)


def _back_off(attempt: int) -> float:
    wait: float = _BACK_OFF * 2 ** (attempt - 1)
    return wait * random.uniform(1 - _JITTER, 1 + _JITTER)
