"""Hosts that are asked, step by step, and clocks."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
import trustme

from codex_trio.doctor import network
from codex_trio.doctor.case import DISCOVERY
from codex_trio.settings import CaBundle, Settings
from codex_trio.testing import Fault, StandIn, open_stand_in
from tests.account.conftest import find_free_port
from tests.account.signed_in import sign_in
from tests.doctor.conftest import SECRET, alone, look
from tests.sites import listen_only, open_door, open_proxy, open_site

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.doctor import Finding


async def issuer_of(home: Path, url: str, **more: Any) -> Finding:
    settings = Settings(codex_home=home, issuer=url, **more)
    found: Finding = alone(await look(network.check_issuer, settings))
    return found


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


def tls_of(ca: trustme.CA, *names: str, **more: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert(*names, **more).configure_cert(context)
    return context


def trusting(ca: trustme.CA, tmp_path: Path) -> CaBundle:
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return CaBundle(path=tmp_path / "ca.pem", source="CODEX_CA_CERTIFICATE")


# --- who answers ---


async def test_any_answer_proves_that_somebody_is_there(home: Path, stand_in: StandIn) -> None:
    one = await issuer_of(home, stand_in.url)
    assert (one.status, one.summary) == ("ok", f"{stand_in.url} answers (404 Not Found)")
    assert one.detail is not None
    assert one.detail.startswith("name -> connection -> HTTP, ")


async def test_nobody_is_told_anything(home: Path, stand_in: StandIn) -> None:
    sign_in(home, stand_in.issue_tokens())
    at = stand_in.url.removeprefix("http://")
    settings = stand_in.settings(
        home,
        chatgpt_base_url=f"http://ada:{SECRET}@{at}/backend-api?key={SECRET}",
        config={
            "model_providers": {
                "stand_in": {
                    "http_headers": {"x-key": SECRET},
                    "query_params": {"key": SECRET},
                    "experimental_bearer_token": SECRET,
                    "requires_openai_auth": False,
                }
            }
        },
    )
    for check in (network.check_issuer, network.check_backend, network.check_provider):
        assert alone(await look(check, settings)).status == "ok"
    assert [(one.method, one.path) for one in stand_in.requests] == [
        ("GET", DISCOVERY),
        ("GET", "/backend-api"),
        ("GET", "/v1/models"),
    ]
    for request in stand_in.requests:
        said = repr(attrs.asdict(request))
        assert SECRET not in said
        assert "authorization" not in said.lower()


async def test_trouble_of_a_host_is_a_warning(home: Path, stand_in: StandIn) -> None:
    for status, name in ((503, "503 Service Unavailable"), (500, "500 Internal Server Error")):
        stand_in.faults.add(DISCOVERY, Fault.status(status))
        one = await issuer_of(home, stand_in.url)
        assert (one.status, one.summary) == ("warning", f"{stand_in.url} answers ({name})")
    stand_in.faults.add(DISCOVERY, Fault.garbage(b"HTTP/1.1 499 x\r\n\r\n"))
    assert (await issuer_of(home, stand_in.url)).summary == f"{stand_in.url} answers (499)"


@pytest.mark.parametrize(
    ("fault", "text"),
    [(Fault.drop(), "the connection was lost"), (Fault.garbage(), "the reply is no HTTP")],
)
async def test_what_is_no_http_is_an_error(
    home: Path, stand_in: StandIn, fault: Fault, text: str
) -> None:
    stand_in.faults.add(DISCOVERY, fault)
    one = await issuer_of(home, stand_in.url)
    assert (one.status, one.summary) == ("error", f"{stand_in.url} is not reached: {text}")
    assert one.detail == "name -> connection -> it ended at: HTTP"


async def test_silence_has_an_end(
    home: Path, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codex_trio.doctor.probe._PATIENCE", 0.2)
    stand_in.faults.add(DISCOVERY, Fault.hang())
    one = await issuer_of(home, stand_in.url)
    assert one.summary.endswith("is not reached: no answer within 0.2 s")


async def test_nobody_listens(home: Path) -> None:
    one = await issuer_of(home, f"http://127.0.0.1:{find_free_port()}")
    assert (one.status, one.detail) == ("error", "name -> it ended at: connection")
    assert (one.advice or "").startswith("Start what should listen there")


async def test_a_name_that_nobody_has(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = await issuer_of(home, "http://nobody.invalid")
    assert (one.status, one.detail) == ("error", "it ended at: name")
    assert "firewall" in (one.advice or "")


@pytest.mark.parametrize("url", ["http://[", "ftp://127.0.0.1", "http://"])
async def test_a_url_that_is_none(home: Path, url: str) -> None:
    assert (await issuer_of(home, url)).status == "error"


# --- TLS ---


async def test_tls_is_a_step(home: Path, ca: trustme.CA, tmp_path: Path) -> None:
    async with open_stand_in(tls=tls_of(ca, "127.0.0.1")) as stand_in:
        one = await issuer_of(home, stand_in.url, ca_bundle=trusting(ca, tmp_path))
    assert one.status == "ok"
    assert one.detail is not None
    assert one.detail.startswith("name -> connection -> TLS -> HTTP, ")


async def test_a_certificate_of_nobody_known_wants_an_authority(
    home: Path, ca: trustme.CA
) -> None:
    async with open_stand_in(tls=tls_of(ca, "127.0.0.1")) as stand_in:
        one = await issuer_of(home, stand_in.url)
    assert one.status == "error"
    assert "CERTIFICATE_VERIFY_FAILED" in one.summary
    assert one.detail == "name -> connection -> it ended at: TLS"
    assert "CODEX_CA_CERTIFICATE" in (one.advice or "")


async def test_a_certificate_that_has_ended_points_at_the_clock(
    home: Path, ca: trustme.CA, tmp_path: Path
) -> None:
    from datetime import UTC, datetime

    past = tls_of(ca, "127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=UTC))
    async with open_stand_in(tls=past) as stand_in:
        one = await issuer_of(home, stand_in.url, ca_bundle=trusting(ca, tmp_path))
    assert (one.advice or "").startswith("See `clock` first.")


async def test_who_speaks_no_tls(home: Path) -> None:
    async with open_site() as site:
        one = await issuer_of(home, site.url.replace("http:", "https:"))
    assert one.status == "error"
    assert "does not speak HTTP" in (one.advice or "")


async def test_without_certificates_nobody_is_asked(home: Path, stand_in: StandIn) -> None:
    bundle = CaBundle(path=home / "missing.pem", source="SSL_CERT_FILE")
    settings = Settings(codex_home=home, issuer=stand_in.url, ca_bundle=bundle)
    for check in (network.check_issuer, network.check_clock):
        assert alone(await look(check, settings)).status == "skipped"
    assert stand_in.requests == []


async def test_certificates_that_cannot_be_read_hold_up_nobody(
    home: Path, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codex_trio.doctor.case._PATIENCE", 0.1)
    pipe = home / "pipe.pem"
    os.mkfifo(pipe)
    bundle = CaBundle(path=pipe, source="SSL_CERT_FILE")
    settings = Settings(codex_home=home, issuer=stand_in.url, ca_bundle=bundle)
    try:
        one = alone(await look(network.check_issuer, settings))
    finally:
        pipe.open("wb").close()  # who reads it has an end
    assert (one.status, stand_in.requests) == ("skipped", [])


# --- proxies ---


async def test_a_proxy_is_a_step(home: Path, ca: trustme.CA, tmp_path: Path) -> None:
    async with open_stand_in(tls=tls_of(ca, "auth.invalid")) as stand_in:
        to = int(stand_in.url.rpartition(":")[2])
        async with open_proxy(to) as (proxy, door):
            proxies = {"https": f"http://ada:{SECRET}@127.0.0.1:{door.port}"}
            bundle = trusting(ca, tmp_path)
            one = await issuer_of(
                home, "https://auth.invalid", proxies=proxies, ca_bundle=bundle
            )
    assert one.status == "ok"
    assert one.detail is not None
    assert one.detail.startswith("name -> connection -> proxy -> TLS -> HTTP, ")
    assert proxy.heads[0].startswith("CONNECT auth.invalid:443 ")


async def test_a_proxy_may_have_tls_of_its_own(
    home: Path, ca: trustme.CA, tmp_path: Path, stand_in: StandIn
) -> None:
    to = int(stand_in.url.rpartition(":")[2])
    async with open_proxy(to, tls_of(ca, "127.0.0.1")) as (_, door):
        proxies = {"http": door.url}
        one = await issuer_of(
            home, "http://auth.invalid", proxies=proxies, ca_bundle=trusting(ca, tmp_path)
        )
        assert one.status == "ok"
        assert (one.detail or "").startswith("name -> connection -> proxy -> HTTP, ")
        one = await issuer_of(home, "http://auth.invalid", proxies=proxies)
    assert one.detail == "name -> connection -> it ended at: proxy"
    assert "CODEX_CA_CERTIFICATE" in (one.advice or "")


async def test_a_tunnel_may_begin_with_tls(home: Path, ca: trustme.CA, tmp_path: Path) -> None:
    async with open_stand_in(tls=tls_of(ca, "auth.invalid")) as stand_in:
        to = int(stand_in.url.rpartition(":")[2])
        async with open_proxy(to, tls_of(ca, "127.0.0.1")) as (_, door):
            more: Any = {"proxies": {"all": door.url}, "ca_bundle": trusting(ca, tmp_path)}
            one = await issuer_of(home, "https://auth.invalid", **more)
    assert (one.detail or "").startswith("name -> connection -> proxy -> TLS -> HTTP, ")


@pytest.mark.parametrize(
    ("refusal", "advice"),
    [(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "USER:PASSWORD"), (b"", "proxy")],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_refuses_is_an_error(
    home: Path, scheme: str, refusal: bytes, advice: str
) -> None:
    async with open_proxy(1, refusal=refusal or b"\0") as (_, door):
        proxies = {"all": f"http://127.0.0.1:{door.port}"}
        one = await issuer_of(home, f"{scheme}://auth.invalid", proxies=proxies)
    assert one.status == "error"
    assert (advice if scheme == "https" or refusal else "does not speak HTTP") in (
        one.advice or ""
    )


async def test_a_dead_proxy_is_no_fault_of_the_host(home: Path) -> None:
    proxies = {"all": f"http://127.0.0.1:{find_free_port()}"}
    one = await issuer_of(home, "https://auth.invalid", proxies=proxies)
    assert one.detail == "name -> it ended at: connection"
    assert "See `proxy`" in (one.advice or "")


async def test_a_proxy_that_cannot_be_used_is_a_step(home: Path) -> None:
    one = await issuer_of(home, "https://auth.invalid", proxies={"all": "socks://127.0.0.1:1"})
    assert one.detail == "it ended at: proxy"
    assert "See `proxy`" in (one.advice or "")


# --- ends ---


async def test_who_never_answers_is_left_when_one_is_cancelled(home: Path) -> None:
    async with open_door(listen_only) as door:
        settings = Settings(codex_home=home, issuer=door.url)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(look, network.check_issuer, settings)
            await door.wait_open(1)
            nursery.cancel_scope.cancel()
        await door.wait_open(0)
