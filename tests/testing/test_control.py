"""The stand-in's strings, for those who hold them from another process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from codex_trio.httpd import HttpResponse
from codex_trio.testing import Fault, StandIn

if TYPE_CHECKING:
    import httpx

PATH = "/backend-api/wham/usage"


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
        "faults": [
            {"path": "/a", "status": 500, "body": {"x": 1}},
            {"path": "/a", "drop": True},
            {"path": "/a", "garbage": "?"},
            {"path": "/a", "hang": True},
            {"path": "/a", "delay": 2},
            {"path": "/a", "delay": 2, "status": 500},
            {"path": "/a"},
        ],
    }
    assert (await web.post("/stand-in/script", json=words)).json() == {}
    assert (stand_in.user, stand_in.denial.description) == ("deny", None)
    assert stand_in.denial.error == "access_denied"
    assert stand_in.device.approve_after == 1
    assert stand_in.account is account
    assert (account.plan, account.email) == ("pro", "ada@example.com")
    faults = [stand_in.faults.take("/a") for _ in range(7)]
    assert isinstance(faults[0].answer, HttpResponse)
    assert faults[0].answer.body == b'{"x":1}'
    assert faults[1:5] == [Fault.drop(), Fault.garbage(b"?"), Fault.hang(), Fault.delay(2)]
    assert (faults[5].wait, faults[5].answer is None, faults[6]) == (2, False, Fault.none())


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


async def test_there_are_no_other_strings(web: httpx.AsyncClient) -> None:
    assert (await web.get("/stand-in/script")).status_code == 404
