"""Spans: what is under what, and what they say."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from codex_trio import telemetry
from codex_trio.errors import RpcError
from codex_trio.server import Server, open_server
from codex_trio.telemetry import is_wanted
from codex_trio.testing import Fault, StandIn, connect
from tests.account.conftest import until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from pathlib import Path

    from opentelemetry.sdk.trace import ReadableSpan

    from codex_trio.settings import Settings
    from codex_trio.testing import WireClient

PARENT = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
USAGE = "/backend-api/wham/usage"


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    """What is exported; of the process, as providers can be set once."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture
def spans(
    exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> Generator[InMemorySpanExporter]:
    exporter.clear()
    monkeypatch.setattr(telemetry, "_tracer", None)  # and as it was at the end
    yield exporter
    exporter.clear()


@pytest.fixture
def settings(home: Path, stand_in: StandIn, spans: InMemorySpanExporter) -> Settings:
    return stand_in.settings(home, telemetry=True)


@pytest.fixture
async def client(server: Server) -> AsyncGenerator[WireClient]:
    async with connect(server) as client:
        with trio.fail_after(30):
            await client.initialize("tracer")
            yield client


async def named(spans: InMemorySpanExporter, name: str, number: int = 1) -> ReadableSpan:
    """Wait for the spans of a name to end, so many of them; the last one."""

    def ended() -> list[ReadableSpan]:
        return [one for one in spans.get_finished_spans() if one.name == name]

    await until(lambda: len(ended()) >= number)
    return ended()[-1]


def of(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def parent_of(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    found: int = span.context.span_id
    return found


async def test_a_request_has_a_span_whether_it_waits_or_not(
    client: WireClient, spans: InMemorySpanExporter
) -> None:
    await client.call("account/read", {})
    on_the_spot = await named(spans, "account/read")
    assert on_the_spot.kind is SpanKind.SERVER
    told = of(on_the_spot)
    assert told.pop("app_server.connection_id") > 0
    assert told == {
        "rpc.system": "jsonrpc",
        "rpc.method": "account/read",
        "rpc.jsonrpc.request_id": 1,
        "rpc.transport": "memory",
        "app_server.client_name": "tracer",
        "app_server.client_version": "1.0",
    }
    assert on_the_spot.status.status_code is StatusCode.UNSET
    await client.call("account/login/start", {"type": "apiKey", "apiKey": "sk-secret"})
    task = await named(spans, "account/login/start")
    assert task.status.status_code is StatusCode.UNSET
    assert "sk-secret" not in str([one.to_json() for one in spans.get_finished_spans()])


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("nope", {}, -32600),
        ("account/login/cancel", {"loginId": "x"}, -32600),
        ("account/rateLimits/read", None, -32600),
    ],
)
async def test_what_is_refused_has_failed(
    client: WireClient, spans: InMemorySpanExporter, method: str, params: Any, code: int
) -> None:
    with pytest.raises(RpcError):
        await client.call(method, params)
    span = await named(spans, method)
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description is None
    assert of(span)["rpc.jsonrpc.error_code"] == code


async def test_what_is_cancelled_has_failed(
    client: WireClient, stand_in: StandIn, spans: InMemorySpanExporter
) -> None:
    stand_in.hold("/api/accounts/deviceauth/usercode")
    start = {"id": "mine", "method": "account/login/start"}
    await client.send({**start, "params": {"type": "chatgptDeviceCode"}})
    await stand_in.wait_held("/api/accounts/deviceauth/usercode")
    await client.notify("$/cancelRequest", {"id": "mine"})
    span = await named(spans, "account/login/start")
    assert of(span)["rpc.jsonrpc.error_code"] == -32800
    login = await named(spans, "login")
    assert parent_of(login) == id_of(span)
    assert of(login) == {"error.type": "Cancelled"}
    asked = await named(spans, "POST")
    assert parent_of(asked) == id_of(login)
    assert asked.status.status_code is StatusCode.ERROR


async def test_the_trace_of_a_request_is_its_parent(
    client: WireClient, spans: InMemorySpanExporter
) -> None:
    await client.call("account/read", {})  # from here on it is answered on the spot
    await named(spans, "account/read")
    spans.clear()
    given = [PARENT, {**PARENT, "tracestate": "a=b"}, {"traceparent": "nonsense"}, {}, 7, None]
    for number, one in enumerate(given):
        await client.send(
            {"id": f"t{number}", "method": "account/read", "params": {}, "trace": one}
        )
    await client.call("account/read", {})
    await named(spans, "account/read", len(given) + 1)
    found = [one for one in spans.get_finished_spans() if one.name == "account/read"]
    assert [parent_of(one) for one in found] == [0xB7AD6B7169203331] * 2 + [None] * 5
    assert found[1].context is not None
    assert found[1].context.trace_state.get("a") == "b"
    assert found[1].context.trace_id == 0x0AF7651916CD43DD8448EB211C80319C


async def test_a_sign_in_and_what_it_asks_are_below_what_has_begun_it(
    client: WireClient, spans: InMemorySpanExporter
) -> None:
    await client.call("account/login/start", {"type": "chatgptDeviceCode"})
    await client.next_notification("account/login/completed")
    login = await named(spans, "login")
    assert of(login) == {"login.type": "DeviceCodeLogin", "login.stored": True}
    assert parent_of(login) == id_of(await named(spans, "account/login/start"))
    below = [one for one in spans.get_finished_spans() if parent_of(one) == id_of(login)]
    assert {one.kind for one in below} == {SpanKind.CLIENT}
    assert of(below[0])["http.request.method"] == "POST"
    assert of(below[0])["server.address"] == "127.0.0.1"
    assert of(below[0])["url.path"] == "/api/accounts/deviceauth/usercode"
    assert of(below[0])["http.response.status_code"] == 200


async def test_a_renewal_is_below_who_needs_it_first_and_says_what_came_of_it(
    client: WireClient, stand_in: StandIn, spans: InMemorySpanExporter
) -> None:
    await client.call("account/login/start", {"type": "chatgptDeviceCode"})
    await client.next_notification("account/login/completed")
    await client.call("account/read", {"refreshToken": True})
    fine = await named(spans, "renew tokens")
    assert parent_of(fine) == id_of(await named(spans, "account/read"))
    assert fine.status.status_code is StatusCode.UNSET
    stand_in.end_refresh_tokens("expired")
    await client.call("account/read", {"refreshToken": True})
    refused = await named(spans, "renew tokens", 2)
    assert refused.status.status_code is StatusCode.ERROR
    assert of(refused) == {"refresh.outcome": "expired"}


async def test_a_turn_is_below_what_has_begun_it_and_its_model_below_the_turn(
    client: WireClient, stand_in: StandIn, spans: InMemorySpanExporter
) -> None:
    await client.call("account/login/start", {"type": "chatgptDeviceCode"})
    await client.next_notification("account/login/completed")
    stand_in.answer("what nobody else is to know")
    thread = (await client.call("thread/start", {"cwd": "/"}))["thread"]["id"]
    said = [{"type": "text", "text": "my secret"}]
    turn = (await client.call("turn/start", {"threadId": thread, "input": said}))["turn"]["id"]
    span = await named(spans, "turn")
    told = of(span)
    assert told.pop("turn.model")
    assert told == {
        "turn.id": turn,
        "conversation.id": thread,
        "turn.kind": "answer",
        "turn.status": "completed",
    }
    assert parent_of(span) == id_of(await named(spans, "turn/start"))
    asked = [one for one in spans.get_finished_spans() if parent_of(one) == id_of(span)]
    assert [of(one)["url.path"].rpartition("/")[2] for one in asked] == ["responses"]
    exported = str([one.to_json() for one in spans.get_finished_spans()])
    assert "secret" not in exported
    assert "nobody else" not in exported


async def test_hosts_that_cannot_be_asked_have_failed(
    client: WireClient, stand_in: StandIn, spans: InMemorySpanExporter
) -> None:
    await client.call("account/login/start", {"type": "chatgptDeviceCode"})
    await client.next_notification("account/login/completed")
    stand_in.faults.add(USAGE, Fault.drop())
    with pytest.raises(RpcError):
        await client.call("account/rateLimits/read")
    request = await named(spans, "account/rateLimits/read")
    asked = [one for one in spans.get_finished_spans() if parent_of(one) == id_of(request)]
    (failed,) = [one for one in asked if of(one)["url.path"] == USAGE]
    assert of(failed)["error.type"] == "UpstreamError"
    assert not failed.events


async def test_without_telemetry_there_are_none(
    home: Path, stand_in: StandIn, spans: InMemorySpanExporter
) -> None:
    settings = stand_in.settings(home)
    assert not settings.telemetry
    async with open_server(settings) as server, connect(server) as client:
        await client.initialize()
        await client.call("account/login/start", {"type": "chatgptDeviceCode"})
        await client.next_notification("account/login/completed")
    assert not spans.get_finished_spans()
    assert not telemetry.is_enabled()


async def test_several_servers_ask_for_it_once(server: Server, home: Path) -> None:
    first = telemetry._tracer
    other = home / "other"
    async with open_server(attrs.evolve(server.settings, codex_home=other)):
        assert telemetry._tracer is first


def test_a_missing_library_is_said_and_survived(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(telemetry, "_tracer", None)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with caplog.at_level(logging.WARNING):
        telemetry.enable()
    assert not telemetry.is_enabled()
    assert "opentelemetry-api is not installed" in caplog.text


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"CODEX_TRIO_OTEL": "1"}, True),
        ({"CODEX_TRIO_OTEL": " "}, False),
        ({"CODEX_TRIO_OTEL": "0", "OTEL_TRACES_EXPORTER": "otlp"}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "x", "OTEL_SDK_DISABLED": "true"}, False),
        ({"CODEX_TRIO_OTEL": "yes", "OTEL_SDK_DISABLED": "true"}, True),
    ],
)
def test_the_environment_says_whether_it_is_wanted(
    environ: dict[str, str], wanted: bool
) -> None:
    assert is_wanted(environ) is wanted


def test_it_is_loaded_only_where_it_is_wanted() -> None:
    script = (
        "import sys, trio, tempfile, codex_trio\n"
        "async def main(home):\n"
        "    async with codex_trio.open_server(codex_trio.Settings(codex_home=home)): pass\n"
        "with tempfile.TemporaryDirectory() as home: trio.run(main, home)\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout == b"[]\n"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://user:pw@host/a?code=x#f", ("host", 443, "/a")),
        ("http://host", ("host", 80, "")),
        ("http://[::1]:99/b", ("::1", 99, "/b")),
        ("http://host:x/", (None, None, None)),
        ("http://[::1", (None, None, None)),
    ],
)
def test_of_a_url_its_place_is_told(
    spans: InMemorySpanExporter, url: str, place: tuple[object, ...]
) -> None:
    telemetry.enable()
    with telemetry.client_span("GET", url):
        pass
    (span,) = spans.get_finished_spans()
    told = of(span)
    assert told["http.request.method"] == "GET"
    names = ("server.address", "server.port", "url.path")
    assert tuple(told.get(name) for name in names) == place


async def test_what_is_as_long_as_a_client_likes_is_cut(
    client: WireClient, spans: InMemorySpanExporter
) -> None:
    with pytest.raises(RpcError):
        await client.call("x" * 1000)
    span = await named(spans, "x" * 100)
    assert span.attributes is not None
    assert span.attributes["rpc.method"] == "x" * 100
