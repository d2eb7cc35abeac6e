"""Asking through a proxy: when it is used, when not, and what is said of a bad one."""

from __future__ import annotations

import base64
import ssl
from typing import TYPE_CHECKING

import pytest
import trio
import trustme

from codex_trio.errors import UpstreamError
from codex_trio.settings import CaBundle, Settings
from codex_trio.upstream import open_upstream
from tests.conftest import PATIENCE
from tests.sites import listen_only, open_door, open_proxy, open_site

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.upstream import Reply

PASSWORD = "s3cret"


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1", "auth.invalid").configure_cert(context)
    return context


@pytest.fixture
def bundle(ca: trustme.CA, tmp_path: Path) -> CaBundle:
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return CaBundle(path=tmp_path / "ca.pem", source="SSL_CERT_FILE")


@pytest.fixture(autouse=True)
def no_proxies_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment says must not count: these would lead to nobody."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


async def ask(home: Path, url: str, bundle: CaBundle | None = None, **proxies: str) -> Reply:
    settings = Settings(codex_home=home, ca_bundle=bundle, proxies=proxies)
    assert PASSWORD not in repr(settings)
    async with open_upstream(settings) as upstream:
        with trio.fail_after(PATIENCE):
            return await upstream.post(url, json={"token": "t0ken"})


async def refusal(home: Path, url: str, bundle: CaBundle | None = None, **proxies: str) -> str:
    with pytest.raises(UpstreamError) as caught:
        await ask(home, url, bundle, **proxies)
    for secret in (PASSWORD, "t0ken"):
        assert secret not in str(caught.value)
    return str(caught.value)


async def test_only_the_settings_say_which_one(home: Path) -> None:
    async with open_site() as site:
        assert (await ask(home, site.url)).body == b"ok"


# --- when it is used ---


@pytest.mark.parametrize("name", ["http", "all"])
async def test_http_goes_through_it(home: Path, name: str) -> None:
    async with open_site() as site, open_proxy(site.door.port) as (proxy, door):
        reply = await ask(home, "http://auth.invalid/a?b=c", None, **{name: door.url})
    assert reply.body == b"ok"
    (head,) = proxy.heads
    assert head.startswith("POST http://auth.invalid/a?b=c HTTP/1.1\r\n")
    assert "user-agent" not in head.lower()
    assert site.requests[0].body == b'{"token":"t0ken"}'


@pytest.mark.parametrize("name", ["https", "all"])
async def test_https_tunnels_through_it(
    home: Path, name: str, tls: ssl.SSLContext, bundle: CaBundle
) -> None:
    async with open_site(tls=tls) as site, open_proxy(site.door.port) as (proxy, door):
        reply = await ask(home, "https://auth.invalid/a", bundle, **{name: door.url})
    assert reply.body == b"ok"
    (head,) = proxy.heads
    assert head.startswith("CONNECT auth.invalid:443 HTTP/1.1\r\n")
    assert "t0ken" not in head
    assert site.requests[0].headers["host"] == "auth.invalid"


async def test_one_for_the_scheme_comes_before_one_for_all(home: Path) -> None:
    async with open_site() as site, open_proxy(site.door.port) as (proxy, door):
        await ask(home, "http://auth.invalid/", http=door.url, all="http://127.0.0.1:9")
    assert len(proxy.heads) == 1


async def test_one_for_another_scheme_is_not_used(home: Path) -> None:
    async with open_site() as site:
        assert (await ask(home, site.url, https="http://127.0.0.1:9")).body == b"ok"


async def test_it_need_not_say_its_scheme(home: Path) -> None:
    async with open_site() as site, open_proxy(site.door.port) as (proxy, door):
        await ask(home, "http://auth.invalid/", http=door.url.removeprefix("http://"))
    assert len(proxy.heads) == 1


async def test_it_is_told_a_password(home: Path) -> None:
    async with open_site() as site, open_proxy(site.door.port) as (proxy, door):
        url = door.url.replace("//", f"//me:{PASSWORD}%40@")
        await ask(home, "http://auth.invalid/", http=url)
    credentials = base64.b64encode(f"me:{PASSWORD}@".encode()).decode()
    assert f"Proxy-Authorization: Basic {credentials}" in proxy.heads[0]
    assert "authorization" not in site.requests[0].headers


async def test_it_may_be_on_https_itself(
    home: Path, tls: ssl.SSLContext, bundle: CaBundle
) -> None:
    async with open_site() as site, open_proxy(site.door.port, tls) as (_, door):
        reply = await ask(home, "http://auth.invalid/", bundle, http=door.url)
    assert reply.body == b"ok"


async def test_there_is_one_client_for_each_way(home: Path) -> None:
    async with open_site() as site, open_proxy(site.door.port) as (proxy, door):
        settings = Settings(codex_home=home, proxies={"http": door.url, "no": "127.0.0.1"})
        async with open_upstream(settings) as upstream:
            for _ in range(2):
                await upstream.post(site.url, json={})
                await upstream.post("http://auth.invalid/", json={})
            assert (door.open, len(site.requests)) == (1, 4)
        await door.wait_open(0)
    assert len(proxy.heads) == 1  # it relays what comes on the same connection


# --- when it is not ---


@pytest.mark.parametrize(
    "no",
    [
        "127.0.0.1",
        " example.com , 127.0.0.1 ",
        "*",
        "127.0.0.1:{port}",
        "example.com, *",
        "127.0.0.0/8",
    ],
)
async def test_some_hosts_are_asked_directly(home: Path, no: str) -> None:
    async with open_site() as site:
        said = no.format(port=site.door.port)
        assert (await ask(home, site.url, http="http://127.0.0.1:9", no=said)).body == b"ok"


@pytest.mark.parametrize(
    ("no", "direct"),
    [
        ("auth.invalid", True),
        ("AUTH.Invalid", True),
        (".invalid", True),
        ("invalid", True),
        ("th.invalid", False),
        (".auth.invalid", True),
        ("auth.invalid.example", False),
        ("auth.invalid:81", False),
        ("", False),
        (",", False),
    ],
)
async def test_names_and_domains(home: Path, no: str, direct: bool) -> None:
    async with open_site() as site, open_proxy(site.door.port) as (proxy, door):
        if direct:
            text = await refusal(home, "http://auth.invalid/", all=door.url, no=no)
            assert "proxy" not in text
        else:
            await ask(home, "http://auth.invalid/", all=door.url, no=no)
    assert len(proxy.heads) == (not direct)


# --- what goes wrong ---


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_one_that_is_not_there_is_named(home: Path, scheme: str) -> None:
    async with open_site() as site:
        pass
    url = site.url.replace("//", f"//me:{PASSWORD}@")
    text = await refusal(home, f"{scheme}://auth.invalid/x", all=f"{url}/?p={PASSWORD}")
    assert text.startswith(
        f"error sending request for url ({scheme}://auth.invalid/x): all attempts to connect"
        f" to 127.0.0.1:{site.door.port} failed; through the proxy {site.url}/"
    )
    assert text.endswith("; trusting the system's certificates") == (scheme == "https")


async def test_one_that_wants_a_password_is_named(home: Path) -> None:
    refused = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    async with open_proxy(0, refusal=refused) as (_, door):
        text = await refusal(home, "https://auth.invalid/", https=door.url)
        assert f": 407 Proxy Authentication Required; through the proxy {door.url};" in text
        assert (await ask(home, "http://auth.invalid/", http=door.url)).status == 407


@pytest.mark.parametrize("said", [b"", b"\x00 s3cret\r\n\r\n"])
async def test_one_that_is_none_is_named(home: Path, said: bytes) -> None:
    async with open_proxy(0, refusal=said or b"HTTP/1.1 x\r\n\r\n") as (_, door):
        text = await refusal(home, "https://auth.invalid/", https=door.url)
    assert f"; through the proxy {door.url}; " in text


async def test_one_that_never_answers_is_named_and_left(home: Path) -> None:
    async with open_door(listen_only) as door, open_site() as site:
        settings = Settings(codex_home=home, proxies={"https": door.url})
        async with open_upstream(settings) as upstream:
            await upstream.post(site.url, json={})
            with pytest.raises(UpstreamError) as caught:
                await upstream.post("https://auth.invalid/", json={}, patience=0.3)
            await door.wait_open(0)
    reason = f"no reply within 0.3 seconds; through the proxy {door.url}"
    assert f"(https://auth.invalid/): {reason}" in str(caught.value)


async def test_whose_certificate_is_unknown_behind_it(home: Path, tls: ssl.SSLContext) -> None:
    async with open_site(tls=tls) as site, open_proxy(site.door.port) as (_, door):
        text = await refusal(home, "https://auth.invalid/", all=door.url)
    assert text.endswith(f"; through the proxy {door.url}; trusting the system's certificates")
    assert site.requests == []


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "ftp"])
async def test_one_of_another_kind_cannot_be_used(home: Path, scheme: str) -> None:
    url = f"{scheme}://me:{PASSWORD}@host:1080"
    assert await refusal(home, "http://auth.invalid/", all=url) == (
        f"the proxy {scheme}://host:1080 cannot be used; its scheme must be http or https"
    )


@pytest.mark.parametrize("host", ["b\u2603\u200d.invalid", "[::1", "host:port", "a..b"])
async def test_one_whose_url_is_none_cannot_be_used(home: Path, host: str) -> None:
    await refusal(home, "http://auth.invalid/", all=f"http://me:{PASSWORD}@{host}")


async def test_a_question_to_no_url_is_no_other_error_with_one(home: Path) -> None:
    await refusal(home, "http://[::1", all="http://127.0.0.1:9")
