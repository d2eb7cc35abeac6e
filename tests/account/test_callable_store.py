"""A store of an embedder's own, made of functions that block."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import attrs
import pytest

from codex_trio.account.credentials import Credentials
from codex_trio.account.storage import CallableStore
from codex_trio.errors import StoreError

if TYPE_CHECKING:
    from trio.testing import MockClock

KEY = Credentials.of_api_key("sk-secret")


@attrs.define(eq=False)
class Shelf:
    """Where an embedder keeps things."""

    content: bytes | None = None
    error: Exception | None = None
    forgets: bool = False
    threads: list[threading.Thread] = attrs.field(factory=list)

    @property
    def store(self) -> CallableStore:
        return CallableStore(load=self.load, save=self.save, delete=self.delete, kind="shelf")

    def load(self) -> bytes | None:
        self.enter()
        return self.content

    def save(self, content: bytes) -> None:
        self.enter()
        if not self.forgets:
            self.content = content

    def delete(self) -> None:
        self.enter()
        if not self.forgets:
            self.content = None

    def enter(self) -> None:
        self.threads.append(threading.current_thread())
        if self.error is not None:
            raise self.error


async def test_the_functions_get_an_auth_json_and_their_own_thread() -> None:
    shelf = Shelf()
    await shelf.store.save(KEY)
    assert shelf.content is not None
    assert json.loads(shelf.content) == {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-secret"}
    assert await shelf.store.load() == KEY
    await shelf.store.delete()
    assert shelf.content is None
    assert threading.main_thread() not in shelf.threads
    assert (shelf.store.kind, shelf.store.stamp()) == ("shelf", None)


async def test_what_they_return_may_be_of_no_use() -> None:
    with pytest.raises(StoreError, match="not a JSON object"):
        await Shelf(b"[]").store.load()


@pytest.mark.parametrize("stored", [None, KEY.encode()])
async def test_nothing_is_claimed_that_is_not_so(stored: bytes | None) -> None:
    shelf = Shelf(stored, forgets=True)
    with pytest.raises(StoreError, match=r"^what has been stored does not read back$"):
        await shelf.store.save(Credentials.of_api_key("another"))
    if stored is not None:
        with pytest.raises(StoreError, match=r"^what has been removed is still there$"):
            await shelf.store.delete()


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (StoreError("the shelf is full"), "the shelf is full"),
        (OSError(28, "?"), "No space left on device (os error 28)"),
        (ValueError("sk-secret"), "ValueError"),
    ],
)
async def test_what_they_raise_is_told_without_secrets(
    error: Exception, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = Shelf(error=error).store
    for work in (store.load, lambda: store.save(KEY), store.delete):
        with pytest.raises(StoreError) as told:
            await work()
        assert str(told.value) == text
    assert "sk-secret" not in caplog.text
    assert ("ValueError" in caplog.text) == (text == "ValueError")


async def test_one_that_hangs_is_late(patient_clock: MockClock) -> None:
    typed = threading.Event()
    store = CallableStore(
        load=lambda: None, save=lambda _: typed.wait(), delete=typed.wait, patience=60
    )
    try:
        with pytest.raises(
            StoreError, match=r"^the store has not answered within 60 s; whether"
        ):
            await store.save(KEY)
        assert patient_clock.current_time() == pytest.approx(60)
    finally:
        typed.set()
