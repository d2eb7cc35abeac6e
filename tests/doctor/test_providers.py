"""Who is asked besides the issuer: the backend, and the model provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_trio.doctor import network
from codex_trio.settings import Settings
from tests.account.signed_in import sign_in
from tests.doctor.conftest import SECRET, alone, look

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.testing import StandIn


async def test_the_backend_is_asked(home: Path, stand_in: StandIn) -> None:
    one = alone(await look(network.check_backend, stand_in.settings(home)))
    assert (one.check, one.status) == ("backend", "ok")


@pytest.mark.parametrize(
    ("more", "signed_in", "path"),
    [
        ({}, False, "/backend-api/codex/models"),
        ({}, True, "/backend-api/codex/models"),
        ({"config": {"openai_base_url": "{}/other"}}, False, "/other/models"),
    ],
)
async def test_openai_is_asked_where_it_would_be(
    home: Path, stand_in: StandIn, more: dict[str, Any], signed_in: bool, path: str
) -> None:
    if signed_in:
        sign_in(home, stand_in.issue_tokens())
    config = {
        name: value.format(stand_in.url) for name, value in more.get("config", {}).items()
    }
    settings = Settings(
        codex_home=home, chatgpt_base_url=f"{stand_in.url}/backend-api", config=config
    )
    one = alone(await look(network.check_provider, settings))
    assert one.status == "ok"
    assert [request.path for request in stand_in.requests] == [path]


async def test_who_must_use_a_key_is_served_elsewhere(
    home: Path, monkeypatch: pytest.MonkeyPatch, stand_in: StandIn
) -> None:
    monkeypatch.setattr("codex_trio.responses.providers._API", f"{stand_in.url}/v1")
    (home / "auth.json").write_text("nonsense")
    settings = Settings(codex_home=home, forced_login_method="api")
    one = alone(await look(network.check_provider, settings))
    assert one.summary.startswith(f"{stand_in.url}/v1/models answers ")


def provider(stand_in: StandIn, **more: str) -> dict[str, Any]:
    mine = {"name": "Mine", "base_url": f"{stand_in.url}/v1", "env_key": "MINE_KEY", **more}
    return {"model_provider": "mine", "model_providers": {"mine": mine}}


@pytest.mark.parametrize(
    ("more", "advice"),
    [
        ({}, "Set MINE_KEY, for the server as well."),
        ({"env_key_instructions": "Ask Ada."}, "Ask Ada."),
    ],
)
async def test_a_provider_may_want_a_key(
    home: Path, stand_in: StandIn, more: dict[str, str], advice: str
) -> None:
    settings = Settings(codex_home=home, config=provider(stand_in, **more))
    assert (
        alone(await look(network.check_provider, settings, {"MINE_KEY": SECRET})).status == "ok"
    )
    key, host = await look(network.check_provider, settings, {"MINE_KEY": " "})
    assert (key.status, key.advice, host.status) == ("error", advice, "ok")
    assert key.summary == "Mine wants a key, and the environment has no MINE_KEY"


async def test_a_provider_that_is_not_there_is_an_error(home: Path) -> None:
    settings = Settings(codex_home=home, config={"model_provider": "amazon-bedrock"})
    one = alone(await look(network.check_provider, settings))
    assert (one.status, "amazon-bedrock" in one.summary) == ("error", True)


async def test_without_a_configuration_nobody_is_asked(home: Path) -> None:
    (home / "config.toml").write_text("nonsense")
    one = alone(await look(network.check_provider, Settings(codex_home=home)))
    assert one.status == "skipped"
