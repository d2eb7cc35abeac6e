"""What is configured at the start, and what is kept for later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codex_trio.errors import SettingsError
from codex_trio.settings import Settings, load_settings
from tests.test_settings import load

if TYPE_CHECKING:
    from pathlib import Path


def test_overrides_are_kept_to_be_laid_over_what_is_read_later(home: Path) -> None:
    settings = load(home, 'model = "a"\n', "model=b", "tui.x=1", "tui.y=[1,")
    assert settings.config == {"model": "b", "tui": {"x": 1, "y": "[1,"}}
    assert load(home).config == {}


def test_overrides_may_hold_keys_that_are_not_shown(home: Path) -> None:
    given = 'model_providers.x={name="x", experimental_bearer_token="sk-secret"}'
    assert "sk-secret" not in repr(load(home, "", given))


def test_an_override_need_not_be_whole(home: Path) -> None:
    file = 'model_provider = "x"\n[model_providers.x]\nname = "x"\n'
    settings = load(home, file, "model_providers.x.requires_openai_auth=true")
    assert settings.requires_openai_auth is True
    with pytest.raises(SettingsError, match="provider name must not be empty"):
        load(home, "", "model_providers.x.requires_openai_auth=true")


def test_an_override_that_is_too_deep_stops_the_server(home: Path) -> None:
    with pytest.raises(SettingsError, match="more than 64 tables in one another in `a`"):
        load(home, "", ".".join("a" * 65) + "=1")
    assert load(home, "", "a=" + "[" * 65 + "]" * 65).config == {"a": "[" * 65 + "]" * 65}


def test_the_machine_may_be_configured_below_the_user(home: Path, tmp_path: Path) -> None:
    machine = tmp_path / "machine.toml"
    machine.write_text(
        'forced_login_method = "api"\ncli_auth_credentials_store = "ephemeral"\n'
    )
    (home / "config.toml").write_text('cli_auth_credentials_store = "file"\n')
    environ = {"CODEX_HOME": str(home)}
    settings = load_settings(environ=environ, system_config=machine)
    assert settings.forced_login_method == "api"
    assert settings.credentials_store == "file"
    assert settings.system_config == machine
    (home / "config.toml").write_text("model = = 3\n")
    settings = load_settings(environ=environ, system_config=machine)
    assert settings.forced_login_method == "api"
    assert len(settings.warnings) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("model = = 3\n", "{path}:1:9: Invalid value"),
        ("model = 3\n", "{path}:1:9: invalid type: integer `3`, expected a string"),
        (None, "Failed to read config file {path}: path `{path}` is not a file"),
    ],
)
def test_a_machine_that_is_badly_configured_stops_the_server(
    home: Path, tmp_path: Path, text: str | None, reason: str
) -> None:
    machine = tmp_path / "machine.toml"
    if text is None:
        machine.mkdir()
    else:
        machine.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings(environ={"CODEX_HOME": str(home)}, system_config=machine)
    assert str(caught.value) == reason.format(path=machine)


def test_there_has_to_be_a_model(home: Path) -> None:
    with pytest.raises(ValueError, match="models"):
        Settings(codex_home=home, models=())
