"""What clients ask for at their start, and of which there is little or nothing."""

from __future__ import annotations

import os
import socket
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from codex_trio.catalogue.identity import installation_id
from codex_trio.errors import RpcError

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.testing import WireClient

NOTHING: dict[str, Any] = {"data": [], "nextCursor": None}


@pytest.mark.parametrize(
    ("method", "params", "answer"),
    [
        (
            "modelProvider/capabilities/read",
            {},
            {"imageGeneration": False, "webSearch": False},
        ),
        ("experimentalFeature/list", {}, NOTHING),
        ("mcpServerStatus/list", {"detail": "toolsAndAuthOnly"}, NOTHING),
        ("app/list", {"cursor": "5"}, NOTHING),
        ("app/installed", {"forceRefresh": True}, {"apps": []}),
        (
            "account/bedrock/checkGovCloudRequirements",
            {},
            {"isGovCloud": False, "shouldWarn": False},
        ),
        ("threadSection/list", {}, NOTHING),
        (
            "plugin/list",
            {},
            {"marketplaces": [], "marketplaceLoadErrors": [], "featuredPluginIds": []},
        ),
        ("plugin/installed", {}, {"marketplaces": [], "marketplaceLoadErrors": []}),
        (
            "hooks/list",
            {"cwds": ["/nonexistent"]},
            {"data": [{"cwd": "/nonexistent", "hooks": [], "warnings": [], "errors": []}]},
        ),
        (
            "hooks/list",
            {},
            {"data": [{"cwd": os.getcwd(), "hooks": [], "warnings": [], "errors": []}]},
        ),
        (
            "collaborationMode/list",
            {},
            {
                "data": [
                    {
                        "name": "Plan",
                        "mode": "plan",
                        "model": None,
                        "reasoning_effort": "medium",
                    },
                    {
                        "name": "Default",
                        "mode": "default",
                        "model": None,
                        "reasoning_effort": None,
                    },
                ]
            },
        ),
    ],
)
async def test_there_is_little_and_it_is_said(
    client: WireClient, method: str, params: Any, answer: Any
) -> None:
    assert await client.call(method, params) == answer


async def test_there_are_three_permission_profiles(client: WireClient) -> None:
    answer = await client.call("permissionProfile/list", {"limit": 2, "cwd": "/nonexistent"})
    assert answer == {
        "data": [
            {"id": ":read-only", "description": None, "allowed": True},
            {"id": ":workspace", "description": None, "allowed": True},
        ],
        "nextCursor": "2",
    }
    answer = await client.call("permissionProfile/list", {"cursor": "2"})
    assert [profile["id"] for profile in answer["data"]] == [":danger-full-access"]


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("permissionProfile/list", "cursor 9 exceeds total permission profiles 3"),
        ("experimentalFeature/list", "cursor 9 exceeds total feature flags 0"),
        ("mcpServerStatus/list", "cursor 9 exceeds total MCP servers 0"),
    ],
)
async def test_there_are_not_so_many(client: WireClient, method: str, message: str) -> None:
    with pytest.raises(RpcError) as caught:
        await client.call(method, {"cursor": "9"})
    assert (caught.value.code, caught.value.message) == (-32600, message)


async def test_mcp_servers_that_are_configured_are_not_available(
    client: WireClient, home: Path
) -> None:
    (home / "config.toml").write_text(
        '[mcp_servers.one]\ncommand = "x"\n[mcp_servers.two]\nurl = "http://x"\n'
        '[mcp_servers.off]\ncommand = "x"\nenabled = false\n'
    )
    answer = await client.call("mcpServerStatus/list", {"limit": 1})
    assert answer == {
        "data": [
            {
                "name": "one",
                "runtimeStatus": None,
                "pluginId": None,
                "httpOrigin": None,
                "serverInfo": None,
                "serverCapabilities": None,
                "tools": {},
                "toolsError": "codex-trio does not start MCP servers yet",
                "resources": [],
                "resourceTemplates": [],
                "authStatus": "unsupported",
            }
        ],
        "nextCursor": "1",
    }
    params = {"serverName": "two", "threadId": "01984de2-8f74-7c91-a3b2-5c5e937cf318"}
    (two,) = (await client.call("mcpServerStatus/list", params))["data"]
    assert (two["name"], two["runtimeStatus"]) == ("two", "notStarted")
    (home / "config.toml").write_text("model = = 3\n")
    assert await client.call("mcpServerStatus/list", {}) == NOTHING


async def test_the_server_cannot_be_reached_from_afar(client: WireClient, home: Path) -> None:
    answer = await client.call("remoteControl/status/read")
    assert answer == {
        "status": "disabled",
        "serverName": socket.gethostname(),
        "installationId": (home / "installation_id").read_text(),
        "environmentId": None,
    }
    assert await client.call("remoteControl/status/read", {}) == answer


# --- the id of the installation ---


def test_an_installation_keeps_its_id(tmp_path: Path) -> None:
    home = tmp_path / "new"
    first = installation_id(home)
    assert uuid.UUID(first).version == 4
    assert installation_id(home) == first
    assert [file.name for file in home.iterdir()] == ["installation_id"]


def test_the_id_of_the_original_is_taken(tmp_path: Path) -> None:
    (tmp_path / "installation_id").write_text("594096D0-984b-420e-b642-8d40f2977d1c\n")
    assert installation_id(tmp_path) == "594096d0-984b-420e-b642-8d40f2977d1c"


def test_where_no_id_can_be_kept_it_is_another_one_every_time(tmp_path: Path) -> None:
    (tmp_path / "installation_id").write_text("no id")
    first = installation_id(tmp_path)
    assert installation_id(tmp_path) != first
    file = tmp_path / "file"
    file.touch()
    assert uuid.UUID(installation_id(file / "home")).version == 4
    assert [one.name for one in sorted(tmp_path.iterdir())] == ["file", "installation_id"]
