"""Asking over TLS: who is trusted, and what is said of who is not."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
import trio
import trustme

from codex_trio.errors import TrustError
from codex_trio.settings import CaBundle, Settings
from codex_trio.upstream import Upstream, open_upstream
from tests.conftest import PATIENCE
from tests.sites import SECRET, error, open_site, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

SYSTEM = "trusting the system's certificates"


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1", "auth.invalid").configure_cert(context)
    return context


@pytest.fixture
def trusting(ca: trustme.CA, tmp_path: Path, settings: Settings) -> Settings:
    """Settings that trust our authority."""
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    bundle = CaBundle(path=tmp_path / "ca.pem", source="CODEX_CA_CERTIFICATE")
    return Settings(codex_home=settings.codex_home, ca_bundle=bundle)


@pytest.fixture
async def upstream(settings: Settings) -> AsyncGenerator[Upstream]:
    async with open_upstream(settings) as upstream:
        with trio.fail_after(PATIENCE):
            yield upstream


# --- TLS ---


async def test_a_bundle_s_authority_is_trusted(trusting: Settings, tls: ssl.SSLContext) -> None:
    async with open_site(tls=tls) as site, open_upstream(trusting) as upstream:
        with trio.fail_after(PATIENCE):
            assert (await upstream.post(site.url, json={})).body == b"ok"


async def test_whose_authority_is_unknown_is_not_told_anything(
    upstream: Upstream, tls: ssl.SSLContext
) -> None:
    async with open_site(tls=tls) as site:
        text = await refusal(upstream, f"{site.url}/x?y={SECRET}", json={"code": SECRET})
        await site.door.wait_open(0)
    assert text.startswith(error(f"{site.url}/x", "[SSL: CERTIFICATE_VERIFY_FAILED] "))
    assert text.endswith(f"; {SYSTEM}")
    assert site.requests == []


async def test_the_wrong_bundle_is_named(trusting: Settings, tls: ssl.SSLContext) -> None:
    bundle = trusting.ca_bundle
    assert bundle is not None
    trustme.CA().cert_pem.write_to_path(str(bundle.path))
    async with open_site(tls=tls) as site, open_upstream(trusting) as upstream:
        text = await refusal(upstream, site.url, json={})
    assert text.endswith(f"; {SYSTEM} and those of CODEX_CA_CERTIFICATE ({bundle.path})")
    assert "CERTIFICATE_VERIFY_FAILED" in text


async def test_a_certificate_of_another_name_is_refused(
    trusting: Settings, ca: trustme.CA
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("other.invalid").configure_cert(context)
    async with open_site(tls=context) as site, open_upstream(trusting) as upstream:
        assert "IP address mismatch" in await refusal(upstream, site.url, json={})


@pytest.mark.xfail(reason="BUG before Python 3.13: no partial chains", strict=False)
async def test_a_chain_may_be_trusted_from_its_middle(
    trusting: Settings, ca: trustme.CA
) -> None:
    middle = ca.create_child_ca()
    assert trusting.ca_bundle is not None
    trusting.ca_bundle.path.write_bytes(middle.cert_pem.bytes())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    middle.issue_cert("127.0.0.1").configure_cert(context)
    async with open_site(tls=context) as site, open_upstream(trusting) as upstream:
        assert (await upstream.post(site.url, json={})).body == b"ok"


async def test_who_speaks_no_tls(upstream: Upstream) -> None:
    async with open_site() as site:
        url = site.url.replace("http:", "https:")
        text = await refusal(upstream, url, json={"code": SECRET})
    assert text.startswith(error(url, "[SSL: "))


async def test_a_broken_bundle_is_said_every_time_until_it_is_mended(
    trusting: Settings, tls: ssl.SSLContext, ca: trustme.CA
) -> None:
    bundle = trusting.ca_bundle
    assert bundle is not None
    bundle.path.write_bytes(b"")
    async with open_site(tls=tls) as site, open_upstream(trusting) as upstream:
        for _ in range(2):
            with pytest.raises(TrustError, match="no certificates found in PEM file"):
                await upstream.post(site.url, json={})
        ca.cert_pem.write_to_path(str(bundle.path))
        assert (await upstream.post(site.url, json={})).succeeded
