"""Signing in with a code that is typed elsewhere: what is asked, answered and told."""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.account.oauth import DeviceCode, Grant
from codex_trio.errors import RpcError
from codex_trio.settings import CaBundle, Settings
from codex_trio.testing import DeviceScript, Fault, StandIn
from tests.account.conftest import of_issuer
from tests.checked import connect, open_memory_client
from tests.conftest import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.server import Server
    from codex_trio.testing import WireClient
    from tests.schema import SchemaWatch

START = {"type": "chatgptDeviceCode"}
USERCODE = "/api/accounts/deviceauth/usercode"
POLL = "/api/accounts/deviceauth/token"
EXCHANGE = "/oauth/token"
CODE = {"device_auth_id": "device-s3cret", "user_code": "ABCD-EFGH", "interval": "1"}
GRANT = {"authorization_code": "c0de", "code_challenge": "ch", "code_verifier": "verif1er"}


@pytest.fixture
def settings(home: Path, stand_in: StandIn) -> Settings:
    return stand_in.settings(home)


async def refusal(client: WireClient, params: Any = START) -> tuple[int, str]:
    with pytest.raises(RpcError) as caught:
        await client.call("account/login/start", params)
    assert caught.value.data is None
    return caught.value.code, caught.value.message


async def start(client: WireClient) -> Any:
    return await client.call("account/login/start", START)


async def outcome(client: WireClient) -> str | None:
    """Wait for the end of the one sign-in there is, and return its error."""
    params = (await client.next_notification("account/login/completed"))["params"]
    assert params["success"] is (params["error"] is None)
    error: str | None = params["error"]
    return error


# --- the whole story ---


async def test_the_whole_story_in_order(
    client: WireClient, watch: SchemaWatch, stand_in: StandIn, home: Path
) -> None:
    stand_in.device = DeviceScript(approve_after=0)
    del watch.seen[:]
    login = await start(client)
    url = f"{stand_in.url}/codex/device"
    assert login == {
        "type": "chatgptDeviceCode",
        "loginId": login["loginId"],
        "verificationUrl": url,
        "userCode": login["userCode"],
    }
    await client.next_notification("account/updated")
    said = [message for arrow, message in watch.seen if arrow == "<--"]
    assert [message.get("method", "the answer") for message in said] == [
        "the answer",
        "account/login/completed",
        "account/updated",
    ]
    assert said[1]["params"] == {
        "loginId": login["loginId"],
        "success": True,
        "error": None,
        "onboardingEntrypoint": None,
    }
    assert said[2]["params"] == {"authMode": "chatgpt", "planType": "plus"}
    stored = json.loads((home / "auth.json").read_bytes())
    assert stored["auth_mode"] == "chatgpt"
    assert stored["OPENAI_API_KEY"] is None
    assert stored["tokens"]["account_id"] == "fake-account"


async def test_what_is_asked(client: WireClient, stand_in: StandIn, settings: Settings) -> None:
    stand_in.faults.add(USERCODE, Fault.status(200, CODE))
    stand_in.faults.add(POLL, Fault.status(200, GRANT))
    stand_in.faults.add(EXCHANGE, Fault.status(400, {"error": "no"}))
    await start(client)
    await outcome(client)
    one, two, three = of_issuer(stand_in)
    assert [request.path for request in (one, two, three)] == [USERCODE, POLL, EXCHANGE]
    assert one.json == {"client_id": settings.client_id}
    assert two.json == {"device_auth_id": "device-s3cret", "user_code": "ABCD-EFGH"}
    assert list(three.form.items()) == [
        ("grant_type", "authorization_code"),
        ("client_id", settings.client_id),
        ("code", "c0de"),
        ("redirect_uri", f"{stand_in.url}/deviceauth/callback"),
        ("code_verifier", "verif1er"),
    ]
    for request in of_issuer(stand_in):
        assert request.method == "POST"
        assert {"user-agent", "originator", "authorization", "cookie"}.isdisjoint(
            request.headers
        )


async def test_no_api_key_is_asked_for(client: WireClient, stand_in: StandIn) -> None:
    stand_in.device = DeviceScript(approve_after=0)
    await start(client)
    assert await outcome(client) is None
    asked = [request for request in of_issuer(stand_in) if request.path == EXCHANGE]
    assert [request.form["grant_type"] for request in asked] == ["authorization_code"]


async def test_who_experiments_is_told_more(settings: Settings) -> None:
    async with open_memory_client(settings) as client:
        await client.initialize(experimental=True)
        login = await start(client)
    assert abs(login["expiresAt"] - (time.time() + 900)) < 10
    assert login["interval"] == 1


async def test_the_client_id_and_the_issuer_are_the_settings(
    home: Path, stand_in: StandIn
) -> None:
    async with open_memory_client(stand_in.settings(home, client_id="app_mine")) as client:
        await client.initialize()
        await start(client)
    assert of_issuer(stand_in)[0].json == {"client_id": "app_mine"}


# --- what the issuer says of a code ---


@pytest.mark.parametrize(
    ("changed", "interval"),
    [
        ({}, 1),
        ({"interval": "5"}, 5),
        ({"interval": " 7\n"}, 7),
        ({"interval": "0"}, 1),
        ({"interval": "007"}, 7),
        ({"interval": ...}, 1),
        ({"user_code": ..., "usercode": "ABCD-EFGH"}, 1),
        ({"usercode": "other"}, 1),
        ({"more": None}, 1),
    ],
)
async def test_codes(
    settings: Settings, stand_in: StandIn, changed: dict[str, Any], interval: int
) -> None:
    body = {name: value for name, value in {**CODE, **changed}.items() if value is not ...}
    stand_in.faults.add(USERCODE, Fault.status(200, body))
    async with open_memory_client(settings) as client:
        await client.initialize(experimental=True)
        login = await start(client)
    assert (login["userCode"], login["interval"]) == ("ABCD-EFGH", interval)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        "<html>",
        [],
        None,
        {},
        {**CODE, "device_auth_id": 1},
        {**CODE, "user_code": None},
        {"device_auth_id": "a", "interval": "1"},
        *({**CODE, "interval": value} for value in ("", " ", "x", "-1", "1.5", 5, None)),
    ],
)
async def test_what_is_no_code(client: WireClient, stand_in: StandIn, body: Any) -> None:
    stand_in.faults.add(USERCODE, Fault.status(200, body))
    text = "failed to request device code: the issuer's reply is no device code"
    assert await refusal(client) == (-32603, text)


@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (
            404,
            -32600,
            (
                "device code login is not enabled for this Codex server."
                " Use the browser login or verify the server URL."
            ),
        ),
        *(
            (
                status,
                -32603,
                (
                    "failed to request device code:"
                    f" device code request failed with status {status} {phrase}"
                ),
            )
            for status, phrase in (
                (400, "Bad Request"),
                (401, "Unauthorized"),
                (403, "Forbidden"),
                (429, "Too Many Requests"),
                (500, "Internal Server Error"),
                (503, "Service Unavailable"),
            )
        ),
    ],
)
async def test_there_may_be_no_code(
    client: WireClient, stand_in: StandIn, status: int, code: int, text: str
) -> None:
    stand_in.faults.add(USERCODE, Fault.status(status, "s3cret"))
    assert await refusal(client) == (code, text)


async def test_nobody_may_be_there(home: Path, stand_in: StandIn) -> None:
    settings = stand_in.settings(home, issuer="http://nobody.invalid/x")
    async with open_memory_client(settings) as client:
        await client.initialize()
        code, text = await refusal(client)
    assert code == -32603
    url = f"http://nobody.invalid/x{USERCODE}"
    assert text.startswith(
        f"failed to request device code: error sending request for url ({url}): [Errno "
    )


@pytest.mark.parametrize("missing", [True, False])
async def test_certificates_may_be_wrong(home: Path, stand_in: StandIn, missing: bool) -> None:
    path = home / "ca.pem"
    if not missing:
        path.touch()
    bundle = CaBundle(path=path, source="SSL_CERT_FILE")
    async with open_memory_client(stand_in.settings(home, ca_bundle=bundle)) as client:
        await client.initialize()
        code, text = await refusal(client)
    selected = f"{path} selected by SSL_CERT_FILE"
    if missing:
        assert code == -32600
        assert text.startswith(f"Failed to read CA certificate file {selected}: No such file")
    else:
        assert code == -32603
        prefix = "failed to request device code: Failed to load CA certificates from"
        assert text.startswith(f"{prefix} {selected}: no certificates found in PEM file. ")
    assert of_issuer(stand_in) == []


async def test_another_way_can_be_forced(home: Path, stand_in: StandIn) -> None:
    settings = stand_in.settings(home, forced_login_method="api")
    async with open_memory_client(settings) as client:
        await client.initialize()
        text = "ChatGPT login is disabled. Use API key login instead."
        assert await refusal(client) == (-32600, text)
    assert of_issuer(stand_in) == []


async def test_a_start_that_fails_is_no_news_and_ends_nothing(
    client: WireClient, stand_in: StandIn
) -> None:
    login = await start(client)
    stand_in.faults.add(USERCODE, Fault.status(500))
    await refusal(client)
    assert not client._notifications._messages
    answer = await client.call("account/login/cancel", {"loginId": login["loginId"]})
    assert answer == {"status": "canceled"}


async def test_a_start_that_is_under_way_gives_way_to_a_newer_one(
    client: WireClient, stand_in: StandIn
) -> None:
    stand_in.faults.add(USERCODE, Fault.hang())
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def start_in_vain() -> None:
            assert await refusal(client) == (-32600, "Login was not completed")

        await stand_in.wait_request(USERCODE)
        await start(client)
    assert not client._notifications._messages


async def test_a_start_that_is_under_way_ends_with_its_client(
    server: Server, stand_in: StandIn
) -> None:
    stand_in.faults.add(USERCODE, Fault.hang())
    with trio.fail_after(PATIENCE):
        async with connect(server) as client:
            await client.initialize()
            await client.send({"id": 1, "method": "account/login/start", "params": START})
            await stand_in.wait_request(USERCODE)
            begin = trio.current_time()
        assert trio.current_time() - begin < server.settings.grace / 2


# --- secrets ---


async def test_no_secret_is_logged(
    client: WireClient, stand_in: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    login = await start(client)
    stand_in.approve_device(login["userCode"])
    assert await outcome(client) is None
    secrets = [login["userCode"]]
    for request in of_issuer(stand_in):
        names = ("device_auth_id", "code", "code_verifier")
        secrets += [request.fields[name] for name in names if name in request.fields]
    assert len(secrets) == 4
    for secret in secrets:
        assert secret not in caplog.text


def test_no_secret_is_in_a_repr() -> None:
    code = DeviceCode(
        device_auth_id="s3cret", user_code="s3cret", verification_url="u", interval=1
    )
    grant = Grant(code="s3cret", verifier="s3cret", redirect_uri="u")
    assert "s3cret" not in repr((code, grant))
    assert math.isfinite(code.interval)
