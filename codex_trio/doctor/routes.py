"""The way to the network: proxies, and whose certificates are trusted."""

from __future__ import annotations

import ssl
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import trio

from codex_trio.doctor.network import find_hosts
from codex_trio.doctor.report import error, ok, unless, warning
from codex_trio.errors import TrustError, os_error_text
from codex_trio.proxies import proxy_for
from codex_trio.trust import certificates_in, open_trust
from codex_trio.urls import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codex_trio.doctor.case import Case
    from codex_trio.doctor.report import Finding
    from codex_trio.settings import Settings

_PATIENCE: Final = 5.0  # seconds
_PORTS: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_VARIABLES: Final = "HTTPS_PROXY, HTTP_PROXY or ALL_PROXY"
_SPELL: Final = (
    f"Write {_VARIABLES} as http://HOST:PORT. Programs that offer SOCKS often have an HTTP proxy"
    " on another port; NO_PROXY names hosts that are asked directly."
)
_LEAVE: Final = (
    f"Start that proxy, or correct or unset {_VARIABLES}; NO_PROXY names hosts that are asked"
    " directly."
)


async def check_proxy(case: Case) -> list[Finding]:
    """Say which proxy counts for whom, and see whether somebody listens there."""
    proxies = case.settings.proxies
    if not any(proxies.get(name) for name in ("http", "https", "all")):
        return [ok("proxy", "none is named; hosts are asked directly")]
    hosts = await find_hosts(case)
    by_host = {name: _proxy_for(url, case.settings) for name, url in hosts.items()}
    detail = _detail(case, by_host)
    used = dict.fromkeys(filter(None, by_host.values()))
    if not used:
        return [ok("proxy", "one is named, and not used for these hosts", detail)]
    problems = [one for proxy in used if (one := await _judge(proxy, detail)) is not None]
    return unless(problems, ok("proxy", ", ".join(map(shown, used)), detail))


def look_at_certificates(case: Case) -> list[Finding]:
    """Load what is trusted, as a server does; blocks."""
    bundle = case.settings.ca_bundle
    try:
        trust = open_trust(bundle)
    except TrustError as failure:
        assert bundle is not None  # of the system's nobody says anything
        summary = str(failure).partition(". If you set")[0]
        return [error("certificates", summary, _mend(bundle.source))]
    except OSError as failure:
        text = getattr(failure, "reason", None) or os_error_text(failure)
        summary = f"the system's certificates cannot be read: {text}"
        return [error("certificates", summary, _mend("SSL_CERT_FILE"))]
    system = trust.cert_store_stats()["x509_ca"]
    if bundle is not None:
        number = len(list(certificates_in(bundle.path.read_bytes())))
        summary = f"the system's, and {number} of {bundle.source} ({bundle.path})"
        other = case.environ.get("SSL_CERT_FILE")
        hidden = bundle.source != "SSL_CERT_FILE" and other
        return [
            ok(
                "certificates",
                summary,
                f"SSL_CERT_FILE is not read ({other})" if hidden else None,
            )
        ]
    if not system and not _has_folder():
        return [
            warning(
                "certificates",
                "the system has no certificates",
                "Install them (on Debian: apt install ca-certificates; on macOS, run `Install"
                " Certificates.command` of Python), or name some: CODEX_CA_CERTIFICATE=FILE.pem",
            )
        ]
    return [ok("certificates", f"the system's ({system or 'a folder of them'})")]


def _mend(variable: str) -> str:
    return f"Unset {variable}, or let it name a PEM file that has certificates."


def _has_folder() -> bool:
    folder = ssl.get_default_verify_paths().capath
    return folder is not None and any(Path(folder).iterdir())


def _proxy_for(url: str, settings: Settings) -> str:
    try:
        return proxy_for(url, settings.proxies)
    except ValueError:
        return ""  # no URL: who asks there says so


def _detail(case: Case, by_host: dict[str, str]) -> str:
    lines = [
        f"{name}: {shown(proxy) if proxy else 'directly'}" for name, proxy in by_host.items()
    ]
    if exceptions := case.settings.proxies.get("no"):
        lines.append(f"NO_PROXY: {exceptions}")
    lines += _hidden(case)
    return "\n".join(lines)


def _hidden(case: Case) -> Iterable[str]:
    """Name variables that do not count, because the same in capitals does."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        upper, lower = case.environ.get(name.upper()), case.environ.get(name)
        if upper and lower and upper != lower:
            yield f"{name.upper()} counts, and {name} says something else"


async def _judge(proxy: str, detail: str) -> Finding | None:
    try:
        parts = urlsplit(proxy)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return error("proxy", f"{shown(proxy)} is no URL", _SPELL, detail)
    if parts.scheme not in _PORTS:
        return error(
            "proxy", f"{shown(proxy)} cannot be used: only http and https are", _SPELL, detail
        )
    if parts.scheme.startswith("socks") and find_spec("socksio") is None:
        return error(
            "proxy", f"{shown(proxy)} cannot be used: only http and https are", _SPELL, detail
        )
    if not parts.hostname or port is None:
        return error("proxy", f"{shown(proxy)} names no host", _SPELL, detail)
    try:
        with trio.fail_after(_PATIENCE):
            stream = await trio.open_tcp_stream(parts.hostname, port)
    except trio.TooSlowError:
        reason = f"no answer within {_PATIENCE:g} s"
    except OSError as failure:
        reason = str(failure)
    else:
        await trio.aclose_forcefully(stream)
        return None
    return error("proxy", f"{shown(proxy)} cannot be reached: {reason}", _LEAVE, detail)
