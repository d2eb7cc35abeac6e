"""Asking the issuer whether a code has been typed: how often, for how long, and what ends it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import MockClock

from codex_trio.errors import RpcError
from codex_trio.testing import DeviceScript, Fault, StandIn
from tests.account.conftest import left_in
from tests.checked import open_memory_client

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from codex_trio.settings import Settings
    from codex_trio.testing import WireClient

START = {"type": "chatgptDeviceCode"}
USERCODE = "/api/accounts/deviceauth/usercode"
POLL = "/api/accounts/deviceauth/token"
EXCHANGE = "/oauth/token"
CODE = {"device_auth_id": "device-s3cret", "user_code": "ABCD-EFGH", "interval": "1"}
GRANT = {"authorization_code": "c0de", "code_challenge": "ch", "code_verifier": "verif1er"}


@pytest.fixture
def settings(home: Path, stand_in: StandIn) -> Settings:
    return stand_in.settings(home, watch_interval=math.inf)


@pytest.fixture
def clock() -> MockClock:
    """A clock that stands still until a test says ``jump``."""
    return MockClock()


def jump(clock: MockClock) -> None:
    """Skip the time in which nobody does anything; sockets and threads have time to."""
    clock.autojump_threshold = 0.05


@pytest.fixture
async def patient(clock: MockClock, settings: Settings) -> AsyncGenerator[WireClient]:
    """A client that waits for ever."""
    async with open_memory_client(settings) as client:
        await client.initialize()
        yield client


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


def polls(stand_in: StandIn) -> list[float]:
    """When it was asked whether the code had been typed, from the first time on."""
    times = [request.at for request in stand_in.requests if request.path == POLL]
    return [at - times[0] for at in times]


# --- asking whether it has been typed ---


@pytest.mark.parametrize("pending", [403, 404])
async def test_two_statuses_say_not_yet(
    patient: WireClient, stand_in: StandIn, clock: MockClock, pending: int
) -> None:
    stand_in.device = DeviceScript(approve_after=2, pending=pending)
    await start(patient)
    jump(clock)
    assert await outcome(patient) is None
    assert len(polls(stand_in)) == 3


@pytest.mark.parametrize(
    ("interval", "seconds"), [("5", 5), ("0", 1), (" 2 ", 2), ("100", 100)]
)
async def test_it_is_asked_at_once_and_then_at_intervals(
    patient: WireClient,
    stand_in: StandIn,
    clock: MockClock,
    interval: str,
    seconds: float,
) -> None:
    stand_in.device = DeviceScript(approve_after=3, interval=interval)
    begin = trio.current_time()
    await start(patient)
    assert (await stand_in.wait_request(POLL)).at == begin
    jump(clock)
    assert await outcome(patient) is None
    assert polls(stand_in) == pytest.approx([0, seconds, 2 * seconds, 3 * seconds], abs=0.3)


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (400, "Bad Request"),
        (401, "Unauthorized"),
        (410, "Gone"),
        (429, "Too Many Requests"),
        (500, "Internal Server Error"),
        (503, "Service Unavailable"),
    ],
)
async def test_every_other_status_is_the_end(
    client: WireClient, stand_in: StandIn, home: Path, status: int, phrase: str
) -> None:
    stand_in.device = DeviceScript(refuse=status)
    await start(client)
    assert await outcome(client) == f"device auth failed with status {status} {phrase}"
    await client.call("account/read", {})
    assert not client._notifications._messages
    assert left_in(home) == []


@pytest.mark.parametrize(
    "body", [b"", "<html>", [], {}, *({**GRANT, name: None} for name in GRANT)]
)
async def test_a_grant_must_be_one(client: WireClient, stand_in: StandIn, body: Any) -> None:
    stand_in.faults.add(POLL, Fault.status(200, body))
    await start(client)
    assert await outcome(client) == "error decoding response body"


async def test_who_cannot_be_asked_is_asked_less_often(
    patient: WireClient,
    stand_in: StandIn,
    clock: MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """RFC 8628, section 3.5."""
    caplog.set_level("DEBUG", logger="codex_trio")
    stand_in.faults.add(USERCODE, Fault.status(200, {**CODE, "interval": "3"}))
    stand_in.faults.add(POLL, *[Fault.drop(), Fault.garbage()] * 4)
    stand_in.faults.add(POLL, Fault.status(403), Fault.status(410))
    await start(patient)
    jump(clock)
    assert await outcome(patient) == "device auth failed with status 410 Gone"
    waits = [6, 12, 24, 48, 60, 60, 60, 60, 60]
    expected = [sum(waits[:number]) for number in range(len(waits) + 1)]
    assert polls(stand_in) == pytest.approx(expected, abs=0.5)
    logged = [one for one in caplog.records if one.name == "codex_trio.account.device_code"]
    assert len(logged) == 8
    assert {one.levelname for one in logged} == {"WARNING"}
    for secret in ("device-s3cret", "ABCD-EFGH"):
        assert secret not in caplog.text


# --- the end of patience ---

TOO_LATE = "device auth timed out after 15 minutes"


async def test_nobody_waits_longer_than_fifteen_minutes(
    patient: WireClient, stand_in: StandIn, clock: MockClock
) -> None:
    stand_in.device = DeviceScript(interval="200")
    begin = trio.current_time()
    login = await start(patient)
    jump(clock)
    assert await outcome(patient) == TOO_LATE
    assert trio.current_time() - begin == pytest.approx(900, abs=1)
    assert len(polls(stand_in)) == 5
    answer = await patient.call("account/login/cancel", {"loginId": login["loginId"]})
    assert answer == {"status": "notFound"}


async def test_who_does_not_answer_gets_no_longer(
    patient: WireClient, stand_in: StandIn, clock: MockClock
) -> None:
    stand_in.faults.add(USERCODE, Fault.status(200, {**CODE, "interval": "100"}))
    stand_in.faults.add(POLL, *[Fault.hang()] * 20)
    begin = trio.current_time()
    await start(patient)
    jump(clock)
    assert await outcome(patient) == TOO_LATE
    assert trio.current_time() - begin == pytest.approx(900, abs=1)
    assert polls(stand_in) == pytest.approx([0, 160, 320, 480, 640, 800], abs=1)


async def test_who_does_not_give_tokens_gets_no_longer(
    patient: WireClient, stand_in: StandIn, clock: MockClock
) -> None:
    stand_in.device = DeviceScript(approve_after=0)
    stand_in.faults.add(EXCHANGE, Fault.hang())
    await start(patient)
    await stand_in.wait_request(EXCHANGE)
    jump(clock)
    assert await outcome(patient) == (
        "device code exchange failed: error sending request for url"
        f" ({stand_in.url}{EXCHANGE}): no reply within 60 seconds"
    )


async def test_a_start_that_hangs_is_refused(
    patient: WireClient, stand_in: StandIn, clock: MockClock
) -> None:
    stand_in.faults.add(USERCODE, Fault.hang())
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def turn_on() -> None:
            await stand_in.wait_request(USERCODE)
            jump(clock)

        code, text = await refusal(patient)
    assert code == -32603
    assert text.endswith(": no reply within 60 seconds")


async def test_what_is_cancelled_while_it_asks_is_told_once(
    client: WireClient, stand_in: StandIn
) -> None:
    stand_in.faults.add(POLL, Fault.hang())
    login = await start(client)
    await stand_in.wait_request(POLL)
    answer = await client.call("account/login/cancel", {"loginId": login["loginId"]})
    assert answer == {"status": "canceled"}
    assert await outcome(client) == "Login was not completed"
