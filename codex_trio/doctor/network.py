"""Whether those can be reached whom a server asks, and whether the clock is right."""

from __future__ import annotations

from contextlib import suppress
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from codex_trio.doctor.configuration import discreet
from codex_trio.doctor.report import error, ok, skipped, warning
from codex_trio.errors import ConfigError, StoreError, TrustError
from codex_trio.proxies import proxy_for
from codex_trio.urls import shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from codex_trio.account.credentials import Credentials
    from codex_trio.doctor.case import Case
    from codex_trio.doctor.probe import Reached, UnreachedError
    from codex_trio.doctor.report import Finding
    from codex_trio.responses.providers import Provider

_SKEWED, _TOO_SKEWED = 30.0, 300.0  # seconds; tokens are renewed five minutes before they end

_NETWORK: Final = (
    "Is this machine on the network, and does a firewall let it out? A proxy is named by"
    " HTTPS_PROXY=http://HOST:PORT."
)
_START: Final = "Start what should listen there, or correct the URL."
_ITS_PROXY: Final = "See `proxy`: correct {0}_PROXY, or list the host in NO_PROXY."
_REFUSED: Final = (
    "The proxy does not let this host through. If it wants a password:"
    " {0}_PROXY=http://USER:PASSWORD@HOST:PORT; else ask who runs it."
)
_INSPECTED: Final = (
    "If a proxy or a virus scanner looks into connections here, name its authority:"
    " CODEX_CA_CERTIFICATE=FILE.pem"
)
_NO_HTTP: Final = "Something on the way does not speak HTTP. Try without a proxy or a VPN."
_LATER: Final = "The host has trouble of its own, or a proxy has. Try again later."


async def check_issuer(case: Case) -> list[Finding]:
    """Ask the issuer for something that it tells everybody."""
    return [await _reach(case, "issuer", case.settings.issuer, case.issuer.get())]


async def check_backend(case: Case) -> list[Finding]:
    """Ask who knows the limits of an account; it refuses, and that is an answer."""
    url = case.settings.chatgpt_base_url
    return [await _reach(case, "backend", url, case.ask(url))]


async def check_provider(case: Case) -> list[Finding]:
    """Ask the model provider that is configured."""
    try:
        table = (await case.effective.get()).table
    except ConfigError:
        return [skipped("provider", "who is asked is not known: see `config`")]
    try:
        provider = _provider_of(case, table)
    except ConfigError as failure:
        advice = "See model_provider and model_providers in config.toml."
        return [error("provider", discreet(failure.reason), advice)]
    url = await _url_of(case, provider)
    return [*_judge_key(case, provider), await _reach(case, "provider", url, case.ask(url))]


async def find_hosts(case: Case) -> dict[str, str]:
    """Name those that are asked in any case, by their checks; the provider if it is known."""
    hosts = {"issuer": case.settings.issuer, "backend": case.settings.chatgpt_base_url}
    with suppress(ConfigError):
        provider = _provider_of(case, (await case.effective.get()).table)
        hosts["provider"] = await _url_of(case, provider)
    return hosts


def _provider_of(case: Case, table: Mapping[str, Any]) -> Provider:
    from codex_trio.responses.providers import find_provider

    return find_provider(table.get("model_provider", "openai"), table, case.settings)


async def check_clock(case: Case) -> list[Finding]:
    """Compare our clock with that of the issuer."""
    from codex_trio.doctor.probe import UnreachedError

    try:
        reached = await case.issuer.get()
    except (TrustError, UnreachedError):
        return [skipped("clock", "the issuer, whose clock it is compared with, is not reached")]
    theirs = _read_date(reached)
    if theirs is None:
        return [skipped("clock", "the issuer does not say what time it is")]
    ahead = reached.arrived - theirs
    if abs(ahead) < _SKEWED:
        return [ok("clock", f"within {_SKEWED:g} s of the issuer's")]
    return [
        (error if abs(ahead) >= _TOO_SKEWED else warning)(
            "clock",
            f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the issuer's",
            "Set the clock, as with NTP (timedatectl set-ntp true): tokens would be taken for"
            " good or for ended when they are not.",
        )
    ]


async def _reach(case: Case, check: str, url: str, asking: Awaitable[Reached]) -> Finding:
    from codex_trio.doctor.probe import UnreachedError

    try:
        reached = await asking
    except TrustError:
        return skipped(check, f"{shown(url)} is not asked before `certificates` are mended")
    except UnreachedError as failure:
        through = ""
        if failure.proxied and failure.step in ("name", "connection"):
            through = f" through {shown(proxy_for(url, case.settings.proxies))}"
        summary = f"{shown(url)} is not reached{through}: {failure}"
        where = f"it ended at: {failure.step}"
        detail = f"{failure.way} -> {where}" if failure.way else where
        return error(check, summary, _advise(failure, url), detail)
    answer = f"{shown(url)} answers ({_name(reached.status)})"
    detail = f"{reached.way} -> HTTP, {reached.seconds * 1000:.0f} ms"
    if reached.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return error(check, answer, _REFUSED.format(_scheme(url)), detail)
    if reached.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return warning(check, answer, _LATER, detail)
    return ok(check, answer, detail)


def _advise(failure: UnreachedError, url: str) -> str:
    reason = str(failure)
    match failure.step:
        case _ if "CERTIFICATE_VERIFY_FAILED" in reason:
            dated = "expired" in reason or "not yet valid" in reason
            return f"See `clock` first. {_INSPECTED}" if dated else _INSPECTED
        case "proxy":
            refused = reason[:3].isdecimal()
            return (_REFUSED if refused else _ITS_PROXY).format(_scheme(url))
        case "connection" if not failure.proxied and _is_here(url):
            return _START
        case "name" | "connection":
            return _ITS_PROXY.format(_scheme(url)) if failure.proxied else _NETWORK
        case _:
            return _NO_HTTP


def _scheme(url: str) -> str:
    """Name what the variable begins with that names the proxy for a URL."""
    return urlsplit(url).scheme.upper()


def _is_here(url: str) -> bool:
    """Say whether a URL leads to this machine; it has been asked for, so it is one."""
    return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")


def _name(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


async def _url_of(case: Case, provider: Provider) -> str:
    """Say where the provider would list its models to who is signed in, or will be."""
    credentials: Credentials | None = None
    with suppress(StoreError):
        credentials = await case.stored.get()
    by_key = case.settings.forced_login_method == "api"
    if (
        credentials is None
        and not by_key
        and provider.base_url is None
        and provider.account_url
    ):
        return f"{provider.account_url}/models"
    return provider.url("models", credentials)


def _judge_key(case: Case, provider: Provider) -> list[Finding]:
    if provider.env_key is None or case.environ.get(provider.env_key, "").strip():
        return []
    return [
        error(
            "provider",
            f"{provider.name} wants a key, and the environment has no {provider.env_key}",
            provider.env_key_instructions or f"Set {provider.env_key}, for the server as well.",
        )
    ]


def _read_date(reached: Reached) -> float | None:
    """Read when the answer was made, and for how long it has been kept (RFC 9111, section 4.2.3)."""
    try:
        made = parsedate_to_datetime(reached.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return None
    age = reached.headers.get("age", "")
    return made + (int(age) if age.isascii() and age.isdecimal() and len(age) < 9 else 0)
