"""What is told of this machine."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest

from codex_trio.doctor.case import Case
from codex_trio.doctor.host import look_at_open_files, look_at_versions
from codex_trio.settings import Settings
from tests.doctor.conftest import alone

if TYPE_CHECKING:
    from pathlib import Path

ENDLESS = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("limits", "status", "said"),
    [
        ((ENDLESS, ENDLESS), "ok", None),
        ((1024, 4096), "ok", None),
        ((256, ENDLESS), "warning", "ulimit -n 4096,"),
        ((256, 1000), "warning", "ulimit -n 1000,"),
    ],
)
def test_few_open_files_are_told_of(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    limits: tuple[int, int],
    status: str,
    said: str | None,
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    one = alone(look_at_open_files(Case(Settings(codex_home=home), {})))
    assert one.status == status
    assert said is None or one.advice.startswith(said)


def test_another_version_that_is_told_is_named(home: Path) -> None:
    one = alone(look_at_versions(Case(Settings(codex_home=home), {})))
    assert one.summary.endswith(" speaks as codex 0.163.0")
    one = alone(look_at_versions(Case(Settings(codex_home=home, version="0.170.0"), {})))
    assert one.summary.endswith(", and says that it is 0.170.0")
