"""Configurations, good and bad, and what is said of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from codex_trio.doctor.configuration import check_config, settings_failure
from codex_trio.settings import Settings, load_settings
from tests.doctor.conftest import SECRET, alone, look

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.doctor import Finding


async def config_of(settings: Settings) -> Finding:
    found: Finding = alone(await look(check_config, settings))
    return found


def loaded(home: Path, *overrides: str) -> Settings:
    nowhere = home / "nowhere.toml"
    return load_settings(overrides, environ={"CODEX_HOME": str(home)}, system_config=nowhere)


async def test_no_configuration_is_a_good_one(home: Path) -> None:
    one = await config_of(loaded(home))
    assert (one.status, one.detail) == ("ok", None)
    assert one.summary == "there is none; everything is as it is by default"


async def test_layers_are_named_the_highest_first(home: Path) -> None:
    (home / "config.toml").write_text('model = "m"')
    one = await config_of(loaded(home, "model=other"))
    assert (one.status, one.summary) == ("ok", f"-c, over {home / 'config.toml'}")


async def test_a_project_that_is_not_trusted_is_left_out(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    (project / ".codex").mkdir()
    (project / ".codex" / "config.toml").write_text('model = "m"')
    monkeypatch.chdir(project)
    one = await config_of(loaded(home))
    assert (one.status, one.detail) == ("ok", f"left out: {project / '.codex'}")


async def test_the_present_folder_may_be_gone(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert (await config_of(loaded(home))).status == "ok"
    monkeypatch.undo()
    assert os.getcwd()


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("model = ", "{}:1:9: Invalid value"),
        (
            f'model_provider = "a"\n[model_providers.a]\nname = "A"\nhttp_headers = "{SECRET}"',
            "{}:4:16: invalid type: a string, expected a map",
        ),
        (
            'cli_auth_credentials_store = "keychain"',
            (
                "{}:1:30: unknown variant `keychain`, expected one of `file`, `keyring`,"
                " `auto`, `ephemeral`"
            ),
        ),
    ],
)
async def test_what_is_wrong_is_shown_with_its_place_but_without_keys(
    home: Path, text: str, summary: str
) -> None:
    (home / "config.toml").write_text(text)
    one = await config_of(loaded(home))
    assert (one.status, one.summary) == ("error", summary.format(home / "config.toml"))
    assert "leaves the whole file out" in (one.advice or "")


async def test_a_file_that_breaks_later_is_an_error_too(home: Path) -> None:
    settings = loaded(home)
    (home / "config.toml").write_text("nonsense")
    one = await config_of(settings)
    assert (one.status, one.advice) == ("error", "Mend it there.")


@pytest.mark.parametrize(
    ("text", "summary", "advice"),
    [
        ('CODEX_HOME points to "/x"', 'CODEX_HOME points to "/x"', "Make that folder"),
        (
            f"error parsing -c overrides: Invalid override (missing '='): {SECRET}",
            "error parsing -c overrides: Invalid override (missing '=')",
            "-c KEY=VALUE",
        ),
        (
            f'invalid type: string "{SECRET} \\" x", expected a boolean\nin `a.b`\n',
            "invalid type: a string, expected a boolean in `a.b`",
            "Mend it there",
        ),
    ],
)
def test_a_server_that_would_not_start(text: str, summary: str, advice: str) -> None:
    one = settings_failure(text)
    assert (one.check, one.status, one.summary) == ("settings", "error", summary)
    assert advice in (one.advice or "")
