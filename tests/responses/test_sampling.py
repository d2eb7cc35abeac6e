"""Asking again what was not answered, with pauses; and asking with a key of one's own."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import attrs
import pytest
import trio

from codex_trio.responses.backoff import offline_backoff
from codex_trio.responses.sampling import Responses, stream_backoff
from codex_trio.settings import CaBundle, Settings
from codex_trio.upstream import open_upstream
from tests.responses.asking import ask, failure, provider_of, text_of
from tests.responses.conftest import NOBODY
from tests.responses.hosts import HELLO, cut, open_model_host, reply, reset, stream, then
from tests.sites import open_proxy

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from tests.responses.hosts import ModelHost, Said

OVERLOADED = reply(503, {"error": {"code": "server_is_overloaded"}})
SLOW_DOWN = reply(503, {"error": {"code": "slow_down"}})


# --- what is sent again ---


TRANSIENT = [
    *(reply(500), reply(502), reply(503), reply(599), OVERLOADED, SLOW_DOWN),
    cut(),
    reset,
]


@pytest.mark.parametrize("said", TRANSIENT)
async def test_what_a_host_could_not_take_is_sent_again(
    responses: Responses, host: ModelHost, patient_clock: MockClock, said: Said
) -> None:
    host.say(said, said, HELLO)
    assert text_of(await ask(responses, provider_of(host, request_max_retries=2))) == "Hello"
    assert len(host.asked) == 3
    first, *others = host.asked
    assert [one.body for one in others] == [first.body] * 2


@pytest.mark.parametrize("said", TRANSIENT)
async def test_but_only_so_often(
    responses: Responses, host: ModelHost, patient_clock: MockClock, said: Said
) -> None:
    host.say(said)
    await failure(responses, provider_of(host, request_max_retries=2))
    assert len(host.asked) == 3


@pytest.mark.parametrize(
    "said",
    [reply(400), reply(401), reply(404), reply(429, retry_after="1"), stream(), reply(302)],
)
async def test_what_would_be_no_use_is_not(
    responses: Responses, host: ModelHost, said: bytes
) -> None:
    host.say(said)
    await failure(responses, provider_of(host, request_max_retries=3))
    assert len(host.asked) == 1


async def test_nobody_is_tried_as_often(responses: Responses, patient_clock: MockClock) -> None:
    async with open_model_host(HELLO) as host:
        pass
    begin = trio.current_time()
    caught = await failure(responses, provider_of(host, request_max_retries=3))
    assert caught.unreachable
    assert trio.current_time() - begin == pytest.approx(0.2 + 0.4 + 0.8, abs=0.1)


async def test_certificates_that_cannot_be_used_are_not_tried_twice(
    home: Path, host: ModelHost
) -> None:
    bundle = CaBundle(path=home / "none.pem", source="SSL_CERT_FILE")
    settings = Settings(codex_home=home, ca_bundle=bundle)
    provider = provider_of(host, request_max_retries=100)
    provider = attrs.evolve(provider, base_url=host.url.replace("http:", "https:"))
    async with open_upstream(settings) as upstream:
        caught = await failure(Responses(settings, upstream, NOBODY, NOBODY), provider)
    assert not caught.retry
    assert caught.details is not None
    assert caught.details.startswith("Failed to read CA certificate file ")


# --- how long is waited ---


async def test_pauses_grow(
    responses: Responses, host: ModelHost, patient_clock: MockClock
) -> None:
    times = []

    async def note(wire: trio.abc.Stream) -> None:
        times.append(trio.current_time())
        await wire.send_all(reply(500))

    host.say(note)
    await failure(responses, provider_of(host, request_max_retries=4))
    pauses = [b - a for a, b in pairwise(times)]
    assert pauses == pytest.approx([0.2, 0.4, 0.8, 1.6], abs=0.1)


@pytest.mark.parametrize("kind", ["seconds", "date"])
async def test_a_host_says_how_long(
    responses: Responses, host: ModelHost, patient_clock: MockClock, kind: str
) -> None:
    moment = format_datetime(datetime.fromtimestamp(time.time() + 50, UTC), usegmt=True)
    host.say(reply(503, retry_after="50" if kind == "seconds" else moment), HELLO)
    begin = trio.current_time()
    await ask(responses, provider_of(host, request_max_retries=1))
    assert trio.current_time() - begin == pytest.approx(50, abs=1.5)


async def test_nobody_waits_for_long_without_a_word(
    responses: Responses, host: ModelHost
) -> None:
    host.say(reply(503, retry_after="61"))
    caught = await failure(responses, provider_of(host, request_max_retries=3))
    assert (caught.retry, caught.delay) == (True, 61)
    assert len(host.asked) == 1


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 0.2), (2, 0.4), (5, 3.2), (8, 25.6), (9, 30), (10**6, 30)]
)
def test_pauses_before_another_attempt(attempt: int, seconds: float) -> None:
    for chance, share in ((0.0, 0.9), (0.5, 1.0), (1.0, 1.1)):
        pause = stream_backoff(attempt, chance=lambda: chance)  # noqa: B023 - called at once
        assert pause == pytest.approx(seconds * share)
    assert len({stream_backoff(attempt) for _ in range(20)}) > 1


def test_pauses_while_there_is_no_network() -> None:
    assert [offline_backoff(attempt) for attempt in (1, 2, 3, 4, 5, 10**6)] == [
        5, 10, 20, 40, 60, 60
    ]  # fmt: skip


# --- whose key it is ---


async def test_a_provider_may_have_a_key_in_the_environment(
    responses: Responses, host: ModelHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", " key-of-mine\n")
    provider = provider_of(host, env_key="MY_KEY", bearer_token="t", requires_openai_auth=True)
    await ask(responses, provider)
    assert host.tokens == ["key-of-mine"]


@pytest.mark.parametrize("value", [None, "", " "])
@pytest.mark.parametrize("instructions", [None, "Look under the mat."])
async def test_it_has_to_be_there(
    responses: Responses,
    host: ModelHost,
    monkeypatch: pytest.MonkeyPatch,
    value: str | None,
    instructions: str | None,
) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("MY_KEY", value)
    provider = provider_of(
        host, env_key="MY_KEY", env_key_instructions=instructions, request_max_retries=3
    )
    caught = await failure(responses, provider)
    text = "Missing environment variable: `MY_KEY`."
    assert caught.message == (text if instructions is None else f"{text} {instructions}")
    assert (caught.info, caught.retry) == ("other", False)
    assert host.asked == []


async def test_or_in_the_configuration(responses: Responses, host: ModelHost) -> None:
    provider = provider_of(host, bearer_token="token", requires_openai_auth=True)
    await ask(responses, provider)
    assert host.tokens == ["token"]


async def test_or_none(responses: Responses, host: ModelHost) -> None:
    await ask(responses, provider_of(host))
    assert host.tokens == [None]


async def test_a_refused_key_is_refused(responses: Responses, host: ModelHost) -> None:
    host.say(reply(401, {"error": {"message": "no"}}))
    caught = await failure(responses, provider_of(host, bearer_token="token"))
    assert caught.info == {"httpConnectionFailed": {"httpStatusCode": 401}}
    assert (caught.retry, caught.status) == (True, 401)
    assert len(host.asked) == 1


async def test_it_goes_through_a_proxy(home: Path, host: ModelHost) -> None:
    async with open_proxy(host.door.port) as (proxy, door):
        settings = Settings(codex_home=home, proxies={"http": door.url})
        async with open_upstream(settings) as upstream:
            await ask(Responses(settings, upstream, NOBODY, NOBODY), provider_of(host))
    assert proxy.heads[0].startswith(f"POST {host.url}/v1/responses HTTP/1.1")


async def test_a_refusal_that_trickles_is_not_read_for_ever(
    responses: Responses, host: ModelHost, patient_clock: MockClock
) -> None:
    host.say(then(b"HTTP/1.1 403 No\r\ncontent-length: 1000\r\n\r\nbecause"))
    begin = trio.current_time()
    caught = await failure(responses, provider_of(host))
    assert trio.current_time() - begin == pytest.approx(10, abs=0.5)
    assert "403 Forbidden: Unknown error" in caught.message
