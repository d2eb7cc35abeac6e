"""What is examined, and what several checks have to know of it."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import attrs
import trio

from codex_trio.account.credentials import Credentials
from codex_trio.account.file_store import MAX_SIZE, FileStore
from codex_trio.account.keyring_store import KeyringMissingError, KeyringStore
from codex_trio.errors import CodexTrioError, StoreError, TrustError, os_error_text
from codex_trio.plain_files import open_plain

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    import httpx

    from codex_trio.configuration.layers import Effective
    from codex_trio.doctor.probe import Reached
    from codex_trio.settings import Settings

T = TypeVar("T")

DISCOVERY: Final = "/.well-known/openid-configuration"
"""What the issuer is asked for (OpenID Connect Discovery 1.0, section 4); any answer will do."""

_PATIENCE: Final = 6.0  # seconds for what others wait for; a keyring has five
_THREADS: Final = 32


@attrs.define(eq=False, repr=False)
class Shared(Generic[T]):
    """Something that is found out once, by who needs it first, and if it fails fails for all."""

    _find: Callable[[], Awaitable[T]]
    _lock: trio.Lock = attrs.field(factory=trio.Lock, init=False)
    _found: list[T] = attrs.field(factory=list, init=False)
    _failure: CodexTrioError | None = attrs.field(default=None, init=False)

    async def get(self) -> T:
        """Return it; who is cancelled leaves finding it to the next.

        Raises:
            CodexTrioError: it could not be found out.
        """
        async with self._lock:
            if self._failure is None and not self._found:
                try:
                    self._found.append(await self._find())
                except CodexTrioError as error:
                    self._failure = error
        if self._failure is not None:
            raise self._failure
        return self._found[0]


@attrs.define(eq=False, repr=False)  # of URLs with passwords, for one
class Case:
    """What is examined.

    Args:
        settings: as a server would have them.
        environ: from which they were read.
    """

    settings: Settings
    environ: Mapping[str, str]
    stored: Shared[Credentials | None] = attrs.field(init=False)
    client: Shared[httpx.AsyncClient] = attrs.field(init=False)
    effective: Shared[Effective] = attrs.field(init=False)
    issuer: Shared[Reached] = attrs.field(init=False)
    _limit: trio.CapacityLimiter = attrs.field(
        factory=partial(trio.CapacityLimiter, _THREADS), init=False
    )

    def __attrs_post_init__(self) -> None:
        self.stored = Shared(self._load)
        self.client = Shared(self._open_client)
        self.effective = Shared(self._read_configuration)
        self.issuer = Shared(partial(self.ask, self.settings.issuer + DISCOVERY))

    @property
    def auth_file(self) -> Path:
        """Where credentials are that are kept in a file."""
        return self.settings.codex_home / "auth.json"

    async def in_thread(self, look: Callable[[], T]) -> T:
        """Look at what may hang; a cancelled call leaves its thread behind, and returns."""
        return await trio.to_thread.run_sync(look, limiter=self._limit, abandon_on_cancel=True)

    async def ask(self, url: str) -> Reached:
        """Ask for a URL as a server would, but for nobody.

        Raises:
            UnreachedError: nobody has answered.
            TrustError: the certificates to trust cannot be used.
        """
        client = await self.client.get()
        from codex_trio.doctor.probe import probe

        return await probe(client, url, self.settings.proxies)

    async def aclose(self) -> None:
        """Close what connections there are."""
        if self.client._found:
            await self.client._found[0].aclose()

    async def _load(self) -> Credentials | None:
        """Read what is stored as a server would, but change nothing and wait for nobody.

        Raises:
            StoreError: it cannot be used, or not be known.
        """
        with trio.move_on_after(_PATIENCE):
            return await self._read_store()
        raise StoreError(f"the store has not answered within {_PATIENCE:g} s")

    async def _read_store(self) -> Credentials | None:
        kind = self.settings.credentials_store
        if kind == "ephemeral":
            return None
        if kind in ("file", "auto"):
            stored = await self.in_thread(partial(read_auth_file, self.auth_file))
            if stored is not None or kind == "file":
                return stored
        # In a thread, too: it asks the disk where the file really is.
        store = await self.in_thread(
            lambda: KeyringStore(self.settings.codex_home, FileStore(self.auth_file))
        )
        try:
            return await store.load()
        except KeyringMissingError:
            if kind == "auto":
                return None
            raise

    async def _open_client(self) -> httpx.AsyncClient:
        def open_client() -> httpx.AsyncClient:
            from codex_trio.http_client import open_http_client

            return open_http_client(self.settings)

        with trio.move_on_after(_PATIENCE):
            return await self.in_thread(open_client)
        raise TrustError(f"the certificates cannot be read within {_PATIENCE:g} s")

    async def _read_configuration(self) -> Effective:
        from codex_trio.configuration.reading import Configuration

        return await Configuration(self.settings).read(await self.in_thread(_present_folder))


def _present_folder() -> str | None:
    with suppress(OSError):  # it has been removed
        return os.getcwd()
    return None


def read_auth_file(path: Path) -> Credentials | None:
    """Read ``auth.json``, and leave everything as it is; blocks.

    Raises:
        StoreError: it cannot be read, or not be used.
    """
    try:
        with open_plain(path) as file:
            content = file.read(MAX_SIZE + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        no_file = error.errno == errno.EINVAL  # as `open_plain` says it
        raise StoreError("not a file" if no_file else os_error_text(error)) from None
    if len(content) > MAX_SIZE:
        raise StoreError(f"longer than {MAX_SIZE} bytes")
    return Credentials.decode(content)
