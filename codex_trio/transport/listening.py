"""Where clients connect: what ``--listen`` says, and the sockets that come of it."""

from __future__ import annotations

import ipaddress
import re
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import trio
from attrs import frozen

from codex_trio.errors import SettingsError, os_error_text
from codex_trio.transport.unix import open_unix_listener

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

FORMS: Final = "`stdio://`, `unix://`, `unix://PATH`, `ws://IP:PORT`, or `off`"

_WS: Final = re.compile(r"ws://(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([0-9]+)")
_MUSL: Final = {98: "Address in use (os error 98)", 99: "Address not available (os error 99)"}


@frozen
class StandardStreams:
    """Standard input and output."""


@frozen
class Off:
    """Nowhere."""


@frozen
class TcpAddress:
    """A literal IP address and a port, of which 0 is any that is free."""

    ip: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect; an IPv4 address within IPv6 counts as none."""
        address = ipaddress.ip_address(self.ip)
        if isinstance(address, ipaddress.IPv4Address):
            return address.is_loopback
        return address == ipaddress.IPv6Address("::1")

    def __str__(self) -> str:
        """As it stands in a URL: ``127.0.0.1:80``, ``[::1]:80``."""
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


@frozen
class UnixAddress:
    """The path of a socket; None is the one in ``CODEX_HOME`` where clients look for it."""

    path: Path | None

    def within(self, codex_home: Path) -> Path:
        """Find the path, absolute; the default one is that of 0.163.0 (observed)."""
        if self.path is None:
            return codex_home / "app-server-control" / "app-server-control.sock"
        return self.path.absolute()


ListenAddress: TypeAlias = StandardStreams | Off | TcpAddress | UnixAddress


def parse_listen_url(url: str) -> ListenAddress:
    """Read what ``--listen`` says.

    Raises:
        ValueError: it says nothing that can be served, in the words of 0.163.0.
    """
    if url == "stdio://":
        return StandardStreams()
    if url == "off":
        return Off()
    if url.startswith("unix://"):
        path = url.removeprefix("unix://")
        return UnixAddress(Path(path) if path else None)
    if url.startswith("ws://"):
        return _tcp_address(url)
    raise ValueError(f"unsupported --listen URL `{url}`; expected {FORMS}")


def address_to_serve(url: str, *, anybody: bool) -> TcpAddress | UnixAddress:
    """Read an address that others connect to.

    Args:
        url: as in ``--listen``.
        anybody: whether anybody on the network may know it, because not everybody is let in,
            or because everybody shall be.

    Raises:
        SettingsError: it is none, or not only this machine can connect; in the words of 0.163.0.
    """
    try:
        address = parse_listen_url(url)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    if isinstance(address, StandardStreams | Off):
        raise SettingsError(f"nobody can connect to `{url}`")
    if isinstance(address, TcpAddress) and not (address.is_loopback or anybody):
        raise SettingsError(
            f"refusing to start non-loopback websocket listener {address} without auth; "
            "configure `--ws-auth capability-token` or `--ws-auth signed-bearer-token`"
        )
    return address


def _tcp_address(url: str) -> TcpAddress:
    refusal = f"invalid websocket --listen URL `{url}`; expected `ws://IP:PORT`"
    if (match := _WS.fullmatch(url)) is None:
        raise ValueError(refusal)
    in_brackets, bare, port = match.groups()
    try:
        ip = ipaddress.IPv6Address(in_brackets) if in_brackets else ipaddress.IPv4Address(bare)
    except ipaddress.AddressValueError:
        raise ValueError(refusal) from None
    if len(port) > 5 or int(port) >= 2**16:
        raise ValueError(refusal)
    return TcpAddress(str(ip), int(port))


@asynccontextmanager
async def open_listener(
    address: TcpAddress | UnixAddress, codex_home: Path
) -> AsyncGenerator[tuple[trio.SocketListener, str]]:
    """Listen within the block; gives the listener and the URL that was bound.

    Raises:
        SettingsError: the address cannot be had.
    """
    if isinstance(address, UnixAddress):
        path = address.within(codex_home)
        async with open_unix_listener(path) as listener:
            yield listener, f"unix://{path}"
        return
    try:
        (listener,) = await trio.open_tcp_listeners(address.port, host=address.ip)
    except OSError as error:
        number = error.errno or 0
        raise SettingsError(_MUSL.get(number) or os_error_text(error)) from None
    async with listener:
        port = listener.socket.getsockname()[1]
        yield listener, f"ws://{TcpAddress(address.ip, port)}"
