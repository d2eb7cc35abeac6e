"""What the backend says of an account, and to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codex_trio.testing import StandIn, make_jwt
from tests.testing.conftest import get, refused

if TYPE_CHECKING:
    import httpx

ACCOUNTS = ["/backend-api/wham/accounts/check", "/api/codex/accounts/check"]
USAGES = ["/backend-api/wham/usage", "/api/codex/usage"]
CONFIGS = ["/backend-api/wham/config", "/api/codex/config"]


@pytest.mark.parametrize("path", ACCOUNTS)
async def test_the_backend_says_where_an_account_is_served_from(
    stand_in: StandIn, web: httpx.AsyncClient, path: str
) -> None:
    stand_in.account.workspace_name = "Ours"
    token = stand_in.issue_tokens().access_token
    assert (await get(web, path, token)).json()["accounts"] == [
        {
            "id": "fake-account",
            "name": "Ours",
            "plan_type": "plus",
            "workspace_backend_origin": "https://chatgpt.com",
            "account_routing_override": "NO_CONSTRAINT",
        }
    ]


@pytest.mark.parametrize("path", USAGES)
async def test_the_backend_says_what_was_used(
    stand_in: StandIn, web: httpx.AsyncClient, path: str
) -> None:
    usage = (await get(web, path, stand_in.issue_tokens().access_token)).json()
    assert usage["plan_type"] == "plus"
    window = usage["rate_limit"]["primary_window"]
    assert window["used_percent"] == 12
    assert all(type(value) is int for value in window.values())


async def test_the_backend_knows_its_tokens(stand_in: StandIn, web: httpx.AsyncClient) -> None:
    assert refused(await web.get(USAGES[0])) == (401, "missing_token")
    assert refused(await get(web, USAGES[0], make_jwt({}))) == (401, "token_invalidated")
    stand_in.account.token_lifetime = 0
    token = stand_in.issue_tokens().access_token
    assert refused(await get(web, USAGES[0], token)) == (401, "token_expired")


@pytest.mark.parametrize("path", ["/", "/v1/models", "/backend-api/plugins/featured"])
async def test_what_nobody_serves_is_not_found(web: httpx.AsyncClient, path: str) -> None:
    response = await web.get(path)
    assert (response.status_code, response.json()) == (404, {"detail": "Not Found"})
    assert (await web.get("/oauth/token")).status_code == 404


async def test_limits_can_be_changed_member_by_member(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    stand_in.usage = {
        "plan_type": "new",
        "credits": None,
        "rate_limit": {"primary_window": {"used_percent": 1.5}, "secondary_window": None},
        "additional_rate_limits": [{"limit_name": "x", "rate_limit": None}],
    }
    usage = (await get(web, USAGES[0], stand_in.issue_tokens().access_token)).json()
    assert usage.keys() == {"plan_type", "rate_limit", "additional_rate_limits"}
    assert usage["plan_type"] == "new"
    assert usage["rate_limit"].keys() == {"allowed", "limit_reached", "primary_window"}
    assert usage["rate_limit"]["primary_window"]["used_percent"] == 1.5
    assert usage["rate_limit"]["primary_window"]["limit_window_seconds"] == 18000
    assert usage["additional_rate_limits"] == [{"limit_name": "x", "rate_limit": None}]


@pytest.mark.parametrize("path", CONFIGS)
async def test_a_workspace_may_require_something(
    stand_in: StandIn, web: httpx.AsyncClient, path: str
) -> None:
    token = stand_in.issue_tokens().access_token
    assert (await get(web, f"{path}/requirements", token)).status_code == 404
    assert (await get(web, f"{path}/bundle", token)).json() == {}
    stand_in.requirements = text = 'enforce_residency = "us"'
    requirements = (await get(web, f"{path}/requirements", token)).json()
    assert (requirements["contents"], len(requirements["sha256"])) == (text, 64)
    bundle = (await get(web, f"{path}/bundle", token)).json()
    (fragment,) = bundle["requirements_toml"]["enterprise_managed"]
    assert fragment == {"id": "fake-policy", "name": "Fake policy", "contents": text}
    assert refused(await web.get(f"{path}/bundle")) == (401, "missing_token")
