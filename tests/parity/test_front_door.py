"""The same bytes to the genuine front door and to ours."""

from __future__ import annotations

import subprocess
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import jwt
import pytest
import trio

from tests.conftest import PATIENCE
from tests.parity.run import GENUINE
from tests.processes import OURS, start
from tests.websockets import UPGRADE, dial, read_answer, request

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

pytestmark = pytest.mark.parity

SECRET = "a-secret-of-thirty-two-bytes-or-more"
LATE = 2**40

BAD_KEYS = UPGRADE.partition("Sec-WebSocket-Key")[0]
OPEN_DOOR = [
    request("GET /readyz"),
    request("HEAD /readyz"),
    request("GET /healthz?x=1"),
    request("GET /readyz", UPGRADE),
    request("GET http://here/readyz"),
    request("POST /readyz", "Content-Length: 0\r\n"),
    request("OPTIONS /healthz"),
    request("get /readyz"),
    request("GET /%72eadyz"),
    request("GET /readyz/"),
    b"\r\n" + request("GET /readyz"),
    b"GET /readyz HTTP/1.1\nHost: here\n\n",
    b"GET /readyz HTTP/1.1\r\n\r\n",
    b"GET /readyz HTTP/1.0\r\n\r\n",
    request("GET /readyz", "Connection: close\r\n"),
    request("GET /readyz", "A: \xff\xfe\r\n"),
    request("GET /", "Origin:\r\n"),
    request("GET /readyz", "Origin: null\r\n"),
    request("GET /", UPGRADE + "Origin: http://page\r\n"),
    request("GET /"),
    request("HEAD /"),
    request("POST /", UPGRADE),
    request("HEAD /", UPGRADE),
    request("OPTIONS *"),
    request("CONNECT here:1"),
    request("GET /", "Connection: upgrade\r\n"),
    request("GET /", UPGRADE.replace("websocket", "h2c", 1)),
    request("GET /", UPGRADE.replace("websocket", "h2c, websocket", 1)),
    request("GET /", UPGRADE.replace("websocket", "WebSocket", 1)),
    request("GET /", UPGRADE.replace("13", "12")),
    request("GET /", UPGRADE.replace("13", "13, 8")),
    request("GET /", UPGRADE.replace("13", "  13  ")),
    request("GET /", BAD_KEYS),
    request("GET /", BAD_KEYS + "Sec-WebSocket-Key:\r\n"),
    request("GET /", BAD_KEYS + "Sec-WebSocket-Key: abc\r\n"),
    request("GET /", UPGRADE),
    request("GET /any/path?x", UPGRADE + "Sec-WebSocket-Protocol: a\r\n"),
    request("GET /", UPGRADE + "Sec-WebSocket-Extensions: permessage-deflate\r\n"),
    request("GET /", UPGRADE.replace("Connection: Upgrade", "Connection: keep-alive, UPGRADE")),
    request("GET /", UPGRADE.replace("Connection: Upgrade", "Connection: notupgraded")),
    request("GET /", "Connection: keep-alive\r\n" + UPGRADE),
    request("GET /", UPGRADE + UPGRADE),
    b"GET / HTTP/1.0\r\n" + UPGRADE.encode() + b"\r\n",
    b"nonsense\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"GET /readyz HTTP/1.2\r\n\r\n",
    request("GET /", "A: b\r\n c\r\n"),
    request("GET /", "A b: c\r\n"),
    request("GET /", "A : b\r\n"),
    request("GET /", "A: \x01\r\n"),
    request("GET /", "".join(f"X{number}: 1\r\n" for number in range(150))),
]


def knocking(*headers: str) -> list[bytes]:
    return [request("GET /", f"{UPGRADE}Authorization: {header}\r\n") for header in headers]


GUARDED_DOOR = [
    request("GET /?token=right", UPGRADE),
    request("GET /"),
    request("POST /", UPGRADE),
    request("GET /readyz"),
    request("GET /", UPGRADE + "Origin: x\r\nAuthorization: Bearer right\r\n"),
    *knocking(
        "Bearer right",
        "bEARER   right  ",
        "Bearer wrong",
        "Bearer right x",
        "Bearerright",
        "Basic right",
        "Bearer ",
        "Bearer",
        "",
        "Bearer\tright",
        "Bearer \xff",
        "Bearer right\r\nAuthorization: Bearer wrong",
        "Bearer wrong\r\nAuthorization: Bearer right",
    ),
]


def token(claims: str, secret: str = SECRET, algorithm: str = "HS256", **header: object) -> str:
    return jwt.PyJWS().encode(claims.encode(), secret.encode(), algorithm, headers=header)


CLAIMS = [
    '{"exp":L,"iss":"me","aud":"you"}',
    '{"exp":L,"iss":"me","aud":["x","you"]}',
    '{"exp":L,"iss":"me","aud":["x",1]}',
    '{"exp":L,"iss":"me","aud":[]}',
    '{"exp":L,"iss":"me","aud":"x"}',
    '{"exp":L,"iss":"me"}',
    '{"exp":L,"iss":"x","aud":"x"}',
    '{"exp":L,"iss":["me"],"aud":"you"}',
    '{"exp":L,"aud":"you"}',
    '{"exp":L,"iss":"me","aud":"you","nbf":L}',
    '{"exp":1,"iss":"me","aud":"you","nbf":L}',
    '{"exp":L,"iss":"me","aud":"you","nbf":null}',
    '{"exp":L,"iss":"me","aud":"you","nbf":"x"}',
    '{"exp":L,"iss":"me","aud":"you","iat":"x","sub":5}',
    '{"exp":1,"iss":"me","aud":"you"}',
    '{"exp":-5,"iss":"me","aud":"you"}',
    '{"iss":"me","aud":"you"}',
    '{"exp":"L","iss":"me","aud":"you"}',
    '{"exp":L.0,"iss":"me","aud":"you"}',
    '{"exp":true,"iss":"me","aud":"you"}',
    '{"exp":9223372036854775808,"iss":"me","aud":"you"}',
    '{"exp":9223372036854775807,"iss":"me","aud":"you"}',
    '{"exp":1,"exp":L,"iss":"me","aud":"you"}',
    '{"exp":L,"iss":"me","aud":"you","x":NaN}',
    '{"exp":L} x',
    "[1]",
]
SIGNED_DOOR = knocking(
    *(f"Bearer {token(claims.replace('L', str(LATE)))}" for claims in CLAIMS),
    *(
        f"Bearer {token(CLAIMS[0].replace('L', str(LATE)), *how)}"
        for how in [(SECRET + "x",), (SECRET * 2, "HS384"), (SECRET * 2, "HS512")]
    ),
    f"Bearer {token(CLAIMS[0].replace('L', str(LATE)), kid='k', typ='x')}",
    f"Bearer {token(CLAIMS[0].replace('L', str(LATE)))}=",
    f"Bearer {token(CLAIMS[0].replace('L', str(LATE)))}.x",
    "Bearer abc",
    "Bearer a.b.c",
)


@asynccontextmanager
async def open_door(
    command: Sequence[str], home: Path, *flags: str
) -> AsyncGenerator[tuple[str, bytes]]:
    """Start a server; gives its URL and its banner, without the port."""
    home.mkdir(parents=True)
    arguments = ("app-server", "--listen", "ws://127.0.0.1:0", *flags)
    async with start(
        home, *arguments, command=command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        said = b""
        while b"note: " not in said or not said.endswith(b"\n"):
            said += await process.stderr.receive_some()
        banner = said[said.index(b"codex app-server (WebSockets)") :]
        url = banner.split(b"listening on: ")[1].split(b"\n")[0]
        yield url.decode(), banner.replace(url.rpartition(b":")[2], b"PORT")


async def answers(url: str, requests: Sequence[bytes]) -> list[object]:
    """Ask each on a connection of its own: status line, headers but the date, body."""
    answered: list[object] = []
    for data in requests:
        async with await dial(url) as stream:
            await stream.send_all(data)
            head, body = await read_answer(stream, body=not data.startswith(b"HEAD"))
        status, *lines = head.decode("ascii").strip().split("\r\n")
        headers = [line for line in lines if not line.startswith("date: ")]
        answered.append((data, status, headers, body))
    return answered


@pytest.mark.parametrize(
    ("flags", "requests"),
    [
        ((), OPEN_DOOR),
        (("--ws-auth", "capability-token", "--ws-token-file", "token"), GUARDED_DOOR),
        (
            (
                *("--ws-auth", "signed-bearer-token", "--ws-shared-secret-file", "secret"),
                *("--ws-issuer", " me ", "--ws-audience", "you"),
            ),
            SIGNED_DOOR,
        ),
    ],
    ids=["open", "capability", "signed"],
)
async def test_both_doors_answer_alike(
    flags: tuple[str, ...], requests: list[bytes], tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("right\n", encoding="utf-8")
    (tmp_path / "secret").write_text(f" {SECRET}\n", encoding="utf-8")
    flags = tuple(str(tmp_path / f) if f in ("token", "secret") else f for f in flags)
    with trio.fail_after(3 * PATIENCE):
        async with (
            open_door(GENUINE, tmp_path / "genuine" / "home", *flags) as (theirs, banner),
            open_door(OURS, tmp_path / "ours" / "home", *flags) as (ours, same_banner),
        ):
            assert same_banner == banner
            expected = await answers(theirs, requests)
            for mine, genuine in zip(await answers(ours, requests), expected, strict=True):
                assert mine == genuine


STARTS = [
    ["--ws-auth", "capability-token"],
    ["--ws-auth", "signed-bearer-token"],
    ["--ws-token-file", "token"],
    ["--ws-issuer", "x"],
    ["--ws-auth", "capability-token", "--ws-token-file", "t", "--ws-token-sha256", "aa"],
    ["--ws-auth", "capability-token", "--ws-token-sha256", "aa"],
    ["--ws-auth", "capability-token", "--ws-token-file", "t", "--ws-issuer", "x"],
    ["--ws-auth", "capability-token", "--ws-token-file", "missing"],
    ["--ws-auth", "capability-token", "--ws-token-file", "."],
    ["--ws-auth", "capability-token", "--ws-token-file", "empty"],
    ["--ws-auth", "signed-bearer-token", "--ws-shared-secret-file", "short"],
    [
        *("--ws-auth", "signed-bearer-token", "--ws-shared-secret-file", "secret"),
        *("--ws-max-clock-skew-seconds", "9223372036854775808"),
    ],
    [
        *("--ws-auth", "signed-bearer-token", "--ws-shared-secret-file", "secret"),
        *("--ws-token-file", "token"),
    ],
    ["--listen", "ws://0.0.0.0:0"],
    ["--listen", "ws://[::]:0"],
    ["--listen", "unix://file"],
    ["--listen", "unix://no/where/s"],
    ["--ws-auth", "nonsense"],
    ["--ws-max-clock-skew-seconds", "-1"],
    ["--ws-max-clock-skew-seconds", "18446744073709551616"],
    ["--listen", "ws://localhost:0"],
    ["--listen", "nonsense"],
]


@pytest.mark.parametrize("flags", STARTS, ids=" ".join)
async def test_both_refuse_to_start_alike(flags: list[str], tmp_path: Path) -> None:
    for name, content in [("token", "t"), ("empty", " "), ("short", "s"), ("secret", SECRET)]:
        (tmp_path / name).write_text(content, encoding="utf-8")
    (tmp_path / "file").touch()
    if "--listen" not in flags:
        flags = ["--listen", "ws://127.0.0.1:0", *flags]
    outcomes = []
    for name, command in [("genuine", GENUINE), ("ours", OURS)]:
        home = tmp_path / name / "home"
        home.mkdir(parents=True)
        async with start(
            home,
            *("app-server", *flags),
            command=command,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stderr is not None
            said = b"".join([bytes(chunk) async for chunk in process.stderr]).decode()
            code = await process.wait()
        errors = [line for line in said.splitlines() if line.startswith("Error: ")]
        outcomes.append((code, errors))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] in (1, 2)
