"""What a machine says of itself and of who uses it."""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

import pytest

from codex_trio.threads.surroundings import local_timezone, login_shell

if TYPE_CHECKING:
    from pathlib import Path


def use(monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    """Let the one who runs the tests have this shell, as the system tells it."""
    account = list(pwd.getpwuid(os.getuid()))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: pwd.struct_passwd([*account[:-1], shell]))


@pytest.mark.parametrize("name", ["bash", "zsh", "sh"])
def test_the_shell_is_that_of_the_account(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv("SHELL", "/bin/other")
    (tmp_path / name).touch()
    use(monkeypatch, str(tmp_path / name))
    assert login_shell() == name


@pytest.mark.parametrize("shell", ["fish", "nologin", "", "missing/zsh"])
@pytest.mark.parametrize(
    ("there", "told"),
    [(["sh", "bash"], "bash"), (["sh", "zsh"], "zsh"), (["sh"], "sh"), ([], "sh")],
)
def test_another_shell_is_not_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shell: str, there: list[str], told: str
) -> None:
    for name in (*there, "fish", "nologin"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    use(monkeypatch, shell and str(tmp_path / shell))
    assert login_shell() == told


def test_who_has_no_account_has_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert login_shell() in {"bash", "zsh", "sh"}


@pytest.mark.parametrize("named", ["Europe/Berlin", ":Europe/Berlin"])
def test_a_time_zone_may_be_wished_for(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.setenv("TZ", named)
    assert local_timezone() == "Europe/Berlin"
