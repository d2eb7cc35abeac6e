"""The present identity: what is in force of what is stored, or of what the host owns."""

from __future__ import annotations

import itertools
import logging
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, TypeVar

import attrs
import trio

from codex_trio.account.identity import identity, is_renewable
from codex_trio.errors import StoreError
from codex_trio.groups import describe_ways

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from codex_trio.account.credentials import Credentials
    from codex_trio.account.lock import Lock
    from codex_trio.account.policy import Policy
    from codex_trio.account.restrictions import Restrictions
    from codex_trio.account.storage import Store

_LOCK_PATIENCE: Final = 5.0  # seconds; another process changes the store in milliseconds

_RARELY: Final = 10  # looks at the store between two attempts to write it

T = TypeVar("T")

_NEVER: Final = object()  # stamps of what has not been read at all, and not since it changed
_UNSEEN: Final = object()

log = logging.getLogger(__name__)


@attrs.define(eq=False)
class Auth:
    """The identity of one account scope.

    What is stored is shared with other processes, so every change of it is made under a lock
    and begins with a look at what is there. What the host owns is in memory alone, and hides
    what is stored. Memory and store change together: between them there is no checkpoint.
    """

    _store: Store
    _restrictions: Restrictions
    _watch_interval: float
    recall: Callable[[Credentials | None], Awaitable[Policy | None]] | None = attrs.field(
        default=None, init=False
    )
    """Finds what the workspace of somebody is known to want, before they are in force."""
    changed: Callable[[], None] = attrs.field(default=lambda: None, init=False)
    """Called when somebody else is in force and nobody here has asked for that."""
    followers: list[Callable[[], None]] = attrs.field(factory=list, init=False)
    """Called when anything has changed, whoever has asked for it."""
    failure: str | None = attrs.field(default=None, init=False)
    """Why what is stored cannot be read, or what is in force cannot be stored."""
    _stored: Credentials | None = attrs.field(default=None, init=False)
    _hosted: Credentials | None = attrs.field(default=None, init=False)
    _stamp: object = attrs.field(default=_NEVER, init=False)  # of the store when it was read
    _unsaved: Credentials | None = attrs.field(default=None, init=False)
    """What is stored in the place of what could not be."""
    _changing: trio.Lock = attrs.field(factory=trio.Lock, init=False)

    @property
    def renewal_lock(self) -> Lock:
        """What is held while tokens of this store are renewed."""
        return self._store.locks.renewal

    @property
    def current(self) -> Credentials | None:
        """Whoever is signed in and may be, None when nobody is: a snapshot."""
        anybody = self.anybody
        return None if anybody is None or not self._restrictions.allow(anybody) else anybody

    @property
    def anybody(self) -> Credentials | None:
        """Whoever is signed in, also if they may not be."""
        return self._hosted or self._stored

    @property
    def hosted(self) -> bool:
        """Whether the host owns the tokens in force."""
        current = self.current
        return current is not None and current.mode == "chatgptAuthTokens"

    @property
    def store_kind(self) -> str:
        """What sort of store it is."""
        return self._store.kind

    @property
    def saved(self) -> bool:
        """Whether what is in force will be there when we come back."""
        lasting = self._store.kind != "ephemeral" and not self.unsaved
        return lasting and self._hosted is None and self._stored is not None

    @property
    def unsaved(self) -> bool:
        """Whether there are tokens that could not be stored."""
        return self._unsaved is not None

    @property
    def settled(self) -> bool:
        """Whether nothing has changed in the store since it was read; asks the disk."""
        return self._stamp == self._store.stamp()

    async def ready(self) -> None:
        """Read what is stored, if that has not been done yet."""
        if self._stamp is _NEVER:
            await self.look()

    async def look(self, *, again: bool = False) -> None:
        """Take on what is stored, if it may have changed, or in any case if ``again``.

        What cannot be read counts as signed out at the first look. Later it changes nothing:
        somebody may be writing it at this moment, as the original does, in place. In any case
        it stays as it is.
        """
        if self.settled and not again:
            return
        async with self._changing:
            if self.settled and not again:
                return
            first, before = self._stamp is _NEVER, self.current
            stamp = self._store.stamp()  # before it is read: it may change meanwhile
            try:
                stored = await _call(self._store.load())
            except StoreError as error:
                if self._stamp != stamp:
                    log.error("stored credentials cannot be used: %s", error)  # noqa: TRY400 - the text is all there is to know
                self.failure = str(error)
            else:
                if self.recall is not None and self._hosted is None:
                    policy = await self.recall(stored)
                    self._restrictions.policy = policy or self._restrictions.policy
                before = self.current
                self._take(stored)
            self._stamp = stamp
        if not first:  # in which case nobody has been told anything yet
            self._announce(before)

    async def sign_in(self, credentials: Credentials) -> None:
        """Store credentials and take them on; a cancelled call has done both or neither.

        Raises:
            StoreError: they could not be stored, and the former identity stays.
        """
        async with self._change():
            await _call(self._store.save(credentials))
            self._hosted = None
            self._take(credentials)

    async def sign_out(self) -> Credentials | None:
        """Remove what is stored and forget it; a cancelled call has done both or neither.

        Returns:
            Who was in force right before, which may be somebody whom others have stored.

        Raises:
            StoreError: it could not be removed, and the identity stays.
        """
        async with self._change():
            if not self.settled:
                before = self.current
                with suppress(StoreError):  # it is removed, whatever it is
                    self._take(await _call(self._store.load()))
                self._announce(before)
            former = self.current
            await _call(self._store.delete())
            self._hosted = None
            self._take(None)
            return former

    def host(self, credentials: Credentials) -> None:
        """Take on tokens that the host owns: nothing is stored, and what is stays hidden."""
        self._hosted = credentials
        self._tell_followers()

    def renew_hosted(self, former: Credentials, credentials: Credentials) -> bool:
        """Take on the host's new tokens; false if the former ones are not in force any more."""
        if self._hosted is None:
            if self._stored != former:
                return False
        elif self._hosted != former:
            return False
        before = self.current
        self.host(credentials)
        self._announce(before)
        return True

    async def renew(self, former: Credentials, credentials: Credentials) -> bool:
        """Store renewed tokens in the place of those that they have come for.

        Whoever has signed in or out meanwhile wins, here or in another process: then what is
        stored is taken on instead. What cannot be stored is in force all the same, and is
        stored when that is possible again; see ``save_rest``.

        Returns:
            Whether the renewed tokens are in force.
        """
        try:
            return await self._merge(former, credentials)
        except StoreError as error:
            if self._stored is None or not is_renewable(self._stored, former):
                return False
            log.error("renewed tokens cannot be stored: %s", error)  # noqa: TRY400 - the text is all there is to know
            before, self.failure = self.current, str(error)
            self._stored, self._unsaved = credentials, self._unsaved or former
            self._tell_followers()
            self._announce(before)
            return True

    async def save_rest(self) -> None:
        """Store what could not be stored before, if there is anything.

        Raises:
            StoreError: it still cannot be.
        """
        if self._unsaved is not None and self._stored is not None:
            await self._merge(self._unsaved, self._stored)

    async def _merge(self, former: Credentials, credentials: Credentials) -> bool:
        async with self._change():
            stored = await _call(self._store.load())
            ours = stored is not None and is_renewable(stored, self._unsaved or former)
            if stored is not None and ours:
                # All else that is stored may have been changed by others, and stays.
                stored = attrs.evolve(
                    stored, tokens=credentials.tokens, last_refresh=credentials.last_refresh
                )
                await _call(self._store.save(stored))
            before, self._unsaved = self.current, None
            self._take(stored)
            self._announce(before)
            return ours

    @asynccontextmanager
    async def _change(self) -> AsyncGenerator[None]:
        """Change the store within the block: alone, and whole, whoever is cancelled.

        Raises:
            StoreError: others are changing it all the time.
        """
        async with self._changing, self._store.locks.change.held(_LOCK_PATIENCE):
            try:
                with trio.CancelScope(shield=True):  # noqa: ASYNC100 - the body waits, and ends by itself
                    yield
            finally:
                # To be read again: what the stamp is now, others may have made of it.
                self._stamp = None if self._store.stamp() is None else _UNSEEN

    def _take(self, stored: Credentials | None) -> None:
        if self._unsaved is not None:
            if stored is not None and is_renewable(stored, self._unsaved):
                return  # we know better what is in force than the store
            self._unsaved = None
        self._stored, self.failure = stored, None
        if self.hidden:
            log.warning("stored credentials are ignored: they may not be used here")
        self._tell_followers()

    @property
    def hidden(self) -> bool:
        """Whether somebody is signed in who may not be."""
        return self.anybody is not None and self.current is None

    def restrict(self, policy: Policy) -> None:
        """Do what the workspace of whoever is signed in wants."""
        before = self.current
        self._restrictions.policy = policy
        self._announce(before)

    async def watch(self) -> None:
        """Take on what others store, and store what could not be, until cancelled."""
        for tick in itertools.count():
            await trio.sleep(self._watch_interval)
            rarely = tick % _RARELY == 0
            await self.look(again=rarely and self.failure is not None)
            if self._unsaved is not None and rarely:
                with suppress(StoreError):
                    await self.save_rest()

    def _tell_followers(self) -> None:
        for follow in self.followers:
            follow()

    def _announce(self, before: Credentials | None) -> None:
        if identity(before) != identity(self.current):
            self.changed()


async def _call(step: Awaitable[T]) -> T:
    """Have a store do something; what goes wrong in one of an embedder's is a failure of it.

    Raises:
        StoreError: it has failed.
    """
    try:
        return await step
    except StoreError:
        raise
    except Exception as error:
        log.error("the store has failed: %s", describe_ways(error))  # noqa: TRY400 - its text may be a secret
        raise StoreError(f"the store has failed: {type(error).__name__}") from None
