"""Clocks, compared with that of the issuer."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from codex_trio.doctor import network
from codex_trio.doctor.case import DISCOVERY
from codex_trio.httpd import HttpResponse
from codex_trio.settings import Settings
from codex_trio.testing import Fault, StandIn
from tests.account.conftest import find_free_port
from tests.doctor.conftest import alone, look, told

if TYPE_CHECKING:
    from pathlib import Path


def dated(seconds: float, **more: str) -> Fault:
    headers = {"Date": formatdate(time.time() + seconds, usegmt=True), **more}
    return Fault(answer=HttpResponse(status=200, headers=tuple(headers.items()), body=b""))


@pytest.mark.parametrize(
    ("theirs", "status", "text"),
    [
        (0, "ok", "within 30 s of the issuer's"),
        (-20, "ok", "within 30 s of the issuer's"),
        (-100, "warning", " s ahead of the issuer's"),
        (100, "warning", " s behind the issuer's"),
        (4000, "error", " s behind the issuer's"),
    ],
)
async def test_the_clock_is_compared(
    home: Path, stand_in: StandIn, theirs: float, status: str, text: str
) -> None:
    stand_in.faults.add(DISCOVERY, dated(theirs))
    one = alone(await look(network.check_clock, stand_in.settings(home)))
    assert one.status == status
    assert one.summary.endswith(text)


@pytest.mark.parametrize(("age", "status"), [("4000", "ok"), ("x", "error"), ("", "error")])
async def test_an_answer_may_have_been_kept(
    home: Path, stand_in: StandIn, age: str, status: str
) -> None:
    stand_in.faults.add(DISCOVERY, dated(-4000, Age=age))
    assert alone(await look(network.check_clock, stand_in.settings(home))).status == status


@pytest.mark.parametrize("headers", [(), (("Date", "yesterday"),)])
async def test_an_answer_may_have_no_time(
    home: Path, stand_in: StandIn, headers: tuple[tuple[str, str], ...]
) -> None:
    answer = HttpResponse(status=200, headers=headers, body=b"")
    stand_in.faults.add(DISCOVERY, Fault(answer=answer))
    assert told(await look(network.check_clock, stand_in.settings(home))) == [
        ("skipped", "the issuer does not say what time it is")
    ]


async def test_nobody_to_compare_with(home: Path) -> None:
    settings = Settings(codex_home=home, issuer=f"http://127.0.0.1:{find_free_port()}")
    assert alone(await look(network.check_clock, settings)).status == "skipped"
