"""Streams over TLS and through proxies."""

from __future__ import annotations

import base64
import gc
import ssl
from typing import TYPE_CHECKING

import pytest
import trio
import trustme
from httpcore import AsyncConnectionInterface
from trio.testing import wait_all_tasks_blocked

from codex_trio.errors import TrustError, UpstreamError
from codex_trio.settings import CaBundle, Settings
from codex_trio.upstream import UnreachableError, open_upstream
from tests.cancellation import cancel_at_step
from tests.conftest import PATIENCE
from tests.responses.hosts import cut, head, open_model_host, reply, reset, then
from tests.sites import error, listen_only, open_door, open_proxy, open_site

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.upstream import Upstream
    from tests.sites import Serve

PASSWORD = "s3cret"
SYSTEM = "trusting the system's certificates"


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1", "auth.invalid", "::1").configure_cert(context)
    return context


@pytest.fixture
def bundle(ca: trustme.CA, tmp_path: Path) -> CaBundle:
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return CaBundle(path=tmp_path / "ca.pem", source="SSL_CERT_FILE")


async def ask(
    home: Path, *urls: str, bundle: CaBundle | None = None, **proxies: str
) -> list[tuple[int, bytes]]:
    """Ask one URL behind the other, and read the replies to their ends."""
    settings = Settings(codex_home=home, ca_bundle=bundle, proxies=proxies)
    answers = []
    with trio.fail_after(PATIENCE):
        async with open_upstream(settings) as upstream:
            for url in urls:
                headers = {"authorization": "t0ken"}
                async with upstream.stream(url, headers=headers, content=b"{}") as answer:
                    answers.append((answer.status, await answer.read(2**20)))
    return answers


async def refusal(
    home: Path, url: str, bundle: CaBundle | None = None, **proxies: str
) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await ask(home, url, bundle=bundle, **proxies)
    for secret in (PASSWORD, "t0ken"):
        assert secret not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value


# --- TLS ---


async def test_connections_are_kept_over_tls(
    home: Path, tls: ssl.SSLContext, bundle: CaBundle
) -> None:
    async with open_model_host(reply(body=b"ok"), tls=tls) as host:
        assert await ask(home, *[host.url] * 3, bundle=bundle) == [(200, b"ok")] * 3
        assert host.door.opened == 1
        await host.door.wait_open(0)


async def test_the_end_of_a_connection_ends_a_body_over_tls(
    home: Path, tls: ssl.SSLContext, bundle: CaBundle
) -> None:
    async with open_model_host(cut(head() + b"to the end"), tls=tls) as host:
        assert await ask(home, host.url, bundle=bundle) == [(200, b"to the end")]


async def test_a_stream_over_tls_is_left_at_once(
    home: Path, tls: ssl.SSLContext, bundle: CaBundle
) -> None:
    settings = Settings(codex_home=home, ca_bundle=bundle)
    async with open_model_host(then(head() + b"x"), tls=tls) as host:
        async with open_upstream(settings) as upstream:
            async with upstream.stream(host.url, headers={}, content=b"") as answer:
                await answer.receive()
                begin = trio.current_time()
            await host.door.wait_open(0)
            assert trio.current_time() - begin < 0.05


async def test_a_host_that_reads_nothing_over_tls_is_left_at_once(
    home: Path, tls: ssl.SSLContext, bundle: CaBundle
) -> None:
    """It cannot even be said good-bye to."""
    greeted, left = trio.Event(), trio.Event()

    async def look_later(wire: trio.abc.Stream) -> None:
        await wire.receive_some(1)
        greeted.set()
        await left.wait()

    async def send(upstream: Upstream, url: str) -> None:
        async with upstream.stream(url, headers={}, content=b"x" * 10_000_000):
            pytest.fail("there is no reply")

    settings = Settings(codex_home=home, ca_bundle=bundle)
    with trio.fail_after(PATIENCE):
        async with open_door(look_later, tls) as door, open_upstream(settings) as upstream:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send, upstream, door.url)
                await greeted.wait()
                await wait_all_tasks_blocked(0.02)
                begin = trio.current_time()
                nursery.cancel_scope.cancel(reason="the test changes its mind")
            assert trio.current_time() - begin < 0.05
            left.set()
            await door.wait_open(0)


@pytest.mark.parametrize("proxied", [False, True])
async def test_a_stream_over_tls_may_be_cut_at_every_step(
    home: Path, tls: ssl.SSLContext, bundle: CaBundle, proxied: bool
) -> None:
    """Also between a handshake and the first word, where httpcore forgets what it has."""
    before = connections()
    with trio.fail_after(PATIENCE):
        async with (
            open_model_host(reply(body=b"ok"), tls=tls) as host,
            open_proxy(host.door.port) as (_, door),
        ):
            proxies = {"https": door.url} if proxied else {}
            settings = Settings(codex_home=home, ca_bundle=bundle, proxies=proxies)
            async with open_upstream(settings) as upstream:
                await hang_up(upstream, host.url)  # which loads the certificates
                step = 1
                while await cancel_at_step(lambda: hang_up(upstream, host.url), step):
                    step += 1
                    await host.door.wait_open(0)
                    await door.wait_open(0)
                    assert connections() == before
                assert connections() == before
    assert step > 8


async def hang_up(upstream: Upstream, url: str) -> None:
    """Ask for something, and leave it."""
    headers = {"connection": "close"}
    async with upstream.stream(url, headers=headers, content=b"") as answer:
        await answer.read(9)


def connections() -> int:
    """Count what httpcore knows of; nothing else tells of those that it has lost."""
    gc.collect()
    return sum(isinstance(one, AsyncConnectionInterface) for one in gc.get_objects())


async def test_whose_authority_is_unknown_is_not_told_anything(
    home: Path, tls: ssl.SSLContext
) -> None:
    async with open_model_host(reply(), tls=tls) as host:
        caught = await refusal(home, f"{host.url}/x?y={PASSWORD}")
        await host.door.wait_open(0)
    text = str(caught)
    assert text.startswith(error(f"{host.url}/x", "[SSL: CERTIFICATE_VERIFY_FAILED] "))
    assert text.endswith(f"; {SYSTEM}")
    assert caught.unsent
    assert not isinstance(caught, UnreachableError)
    assert host.asked == []


async def test_who_speaks_no_tls(home: Path) -> None:
    async with open_site() as site:
        url = site.url.replace("http:", "https:")
        assert str(await refusal(home, url)).startswith(error(url, "[SSL: "))


@pytest.mark.parametrize("leave", [cut(), reset])
@pytest.mark.parametrize("proxied", [False, True])
async def test_who_hangs_up_on_a_greeting(home: Path, leave: Serve, proxied: bool) -> None:
    """Somebody is there: waiting for a network would be in vain."""
    async with open_door(leave) as door:
        url = door.url.replace("http:", "https:")
        asked = "http://auth.invalid/" if proxied else url
        caught = await refusal(home, asked, None, **({"all": url} if proxied else {}))
    assert str(caught).startswith(error(asked, ""))
    assert str(caught).endswith(f"; through the proxy {url}" if proxied else f"; {SYSTEM}")
    assert caught.unsent
    assert not isinstance(caught, UnreachableError)


async def test_a_broken_bundle_is_said(home: Path, bundle: CaBundle) -> None:
    bundle.path.write_bytes(b"")
    async with open_model_host(reply(body=b"ok")) as host:
        for url in (host.url, host.url.replace("http:", "https:")):
            with pytest.raises(TrustError, match="no certificates found in PEM file"):
                await ask(home, url, bundle=bundle)


async def test_certificates_are_loaded_once_for_two_that_ask_at_once(
    home: Path, tls: ssl.SSLContext, bundle: CaBundle
) -> None:
    settings = Settings(codex_home=home, ca_bundle=bundle)
    async with open_model_host(reply(body=b"ok"), tls=tls) as host:
        async with open_upstream(settings) as upstream:

            async def fetch() -> None:
                async with upstream.stream(host.url, headers={}, content=b"") as answer:
                    bodies.append(await answer.read(9))

            bodies: list[bytes] = []
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fetch)
                nursery.start_soon(fetch)
    assert bodies == [b"ok", b"ok"]


async def test_certificates_are_loaded_once(
    home: Path, tls: ssl.SSLContext, bundle: CaBundle
) -> None:
    settings = Settings(codex_home=home, ca_bundle=bundle)
    async with open_model_host(cut(reply(body=b"ok")), tls=tls) as host:
        async with open_upstream(settings) as upstream:
            for _ in range(2):
                async with upstream.stream(host.url, headers={}, content=b"") as answer:
                    assert await answer.read(9) == b"ok"
                await host.door.wait_open(0)
                bundle.path.unlink(missing_ok=True)
        assert host.door.opened == 2


# --- proxies ---


@pytest.mark.parametrize("name", ["http", "all"])
async def test_http_goes_through_one(home: Path, name: str) -> None:
    async with open_model_host(reply(body=b"ok")) as host:
        async with open_proxy(host.door.port) as (proxy, door):
            urls = ["http://auth.invalid/a?b=c"] * 2
            answers = await ask(home, *urls, bundle=None, **{name: door.url})
    assert answers == [(200, b"ok")] * 2
    (first,) = proxy.heads  # it relays what comes on the same connection
    assert first.startswith("POST http://auth.invalid/a?b=c HTTP/1.1\r\n")
    assert host.asked[0].headers["host"] == "auth.invalid"


async def test_https_tunnels_through_one(
    home: Path, tls: ssl.SSLContext, bundle: CaBundle
) -> None:
    async with open_model_host(reply(body=b"ok"), tls=tls) as host:
        async with open_proxy(host.door.port) as (proxy, door):
            urls = ["https://auth.invalid/a"] * 2
            assert await ask(home, *urls, bundle=bundle, https=door.url) == [(200, b"ok")] * 2
    (only,) = proxy.heads
    assert only.startswith("CONNECT auth.invalid:443 HTTP/1.1\r\n")
    assert "t0ken" not in only
    assert host.asked[0].line == "POST /a HTTP/1.1"


async def test_one_is_told_a_password(
    home: Path, tls: ssl.SSLContext, bundle: CaBundle
) -> None:
    said = f"Basic {base64.b64encode(f'me:{PASSWORD}@'.encode()).decode()}"
    async with (
        open_model_host(reply()) as host,
        open_model_host(reply(), tls=tls) as safe,
        open_proxy(host.door.port) as (proxy, door),
        open_proxy(safe.door.port) as (tunnel, gate),
    ):
        url = door.url.replace("//", f"//me:{PASSWORD}%40@")
        await ask(home, "http://auth.invalid/", http=url)
        url = gate.url.replace("//", f"//me:{PASSWORD}%40@")
        await ask(home, "https://auth.invalid/", bundle=bundle, https=url)
    for one in (proxy, tunnel):
        assert f"proxy-authorization: {said}" in one.heads[0].lower().replace(
            said.lower(), said
        )
    assert "proxy-authorization" not in safe.asked[0].headers


async def test_one_may_be_on_https_itself(
    home: Path, tls: ssl.SSLContext, bundle: CaBundle
) -> None:
    async with (
        open_model_host(reply(body=b"ok")) as host,
        open_model_host(reply(body=b"ok"), tls=tls) as safe,
        open_proxy(host.door.port, tls) as (_, door),
        open_proxy(safe.door.port, tls) as (_, gate),
    ):
        assert await ask(home, "http://auth.invalid/", bundle=bundle, all=door.url)
        assert await ask(home, "https://auth.invalid/", bundle=bundle, all=gate.url)
    assert len(host.asked) == len(safe.asked) == 1


async def test_some_hosts_are_asked_directly(home: Path) -> None:
    async with open_model_host(reply(body=b"ok")) as host:
        proxies = {"http": "http://127.0.0.1:9", "no": "127.0.0.1"}
        assert await ask(home, host.url, bundle=None, **proxies) == [(200, b"ok")]


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_one_that_is_not_there_is_named(home: Path, scheme: str) -> None:
    async with open_site() as site:
        pass
    url = site.url.replace("//", f"//me:{PASSWORD}@")
    caught = await refusal(home, f"{scheme}://auth.invalid/x", all=f"{url}/?p={PASSWORD}")
    assert isinstance(caught, UnreachableError)
    assert str(caught).startswith(
        f"error sending request for url ({scheme}://auth.invalid/x): all attempts to connect"
        f" to 127.0.0.1:{site.door.port} failed; through the proxy {site.url}/"
    )


async def test_one_that_wants_a_password_is_named(home: Path) -> None:
    refused = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    async with open_proxy(0, refusal=refused) as (_, door):
        caught = await refusal(home, "https://auth.invalid/", https=door.url)
        assert f": 407 Proxy Authentication Required; through the proxy {door.url};" in str(
            caught
        )
        assert caught.unsent
        assert (await ask(home, "http://auth.invalid/", http=door.url))[0][0] == 407


@pytest.mark.parametrize("said", [b"HTTP/1.1 x\r\n\r\n", b"\x00 s3cret\r\n\r\n"])
async def test_one_that_is_none_is_named(home: Path, said: bytes) -> None:
    async with open_proxy(0, refusal=said) as (_, door):
        caught = await refusal(home, "https://auth.invalid/", https=door.url)
    assert f": the reply is no HTTP; through the proxy {door.url}; " in str(caught)


async def test_one_that_never_answers_is_named_and_left(home: Path) -> None:
    async with open_door(listen_only) as door:
        settings = Settings(codex_home=home, proxies={"https": door.url})
        async with open_upstream(settings) as upstream:
            with pytest.raises(UpstreamError) as caught:
                async with upstream.stream(
                    "https://auth.invalid/", headers={}, content=b"", patience=0.3
                ):
                    pytest.fail("there is no reply")
            await door.wait_open(0)
    reason = f"no reply within 0.3 seconds; through the proxy {door.url}"
    assert f"(https://auth.invalid/): {reason}" in str(caught.value)


@pytest.mark.parametrize(
    "url", ["socks5://me:s3cret@host:1080", "ftp://host", "http://me:s3cret@[::1"]
)
async def test_one_of_another_kind_cannot_be_used(home: Path, url: str) -> None:
    text = str(await refusal(home, "http://auth.invalid/", all=url))
    assert text.endswith("cannot be used; its scheme must be http or https")
