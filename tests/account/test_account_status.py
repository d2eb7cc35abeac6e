"""account/status/read: how things really stand with the account, in every state."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from codex_trio.account.storage import MemoryStore
from codex_trio.errors import RpcError
from codex_trio.server import open_server
from codex_trio.testing import Fault, make_jwt
from tests.account.conftest import KEY, SlowStore, Witness, open_login_client, open_witness
from tests.account.hosts import TOKEN, USAGE, bring, brought, settled, token_in_force
from tests.account.signed_in import sign_in
from tests.checked import connect

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.server import Server
    from codex_trio.settings import Settings
    from codex_trio.testing import StandIn, WireClient

NOBODY = {
    "source": None,
    "store": "file",
    "authMode": None,
    "saved": False,
    "standing": None,
    "checkedAt": None,
    "lastRefresh": None,
    "expiresAt": None,
    "hidden": False,
    "failure": None,
    "policy": {"source": "none", "toldAt": None, "failure": None},
}
PRESENT = {
    **NOBODY,
    "source": "store",
    "authMode": "chatgpt",
    "saved": True,
    "standing": "present",
}
CHECK = "/backend-api/wham/accounts/check"
FLAG = {"refreshToken": True}


async def read(client: WireClient) -> dict[str, Any]:
    """Ask how things stand; times are whole seconds."""
    answer = await client.call("account/status/read")
    assert set(answer) == set(NOBODY)
    for name in ("checkedAt", "lastRefresh", "expiresAt"):
        if answer[name] is not None:
            assert type(answer[name]) is int
    return dict(answer)


def is_now(seconds: float) -> bool:
    return abs(seconds - time.time()) < 10


async def test_it_is_for_experimental_clients(login_server: Server) -> None:
    async with connect(login_server) as client:
        await client.initialize()
        with pytest.raises(RpcError) as caught:
            await client.call("account/status/read")
    message = "account/status/read requires experimentalApi capability"
    assert (caught.value.code, caught.value.message) == (-32600, message)


# --- who is signed in ---


async def test_nobody(login_client: WireClient) -> None:
    assert await read(login_client) == NOBODY


async def test_an_api_key(login_client: WireClient) -> None:
    await login_client.call("account/login/start", KEY)
    assert await read(login_client) == {**PRESENT, "authMode": "apikey"}
    await login_client.call("account/logout")
    assert await read(login_client) == NOBODY


async def test_a_stored_login_is_present_until_somebody_has_been_asked(
    login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    stand_in.hold(CHECK)
    sign_in(home, stand_in.issue_tokens())
    status = await read(login_client)
    assert is_now(status["lastRefresh"])
    assert is_now(status["expiresAt"] - 3600)
    assert {**status, "lastRefresh": None, "expiresAt": None} == PRESENT


async def test_what_a_host_owns_is_not_saved(
    login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    stand_in.hold(CHECK)
    sign_in(home, stand_in.issue_tokens())
    await bring(login_client, brought(stand_in))
    status = await read(login_client)
    assert (status["source"], status["authMode"]) == ("host", "chatgptAuthTokens")
    assert (status["saved"], status["standing"]) == (False, "present")
    assert is_now(status["expiresAt"] - 3600)


@pytest.mark.parametrize(
    ("claims", "expires_at"),
    [({}, None), ({"exp": 5}, 5), ({"exp": "soon"}, None), ({"exp": 10**18}, None)],
)
async def test_when_a_token_ends_is_what_it_says(
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
    claims: dict[str, Any],
    expires_at: int | None,
) -> None:
    stand_in.hold(CHECK)
    stand_in.hold(TOKEN)
    sign_in(home, attrs.evolve(stand_in.issue_tokens(), access_token=make_jwt(claims)))
    assert (await read(login_client))["expiresAt"] == expires_at


async def test_who_may_not_be_signed_in_is_hidden(
    login_settings: Settings, home: Path, stand_in: StandIn, witness: Witness
) -> None:
    sign_in(home, stand_in.issue_tokens())
    settings = attrs.evolve(login_settings, forced_login_method="api")
    async with open_login_client(settings, witness) as client:
        status = await read(client)
        assert {**status, "saved": False} == {**NOBODY, "hidden": True}


# --- where it is kept ---


async def test_what_is_in_memory_alone_is_not_saved(
    login_settings: Settings, witness: Witness
) -> None:
    settings = attrs.evolve(login_settings, credentials_store="ephemeral")
    async with open_login_client(settings, witness) as client:
        await client.call("account/login/start", KEY)
        status = await read(client)
    assert (status["store"], status["source"], status["saved"]) == ("ephemeral", "store", False)


async def test_a_store_of_somebody_s_own_has_its_name(
    login_settings: Settings, witness: Witness
) -> None:
    class OwnStore(MemoryStore):
        kind = "vault"

    async with open_server(login_settings, store=OwnStore()) as server:
        async with open_witness(server, witness) as client:
            await client.call("account/login/start", KEY)
            status = await read(client)
    assert (status["store"], status["saved"]) == ("vault", True)


# --- what somebody who was asked has said ---


async def test_a_token_that_was_taken_is_verified(
    login_server: Server, login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    sign_in(home, stand_in.issue_tokens())
    await login_client.call("account/rateLimits/read")
    status = await read(login_client)
    assert status["standing"] == "verified"
    assert is_now(status["checkedAt"])


@pytest.mark.parametrize("status", [403, 404, 429, 500, 503])
async def test_a_failing_host_says_nothing_of_the_token(
    login_client: WireClient, home: Path, stand_in: StandIn, status: int
) -> None:
    stand_in.hold(CHECK)
    sign_in(home, stand_in.issue_tokens())
    stand_in.faults.add(USAGE, Fault.status(status))
    with pytest.raises(RpcError):
        await login_client.call("account/rateLimits/read")
    assert (await read(login_client))["standing"] == "present"
    await login_client.call("account/rateLimits/read")
    assert (await read(login_client))["standing"] == "verified"


async def test_a_token_that_was_refused_and_renewed_is_verified(
    login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    sign_in(home, stand_in.issue_tokens())
    stand_in.expire_access_tokens()
    await login_client.call("account/rateLimits/read")
    status = await read(login_client)
    assert (status["standing"], status["failure"]) == ("verified", None)


async def test_a_token_that_was_refused_and_not_renewed_is_refused(
    login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    sign_in(home, stand_in.issue_tokens())
    stand_in.expire_access_tokens()
    stand_in.faults.add(TOKEN, *[Fault.status(500, "no")] * 9)
    with pytest.raises(RpcError):
        await login_client.call("account/rateLimits/read")
    status = await read(login_client)
    assert status["standing"] == "refused"
    assert status["failure"] == {
        "message": "Failed to refresh token: 500 Internal Server Error",
        "permanent": False,
    }


async def test_a_new_login_is_present_again(
    login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    sign_in(home, stand_in.issue_tokens())
    await login_client.call("account/rateLimits/read")
    await login_client.call("account/login/start", KEY)
    assert await read(login_client) == {**PRESENT, "authMode": "apikey"}


# --- what has gone wrong ---


async def test_a_renewal_that_fails_for_the_moment_is_told_until_one_succeeds(
    login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    sign_in(home, stand_in.issue_tokens())
    stand_in.faults.add(TOKEN, Fault.status(503, "later"))
    await login_client.call("account/read", FLAG)
    failure = (await read(login_client))["failure"]
    assert failure == {
        "message": "Failed to refresh token: 503 Service Unavailable",
        "permanent": False,
    }
    await login_client.call("account/read", FLAG)
    status = await read(login_client)
    assert (status["failure"], status["standing"]) == (None, "verified")


async def test_a_renewal_that_fails_for_good_is_told_until_somebody_signs_in(
    login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    sign_in(home, stand_in.issue_tokens())
    stand_in.end_refresh_tokens("expired")
    await login_client.call("account/read", FLAG)
    status = await read(login_client)
    assert status["failure"]["permanent"] is True
    assert "has expired" in status["failure"]["message"]
    assert (status["source"], status["authMode"]) == ("store", "chatgpt")
    sign_in(home, stand_in.issue_tokens())
    assert (await read(login_client))["failure"] is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"sk-secret", "not valid JSON, or a key that is repeated"),
        (b"[]", "not a JSON object"),
        (b'{"auth_mode": "sk-secret"}', "unknown auth_mode"),
        (b'{"OPENAI_API_KEY": 5, "x": "sk-secret"}', "OPENAI_API_KEY is not a string"),
    ],
)
async def test_a_store_that_cannot_be_read_is_told(
    login_client: WireClient, witness: Witness, home: Path, content: bytes, reason: str
) -> None:
    (home / "auth.json").write_bytes(content)
    failure = {"message": reason, "permanent": False}
    assert await read(login_client) == {**NOBODY, "failure": failure}
    (home / "auth.json").write_text('{"OPENAI_API_KEY": "sk-secret"}')
    assert await read(login_client) == {**PRESENT, "authMode": "apikey"}
    assert "sk-secret" not in json.dumps(witness.seen)


async def test_tokens_that_cannot_be_stored_are_in_force_and_not_saved(
    login_server: Server, login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    sign_in(home, stand_in.issue_tokens())
    slow = SlowStore.of(login_server)
    slow.full = True
    slow.go_on.set()
    await login_client.call("account/read", FLAG)
    status = await read(login_client)
    assert (status["source"], status["saved"]) == ("store", False)
    assert status["failure"] == {
        "message": "No space left on device (os error 28)",
        "permanent": False,
    }
    slow.full = False
    await login_client.call("account/read", FLAG)
    status = await read(login_client)
    assert (status["saved"], status["failure"]) == (True, None)


# --- secrets ---


async def test_no_secret_is_told_in_any_state(
    login_server: Server, login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    secrets = [KEY["apiKey"]]
    told = []
    await login_client.call("account/login/start", KEY)
    told.append(await read(login_client))
    tokens = stand_in.issue_tokens()
    secrets += attrs.astuple(tokens)
    sign_in(home, tokens)
    told.append(await read(login_client))
    body = {"error": {"code": "x", "message": f"{tokens.refresh_token} is spent"}}
    stand_in.faults.add(TOKEN, Fault.status(500, body), Fault.status(401, body))
    for _ in range(2):
        await login_client.call("account/read", FLAG)
        told.append(await read(login_client))
    await bring(login_client, brought(stand_in))
    await settled(login_server)
    secrets.append(await token_in_force(login_client) or "")
    told.append(await read(login_client))
    assert [one["authMode"] for one in told] == [
        "apikey",
        "chatgpt",
        "chatgpt",
        "chatgpt",
        "chatgptAuthTokens",
    ]
    assert not [secret for secret in secrets if secret in json.dumps(told)]
