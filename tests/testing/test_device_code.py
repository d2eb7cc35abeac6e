"""Signing in with a code that is typed elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_trio.account.claims import read_claims
from codex_trio.testing import DeviceScript
from codex_trio.testing.issuer import challenge_of
from tests.testing.conftest import CLIENT_ID, code_grant, refused

if TYPE_CHECKING:
    import httpx

    from codex_trio.testing import StandIn

START = "/api/accounts/deviceauth/usercode"
POLL = "/api/accounts/deviceauth/token"


async def start(web: httpx.AsyncClient) -> dict[str, Any]:
    response = await web.post(START, json={"client_id": CLIENT_ID})
    assert response.status_code == 200
    answer: dict[str, Any] = response.json()
    return answer


async def poll(web: httpx.AsyncClient, device: dict[str, Any]) -> httpx.Response:
    words = {name: device[name] for name in ("device_auth_id", "user_code")}
    return await web.post(POLL, json=words)


async def test_a_device_waits_until_its_code_is_typed(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    device = await start(web)
    assert device["interval"] == "1"
    waiting = await poll(web, device)
    assert refused(waiting) == (403, "deviceauth_authorization_pending")
    page = await stand_in.visit(f"{stand_in.url}/codex/device")
    assert 'name="user_code"' in page.text
    typed = {"user_code": f" {device['user_code'].lower()} "}
    page = await stand_in.visit(page.url, form=typed)
    assert page.status == 200
    given = (await poll(web, device)).json()
    assert given.keys() == {"authorization_code", "code_challenge", "code_verifier"}
    assert given["code_challenge"] == challenge_of(given["code_verifier"])
    assert 43 <= len(given["code_verifier"]) <= 128  # RFC 7636, 4.1
    grant = code_grant(
        given["authorization_code"],
        redirect_uri=f"{stand_in.url}/deviceauth/callback",
        code_verifier=given["code_verifier"],
    )
    tokens = (await web.post("/oauth/token", data=grant)).json()
    assert read_claims(tokens["id_token"]).email == "ada@example.com"


async def test_the_right_device_is_approved(stand_in: StandIn, web: httpx.AsyncClient) -> None:
    one, other = await start(web), await start(web)
    stand_in.approve_device(other["user_code"])
    assert (await poll(web, one)).status_code == 403
    assert (await poll(web, other)).status_code == 200
    assert refused(await poll(web, other)) == (400, "deviceauth_invalid")


async def test_a_code_that_nobody_has_is_approved_by_nobody(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    device = await start(web)
    with pytest.raises(KeyError):
        stand_in.approve_device("NONE-SUCH")
    page = await stand_in.visit(f"{stand_in.url}/codex/device", form={"user_code": "NONE-SUCH"})
    assert page.status == 400
    assert "There is no such code." in page.text
    device["user_code"] = "NONE-SUCH"
    assert refused(await poll(web, device)) == (400, "deviceauth_invalid")


async def test_the_script_approves_after_some_polls(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    stand_in.device = DeviceScript(approve_after=2, pending=404, interval="7")
    device = await start(web)
    assert device["interval"] == "7"
    statuses = [(await poll(web, device)).status_code for _ in range(3)]
    assert statuses == [404, 404, 200]


async def test_the_script_refuses(stand_in: StandIn, web: httpx.AsyncClient) -> None:
    stand_in.device.refuse = 429
    assert refused(await poll(web, await start(web))) == (429, "deviceauth_refused")


async def test_what_a_device_must_say(web: httpx.AsyncClient) -> None:
    assert refused(await web.post(START, json={})) == (400, "invalid_request")
    assert refused(await web.post(POLL, json={})) == (400, "invalid_request")
