"""What --listen says."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_trio.errors import SettingsError
from codex_trio.transport.listening import (
    Off,
    StandardStreams,
    TcpAddress,
    UnixAddress,
    address_to_serve,
    open_listener,
    parse_listen_url,
)

EXPECTED = "expected `stdio://`, `unix://`, `unix://PATH`, `ws://IP:PORT`, or `off`"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("stdio://", StandardStreams()),
        ("off", Off()),
        ("unix://", UnixAddress(None)),
        ("unix:///run/s", UnixAddress(Path("/run/s"))),
        ("unix://s", UnixAddress(Path("s"))),
        ("ws://127.0.0.1:0", TcpAddress("127.0.0.1", 0)),
        ("ws://127.0.0.1:00", TcpAddress("127.0.0.1", 0)),
        ("ws://0.0.0.0:65535", TcpAddress("0.0.0.0", 65535)),
        ("ws://[::1]:80", TcpAddress("::1", 80)),
        ("ws://[0::1]:80", TcpAddress("::1", 80)),
    ],
)
def test_what_can_be_served(url: str, address: object) -> None:
    assert parse_listen_url(url) == address


@pytest.mark.parametrize(
    "url", ["", "http://x", "stdio:", "stdio:///", "OFF", "WS://127.0.0.1:0", "unix:/x"]
)
def test_what_is_of_no_kind_that_is_served(url: str) -> None:
    with pytest.raises(ValueError, match=f"unsupported --listen URL `{url}`; {EXPECTED}"):
        parse_listen_url(url)


@pytest.mark.parametrize(
    "place",
    [
        "",
        ":0",
        "localhost:0",
        "127.0.0.1",
        "127.0.0.1:0/",
        "127.0.0.1:99999",
        "127.0.0.1:000000",
        "127.0.0.1:+1",
        "127.1:0",
        "127.0.0.01:0",
        " 127.0.0.1:0",
        "[127.0.0.1]:0",
        "::1:0",
        "[::1%lo]:0",
        "127.0.0.1:٣",
    ],
)
def test_an_address_is_a_literal_ip_and_a_port(place: str) -> None:
    with pytest.raises(ValueError, match=r"invalid websocket --listen URL `ws://.*`; expected"):
        parse_listen_url(f"ws://{place}")


@pytest.mark.parametrize(
    ("ip", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("::", False),
        ("::ffff:127.0.0.1", False),
    ],
)
def test_only_loopback_is_served_to_anybody(ip: str, is_loopback: bool) -> None:
    address = TcpAddress(ip, 0)
    assert address.is_loopback is is_loopback
    assert address_to_serve(f"ws://{address}", anybody=True).__class__ is TcpAddress
    if is_loopback:
        assert address_to_serve(f"ws://{address}", anybody=False) == address
    else:
        with pytest.raises(SettingsError, match="refusing to start non-loopback websocket"):
            address_to_serve(f"ws://{address}", anybody=False)


@pytest.mark.parametrize("url", ["stdio://", "off", "nonsense"])
def test_what_nobody_can_connect_to_is_refused(url: str) -> None:
    with pytest.raises(SettingsError):
        address_to_serve(url, anybody=True)


def test_a_unix_socket_is_where_it_is_looked_for(tmp_path: Path) -> None:
    control = tmp_path / "app-server-control" / "app-server-control.sock"
    assert UnixAddress(None).within(tmp_path) == control
    assert UnixAddress(Path("/s")).within(tmp_path) == Path("/s")
    assert UnixAddress(Path("s")).within(tmp_path) == Path.cwd() / "s"


async def test_an_address_that_cannot_be_had_is_refused(tmp_path: Path) -> None:
    async with open_listener(TcpAddress("127.0.0.1", 0), tmp_path) as (_, url):
        taken = parse_listen_url(url)
        assert isinstance(taken, TcpAddress)
        with pytest.raises(SettingsError, match=r"^Address in use \(os error 98\)$"):
            async with open_listener(taken, tmp_path):
                pass
    with pytest.raises(SettingsError, match=r"^Address not available \(os error 99\)$"):
        async with open_listener(TcpAddress("192.0.2.1", 0), tmp_path):
            pass


async def test_the_bound_url_has_its_port(tmp_path: Path) -> None:
    async with open_listener(TcpAddress("127.0.0.1", 0), tmp_path) as (listener, url):
        assert url == f"ws://127.0.0.1:{listener.socket.getsockname()[1]}"
    async with open_listener(UnixAddress(tmp_path / "s"), tmp_path) as (_, url):
        assert url == f"unix://{tmp_path}/s"
