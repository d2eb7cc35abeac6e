"""Asking the stand-in's models: who may, what they answer, what is remembered of it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import attrs
import httpx
import pytest
import trio
import trustme

from codex_trio.settings import Settings
from codex_trio.testing import (
    Fault,
    ModelResponse,
    Text,
    make_jwt,
    open_stand_in,
)
from tests.testing.conftest import CLIENT_ID, refused
from tests.testing.events import deltas_of, read_events, types_of

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.testing import StandIn

PATH = "/v1/responses"
INPUT = [
    {
        "type": "message",
        "role": "developer",
        "content": [{"type": "input_text", "text": "Be."}],
    },
    {"role": "user", "content": "Hi"},
    {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c", "output": "done"},
    {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_image", "image_url": "data:"}, {"text": "Look"}],
    },
]


async def ask(web: httpx.AsyncClient, path: str = PATH, token: str | None = None) -> Any:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return await web.post(path, json={"model": "m", "input": INPUT}, headers=headers)


# --- what is answered ---


@pytest.mark.parametrize("path", [PATH, "/backend-api/codex/responses", "/any/responses"])
async def test_a_model_is_friendly_unless_it_is_told_otherwise(
    stand_in: StandIn, web: httpx.AsyncClient, path: str
) -> None:
    response = await ask(web, path)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["transfer-encoding"] == "chunked"
    events = read_events(response.content)
    assert types_of(events)[0 :: len(events) - 1] == ["created", "completed"]
    assert "".join(deltas_of(events)).startswith("Hello! ")
    again = read_events((await ask(web, path)).content)
    assert events[0]["response"]["id"] != again[0]["response"]["id"]


async def test_what_it_is_told_comes_in_its_order(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    stand_in.answer("One")
    stand_in.answer(Text("Tw", phase="commentary"), "o")
    stand_in.answer(ModelResponse.error(429, "no", headers={"Retry-After": "1"}))
    stand_in.responses += ["Four"]
    stand_in.respond = lambda request: f"{request.json['model']}!"
    for deltas in (["One"], ["Tw", "o"]):
        assert deltas_of(read_events((await ask(web)).content)) == deltas
    response = await ask(web)
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")
    assert "transfer-encoding" not in response.headers
    for delta in ("Four", "m!"):
        assert deltas_of(read_events((await ask(web)).content)) == [delta]
    stand_in.answer("Never")
    stand_in.reset()
    assert deltas_of(read_events((await ask(web)).content))[0] == "Hello! "


async def test_a_whole_response_has_nothing_beside_it(stand_in: StandIn) -> None:  # noqa: ASYNC124 - its fixture is Trio's
    with pytest.raises(TypeError, match="beside"):
        stand_in.answer(ModelResponse.of(), "x")
    with pytest.raises(TypeError, match="int"):
        stand_in.answer(5)  # type: ignore[arg-type]  # that is the point
    assert stand_in.responses == []


async def test_a_connection_serves_one_request_after_the_other(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    ports = set()
    for _ in range(3):
        async with web.stream("POST", PATH, json={}) as response:
            ports.add(response.extensions["network_stream"].get_extra_info("client_addr"))
            await response.aread()
    assert len(ports) == 1


async def test_it_can_be_asked_by_tls(home: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    ours = ssl.create_default_context()
    authority.configure_trust(ours)
    async with open_stand_in(tls=context) as stand_in:
        async with httpx.AsyncClient(base_url=stand_in.url, verify=ours) as web:
            for _ in range(2):
                assert types_of(read_events((await ask(web)).content))[-1] == "completed"
            async with web.stream("POST", PATH, json={}):
                pass
        assert stand_in.response_requests[0].course == "complete"


async def test_many_may_ask_much_at_once(stand_in: StandIn, web: httpx.AsyncClient) -> None:
    much = ModelResponse.of(Text("word " * 5000, deltas=5000))
    stand_in.respond = lambda _: much
    answers = []

    async def ask_much() -> None:
        answers.append((await ask(web)).content)

    async with trio.open_nursery() as nursery:
        for _ in range(32):
            nursery.start_soon(ask_much)
    assert len(answers) == 32
    assert set(answers) == {b"".join(step for step in much.steps if isinstance(step, bytes))}
    assert len(deltas_of(read_events(answers[0]))) == 5000


# --- who may ask ---


async def test_access_tokens_have_to_count(stand_in: StandIn, web: httpx.AsyncClient) -> None:
    tokens = stand_in.issue_tokens(CLIENT_ID)
    stand_in.answer("First")
    stand_in.expire_access_tokens()
    assert refused(await ask(web, token=tokens.access_token)) == (401, "token_expired")
    assert refused(await ask(web, token=make_jwt({}))) == (401, "token_invalidated")
    fresh = stand_in.issue_access_token()
    assert deltas_of(read_events((await ask(web, token=fresh)).content)) == ["First"]
    stand_in.revoke_all()
    assert refused(await ask(web, token=fresh)) == (401, "token_invalidated")
    assert [one.course for one in stand_in.response_requests] == [
        "waiting",
        "waiting",
        "complete",
        "waiting",
    ]


async def test_api_keys_count_unless_they_are_named(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    for token in (None, "sk-any", stand_in.issue_access_token()):
        assert (await ask(web, token=token)).status_code == 200
    stand_in.api_keys = {"sk-one"}
    for token in ("sk-one", stand_in.issue_access_token()):
        assert (await ask(web, token=token)).status_code == 200
    for token in (None, "sk-any", "a.b"):
        assert refused(await ask(web, token=token)) == (401, "invalid_api_key")


async def test_who_asks_has_to_ask_in_json(stand_in: StandIn, web: httpx.AsyncClient) -> None:
    stand_in.answer("Hi")
    for body in (b"", b"[]", b"{", b"\xff"):
        assert refused(await web.post(PATH, content=body)) == (400, "invalid_json")
    packed = await web.post(PATH, content=b"{}", headers={"Content-Encoding": "zstd"})
    assert refused(packed) == (415, "unsupported_encoding")
    assert len(stand_in.responses) == 1


async def test_a_list_of_models_is_given_where_there_is_one(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    assert (await web.get("/v1/models")).status_code == 404
    stand_in.models = [{"slug": "m"}]
    for path in ("/v1/models", "/backend-api/codex/models?client_version=0.163.0"):
        assert (await web.get(path)).json() == {"models": [{"slug": "m"}]}
    stand_in.api_keys = ()
    assert (await web.get("/v1/models")).status_code == 401


async def test_websockets_are_not_spoken(web: httpx.AsyncClient) -> None:
    assert (await web.get(PATH)).status_code == 426
    assert (await web.put(PATH)).status_code == 404


# --- what is remembered ---


async def test_what_was_asked_is_remembered(stand_in: StandIn, web: httpx.AsyncClient) -> None:
    await web.get("/else")
    await web.post(PATH, json={"input": INPUT}, headers={"ChatGPT-Account-Id": "a"})
    (request,) = stand_in.response_requests
    assert await stand_in.wait_request(PATH) is request
    assert await stand_in.wait_response_request() is request
    assert request in stand_in.requests
    assert request.headers["chatgpt-account-id"] == "a"
    assert request.json == {"input": INPUT}
    assert request.input == INPUT
    assert request.input_texts() == ["Be.", "Hi", "Look"]
    assert request.input_texts("user") == ["Hi", "Look"]
    assert request.tool_outputs() == {"c": "done"}
    assert request == attrs.evolve(request)


async def test_a_picture_may_be_sent(stand_in: StandIn, web: httpx.AsyncClient) -> None:
    text = "x" * 16 * 2**20
    assert (await web.post(PATH, json={"input": text})).status_code == 200
    assert stand_in.response_requests[0].json["input"] == text


async def test_faults_come_first_and_leave_the_answers_where_they_are(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    stand_in.answer("First")
    stand_in.faults.add(PATH, Fault.status(500), Fault.drop(), Fault.none(), Fault.cut())
    assert (await ask(web)).status_code == 500
    with pytest.raises(httpx.RemoteProtocolError):
        await ask(web)
    assert deltas_of(read_events((await ask(web)).content)) == ["First"]
    stand_in.answer("Lost")
    with pytest.raises(httpx.RemoteProtocolError):
        await ask(web)
    assert stand_in.responses == []
    courses = [one.course for one in stand_in.response_requests]
    assert courses == ["waiting", "waiting", "complete", "waiting"]


# --- how servers are led here ---


async def test_a_server_finds_its_models_here(stand_in: StandIn, home: Path) -> None:  # noqa: ASYNC124 - its fixture is Trio's
    provider = {
        "name": "Stand-in",
        "base_url": f"{stand_in.url}/v1",
        "wire_api": "responses",
        "requires_openai_auth": True,
        "supports_websockets": False,
    }
    settings: Any = stand_in.settings(
        home, config={"model": "m", "model_providers": {"stand_in": {"wire_api": None}}}
    )
    del provider["wire_api"]
    assert settings.config == {
        "model": "m",
        "model_provider": "stand_in",
        "model_providers": {"stand_in": provider},
    }
    assert isinstance(settings, Settings)
