"""The stand-in's strings, for those who hold them from another process."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import trio

from codex_trio.account.claims import read_claims
from codex_trio.httpd import HttpResponse
from codex_trio.testing import Fault, StandIn
from tests.testing.conftest import CLIENT_ID, USAGE, get, refresh, refused

if TYPE_CHECKING:
    import httpx

PATH = USAGE


async def test_what_was_asked_can_be_read_over_http(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    await web.post("/a?b=c", json={"d": 1})
    (told,) = (await web.get("/stand-in/requests")).json()["requests"]
    assert (told["method"], told["path"], told["query"]) == ("POST", "/a", {"b": "c"})
    assert orjson.loads(told["body"]) == told["fields"] == {"d": 1}
    assert len(stand_in.requests) == 1


async def test_a_script_can_be_told_over_http(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    account = stand_in.account
    words = {
        "user": "deny",
        "denial": {"description": None},
        "device": {"approve_after": 1},
        "account": {"plan": "pro"},
        "usage": {"credits": None},
        "refresh_reply": {"id_token": 1},
        "requirements": "a = 1",
        "faults": [
            {"path": "/a", "status": 500, "body": {"x": 1}},
            {"path": "/a", "drop": True},
            {"path": "/a", "garbage": "?"},
            {"path": "/a", "hang": True},
            {"path": "/a", "delay": 2},
            {"path": "/a", "delay": 2, "status": 500},
            {"path": "/a"},
            {"path": "/a", "redirect": "/b"},
            {"path": "/a", "lose": True, "hang": True},
            {"path": "/a", "cut": True, "delay": 2},
            {"path": "/a", "trickle": True},
            {"path": "/a", "drop": False},
        ],
    }
    assert (await web.post("/stand-in/script", json=words)).json() == {}
    assert (stand_in.user, stand_in.denial.description) == ("deny", None)
    assert stand_in.denial.error == "access_denied"
    assert stand_in.device.approve_after == 1
    assert stand_in.account is account
    assert (account.plan, account.email) == ("pro", "ada@example.com")
    assert (stand_in.usage, stand_in.requirements) == ({"credits": None}, "a = 1")
    assert stand_in.refresh_reply == {"id_token": 1}
    faults = [stand_in.faults.take("/a") for _ in range(12)]
    assert isinstance(faults[0].answer, HttpResponse)
    assert faults[0].answer.body == b'{"x":1}'
    assert faults[1:5] == [Fault.drop(), Fault.garbage(b"?"), Fault.hang(), Fault.delay(2)]
    assert (faults[5].wait, faults[5].answer is None, faults[6]) == (2, False, Fault.none())
    assert faults[7:9] == [Fault.redirect("/b"), Fault.lose(math.inf)]
    assert faults[9:] == [Fault(2, loss="cut"), Fault.trickle(), Fault.none()]


async def test_another_account_is_told_as_another(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    before = stand_in.account
    await web.post("/stand-in/script", json={"account": {"account_id": "other"}})
    assert (before.account_id, stand_in.account.account_id) == ("fake-account", "other")


@pytest.mark.parametrize(
    "words",
    [
        [],
        [1],
        "x",
        {"nobody": 1},
        {"user": "perhaps"},
        {"account": {"nothing": 1}},
        {"account": {"plan": 1}},
        {"account": {"token_lifetime": -1}},
        {"account": None},
        {"device": {"approve_after": "2"}},
        {"faults": [{"status": 500}]},
        {"faults": [{"path": "/a", "status": "x"}]},
        {"faults": [{"path": "/a", "delay": -1}]},
        {"faults": [{"path": "/a", "status": 100}]},
        {"faults": [{"path": 1}]},
        {"faults": [{"path": "/a", "lost": True}]},
        {"faults": [{"path": "/a", "cut": True, "drop": True}]},
        {"usage": None},
        {"requirements": 1},
        {"faults": 1},
        {"device": {"refuse": 99}},
        {"url": "http://127.0.0.1:1"},
    ],
)
async def test_what_is_not_understood_is_refused_and_changes_nothing(
    stand_in: StandIn, web: httpx.AsyncClient, words: Any
) -> None:
    if isinstance(words, dict):
        words = {**words, "denial": {"error": "changed"}}
    response = await web.post("/stand-in/script", json=words)
    assert (response.status_code, response.json().keys()) == (400, {"detail"})
    assert stand_in.denial.error == "access_denied"


async def test_a_device_can_be_approved_over_http(web: httpx.AsyncClient) -> None:
    start = await web.post("/api/accounts/deviceauth/usercode", json={"client_id": "c"})
    for code, status in ((start.json()["user_code"], 200), ("NONE-SUCH", 400), (1, 400)):
        response = await web.post("/stand-in/approve-device", json={"user_code": code})
        assert response.status_code == status


async def test_everything_can_be_forgotten(stand_in: StandIn, web: httpx.AsyncClient) -> None:
    token = stand_in.issue_tokens().access_token
    stand_in.user = "never"
    stand_in.account.plan = "pro"
    stand_in.faults.add(PATH, Fault.drop())
    await web.get("/a")
    assert (await web.post("/stand-in/reset")).status_code == 200
    assert (stand_in.user, stand_in.account.plan, stand_in.requests) == ("approve", "plus", [])
    response = await web.get(PATH, headers={"Authorization": f"Bearer {token}"})
    assert response.json()["error"]["code"] == "token_invalidated"


async def test_tokens_can_be_had_and_ended_over_http(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    async def pull(string: str, words: Any = None) -> Any:
        response = await web.post(f"/stand-in/{string}", json=words or {})
        assert response.status_code == 200
        return response.json()

    tokens = await pull("issue-tokens", {"client_id": CLIENT_ID})
    other = await pull("issue-tokens", {"account": {"account_id": "other"}})
    alone = (await pull("issue-access-token", {"account": {"plan": "pro"}}))["access_token"]
    assert read_claims(alone).plan == "pro"
    await pull("expire-access-tokens")
    for token in (tokens["access_token"], alone):
        assert refused(await get(web, PATH, token)) == (401, "token_expired")
    given = (await refresh(web, tokens["refresh_token"])).json()
    for query, token in (("", given), ("?account_id=other", other)):
        live = await web.get(f"/stand-in/live-refresh-tokens{query}")
        assert live.json() == {"refresh_tokens": [token["refresh_token"]]}
    await pull("end-refresh-tokens", {"ending": "expired"})
    await refresh(web, given["refresh_token"])
    assert (await web.get("/stand-in/exchanges")).json() == {
        "exchanges": [
            {"outcome": "rotated", "account_id": "fake-account"},
            {"outcome": "expired", "account_id": "fake-account"},
        ]
    }
    await pull("revoke-all")
    revoked = await get(web, PATH, given["access_token"])
    assert refused(revoked) == (401, "token_invalidated")


async def test_requests_can_be_held_over_http(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    async def ask() -> None:
        assert (await web.get(PATH)).status_code == 401

    await web.post("/stand-in/hold", json={"path": PATH})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await stand_in.wait_request(PATH)
        await web.post("/stand-in/release", json={"path": PATH})


@pytest.mark.parametrize(
    ("string", "words"),
    [
        ("issue-tokens", {"account": {"plan": 1}}),
        ("issue-tokens", {"account": {"nothing": 1}}),
        ("issue-tokens", {"nothing": 1}),
        ("issue-tokens", []),
        ("issue-tokens", {"client_id": 1}),
        ("issue-access-token", {"account": 1}),
        ("issue-access-token", {"client_id": "x"}),
        ("end-refresh-tokens", {"ending": "lost"}),
        ("end-refresh-tokens", {}),
        ("hold", {}),
        ("release", {"path": 1}),
    ],
)
async def test_a_string_is_pulled_rightly_or_not_at_all(
    web: httpx.AsyncClient, string: str, words: Any
) -> None:
    response = await web.post(f"/stand-in/{string}", json=words)
    assert (response.status_code, response.json().keys()) == (400, {"detail"})


async def test_there_are_no_other_strings(web: httpx.AsyncClient) -> None:
    assert (await web.get("/stand-in/script")).status_code == 404
