"""The little HTTP that we serve, from outside: what is read, answered and refused."""

from __future__ import annotations

import logging

import attrs
import pytest

from codex_trio.httpd import MAX_BODY, MAX_HEAD, Answer, HttpRequest, HttpResponse
from tests.raw_http import (
    GET,
    HOST,
    LAST,
    POST,
    converse,
    open_wire,
    read_all,
    read_responses,
    read_until,
)

SECRET = "sk-secret"


async def fail(request: HttpRequest) -> Answer:  # noqa: ASYNC124 - a handler
    raise ExceptionGroup(SECRET, [ValueError(SECRET)])


# --- what is read, and what is answered ---


async def test_a_connection_serves_one_request_after_the_other() -> None:
    async with open_wire() as wire:
        for _ in range(3):
            await wire.send_all(GET)
            answer = await read_until(wire, b"GET /here 0.")
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"connection" not in answer.lower()
        await wire.send_eof()
        assert await read_all(wire) == b""


async def test_requests_that_come_at_once_are_answered_in_their_order() -> None:
    body = b"Content-Length: 5\r\n\r\nhello"
    assert read_responses(await converse(GET + POST + body + LAST + GET)) == [
        (200, "GET /here 0."),
        (200, "POST /here 5."),
        (200, "GET /last 0."),
    ]


async def test_head_is_answered_like_get_without_the_body() -> None:
    async with open_wire() as wire:
        await wire.send_all(b"HEAD /here HTTP/1.1\r\n" + HOST + b"\r\n")
        head = await read_until(wire, b"\r\n\r\n")
        assert b"Content-Length: 13\r\n" in head
        await wire.send_all(LAST)
        assert read_responses(await read_all(wire)) == [(200, "GET /last 0.")]


async def test_a_body_may_come_in_chunks_and_bit_by_bit() -> None:
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n"
    pieces = [chunked[at : at + 5] for at in range(0, len(chunked), 5)]
    assert read_responses(await converse(*pieces, GET)) == [
        (200, "POST /here 7."),
        (200, "GET /here 0."),
    ]


async def test_who_waits_for_leave_to_send_a_body_is_given_it() -> None:
    async with open_wire() as wire:
        head = POST + b"Content-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        await wire.send_all(head)
        assert (await read_until(wire, b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        await wire.send_all(b"hello")
        assert read_responses(await read_all(wire)) == [(200, "POST /here 5.")]


@pytest.mark.parametrize(
    "request_line_and_headers",
    [b"GET /here HTTP/1.0\r\n", b"GET /here HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"],
)
async def test_who_wants_no_second_answer_is_given_one(request_line_and_headers: bytes) -> None:
    async with open_wire() as wire:
        await wire.send_all(request_line_and_headers + b"\r\n")
        answer = await read_all(wire)
        assert b"\r\nConnection: close\r\n" in answer
        assert read_responses(answer) == [(200, "GET /here 0.")]


async def test_another_protocol_is_not_switched_to() -> None:
    upgrade = b"GET /here HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
    assert read_responses(await converse(upgrade + b"\r\n" + LAST)) == [
        (200, "GET /here 0."),
        (200, "GET /last 0."),
    ]


async def test_a_handler_sees_what_was_asked_and_shows_nobody_the_secrets() -> None:
    seen = []

    async def handler(request: HttpRequest) -> Answer:  # noqa: ASYNC124 - a handler
        seen.append(request)
        return attrs.evolve(HttpResponse.html("<p>é</p>", 418), close=True)

    head = f"GET /a%20b?code={SECRET}&code={SECRET}2&x= HTTP/1.1\r\nX-A: 1\r\nx-a: \xff\r\n"
    answer = await converse(head.encode("latin-1") + HOST + b"\r\n" + GET, handler=handler)
    assert answer.startswith(b"HTTP/1.1 418 I'm a Teapot\r\nContent-Type: text/html; charset=")
    assert read_responses(answer) == [(418, "<p>é</p>")]
    (request,) = seen
    assert (request.method, request.path) == ("GET", "/a%20b")
    assert request.query == {"code": f"{SECRET}2", "x": ""}
    assert request.headers == {"x-a": "\xff", "host": "here"}
    assert repr(request) == "HttpRequest(method='GET')"


@pytest.mark.parametrize("target", ["//[", "http://[::1/?a=b"])
async def test_a_target_that_is_no_url_has_no_path_and_no_query(target: str) -> None:
    request = f"GET {target} HTTP/1.1\r\n".encode() + HOST + b"\r\n"
    assert read_responses(await converse(request)) == [(200, "GET  0.")]
    assert HttpRequest(method="GET", target=target, headers={}).query == {}


async def test_a_status_may_be_one_without_a_name() -> None:
    async def handler(request: HttpRequest) -> Answer:  # noqa: ASYNC124 - a handler
        return HttpResponse(status=299, headers=(("X-Answer", "yes"),))

    answer = await converse(LAST, handler=handler)
    assert answer.startswith(b"HTTP/1.1 299 \r\nX-Answer: yes\r\n")
    assert repr(HttpResponse.text(200, SECRET)) == "HttpResponse(status=200, close=False)"


async def test_bytes_are_answered_as_they_are_and_then_it_is_over() -> None:
    async def handler(request: HttpRequest) -> Answer:  # noqa: ASYNC124 - a handler
        return b"\x00 anything"

    assert await converse(GET + GET, handler=handler) == b"\x00 anything"


# --- what is refused ---


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"\x16\x03\x01\x00\xa5\x01", 400),  # somebody tries TLS
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (POST + b"Content-Length: x\r\n\r\n", 400),
        (POST + b"Content-Length: 5\r\n\r\nhal", 400),  # and no more
        (POST + b"Transfer-Encoding: chunked\r\n\r\nz\r\n", 400),
        (b"GET / HT", 400),  # and no more
        (POST + b"Transfer-Encoding: gzip\r\n\r\n", 501),
    ],
)
async def test_what_is_no_request_is_refused(request_: bytes, status: int) -> None:
    *before, last = read_responses(await converse(GET, request_))
    assert before == [(200, "GET /here 0.")]
    assert last[0] == status


async def test_a_head_may_have_so_many_bytes_and_no_more() -> None:
    start = b"GET /last HTTP/1.1\r\nConnection: close\r\n" + HOST + b"X: "
    fitting = start + b"x" * (MAX_HEAD - len(start) - 4) + b"\r\n\r\n"
    assert read_responses(await converse(fitting[:10_000], fitting[10_000:])) == [
        (200, "GET /last 0.")
    ]
    long = start + b"x" * (MAX_HEAD - len(start) + 1)
    ((status, text),) = read_responses(await converse(long[:10_000], long[10_000:]))
    assert (status, text) == (431, "Request Header Fields Too Large")


async def test_a_body_may_have_so_many_bytes_and_no_more() -> None:
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    fitting = b"%x\r\n" % MAX_BODY + b"x" * MAX_BODY + b"\r\n"
    async with open_wire() as wire:
        await wire.send_all(head + fitting + b"0\r\n\r\n")
        await read_until(wire, b"POST /here 1048576.")
    ((status, _),) = read_responses(await converse(head + fitting + b"1\r\nx"))
    assert status == 413


async def test_a_handler_that_fails_is_an_error_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    request = f"GET /here?code={SECRET} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    answer = await converse(request + GET, handler=fail)
    assert read_responses(answer) == [(500, "Internal Server Error")]
    assert b"\r\nConnection: close\r\n" in answer
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.getMessage().startswith("/here failed: ExceptionGroup\n")
    assert "in fail" in record.getMessage()
    assert SECRET not in caplog.text


async def test_a_tunnel_is_not_opened() -> None:
    connect = b"CONNECT /here HTTP/1.1\r\n" + HOST + b"\r\n"
    assert read_responses(await converse(GET, connect)) == [
        (200, "GET /here 0."),
        (405, "Method Not Allowed"),
    ]


@pytest.mark.parametrize(
    "response",
    [
        HttpResponse(headers=(("X-Answer", "a\r\nb"),)),
        HttpResponse(status=204, body=b"something"),
        HttpResponse(status=99),
    ],
)
async def test_a_response_that_is_none_is_the_fault_of_its_handler(
    response: HttpResponse,
) -> None:
    async def handler(request: HttpRequest) -> Answer:  # noqa: ASYNC124 - a handler
        return response

    ((status, _),) = read_responses(await converse(GET, handler=handler))
    assert status == 500
