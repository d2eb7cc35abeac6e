"""What reads bytes of others, and what has to be so of anything that it reads.

Each is a function of bytes that fails if it is not so; Hypothesis and Atheris call them.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import tomllib
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import orjson
import trio

from codex_trio.configuration.edits import ConfigWriteError, Edit, apply, parse_key_path
from codex_trio.configuration.text import rewrite, same
from codex_trio.errors import ConfigError, InvalidParamsError, MessageError
from codex_trio.httpd import Answer, HttpRequest, serve_http
from codex_trio.protocol import codec
from codex_trio.protocol.codec import Request
from codex_trio.protocol.methods import CLIENT_REQUESTS
from codex_trio.protocol.structure import structure, unstructure
from codex_trio.responses.sse import EventTooLongError, SseDecoder
from codex_trio.threads.context import as_sent, paired
from codex_trio.threads.items_taken import is_taken
from codex_trio.threads.line import Line
from codex_trio.threads.recorded import read_rollout
from codex_trio.threads.rollout import RecordError
from codex_trio.transport.lines import LineWire
from tests.raw_http import GET, LAST, POST, tell
from tests.responses.test_sse import read as read_events
from tests.torture import wire_targets
from tests.transport.test_lines import LIMIT, expected_lines, read_into

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


ROWS: Final = {row.name: row for row in CLIENT_REQUESTS if row.params is not None}
"""What requests may say, by their method."""


def in_chunks(data: bytes) -> list[bytes]:
    """Cut bytes into pieces; the first few of them say where."""
    sizes, rest = data[:4], data[4:]
    chunks = []
    for size in sizes:
        chunks.append(rest[: size % 32])
        rest = rest[size % 32 :]
    return [chunk for chunk in (*chunks, rest) if chunk]


def read_message(data: bytes) -> None:
    """A line is a message or none; what its head says of it is true."""
    head = codec.decode_head(data)
    try:
        message = codec.decode(data)
    except MessageError as error:
        assert len(str(error)) < 300
        return
    if isinstance(message, Request):
        assert type(message.id) in (int, str)
        assert codec.decode(orjson.dumps({"method": "m", "id": message.id})) is not None
        if message.method in ROWS:
            read_words(ROWS[message.method].params, message.params)
    if head is not None and isinstance(message, Request) and is_plain(data):
        assert head.id == message.id


def is_plain(data: bytes) -> bool:
    """Say whether each name is said once: of names that are repeated, the last one counts."""
    return data.count(b"id") == data.count(b"method") == 1


def read_params(data: bytes) -> None:
    """Params are the words of their row, or are refused; words come back as they went."""
    rows = list(ROWS.values())
    try:
        raw = orjson.loads(data[1:])
    except orjson.JSONDecodeError:
        return
    read_words(rows[data[0] % len(rows)].params, raw)


def read_words(kind: Any, raw: object) -> None:
    try:
        words = codec.decode_params(kind, raw)
    except InvalidParamsError as error:
        assert str(error)
        return
    assert structure(unstructure(words), kind) == words


def read_lines(data: bytes) -> None:
    """Lines do not depend on how the stream is cut."""
    chunks = in_chunks(data)

    async def run() -> list[bytes | None]:
        lines: list[bytes | None] = []
        await read_into(lines, LineWire(Chunks(chunks), LIMIT))
        return lines

    assert trio.run(run) == expected_lines(b"".join(chunks))


@attrs.define(eq=False)
class Chunks(trio.abc.Stream):
    """A stream that gives some chunks, and takes anything."""

    _chunks: list[bytes]
    _next: Iterator[bytes] = attrs.field(
        default=attrs.Factory(lambda self: iter(self._chunks), takes_self=True), init=False
    )
    sent: bytearray = attrs.field(factory=bytearray, init=False)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        del max_bytes
        await trio.lowlevel.checkpoint()
        return next(self._next, b"")

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        self.sent += data

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


RESPONSE: Final = re.compile(
    rb"HTTP/1\.1 (?P<status>\d\d\d) [A-Za-z ]+\r\n"
    rb"(?:(?:[A-Za-z-]+: [ -~]+\r\n)*?[Cc]ontent-[Ll]ength: (?P<size>\d+)\r\n)?"
    rb"(?:[A-Za-z-]+: [ -~]+\r\n)*\r\n"
)


def read_http(data: bytes) -> None:
    """Whatever is asked of the little HTTP server, its answers are answers."""
    methods: list[str] = []

    async def answer(request: HttpRequest) -> Answer:
        methods.append(request.method)
        return await tell(request)

    stream = Chunks(in_chunks(data))
    trio.run(partial(serve_http, answer, stream))
    heads = iter(methods)
    rest = bytes(stream.sent)
    while rest:
        head, end, rest = rest.partition(b"\r\n\r\n")
        found = RESPONSE.fullmatch(head + end)
        assert found is not None, head
        status = int(found["status"])
        assert status in {100, 200, 400, 405, 413, 431, 501}, status
        if status == 200:
            size = 0 if next(heads) == "HEAD" else int(found["size"])
            assert len(rest) >= size
            rest = rest[size:]
        elif status != 100:  # a refusal, which is the last, and without a body for a HEAD
            assert len(rest) in {0, int(found["size"])}
            break


def read_sse(data: bytes) -> None:
    """Events are those of the standard, wherever the stream is cut."""
    chunks = in_chunks(data)
    decoder = SseDecoder(4096)
    try:
        found = [event for chunk in chunks for event in decoder.feed(chunk)]
    except EventTooLongError:
        return
    assert found == read_events(b"".join(chunks))
    assert len(decoder.end()) <= 1


META: Final = orjson.dumps(
    {
        "timestamp": "2026-11-21T13:23:23.974Z",
        "ordinal": 0,
        "type": "session_meta",
        "payload": {
            "id": "01a1ff16-29ca-7bd7-a61a-8e24969599b6",
            "timestamp": "2026-11-21T13:23:23.974Z",
            "cwd": "/",
            "originator": "torture",
            "cli_version": "0.163.0",
            "source": "vscode",
            "model_provider": "stand_in",
            "history_mode": "paginated",
        },
    }
)


@cache
def scratch() -> Path:
    """A file of our own; in memory where there is such a place."""
    folder = "/dev/shm" if os.path.isdir("/dev/shm") else None
    descriptor, name = tempfile.mkstemp(".jsonl", "torture-", folder)
    os.close(descriptor)
    return Path(name)


def read_record(data: bytes) -> None:
    """A rollout is a thread, whatever its lines say, or it is refused."""
    # Half of what comes is about how threads begin, half about what happens in them.
    if data[:1] == b"+":
        data = META + b"\n" + data[1:]
    path = scratch()
    path.write_bytes(data)
    try:
        recorded = read_rollout(path)
    except RecordError:
        return
    assert recorded.end.offset == len(data)
    for item in paired(as_sent(recorded.fold.history)):
        assert is_taken(item)
    for turn in recorded.fold.turns:
        assert orjson.dumps(unstructure(turn))
    for raw in data.splitlines():
        if (line := Line.decode(raw)) is not None:
            again = Line.decode(line.encode(line.ordinal))
            assert again is not None
            assert again.kind == line.kind


def edit_config(data: bytes) -> None:
    """An edit says what it should, and nothing else; or it is refused."""
    text, _, rest = data.partition(b"\0")
    path, _, value = rest.partition(b"\0")
    try:
        before = text.decode()
        old = tomllib.loads(before)
        wanted = orjson.loads(value)
        new = apply(
            old, [Edit(parse_key_path(path.decode()), wanted, upsert=len(data) % 2 > 0)]
        )
        after = rewrite(before, old, new)
    except (
        UnicodeDecodeError,
        tomllib.TOMLDecodeError,
        orjson.JSONDecodeError,
        RecursionError,
    ):
        return
    except (ConfigWriteError, ConfigError):
        return
    assert same(tomllib.loads(after), new)


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "messages": read_message,
    "params": read_params,
    "lines": read_lines,
    "HTTP": read_http,
    "server-sent events": read_sse,
    "records of threads": read_record,
    "edits of config.toml": edit_config,
    **wire_targets.TARGETS,
}

SEEDS: Final[dict[str, list[bytes]]] = {
    "messages": [
        b'{"id":1,"method":"account/read","params":{"refreshToken":true}}',
        (
            b'{"jsonrpc":"2.0","id":"a\\"b","method":"initialize","params":{"clientInfo":'
            b'{"name":"n","version":"1"},"capabilities":{"experimentalApi":true}}}'
        ),
        b'{"id":-9223372036854775808,"result":{"a":[1,2.5e3,null]}}',
        b'{"id":2,"error":{"code":-32600,"message":"no","data":{}}}',
        b'{"method":"initialized"}',
        (
            b'{"id":3,"method":"turn/start","params":{"threadId":"t","input":'
            b'[{"type":"text","text":"hi"},{"type":"localImage","path":"/a"}]}}'
        ),
    ],
    "params": [
        b'\x00{"clientInfo":{"name":"n","version":"1","title":null}}',
        b'\x05{"threadId":"t","cwd":"/","model":"m","config":{"a.b":1}}',
        b'\x11{"type":"chatgptAuthTokens","accessToken":"a","chatgptAccountId":"b"}',
        b'\x20{"keyPath":"a.b","value":[1,{"c":2}],"mergeStrategy":"upsert"}',
    ],
    "lines": [b"\x02\x03\x04\x05one\ntwo\n\nthree", b"\x1f\x1f\x1f\x1f" + b"x" * 70 + b"\n\ny"],
    "HTTP": [
        b"\x00\x00\x00\x00" + GET + LAST,
        b"\x1f\x0a\x0b\x0c" + POST + b"Content-Length: 5\r\n\r\nhello" + LAST,
        b"\x01\x02\x03\x04" + POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"\x00\x00\x00\x00" + POST + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
        b"\x00\x00\x00\x00GET / HTTP/1.0\r\n\r\n",
    ],
    "server-sent events": [
        b"\x07\x07\x07\x07event: response.created\ndata: {}\n\ndata: a\r\ndata:b\r\n\r\n",
        b"\x01\x01\x01\x01\xef\xbb\xbfdata: a\rdata\r\r: comment\n\nid: 1\n\n",
    ],
    "records of threads": [
        META + b"\n",
        (
            b'+{"timestamp":"2026-11-21T13:23:23.974Z","ordinal":1,"type":"event_msg","payload":'
            b'{"type":"task_started","turn_id":"t","started_at":1,"model_context_window":9}}\n'
            b'{"timestamp":"2026-11-21T13:23:24.974Z","ordinal":2,"type":"response_item","payload":'
            b'{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]}}\n'
            b'{"timestamp":"2026-11-21T13:23:24.974Z","ordinal":3,"type":"event_msg","payload":'
            b'{"type":"item_completed","turn_id":"t","thread_id":"x","item":{"type":"AgentMessage",'
            b'"id":"i","content":[{"type":"Text","text":"hello"}]}}}\n'
            b'{"timestamp":"2026-11-21T13:23:25.974Z","ordinal":4,"type":"compacted","payload":'
            b'{"message":"short","replacement_history":[]}}\n'
            b'{"timestamp":"2026-11-21T13:23:25.974Z","ordinal":5,"type":"event_msg","payload":'
            b'{"type":"task_complete","turn_id":"t","last_agent_message":"hello"}}\n'
        ),
        (
            b'+{"timestamp":"","type":"event_msg","payload":{"type":"user_message","message":"a"}}\n'
            b'{"timestamp":"","type":"event_msg","payload":{"type":"agent_message","message":"b"}}\n'
            b'{"timestamp":"","type":"event_msg","payload":{"type":"turn_aborted","turn_id":"t"}}\n'
            b'{"timestamp":"","type":"turn_context","payload":{"model":"m","cwd":"/"}}\n'
            b'{"timestamp":"","type":"event_msg","payload":{"type":"token_count","info":{}}}\n'
        ),
    ],
    "edits of config.toml": [
        b'# top\nmodel = "a" # mine\n\n[t]\nx = 1\n\0model\0"b"',
        b'a.b = {c = 1, d = [1, 2]}\n[[e]]\nf = 1\n[[e]]\ng = """x\ny"""\n\0a.b.c\0{"z":[1]}',
        b'[t."a.b"]\r\nx = 1979-05-27T07:32:00Z\r\n\0t."a.b"\0null',
    ],
    **wire_targets.SEEDS,
}
"""What is read in earnest, to begin with; of each, some follow by chance."""


@cache
def vocabulary() -> list[bytes]:
    """List what messages are made of: the names of methods, and of what they say."""
    found = {name.encode() for name in ROWS}
    for module in list(sys.modules.values()):
        if module.__name__.startswith("codex_trio.protocol."):
            for kind in vars(module).values():
                if isinstance(kind, type) and attrs.has(kind):
                    names = attrs.fields_dict(kind)
                    found |= {re.sub(r"_(\w)", _capital, name).encode() for name in names}
    return sorted(b'"%s"' % name for name in found)


def _capital(found: re.Match[str]) -> str:
    return found[1].upper()
