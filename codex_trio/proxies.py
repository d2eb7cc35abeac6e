"""Which proxy a host is asked through, if any."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping


def proxy_for(url: str, proxies: Mapping[str, str]) -> str:
    """Name the proxy for a URL; empty when its host is asked directly.

    Args:
        url: what is asked for.
        proxies: a proxy by scheme, ``all`` for the others, and under ``no`` the hosts that are
            asked directly: names with all that ends in them, addresses, networks, each with a
            port or without, or ``*``.

    Raises:
        ValueError: it is no URL.
    """
    target = urlsplit(url)
    proxy = proxies.get(target.scheme) or proxies.get("all", "")
    host = (target.hostname or "").rstrip(".")
    port = target.port or (443 if target.scheme == "https" else 80)
    exceptions = (entry.strip() for entry in proxies.get("no", "").split(","))
    if not proxy or any(_matches(entry, host, port) for entry in exceptions if entry):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _matches(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(
            entry.strip("[]"), strict=False
        )
    except ValueError:
        pass  # one of the two is a name, or has a port
    name, colon, number = entry.rpartition(":")
    if colon and number.isdecimal():
        return int(number) == port and _matches(name.strip("[]"), host, port)
    domain = entry.lower().removeprefix("*").removeprefix(".")
    return host == domain or host.endswith(f".{domain}")
