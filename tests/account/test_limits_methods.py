"""account/rateLimits/read: what clients are told of the backend's answers, or of their lack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from codex_trio.account.excerpt import LONGEST
from codex_trio.errors import RpcError
from codex_trio.testing import Fault, StandIn, WireClient
from tests.account.conftest import KEY, Witness, account, jump, open_login_client
from tests.account.signed_in import sign_in

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from trio.testing import MockClock

    from codex_trio.settings import Settings
    from codex_trio.testing import Tokens

USAGE = "/backend-api/wham/usage"
DETAILS = "/backend-api/wham/rate-limit-reset-credits"
CREDIT = {
    "id": "c1",
    "reset_type": "codex_rate_limits",
    "status": "available",
    "granted_at": "2025-01-01T00:00:00Z",
}
UNLIMITED = {"available_count": 3, "credits": [CREDIT]}


@pytest.fixture
def signed_in(home: Path, stand_in: StandIn) -> Tokens:
    """The tokens of a home in which somebody has signed in."""
    tokens = stand_in.issue_tokens()
    sign_in(home, tokens)
    return tokens


@pytest.fixture
async def client(
    signed_in: Tokens, login_settings: Settings, witness: Witness
) -> AsyncGenerator[WireClient]:
    """A client of a server at which somebody has signed in."""
    async with open_login_client(login_settings, witness) as client:
        yield client


async def read(client: WireClient) -> Any:
    return await client.call("account/rateLimits/read")


async def failure(client: WireClient) -> str:
    with pytest.raises(RpcError) as caught:
        await read(client)
    assert caught.value.code == -32603
    prefix, _, reason = caught.value.message.partition(": ")
    assert prefix == "failed to fetch codex rate limits"
    return reason


def asked(stand_in: StandIn, path: str) -> int:
    return len([one for one in stand_in.requests if one.path == path])


async def test_the_limits_are_those_of_the_backend(
    client: WireClient, stand_in: StandIn
) -> None:
    stand_in.usage = {"account_id": "fake-account", "user_id": "user-fake"}
    limits = await read(client)
    assert limits["rateLimits"]["primary"]["usedPercent"] == 12
    assert limits["rateLimits"]["primary"]["windowDurationMins"] == 300
    assert limits["rateLimits"]["planType"] == "plus"
    assert limits["rateLimitsByLimitId"] == {"codex": limits["rateLimits"]}
    assert limits["ordinaryUsageAllowed"] is True
    assert limits["rateLimitResetCredits"] is None


async def test_the_backend_is_asked_as_the_original_asks_it(
    client: WireClient, stand_in: StandIn, signed_in: Tokens
) -> None:
    await read(client)
    for path in (USAGE, DETAILS):
        request = await stand_in.wait_request(path)
        assert request.method == "GET"
        assert request.headers["authorization"] == f"Bearer {signed_in.access_token}"
        assert request.headers["chatgpt-account-id"] == "fake-account"
        assert "codex_trio_testing" in request.headers["user-agent"]
        assert "originator" not in request.headers


@pytest.mark.parametrize("params", [None, {}, [], {"x": 1}, {"supportsLunaReserve": True}])
async def test_it_needs_no_params(client: WireClient, params: Any) -> None:
    assert await client.call("account/rateLimits/read", params)


async def test_details_are_not_asked_for_if_nobody_wants_them(
    client: WireClient, stand_in: StandIn
) -> None:
    params = {"excludeResetCreditDetails": True}
    assert await client.call("account/rateLimits/read", params)
    assert asked(stand_in, USAGE) == 1
    assert asked(stand_in, DETAILS) == 0


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"excludeResetCreditDetails": 5}, "integer `5`, expected a boolean"),
        ({"excludeResetCreditDetails": None}, "null, expected a boolean"),
        ("x", 'string "x", expected struct GetAccountRateLimitsParams'),
    ],
)
async def test_what_is_asked_wrongly_is_refused(
    client: WireClient, params: Any, reason: str
) -> None:
    with pytest.raises(RpcError) as caught:
        await client.call("account/rateLimits/read", params)
    assert caught.value.code == -32600
    assert caught.value.message == f"Invalid request: invalid type: {reason}"


async def test_nobody_has_no_limits(login_client: WireClient, stand_in: StandIn) -> None:
    with pytest.raises(RpcError) as caught:
        await read(login_client)
    assert caught.value.code == -32600
    assert caught.value.message == "codex account authentication required to read rate limits"
    assert stand_in.requests == []


async def test_an_api_key_has_no_limits(login_client: WireClient, stand_in: StandIn) -> None:
    await login_client.call("account/login/start", KEY)
    with pytest.raises(RpcError) as caught:
        await read(login_client)
    assert caught.value.code == -32600
    assert caught.value.message == "chatgpt authentication required to read rate limits"
    assert stand_in.requests == []


# --- details ---


async def test_details_are_added(client: WireClient, stand_in: StandIn) -> None:
    stand_in.usage = {"rate_limit_reset_credits": {"available_count": 2}}
    stand_in.faults.add(DETAILS, Fault.status(200, UNLIMITED))
    told = (await read(client))["rateLimitResetCredits"]
    assert told["availableCount"] == 3
    assert [credit["id"] for credit in told["credits"]] == ["c1"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault.status(500, UNLIMITED),
        Fault.status(200, "<html>"),
        Fault.status(200, {"available_count": 3}),
        Fault.status(200, []),
        Fault.drop(),
    ],
)
async def test_without_details_their_number_is_told(
    client: WireClient, stand_in: StandIn, fault: Fault
) -> None:
    stand_in.usage = {"rate_limit_reset_credits": {"available_count": 2}}
    stand_in.faults.add(DETAILS, fault)
    told = (await read(client))["rateLimitResetCredits"]
    assert told == {"availableCount": 2, "credits": None}


async def test_details_are_waited_for_five_seconds(
    signed_in: Tokens,
    login_settings: Settings,
    witness: Witness,
    stand_in: StandIn,
    patient_clock: MockClock,
) -> None:
    stand_in.faults.add(DETAILS, Fault.hang())
    async with open_login_client(login_settings, witness) as client:
        began = trio.current_time()
        assert (await read(client))["rateLimitResetCredits"] is None
        assert 5 <= trio.current_time() - began < 6


# --- what goes wrong ---


async def test_a_refusal_is_told_with_its_beginning(
    client: WireClient, stand_in: StandIn
) -> None:
    stand_in.faults.add(USAGE, Fault.status(503, "busy,\ntry later " * 1000))
    told = await failure(client)
    url, _, body = told.partition("; body=")
    assert url == f"GET {stand_in.url}{USAGE} failed: 503 Service Unavailable"
    assert body.startswith("busy, try later busy")
    assert len(body) <= LONGEST + 1


async def test_no_secret_is_told(
    client: WireClient, stand_in: StandIn, signed_in: Tokens
) -> None:
    body = f'{{"detail": "bad token {signed_in.access_token}"}}'
    stand_in.faults.add(USAGE, Fault.status(400, body))
    told = await failure(client)
    assert '{"detail": "bad token [redacted]' in told


@pytest.mark.parametrize(
    ("body", "reason"),
    [("", "it is not JSON"), ("<html>", "it is not JSON"), ("[1]", "it is not an object")],
)
async def test_what_is_no_answer_is_told(
    client: WireClient, stand_in: StandIn, body: str, reason: str
) -> None:
    stand_in.faults.add(USAGE, Fault.status(200, body))
    told = await failure(client)
    assert told == f"Decode error for {stand_in.url}{USAGE}: {reason}; body={body}"


async def test_an_object_is_an_answer_whatever_it_holds(
    client: WireClient, stand_in: StandIn
) -> None:
    stand_in.faults.add(USAGE, Fault.status(200, '{"plan_type": NaN, "rate_limit": 5}'))
    limits = await read(client)
    assert limits["rateLimits"]["limitId"] == "codex"
    assert limits["rateLimits"]["planType"] is None


async def test_a_lost_connection_is_told(client: WireClient, stand_in: StandIn) -> None:
    stand_in.faults.add(USAGE, Fault.drop())
    told = await failure(client)
    assert told.startswith(f"error sending request for url ({stand_in.url}{USAGE}): ")


async def test_a_host_that_says_nothing_has_half_a_minute(
    signed_in: Tokens,
    login_settings: Settings,
    witness: Witness,
    stand_in: StandIn,
    still_clock: MockClock,
) -> None:
    stand_in.faults.add(USAGE, Fault.hang())
    async with open_login_client(login_settings, witness) as client:
        async with trio.open_nursery() as nursery:
            began = trio.current_time()

            async def fail() -> None:
                assert (await failure(client)).endswith("no reply within 30 seconds")
                assert 30 <= trio.current_time() - began < 31

            nursery.start_soon(fail)
            await stand_in.wait_request(USAGE)
            jump(still_clock)


async def test_a_refused_token_is_renewed_once(client: WireClient, stand_in: StandIn) -> None:
    stand_in.expire_access_tokens()
    assert (await read(client))["rateLimits"]["planType"] == "plus"
    assert asked(stand_in, "/oauth/token") == 1


async def test_a_token_that_cannot_be_renewed_is_told_as_refused(
    client: WireClient, stand_in: StandIn
) -> None:
    stand_in.revoke_all()
    told = await failure(client)
    assert told.startswith(f"GET {stand_in.url}{USAGE} failed: 401 Unauthorized; body=")
    assert asked(stand_in, "/oauth/token") == 1


async def test_a_backend_that_refuses_every_token_is_asked_twice(
    client: WireClient, stand_in: StandIn
) -> None:
    stand_in.faults.add(USAGE, *[Fault.status(401, {"detail": "no"})] * 5)
    assert "401 Unauthorized" in await failure(client)
    assert asked(stand_in, USAGE) == 2


async def test_who_signs_out_meanwhile_has_no_limits(
    client: WireClient, stand_in: StandIn
) -> None:
    stand_in.faults.add(USAGE, Fault(wait=0.2, answer=Fault.status(401).answer))
    async with trio.open_nursery() as nursery:

        async def fail() -> None:
            assert "401 Unauthorized" in await failure(client)

        nursery.start_soon(fail)
        await stand_in.wait_request(USAGE)
        await client.call("account/logout")


async def test_who_signs_out_while_a_token_is_renewed_has_none_either(
    home: Path, login_settings: Settings, witness: Witness, stand_in: StandIn
) -> None:
    stand_in.account.token_lifetime = 0
    sign_in(home, stand_in.issue_tokens())
    stand_in.hold("/oauth/token")
    async with open_login_client(login_settings, witness) as client:
        async with trio.open_nursery() as nursery:

            async def fail() -> None:
                with pytest.raises(RpcError, match="account authentication required"):
                    await read(client)

            nursery.start_soon(fail)
            await stand_in.wait_request("/oauth/token")
            await client.call("account/logout")
            stand_in.release("/oauth/token")


# --- others ---


async def test_it_delays_nobody(client: WireClient, stand_in: StandIn) -> None:
    stand_in.hold(USAGE)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read, client)
        await stand_in.wait_request(USAGE)
        assert await account(client) == "chatgpt"
        await client.call("account/login/start", KEY)
        assert await account(client) == "apiKey"
        stand_in.release(USAGE)
