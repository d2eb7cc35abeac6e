"""config/value/write and config/batchWrite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_trio.errors import RpcError
from codex_trio.settings import Settings
from tests.configuration.boards import open_board_client
from tests.configuration.conftest import put

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from codex_trio.testing import WireClient


@pytest.fixture
async def client(settings: Settings) -> AsyncGenerator[WireClient]:
    async with open_board_client(settings) as client:
        yield client


def edit(path: str, value: object, strategy: str = "replace") -> dict[str, Any]:
    return {"keyPath": path, "value": value, "mergeStrategy": strategy}


async def refusal(client: WireClient, method: str, params: object) -> RpcError:
    with pytest.raises(RpcError) as caught:
        await client.call(method, params)
    return caught.value


async def test_what_is_written_is_in_force_at_once(
    client: WireClient, home: Path, configure: Callable[[str], Path]
) -> None:
    path = configure('# mine\nmodel = "a" # by hand\n')
    answer = await client.call("config/value/write", edit("model", "b"))
    assert answer == {
        "status": "ok",
        "version": answer["version"],
        "filePath": str(path),
        "overriddenMetadata": None,
    }
    assert path.read_text() == '# mine\nmodel = "b" # by hand\n'
    read = await client.call("config/read", {"includeLayers": True})
    assert read["config"]["model"] == "b"
    assert read["layers"][0]["version"] == answer["version"]


async def test_tables_are_replaced_or_laid_over(client: WireClient, home: Path) -> None:
    await client.call("config/value/write", edit('t."a.b"', {"x": 1, "y": {"z": 1}}))
    await client.call("config/value/write", edit('t."a.b"', {"y": {"w": 2}}, "upsert"))
    text = '[t."a.b"]\nx = 1\n\n[t."a.b".y]\nz = 1\nw = 2\n'
    assert (home / "config.toml").read_text() == text
    await client.call("config/value/write", edit('t."a.b"', {"y": {"w": 2}}))
    assert (home / "config.toml").read_text() == '[t."a.b"]\n\n[t."a.b".y]\nw = 2\n'
    await client.call("config/value/write", edit("t", None, "upsert"))
    assert (home / "config.toml").read_text() == ""


async def test_some_edits_are_made_together_or_not_at_all(
    client: WireClient, configure: Callable[[str], Path]
) -> None:
    path = configure('model = "a"\n')
    edits = [edit("model", "b"), edit("personality", "none"), edit("model", None)]
    answer = await client.call(
        "config/batchWrite", {"edits": edits, "reloadUserConfig": True, "filePath": str(path)}
    )
    assert answer["status"] == "ok"
    assert path.read_text() == 'personality = "none"\n'
    error = await refusal(
        client,
        "config/batchWrite",
        {"edits": [edit("model", "c"), edit("sandbox_mode", "zz")]},
    )
    assert error.message.startswith("Invalid configuration: unknown variant `zz`")
    assert path.read_text() == 'personality = "none"\n'
    unchanged = await client.call("config/batchWrite", {"edits": []})
    assert unchanged["version"] == answer["version"]


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        (edit("", 1), "configValidationError", "keyPath must not be empty"),
        (edit("a..b", 1), "configValidationError", "keyPath segments must not be empty"),
        (
            edit("model", 5),
            "configValidationError",
            (
                "Invalid configuration: invalid type: integer `5`, expected a string\n"
                "in `model`\n"
            ),
        ),
        (
            {**edit("model", "b"), "expectedVersion": "sha256:nope"},
            "configVersionConflict",
            "Configuration was modified since last read. Fetch latest version and retry.",
        ),
        (
            {**edit("model", "b"), "filePath": "/etc/codex/config.toml"},
            "configLayerReadonly",
            "Only writes to the user config are allowed",
        ),
        (
            {**edit("model", "b"), "filePath": ""},
            "configLayerReadonly",
            "Only writes to the user config are allowed",
        ),
    ],
)
async def test_a_refusal_has_a_code(
    client: WireClient, home: Path, params: dict[str, Any], code: str, message: str
) -> None:
    error = await refusal(client, "config/value/write", params)
    assert (error.code, error.data) == (-32600, {"config_write_error_code": code})
    assert error.message == message
    assert not (home / "config.toml").exists()


@pytest.mark.parametrize("path", ["config.toml", "x/../config.toml", "{home}/config.toml"])
async def test_the_file_may_be_named_in_several_ways(
    client: WireClient, home: Path, path: str
) -> None:
    params = {**edit("model", "b"), "filePath": path.format(home=home)}
    assert (await client.call("config/value/write", params))["status"] == "ok"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"keyPath": "a", "value": 1}, "Invalid request: missing field `mergeStrategy`"),
        ({"keyPath": "a", "mergeStrategy": "upsert"}, "Invalid request: missing field `value`"),
        (
            edit("a", 1, "zz"),
            "Invalid request: unknown variant `zz`, expected `replace` or `upsert`",
        ),
    ],
)
async def test_a_request_has_its_words(
    client: WireClient, params: dict[str, Any], message: str
) -> None:
    error = await refusal(client, "config/value/write", params)
    assert (error.code, error.message, error.data) == (-32600, message, None)


async def test_a_file_that_is_broken_is_not_touched(
    client: WireClient, configure: Callable[[str], Path]
) -> None:
    path = configure("model = = 3\n")
    error = await refusal(client, "config/value/write", edit("model", "b"))
    assert (error.code, error.data) == (-32603, None)
    assert error.message == f"failed to load configuration: {path}:1:9: Invalid value"
    assert path.read_text() == "model = = 3\n"


async def test_a_file_that_cannot_be_written_is_an_error(
    client: WireClient, home: Path
) -> None:
    (home / "config.toml").symlink_to(home / "nowhere" / "config.toml")
    error = await refusal(client, "config/value/write", edit("model", "b"))
    assert (error.code, error.message) == (
        -32603,
        "failed to write the configuration: No such file or directory (os error 2)",
    )


async def test_it_is_said_when_the_flags_lie_over_it(home: Path, machine: Path) -> None:
    put(machine, 'personality = "none"\n')
    settings = Settings(
        codex_home=home,
        system_config=machine,
        config={"model_verbosity": "low", "sandbox_workspace_write": {"network_access": True}},
    )
    async with open_board_client(settings) as client:
        answer = await client.call("config/value/write", edit("model_verbosity", "high"))
        assert answer["status"] == "okOverridden"
        metadata = answer["overriddenMetadata"]
        assert metadata["message"] == "Overridden by session flags"
        assert metadata["overridingLayer"]["name"] == {"type": "sessionFlags"}
        assert metadata["effectiveValue"] == "low"
        answer = await client.call("config/value/write", edit("model_verbosity", "low"))
        assert (answer["status"], answer["overriddenMetadata"]) == ("ok", None)
        answer = await client.call("config/value/write", edit("personality", "friendly"))
        assert answer["status"] == "ok"
        table = {"network_access": False, "exclude_slash_tmp": True}
        answer = await client.call(
            "config/batchWrite",
            {"edits": [edit("model", "m"), edit("sandbox_workspace_write", table)]},
        )
        assert answer["overriddenMetadata"]["effectiveValue"] == {
            "network_access": True,
            "exclude_slash_tmp": True,
        }


async def test_who_has_opted_out_of_nothing_is_told_nothing(client: WireClient) -> None:
    """A write is news to nobody (observed)."""
    await client.call("config/value/write", edit("model", "b"))
    await client.call("config/read", {})
    assert not client._notifications._messages
