"""How a line is read, and what is written; the texts of faults are under parity as well."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_trio.errors import MessageError, RpcError
from codex_trio.protocol import codec, methods
from codex_trio.protocol.account import AccountUpdatedNotification
from codex_trio.protocol.codec import Failure, Notification, Request, Response

IDS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.text(max_size=20))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(IDS, st.text(max_size=20), JSON)
def test_a_request_is_read_with_its_id_verbatim(
    message_id: Any, method: str, params: Any
) -> None:
    message = codec.decode(orjson.dumps({"id": message_id, "method": method, "params": params}))
    assert isinstance(message, Request)
    assert (message.id, type(message.id)) == (message_id, type(message_id))
    assert (message.method, message.params) == (method, params)


@given(JSON, st.text(max_size=20))
def test_an_id_of_another_kind_makes_a_notification(message_id: Any, method: str) -> None:
    message = codec.decode(orjson.dumps({"id": message_id, "method": method}))
    is_id = isinstance(message_id, str) or type(message_id) is int
    assert isinstance(message, Request if is_id else Notification)


@pytest.mark.parametrize(
    "message_id", ["9223372036854775808", "-9223372036854775809", "1.0", "1e2"]
)
def test_a_number_that_is_no_64_bit_integer_is_no_id(message_id: str) -> None:
    message = codec.decode(b'{"id":%s,"method":"m"}' % message_id.encode())
    assert isinstance(message, Notification)


@given(IDS, JSON)
def test_an_answer_is_read(message_id: Any, result: Any) -> None:
    message = codec.decode(orjson.dumps({"id": message_id, "result": result}))
    assert isinstance(message, Response)
    assert (message.id, message.result) == (message_id, result)


def test_an_error_is_read_with_its_data() -> None:
    message = codec.decode(b'{"id":1,"error":{"code":-5,"message":"no","data":[1]}}')
    assert isinstance(message, Failure)
    error = message.error
    assert (message.id, error.code, error.message, error.data) == (1, -5, "no", [1])


@pytest.mark.parametrize(
    "line",
    [
        b"garbage",
        b"",
        b"  ",
        b"5",
        b"null",
        b"[]",
        b'"x"',
        b"{}",
        b'{"a":1}',
        b'[{"id":1,"method":"m"}]',
        b'{"id":1,"method":"m"} x',
        b'{"id":1,"method":"m"}{"id":2,"method":"m"}',
        b'\xef\xbb\xbf{"id":1,"method":"m"}',
        b'\x00{"id":1,"method":"m"}',
        b'{"id":1,"method":5}',
        b'{"id":1,"method":null,"result":{}}',
        b'{"id":1}',
        b'{"id":1,"error":{"code":1}}',
        b'{"id":1,"error":{"code":true,"message":"x"}}',
        b'{"id":1,"error":"x"}',
        b'{"result":{}}',
        b'{"id":"\\ud800","method":"m"}',
        b'{"id":1,"method":"\xff"}',
        b'{"id":1,"method":NaN}',
        b"[" * 100_000 + b"]" * 100_000,
        b'{"id":1,"method":"m","params":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_is_no_message_is_said_to_be_none(line: bytes) -> None:
    with pytest.raises(MessageError):
        codec.decode(line)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_none(line: bytes) -> None:
    try:
        message = codec.decode(line)
    except MessageError:
        return
    assert isinstance(message, Request | Notification | Response | Failure)


def test_the_fault_of_a_line_does_not_quote_it() -> None:
    with pytest.raises(MessageError) as caught:
        codec.decode(b'{"apiKey": "sk-secret", }')
    assert "sk-secret" not in str(caught.value)


def test_unknown_members_and_jsonrpc_are_ignored() -> None:
    message = codec.decode(b' {"jsonrpc":"2.0","id":1,"method":"m","trace":5,"result":1} \r')
    assert isinstance(message, Request)


@pytest.mark.parametrize(
    ("head", "kind", "found"),
    [
        (b'{"id":7,"method":"x","params":{"a":"aaaa', Request, 7),
        (b' { "jsonrpc" : "2.0", "id" : "a\\"b" , "method":', Request, 'a"b'),
        (b'{"method":"turn/start","id":-3,"params":', Request, -3),
        (b'{"jsonrpc":"2.0","method":"turn/start","id":-3,"params":', Request, -3),
        (b'{"id":7,"result":{"a":"aaaa', Response, 7),
        (b'{"id":7,"error":{"code":1', Response, 7),
    ],
)
def test_a_long_message_tells_at_its_start_whom_it_is_about(
    head: bytes, kind: type, found: Any
) -> None:
    message = codec.decode_head(head)
    assert isinstance(message, Request | Response)
    assert (type(message), message.id) == (kind, found)


@pytest.mark.parametrize(
    "head",
    [
        b'{"id":9223372036854775808,"method":"a"',
        b'{"id":1.5,"method":"a"',
        b'{"params":{"id":7,"method":"a"',
        b'{"id":7,"params":{"a":"aaaa',
        b'{"id":7',
        b"aaaaaaaa",
        b'{"id":"\\x","method":"a"',
    ],
)
def test_a_long_message_may_not_tell_whom_it_is_about(head: bytes) -> None:
    assert codec.decode_head(head) is None


@given(IDS, st.text(max_size=30), st.integers(-40000, 40000))
def test_a_failure_says_the_error_first_and_the_id_last(
    message_id: Any, text: str, code: int
) -> None:
    line = codec.encode_failure(message_id, RpcError(code, text, {"reason": 1}))
    assert orjson.loads(line) == {
        "error": {"code": code, "data": {"reason": 1}, "message": text},
        "id": message_id,
    }
    assert line.startswith(b'{"error":{"code":')


def test_a_failure_without_data_has_no_such_member() -> None:
    line = codec.encode_failure(1, RpcError(1, "m"))
    assert line == b'{"error":{"code":1,"message":"m"},"id":1}'


def test_a_notification_writes_nulls_and_its_time() -> None:
    params = AccountUpdatedNotification(auth_mode=None, plan_type=None)
    line = codec.encode_notification(methods.ACCOUNT_UPDATED, params)
    prefix = (
        b'{"method":"account/updated","params":{"authMode":null,"planType":null},"emittedAtMs":'
    )
    assert line.startswith(prefix)
    assert line.removeprefix(prefix)[:-1].isdigit()


def test_messages_show_no_secret() -> None:
    request = codec.decode(b'{"id":1,"method":"m","params":{"apiKey":"sk-secret"}}')
    params = codec.decode_params(
        methods.LOGIN_START.params, {"type": "apiKey", "apiKey": "sk-secret"}
    )
    assert "sk-secret" not in repr(params)
    assert "sk-secret" not in repr(request)


def test_what_is_no_unicode_is_told_inexactly_rather_than_not_at_all() -> None:
    failure = codec.encode_failure(1, RpcError.internal("no file caf\udce9"))
    assert failure == b'{"error":{"code":-32603,"message":"no file caf?"},"id":1}'
