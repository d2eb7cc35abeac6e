"""The models that there are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.catalogue.known import KnownModels, read_catalogue
from codex_trio.catalogue.models import MODELS, default_model, find_model
from codex_trio.errors import ConfigError, RpcError
from codex_trio.model import Model, ServiceTier
from codex_trio.settings import Settings
from tests.configuration.boards import open_board_client

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.testing import WireClient

MINE = Model(id="mine", name="Mine")


# --- model/list ---


async def test_the_models_are_listed_in_the_order_of_the_original(client: WireClient) -> None:
    answer = await client.call("model/list", {})
    assert answer["nextCursor"] is None
    assert [model["id"] for model in answer["data"]] == [
        "gpt-6.1-sol",
        "gpt-6-astra",
        "gpt-6-sol",
        "gpt-6-luna",
        "gpt-5.6-sol",
        "gpt-5.6-terra",
        "gpt-5.6-luna",
        "gpt-5.5",
    ]
    assert [model["id"] for model in answer["data"] if model["isDefault"]] == ["gpt-6.1-sol"]


async def test_a_model_is_told_whole(client: WireClient) -> None:
    answer = await client.call("model/list", {"includeHidden": True})
    models = {model["id"]: model for model in answer["data"]}
    assert len(models) == 11
    model = models["gpt-5.6-luna"]
    efforts = model.pop("supportedReasoningEfforts")
    (tier,) = model.pop("serviceTiers")
    assert model.pop("description")
    assert model == {
        "id": "gpt-5.6-luna",
        "model": "gpt-5.6-luna",
        "upgrade": "gpt-6-luna",
        "upgradeInfo": {
            "model": "gpt-6-luna",
            "upgradeCopy": None,
            "modelLink": None,
            "migrationMarkdown": None,
            "retirementAt": None,
        },
        "availabilityNux": None,
        "displayName": "GPT-5.6-Luna",
        "modelSpecialty": None,
        "hidden": False,
        "defaultReasoningEffort": "medium",
        "inputModalities": ["text", "image"],
        "supportsPersonality": False,
        "multiAgentVersion": "v1",
        "additionalSpeedTiers": ["fast"],
        "defaultServiceTier": None,
        "availableAccessPrograms": None,
        "isDefault": False,
    }
    assert [effort["reasoningEffort"] for effort in efforts] == [
        "low",
        "medium",
        "high",
        "xhigh",
        "max",
    ]
    assert (tier["id"], tier["name"]) == ("priority", "Fast")
    assert models["gpt-daybreak-red-latest"]["hidden"] is True
    assert models["gpt-daybreak-red-latest"]["modelSpecialty"] == "cyber"


async def test_models_are_read_page_by_page(client: WireClient) -> None:
    seen: list[str] = []
    cursor = None
    while True:
        answer = await client.call("model/list", {"limit": 3, "cursor": cursor})
        seen += [model["id"] for model in answer["data"]]
        if (cursor := answer["nextCursor"]) is None:
            break
    assert len(seen) == len(set(seen)) == 8
    answer = await client.call("model/list", {"limit": 0, "cursor": "7"})
    assert (len(answer["data"]), answer["nextCursor"]) == (1, None)
    assert (await client.call("model/list", {"cursor": "8"}))["data"] == []


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"cursor": "9"}, "cursor 9 exceeds total models 8"),
        ({"cursor": "x"}, "invalid cursor: x"),
        ({"cursor": ""}, "invalid cursor: "),
        ({"cursor": "-1"}, "invalid cursor: -1"),
        ({"cursor": "²"}, "invalid cursor: ²"),
        ({"cursor": "1" * 5000}, "invalid cursor: " + "1" * 5000),
        ({"limit": -1}, "Invalid request: invalid value: integer `-1`, expected u32"),
    ],
)
async def test_what_is_no_page_is_refused(
    client: WireClient, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(RpcError) as caught:
        await client.call("model/list", params)
    assert (caught.value.code, caught.value.message) == (-32600, message)


async def test_an_embedder_has_models_of_its_own(home: Path) -> None:
    hidden = Model(id="h", name="H", hidden=True)
    settings = Settings(codex_home=home, system_config=None, models=(hidden, MINE))
    async with open_board_client(settings) as client:
        (model,) = (await client.call("model/list", {}))["data"]
        assert (model["id"], model["isDefault"]) == ("mine", True)
        assert model["supportedReasoningEfforts"] == []


async def test_a_file_has_models_of_its_own(client: WireClient, home: Path) -> None:
    (home / "models.json").write_text(json.dumps({"models": [{"slug": "filed"}]}))
    (home / "config.toml").write_text('model_catalog_json = "models.json"\n')
    (model,) = (await client.call("model/list", {}))["data"]
    assert model["id"] == "filed"


@pytest.mark.parametrize(
    "config", ["model = = 3\n", 'model_catalog_json = "missing.json"\n', "model = 5\n"]
)
async def test_the_list_is_there_whatever_is_configured(
    client: WireClient, home: Path, config: str
) -> None:
    (home / "config.toml").write_text(config)
    assert len((await client.call("model/list", {}))["data"]) == 8


# --- what is known of a model ---


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("gpt-5.5", "gpt-5.5"),
        ("gpt-5.5-2026-01-01", "gpt-5.5"),
        ("gpt-6-sol-x", "gpt-6-sol"),
        ("openai/gpt-5.5", "gpt-5.5"),
        ("gpt-5", None),
        ("GPT-5.5", None),
        ("a/b/gpt-5.5", None),
        ("gpt-5.5/x", "gpt-5.5"),
        ("/gpt-5.5", None),
        ("", None),
    ],
)
def test_a_model_is_known_by_the_beginning_of_its_name(name: str, known: str | None) -> None:
    found = find_model(name)
    assert (found and found.id) == known


def test_the_longest_beginning_counts() -> None:
    longer = Model(id="mine-2", name="Longer")
    assert find_model("mine-2-x", [MINE, longer]) is longer


def test_the_default_is_the_first_that_is_not_hidden() -> None:
    hidden = Model(id="h", name="H", hidden=True)
    assert default_model().id == "gpt-6.1-sol"
    assert default_model([hidden, MINE]) is MINE
    assert default_model([hidden]) is hidden


def test_history_may_fill_most_of_the_window() -> None:
    assert default_model().usable_window == 258_400


def test_a_model_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="id"):
        Model(id="", name="x")
    with pytest.raises(TypeError):
        Model(id=5, name="x")  # type: ignore[arg-type]  # which is the point
    with pytest.raises(ValueError, match="context_window"):
        Model(id="x", name="x", context_window=0)


# --- a file of models ---

FILED = {
    "slug": "filed",
    "display_name": "Filed",
    "description": "From a file.",
    "default_reasoning_level": "low",
    "supported_reasoning_levels": [
        {"effort": "low", "description": "A little"},
        {"effort": "x"},
    ],
    "visibility": "hide",
    "priority": 2,
    "upgrade": {"model": "mine"},
    "context_window": 1000,
    "support_verbosity": True,
    "default_verbosity": "high",
    "service_tiers": [{"id": "t"}],
    "default_service_tier": "t",
    "input_modalities": ["text", "smell"],
    "multi_agent_version": "v9",
    "model_specialty": "s",
}


def test_a_file_tells_all_that_is_known_of_a_model(tmp_path: Path) -> None:
    path = tmp_path / "models.json"
    path.write_text(json.dumps({"models": [FILED, {"slug": "first", "upgrade": None}]}))
    first, filed = read_catalogue(path)
    assert first == Model(id="first", name="first")
    assert filed == Model(
        id="filed",
        name="Filed",
        description="From a file.",
        reasoning_efforts={"low": "A little", "x": ""},
        default_reasoning_effort="low",
        hidden=True,
        upgrade="mine",
        context_window=1000,
        verbosity="high",
        tiers=(ServiceTier(id="t", name="t", description=""),),
        tier="t",
        modalities=("text",),
        specialty="s",
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory (os error 2)"),
        ("[]", "{path}: missing field `models`"),
        ('{"models": 5}', "{path}: missing field `models`"),
        ("{", "{path}: not a catalogue of models"),
        ('{"models": [5]}', "{path}: not a catalogue of models"),
        ('{"models": [{}]}', "{path}: not a catalogue of models"),
        ('{"models": [{"slug": 5}]}', "{path}: not a catalogue of models"),
        ('{"models": [{"slug": "a", "context_window": "x"}]}', "{path}: not a catalogue of models"),
        ('{"models": [{"slug": "a", "priority": "x"}, {"slug": "b"}]}', "{path}: not a catalogue of models"),
        ('{"models": [{"slug": "a", "upgrade": "x"}]}', "{path}: not a catalogue of models"),
        ('{"models": [{"slug": "a", "supported_reasoning_levels": [1]}]}', "{path}: not a catalogue of models"),
        ('{"models": [{"slug": "a", "service_tiers": [{}]}]}', "{path}: not a catalogue of models"),
        (" " * (2**25 + 1), "{path}: longer than 33554432 bytes"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_said_to_be_so(
    tmp_path: Path, content: str | None, reason: str
) -> None:
    path = tmp_path / "models.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        read_catalogue(path)
    assert caught.value.reason == reason.format(path=path)


async def test_what_an_embedder_has_set_comes_first(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "models.json"
    path.write_text('{"models": []}')
    known = KnownModels(settings)
    assert await known.read(None) == MODELS
    assert await known.read(str(path)) == MODELS  # a file without models counts for nothing
    path.write_text('{"models": [{"slug": "a"}]}')
    assert [model.id for model in await known.read(str(path))] == ["a"]
    with pytest.raises(ConfigError):
        await known.read(str(tmp_path / "missing"))
    mine = KnownModels(Settings(codex_home=tmp_path, models=(MINE,)))
    assert await mine.read(str(tmp_path / "missing")) == (MINE,)


async def test_reading_a_file_can_be_cancelled(settings: Settings, tmp_path: Path) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await KnownModels(settings).read(str(tmp_path / "models.json"))
    assert scope.cancelled_caught
