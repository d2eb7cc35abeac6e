"""The files of docs/deploy.md, as they stand: behind a real nginx, and for systemd."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import socket
import ssl
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest
import trio
import trustme
from trio_websocket import ConnectionRejected, WebSocketConnection, wrap_client_stream

from codex_trio.arguments import parse_arguments
from tests.conftest import PATIENCE
from tests.processes import start

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

DOCUMENT = (Path(__file__).parents[2] / "docs" / "deploy.md").read_text(encoding="utf-8")
NAME = "codex.example.org"
TOKEN = "a-token-of-these-tests"

pytestmark = pytest.mark.deploy


def block(language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
    assert len(found) == 1
    return str(found[0])


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_the_unit_says_what_the_command_line_understands() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # as its manual says
    unit.read_string(block("ini"))
    service = unit["Service"]
    program, *arguments = shlex.split(service["ExecStart"])
    assert program.endswith("/codex-trio")
    parsed = parse_arguments(arguments)
    assert parsed.command == "app-server"
    assert parsed.ws_token_file == "%d/token"
    assert service["LoadCredential"].startswith("token:")
    assert int(service["TimeoutStopSec"]) > 25


@asynccontextmanager
async def open_nginx(folder: Path, upstream: str) -> AsyncGenerator[tuple[int, trustme.CA]]:
    """Run nginx with the documented file, on a port of its own; yields that."""
    if shutil.which("nginx") is None:
        pytest.skip("needs nginx")
    authority, port = trustme.CA(), free_port()
    certificate = authority.issue_cert(NAME)
    certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    site = block("nginx")
    for written, here in {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        f"/etc/nginx/{NAME}.pem": f"{folder}/cert.pem",
        f"/etc/nginx/{NAME}.key": f"{folder}/key.pem",
        "127.0.0.1:4500": upstream.removeprefix("ws://"),
    }.items():
        assert site.count(written) == 1
        site = site.replace(written, here)
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{ access_log off;\n"
        + "".join(
            f"{kind}_temp_path {folder}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        + site
        + "}\n"
    )
    command = [
        "nginx",
        "-p",
        str(folder),
        "-e",
        f"{folder}/error.log",
        "-c",
        f"{folder}/nginx.conf",
    ]
    checked = await trio.run_process([*command, "-t"], check=False, capture_stderr=True)
    assert checked.returncode == 0, checked.stderr.decode()
    async with trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(trio.run_process, command)
        with trio.fail_after(PATIENCE):
            while True:
                try:
                    await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
                    break
                except OSError:
                    assert process.returncode is None
                    await trio.sleep(0.02)  # nginx does not say when it is ready
        yield port, authority
        process.terminate()


@asynccontextmanager
async def open_site(home: Path, folder: Path) -> AsyncGenerator[tuple[int, ssl.SSLContext]]:
    """Run a server that listens as documented, and nginx before it."""
    (folder / "token").write_text(TOKEN + "\n")
    arguments = (
        *("app-server", "--listen", "ws://127.0.0.1:0", "--ws-auth", "capability-token"),
        *("--ws-token-file", f"{folder}/token"),
    )
    async with start(
        home, *arguments, stdin=subprocess.DEVNULL, stdout=None, stderr=subprocess.PIPE
    ) as server:
        assert server.stderr is not None
        banner = b""
        while (found := re.search(rb"listening on: (ws://\S+)\n", banner)) is None:
            banner += await server.stderr.receive_some()
        async with open_nginx(folder, found[1].decode()) as (port, authority):
            trusted = ssl.create_default_context()
            authority.configure_trust(trusted)
            yield port, trusted
        server.terminate()
        assert await server.wait() == 0


async def dial(port: int, trusted: ssl.SSLContext) -> trio.SSLStream[trio.SocketStream]:
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    return trio.SSLStream(stream, trusted, server_hostname=NAME, https_compatible=True)


async def ask(port: int, trusted: ssl.SSLContext, head: str) -> bytes:
    """Send a request to the site, and return the first line of the answer."""
    async with await dial(port, trusted) as stream:
        await stream.send_all(f"{head}\r\nHost: {NAME}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while b"\r\n" not in answer:
            answer += await stream.receive_some()
        return answer.split(b"\r\n")[0]


@asynccontextmanager
async def connected(
    port: int, trusted: ssl.SSLContext, headers: list[tuple[bytes, bytes]]
) -> AsyncGenerator[WebSocketConnection]:
    async with trio.open_nursery() as nursery:
        async with await dial(port, trusted) as stream:
            client = await wrap_client_stream(
                nursery, stream, NAME, "/", extra_headers=headers, max_message_size=2**27
            )
            async with client:
                yield client


async def call(client: WebSocketConnection, method: str, params: object) -> object:
    await client.send_message(
        orjson.dumps({"id": 1, "method": method, "params": params}).decode()
    )
    return orjson.loads(await client.get_message())


INITIALIZE = {"clientInfo": {"name": "probe", "version": "1", "title": None}}


async def test_the_site_serves_who_has_the_token(home: Path, tmp_path: Path) -> None:
    async with open_site(home, tmp_path) as (port, trusted):
        bearer = [(b"Authorization", f"Bearer {TOKEN}".encode())]
        async with connected(port, trusted, bearer) as client:
            assert "result" in str(await call(client, "initialize", INITIALIZE))
            assert "requiresOpenaiAuth" in str(await call(client, "account/read", {}))
            # A large message passes both of them, in either direction.
            long = await call(client, "account/read", {"refreshToken": "x" * 3_000_000})
            assert len(str(long)) > 3_000_000


async def test_the_site_refuses_who_has_none_and_pages(home: Path, tmp_path: Path) -> None:
    async with open_site(home, tmp_path) as (port, trusted):
        upgrade = (
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        )
        assert b" 200 " in await ask(port, trusted, "GET /readyz HTTP/1.1")
        assert b" 401 " in await ask(port, trusted, f"GET / HTTP/1.1\r\n{upgrade}")
        page = "GET / HTTP/1.1\r\nOrigin: https://evil.example"
        assert b" 403 " in await ask(port, trusted, f"{page}\r\n{upgrade}")
        with pytest.RaisesGroup(
            ConnectionRejected, flatten_subgroups=True, allow_unwrapped=True
        ):
            async with connected(port, trusted, [(b"Authorization", b"Bearer no")]):
                pass
