"""All checks at once: nothing hangs, nothing is lost, nothing is given away."""

from __future__ import annotations

import json
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.doctor import examination, examine
from codex_trio.doctor.case import Case, Shared
from codex_trio.doctor.examination import CHECKS, _Check, _on_disk
from codex_trio.errors import StoreError
from codex_trio.settings import Settings
from tests.doctor.conftest import SECRET, told
from tests.doctor.test_account import chatgpt, put

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from codex_trio.testing import StandIn

NAMES = [check.name for check in CHECKS]


def snapshot(home: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in home.rglob("*") if path.is_file()}


async def test_a_good_home_has_no_error_and_stays_as_it_is(
    home: Path, stand_in: StandIn
) -> None:
    put(home, chatgpt(3600))
    before = snapshot(home)
    report = await examine(stand_in.settings(home, system_config=None), environ={})
    assert [one.check for one in report.findings] == NAMES
    others = [one for one in report.findings if one.check != "files"]  # this machine's
    assert {one.status for one in others} == {"ok", "skipped"}
    assert snapshot(home) == before
    assert SECRET not in json.dumps(report.as_json())


async def test_no_secret_is_told_whatever_is_wrong(home: Path, stand_in: StandIn) -> None:
    put(home, json.dumps({"auth_mode": SECRET, "OPENAI_API_KEY": SECRET}))
    at = stand_in.url.removeprefix("http://")
    (home / "config.toml").write_text(
        f'model_provider = "x"\nmodel_providers.x = "{SECRET}"', encoding="utf-8"
    )
    settings = Settings(
        codex_home=home,
        issuer=f"http://ada:{SECRET}@{at}/x?key={SECRET}#{SECRET}",
        chatgpt_base_url=f"http://{SECRET}:{SECRET}@{at}?{SECRET}",
        proxies={"https": f"http://ada:{SECRET}@127.0.0.1:1", "all": f"socks://{SECRET}@h:1"},
        login_callback_ports=(0,),
        config={"model_providers": {"x": {"experimental_bearer_token": SECRET}}},
    )
    environ = {"HTTPS_PROXY": SECRET, "https_proxy": f"{SECRET}!", "OPENAI_API_KEY": SECRET}
    report = await examine(settings, environ=environ)
    assert report.status == "error"
    assert SECRET not in json.dumps(report.as_json())
    assert SECRET not in repr(report)
    assert SECRET not in repr(Case(settings, environ))


def checks(*some: _Check) -> tuple[_Check, ...]:
    return some


async def test_a_disk_that_hangs_is_left_behind(
    home: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    wakes = threading.Event()

    def hang(_: Case) -> list[Any]:
        wakes.wait()
        return []

    some = checks(*(_on_disk(name, hang) for name in ("home", "store")))
    monkeypatch.setattr(examination, "CHECKS", some)
    try:
        report = await examine(Settings(codex_home=home))
    finally:
        wakes.set()
    assert told(report.findings) == [("error", "no answer within 8 s")] * 2
    assert trio.current_time() < 10
    assert report.findings[0].advice is not None
    assert report.findings[0].advice.startswith("The disk hangs")


async def test_a_check_that_fails_is_a_finding_without_its_text(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: Case) -> list[Any]:  # noqa: ASYNC124 - a check
        raise KeyError(SECRET)

    monkeypatch.setattr(examination, "CHECKS", checks(_Check("odd", fail, 1, "")))
    report = await examine(Settings(codex_home=home))
    assert told(report.findings) == [("error", "the check itself has failed (KeyError)")]


def test_all_that_may_be_waited_for_is_less_than_twenty_seconds() -> None:
    assert max(check.patience for check in CHECKS) <= 15
    assert len(set(NAMES)) == len(NAMES)


async def test_an_examination_can_be_cancelled(home: Path, stand_in: StandIn) -> None:
    stand_in.hold("/backend-api")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(examine, environ={}), stand_in.settings(home))
        await stand_in.wait_held("/backend-api")
        nursery.cancel_scope.cancel()
    assert list(home.iterdir()) == []


# --- what several checks have to know ---


async def test_what_is_shared_is_found_out_once() -> None:
    asked: list[None] = []

    async def find() -> int:
        asked.append(None)
        await trio.lowlevel.checkpoint()
        return 7

    shared = Shared(find)
    found: list[int] = []

    async def get() -> None:
        found.append(await shared.get())

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(get)
    assert (found, len(asked)) == ([7, 7, 7], 1)


async def test_what_cannot_be_found_out_fails_for_all() -> None:
    asked: list[None] = []

    async def find() -> int:  # noqa: ASYNC124 - what is shared
        asked.append(None)
        raise StoreError("no")

    shared = Shared(find)
    for _ in range(2):
        with pytest.raises(StoreError, match="no"):
            await shared.get()
    assert len(asked) == 1


async def test_who_is_cancelled_leaves_it_to_the_next() -> None:
    waits = trio.Event()

    async def find() -> int:
        await waits.wait()
        return 7

    shared = Shared(find)
    with trio.move_on_after(0):
        await shared.get()
    waits.set()
    assert await shared.get() == 7
