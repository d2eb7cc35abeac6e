"""Where the configuration comes from, what is wrong with it, and what clients are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codex_trio.errors import SettingsError
from codex_trio.settings import Settings, find_home, load_settings
from tests.checked import open_memory_client


def load(home: Path, config: str | bytes = b"", *overrides: str) -> Settings:
    data = config if isinstance(config, bytes) else config.encode()
    (home / "config.toml").write_bytes(data)
    return load_settings(overrides, environ={"CODEX_HOME": str(home)})


def test_nothing_configured_is_the_default(home: Path) -> None:
    assert load_settings(environ={"CODEX_HOME": str(home)}) == Settings(codex_home=home)


def test_the_keys_that_we_use_are_read(home: Path) -> None:
    settings = load(
        home,
        """
        forced_login_method = "api"
        cli_auth_credentials_store = "ephemeral"
        model_provider = "mine"
        unknown_key = [1, 2]
        [model_providers.mine]
        name = "Mine"
        """,
    )
    assert settings.forced_login_method == "api"
    assert settings.credentials_store == "ephemeral"
    assert settings.requires_openai_auth is False
    assert settings.warnings == ()


@pytest.mark.parametrize(
    ("provider", "needed"),
    [
        ('model_provider = "openai"', True),
        ('model_provider = "ollama"', False),
        (
            'model_provider = "x"\n[model_providers.x]\nname = "x"\nrequires_openai_auth = true',
            True,
        ),
        ('model_provider = "x"\n[model_providers.x]\nname = "x"', False),
        ("[model_providers.x]\nname = 'x'\nrequires_openai_auth = false", True),
    ],
)
def test_the_provider_says_whether_an_account_is_needed(
    home: Path, provider: str, needed: bool
) -> None:
    assert load(home, provider).requires_openai_auth is needed


@pytest.mark.parametrize(
    ("given", "workspaces"),
    [
        ('"ws-1"', ("ws-1",)),
        ('" ws-1 "', ("ws-1",)),
        ('["ws-1", "ws-2"]', ("ws-1", "ws-2")),
        ('["", " ", "ws-2 "]', ("ws-2",)),
        ('""', ()),
        ("[]", ()),
    ],
)
def test_a_workspace_may_be_wanted_or_several(
    home: Path, given: str, workspaces: tuple[str, ...]
) -> None:
    settings = load(home, f"forced_chatgpt_workspace_id = {given}")
    assert settings.forced_workspaces == workspaces
    assert settings.warnings == ()


def test_where_the_login_callback_listens_can_be_chosen(home: Path) -> None:
    settings = load(home)
    assert settings.login_callback_ports == (1455, 1457)
    assert settings.cancel_other_login is True
    settings = load(home, "login_callback_ports = [0, 65535]\ncancel_other_login = false")
    assert settings.login_callback_ports == (0, 65535)
    assert settings.cancel_other_login is False
    assert settings.warnings == ()


# --- faults in the file ---

SUMMARY = "Invalid configuration; using defaults."


@pytest.mark.parametrize(
    ("config", "reason", "start", "end"),
    [
        ("a = 1\nforced = = 3\n", "Invalid value", (2, 10), (2, 10)),
        ("a = [1,\n", "Invalid value", (2, 1), (2, 1)),
        (
            'forced_chatgpt_workspace_id = "a,b"',
            (
                "forced_chatgpt_workspace_id must be a single workspace ID string or a TOML list of"
                " strings; comma-separated strings are not supported. Use"
                " `forced_chatgpt_workspace_id = ["
                '"123e4567-e89b-42d3-a456-426614174000", "123e4567-e89b-42d3-a456-426614174001"'
                "]` instead."
            ),
            (1, 31),
            (1, 35),
        ),
        ("forced_login_method = 5", "wanted string or table", (1, 23), (1, 23)),
        (
            '# c\n  forced_login_method = "x" # c',
            "unknown variant `x`, expected `chatgpt` or `api`",
            (2, 25),
            (2, 27),
        ),
        (
            "cli_auth_credentials_store = 'zz'",
            "unknown variant `zz`, expected one of `file`, `keyring`, `auto`, `ephemeral`",
            (1, 30),
            (1, 33),
        ),
        (
            "model_provider=true",
            "invalid type: boolean `true`, expected a string",
            (1, 16),
            (1, 19),
        ),
        (
            "model_providers = 1.5",
            "invalid type: floating point `1.5`, expected a map",
            (1, 19),
            (1, 21),
        ),
        (
            (
                '[other]\nrequires_openai_auth = 1\n[ "model_providers" . x ]\n'
                'requires_openai_auth = "yes"'
            ),
            'invalid type: string "yes", expected a boolean',
            (4, 24),
            (4, 28),
        ),
        (
            "[model_providers]\nx = []",
            "invalid type: sequence, expected struct ModelProviderInfo",
            (2, 5),
            (2, 6),
        ),
        (
            "[model_providers]\nx = { requires_openai_auth = {} }",
            "invalid type: map, expected a boolean",
            None,
            None,
        ),
        (
            "model_provider = 2026-11-20",
            "invalid type: datetime, expected a string",
            (1, 18),
            (1, 27),
        ),
        ("model_providers = 5", "invalid type: integer `5`, expected a map", (1, 19), (1, 19)),
        ('model_provider = "nope"', "Model provider `nope` not found", None, None),
        (
            "forced_chatgpt_workspace_id = 5",
            "data did not match any variant of untagged enum Repr",
            (1, 31),
            (1, 31),
        ),
        (
            "forced_chatgpt_workspace_id = ['a', 5]",
            "data did not match any variant of untagged enum Repr",
            (1, 31),
            (1, 38),
        ),
        ("login_callback_ports = 1455", "expected a list of ports", (1, 24), (1, 27)),
        ("login_callback_ports = []", "expected a list of ports", (1, 24), (1, 25)),
        ("login_callback_ports = [true]", "expected a list of ports", (1, 24), (1, 29)),
        ("login_callback_ports = ['1']", "expected a list of ports", (1, 24), (1, 28)),
        (
            "login_callback_ports = [0, 65536]",
            "invalid value: integer `65536`, expected a port",
            (1, 24),
            (1, 33),
        ),
        (
            "login_callback_ports = [-1]",
            "invalid value: integer `-1`, expected a port",
            (1, 24),
            (1, 27),
        ),
        (
            'cancel_other_login = "no"',
            'invalid type: string "no", expected a boolean',
            (1, 22),
            (1, 25),
        ),
        (
            'profile = "p"',
            (
                'legacy `profile = "p"` config is no longer supported; use `--profile p` with'
                " `p.config.toml` instead"
            ),
            None,
            None,
        ),
    ],
)
def test_a_fault_is_named_with_its_place(
    home: Path, config: str, reason: str, start: Any, end: Any
) -> None:
    settings = load(home, config)
    (warning,) = settings.warnings
    assert warning.summary == SUMMARY
    path = home / "config.toml"
    if start is None:
        assert warning.details == reason
        assert (warning.path, warning.start, warning.end) == (None, None, None)
    else:
        assert warning.details == f"{path}:{start[0]}:{start[1]}: {reason}"
        assert (warning.path, warning.start, warning.end) == (str(path), start, end)


def test_a_faulty_file_is_left_out_as_a_whole_and_overrides_still_count(home: Path) -> None:
    config = 'forced_login_method = "api"\ncli_auth_credentials_store = "zz"'
    settings = load(home, config, "model_provider=ollama")
    assert settings.forced_login_method is None
    assert settings.credentials_store == "file"
    assert settings.requires_openai_auth is False
    assert len(settings.warnings) == 1


def test_a_file_that_cannot_be_read_is_said_to_be_so(home: Path) -> None:
    path = home / "config.toml"
    (warning,) = load(home, b"\xff").warnings
    assert (
        warning.details
        == f"Failed to read config file {path}: stream did not contain valid UTF-8"
    )
    for endless in ("a = " + "1" * 5000, "a = " + "[" * 5000):
        (warning,) = load(home, endless).warnings
        assert warning.details == "the file cannot be read as TOML"
    path.unlink()
    path.mkdir()
    (warning,) = load_settings(environ={"CODEX_HOME": str(home)}).warnings
    assert warning.details == f"Failed to read config file {path}: path `{path}` is not a file"
    path.rmdir()
    path.symlink_to(path)
    (warning,) = load_settings(environ={"CODEX_HOME": str(home)}).warnings
    assert warning.details is not None
    assert warning.details.startswith(
        f"Failed to read config file {path}: Too many levels of symbolic"
    )


async def test_clients_are_told_right_after_the_answer(home: Path) -> None:
    settings = load(home, "forced_login_method = 5")
    async with open_memory_client(settings) as client:
        await client.initialize()
        assert (await client.next_notification())["params"] == {
            "summary": SUMMARY,
            "details": f"{home}/config.toml:1:23: wanted string or table",
            "path": f"{home}/config.toml",
            "range": {"start": {"line": 1, "column": 23}, "end": {"line": 1, "column": 23}},
        }
    settings = load(home, 'model_provider = "nope"')
    async with open_memory_client(settings) as client:
        await client.initialize()
        assert (await client.next_notification())["params"] == {
            "summary": SUMMARY,
            "details": "Model provider `nope` not found",
        }
    async with open_memory_client(settings) as client:
        await client.initialize(optOutNotificationMethods=["configWarning"])
        await client.call("account/read", {})
        assert not client._notifications._messages


# --- overrides ---


def test_overrides_are_laid_over_the_file_in_their_order(home: Path) -> None:
    config = 'forced_login_method = "api"\n[model_providers.x]\nname = "x"\nrequires_openai_auth = true'
    settings = load(
        home,
        config,
        'forced_login_method="api"',
        " forced_login_method = chatgpt ",
        "model_provider='x'",
        "model_providers.x.name=X",
        "a.b={c=1}",
        "a.c=" + "1" * 5000,
        "a.b.d=2",
    )
    assert settings.forced_login_method == "chatgpt"
    assert settings.requires_openai_auth is True


def test_the_login_can_be_overridden(home: Path) -> None:
    settings = load(
        home,
        "login_callback_ports = [1]\nforced_chatgpt_workspace_id = 'a'",
        "login_callback_ports=[2, 3]",
        "cancel_other_login=false",
        "forced_chatgpt_workspace_id=[]",
    )
    assert settings.login_callback_ports == (2, 3)
    assert settings.cancel_other_login is False
    assert settings.forced_workspaces == ()


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("foo", "error parsing -c overrides: Invalid override (missing '='): foo"),
        (
            "login_callback_ports=[70000]",
            ("invalid value: integer `70000`, expected a port\nin `login_callback_ports`\n"),
        ),
        (
            "cancel_other_login=0",
            "invalid type: integer `0`, expected a boolean\nin `cancel_other_login`\n",
        ),
        ("=5", "error parsing -c overrides: Empty key in override: =5"),
        (
            "forced_login_method=zz",
            "unknown variant `zz`, expected `chatgpt` or `api`\nin `forced_login_method`\n",
        ),
        ("model_provider=nope", "Model provider `nope` not found"),
        (
            "model_providers.x.requires_openai_auth=\udcff",
            (
                'invalid type: string "\udcff", expected a boolean\nin'
                " `model_providers.x.requires_openai_auth`\n"
            ),
        ),
        (
            'model_providers.x.requires_openai_auth="a"',
            (
                'invalid type: string "a", expected a boolean\nin'
                " `model_providers.x.requires_openai_auth`\n"
            ),
        ),
    ],
)
def test_an_override_that_cannot_be_used_stops_the_server(
    home: Path, override: str, text: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(home, "", override)
    assert str(caught.value) == text


# --- the environment ---


def test_the_home_is_where_the_environment_says(tmp_path: Path) -> None:
    assert find_home({"CODEX_HOME": str(tmp_path / ".")}) == tmp_path
    assert find_home({"CODEX_HOME": ""}) == find_home({}) == Path.home() / ".codex"


def test_somebody_without_a_home_has_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    with pytest.raises(SettingsError, match="there is no home directory; set CODEX_HOME"):
        find_home({})


def test_a_home_that_is_none_stops_the_server(tmp_path: Path) -> None:
    missing, file = tmp_path / "missing", tmp_path / "file"
    file.touch()
    with pytest.raises(SettingsError) as caught:
        find_home({"CODEX_HOME": str(missing)})
    assert (
        str(caught.value) == f'CODEX_HOME points to "{missing}", but that path does not exist'
    )
    with pytest.raises(SettingsError) as caught:
        find_home({"CODEX_HOME": str(file)})
    assert (
        str(caught.value) == f'CODEX_HOME points to "{file}", but that path is not a directory'
    )


def test_the_release_that_clients_are_told_can_be_changed(home: Path) -> None:
    environ = {"CODEX_HOME": str(home), "CODEX_TRIO_COMPAT_VERSION": "0.170.1"}
    assert load_settings(environ=environ).version == "0.170.1"


@pytest.mark.parametrize("ports", [(), (-1,), (1455, 65536)])
def test_ports_that_are_none_are_refused(home: Path, ports: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="login_callback_ports"):
        Settings(codex_home=home, login_callback_ports=ports)
