"""config/read and what is read beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codex_trio.errors import RpcError
from codex_trio.settings import Settings
from tests.configuration.boards import open_board_client
from tests.configuration.conftest import put

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


async def test_every_key_that_there_is_is_shown(settings: Settings) -> None:
    async with open_board_client(settings) as client:
        answer = await client.call("config/read", {})
    assert answer["origins"] == {}
    config = answer["config"]
    assert list(config)[:3] == ["model", "review_model", "model_context_window"]
    assert config["model"] is None
    assert config["tui"] is None
    assert config["sandbox_workspace_write"] is None
    assert config["project_doc_max_bytes"] == 32768
    assert config["history"] == {"persistence": "save-all", "max_bytes": None}
    assert "login_callback_ports" not in config


async def test_what_is_configured_is_shown_whole(
    settings: Settings, configure: Callable[[str], Path]
) -> None:
    path = configure(
        'model = "m"\nunknown = 1\nlogin_callback_ports = [0]\n'
        "approval_policy = {granular = {sandbox_approval=false, rules=true,"
        " mcp_elicitations=true}}\n[sandbox_workspace_write]\nnetwork_access = true\n"
        '[model_providers.m]\nname = "M"\n[history]\nmax_bytes = 5\n'
    )
    async with open_board_client(settings) as client:
        answer = await client.call("config/read", {})
    config = answer["config"]
    assert config["model"] == "m"
    assert "unknown" not in config
    assert config["login_callback_ports"] == [0]
    assert config["sandbox_workspace_write"] == {
        "writable_roots": [],
        "network_access": True,
        "exclude_tmpdir_env_var": False,
        "exclude_slash_tmp": False,
    }
    assert config["model_providers"]["m"]["name"] == "M"
    assert config["model_providers"]["m"]["wire_api"] == "responses"
    assert config["model_providers"]["m"]["env_key"] is None
    assert config["history"] == {"persistence": "save-all", "max_bytes": 5}
    assert config["approval_policy"]["granular"]["skill_approval"] is False
    origin = answer["origins"]["model"]
    assert origin["name"] == {"type": "user", "file": str(path), "profile": None}
    assert origin["version"].startswith("sha256:")
    assert set(answer["origins"]) >= {"unknown", "history.max_bytes", "login_callback_ports.0"}


async def test_layers_are_shown_if_asked_for(
    home: Path,
    machine: Path,
    repository: Path,
    configure: Callable[[str], Path],
) -> None:
    path = configure(f'model = "u"\n[projects."{repository}"]\ntrust_level = "trusted"\n')
    put(repository / ".codex" / "config.toml", 'model = "p"\n')
    put(repository / "sub" / ".codex" / "config.toml", 'model = "s"\n')
    with path.open("a") as file:
        file.write(f'[projects."{repository}/sub"]\ntrust_level = "untrusted"\n')
    put(machine, 'personality = "none"\n')
    settings = Settings(
        codex_home=home, system_config=machine, config={"model_verbosity": "low"}
    )
    async with open_board_client(settings) as client:
        answer = await client.call(
            "config/read", {"includeLayers": True, "cwd": str(repository / "sub")}
        )
    assert answer["config"]["model"] == "p"
    assert [(layer["name"], layer["config"]) for layer in answer["layers"]] == [
        ({"type": "sessionFlags"}, {"model_verbosity": "low"}),
        ({"type": "project", "dotCodexFolder": f"{repository}/sub/.codex"}, {"model": "s"}),
        ({"type": "project", "dotCodexFolder": f"{repository}/.codex"}, {"model": "p"}),
        (
            {"type": "user", "file": str(path), "profile": None},
            {
                "model": "u",
                "projects": {
                    str(repository): {"trust_level": "trusted"},
                    f"{repository}/sub": {"trust_level": "untrusted"},
                },
            },
        ),
        ({"type": "system", "file": str(machine)}, {"personality": "none"}),
    ]
    assert answer["layers"][1]["disabledReason"].startswith(f"{repository}/sub is marked")
    assert answer["layers"][2].get("disabledReason") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model = = 3\n", "failed to read configuration layers: {path}:1:9: Invalid value"),
        (
            "model = 5\n",
            (
                "invalid configuration: invalid type: integer `5`, expected a string\n"
                "in `model`\n"
            ),
        ),
        (
            'model_provider = "nope"\n',
            "failed to resolve feature override precedence: Model provider `nope` not found",
        ),
    ],
)
async def test_a_configuration_that_cannot_be_used_is_an_error(
    settings: Settings, configure: Callable[[str], Path], text: str, message: str
) -> None:
    path = configure(text)
    async with open_board_client(settings) as client:
        with pytest.raises(RpcError) as caught:
            await client.call("config/read", {})
        assert (caught.value.code, caught.value.data) == (-32603, None)
        assert caught.value.message == message.format(path=path)
        configure("")
        await client.call("config/read", {})


async def test_no_organisation_wants_anything(
    settings: Settings, configure: Callable[[str], Path]
) -> None:
    nothing = {"supportsIndependentSpeedModes": True, "requirements": None}
    async with open_board_client(settings) as client:
        assert await client.call("configRequirements/read") == nothing
        configure("model = 5\n")
        assert await client.call("configRequirements/read") == nothing
        path = configure("model = = 5\n")
        with pytest.raises(RpcError) as caught:
            await client.call("configRequirements/read")
        assert (caught.value.code, caught.value.message) == (
            -32603,
            f"failed to read configuration layers: {path}:1:9: Invalid value",
        )


async def test_there_is_no_mcp_server_to_start_anew(settings: Settings) -> None:
    async with open_board_client(settings) as client:
        assert await client.call("config/mcpServer/reload") == {}
