"""Proxies and certificates."""

from __future__ import annotations

import ssl
from importlib import util
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from codex_trio.doctor.case import Case
from codex_trio.doctor.network import check_provider
from codex_trio.doctor.routes import check_proxy, look_at_certificates
from codex_trio.settings import CaBundle, Settings
from tests.account.conftest import find_free_port
from tests.doctor.conftest import SECRET, alone, look, told
from tests.sites import listen_only, open_door

if TYPE_CHECKING:
    from pathlib import Path

    from codex_trio.doctor import Finding


async def proxy_of(
    home: Path, environ: dict[str, str] | None = None, **proxies: str
) -> Finding:
    settings = Settings(codex_home=home, proxies=proxies)
    found: Finding = alone(await look(check_proxy, settings, environ))
    return found


# --- proxies ---


async def test_no_proxy_is_named(home: Path) -> None:
    for one in (await proxy_of(home), await proxy_of(home, no="example.com")):
        assert (one.status, one.summary) == ("ok", "none is named; hosts are asked directly")


async def test_a_proxy_that_listens_is_shown_without_its_password(home: Path) -> None:
    async with open_door(listen_only) as door:
        at = f"127.0.0.1:{door.port}"
        one = await proxy_of(home, https=f"http://ada:{SECRET}@{at}", no="chatgpt.com, x")
        assert (one.status, one.summary) == ("ok", f"http://{at}")
        assert one.detail == (
            f"issuer: http://{at}\nbackend: directly\nprovider: directly\n"
            "NO_PROXY: chatgpt.com, x"
        )
        assert (await proxy_of(home, all=at)).summary == f"http://{at}"


async def test_a_proxy_may_be_for_others_only(home: Path) -> None:
    one = await proxy_of(home, http="http://127.0.0.1:1", no="*")
    assert (one.status, one.summary) == ("ok", "one is named, and not used for these hosts")


async def test_the_proxy_of_a_model_provider_counts(home: Path) -> None:
    """As HTTP_PROXY does where that is asked without TLS."""
    table = {"name": "Mine", "base_url": "http://models.invalid/v1"}
    proxy = f"http://ada:{SECRET}@nowhere.invalid:3128"
    settings = Settings(
        codex_home=home,
        proxies={"http": proxy},
        config={"model_provider": "mine", "model_providers": {"mine": table}},
    )
    one = alone(await look(check_proxy, settings))
    assert one.status == "error"
    assert one.summary.startswith("http://nowhere.invalid:3128 cannot be reached: ")
    assert "provider: http://nowhere.invalid:3128" in one.detail
    one = alone(await look(check_provider, settings))
    assert one.summary.startswith(
        "http://models.invalid/v1/models is not reached through http://nowhere.invalid:3128: "
    )
    assert "correct HTTP_PROXY," in one.advice


async def test_variables_in_small_letters_may_not_count(home: Path) -> None:
    environ = {"HTTP_PROXY": "a", "http_proxy": "b", "no_proxy": "c"}
    one = await proxy_of(home, environ, http="a")
    assert one.detail is not None
    assert (
        one.detail.splitlines()[-1] == "HTTP_PROXY counts, and http_proxy says something else"
    )


async def test_a_dead_proxy_is_an_error(home: Path) -> None:
    url = f"http://127.0.0.1:{find_free_port()}"
    one = await proxy_of(home, https=url)
    assert one.status == "error"
    assert one.summary.startswith(f"{url} cannot be reached: ")
    assert "NO_PROXY" in (one.advice or "")


async def test_a_silent_network_is_an_error_in_time(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import trio

    async def hang(*_: object) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(trio, "open_tcp_stream", hang)
    monkeypatch.setattr("codex_trio.doctor.routes._PATIENCE", 0.01)
    one = await proxy_of(home, https="http://127.0.0.1:1")
    assert one.summary.endswith("cannot be reached: no answer within 0.01 s")


@pytest.mark.parametrize(
    ("proxy", "text"),
    [
        ("socks://127.0.0.1:1080", "only http and https are"),
        ("socks4://127.0.0.1:1080", "only http and https are"),
        ("socks5://127.0.0.1", "only http and https are"),
        ("http://", "names no host"),
        ("http://127.0.0.1:port", "<invalid-url> is no URL"),
    ],
)
async def test_a_proxy_that_is_spelled_wrongly_is_an_error(
    home: Path, monkeypatch: pytest.MonkeyPatch, proxy: str, text: str
) -> None:
    monkeypatch.setattr("codex_trio.doctor.routes.find_spec", lambda _: None)
    one = await proxy_of(home, https=proxy)
    assert one.status == "error"
    assert text in one.summary
    assert "http://HOST:PORT" in (one.advice or "")


async def test_socks_works_where_it_is_installed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codex_trio.doctor.routes.find_spec", lambda _: util)
    async with open_door(listen_only) as door:
        one = await proxy_of(home, https=f"socks5://127.0.0.1:{door.port}")
    assert one.status == "ok"


async def test_a_host_that_is_none_has_no_proxy(home: Path) -> None:
    settings = Settings(
        codex_home=home,
        issuer="http://[",
        chatgpt_base_url="http://[",
        proxies={"http": "http://127.0.0.1:1"},
    )
    assert told(await look(check_proxy, settings)) == [
        ("ok", "one is named, and not used for these hosts")
    ]


# --- certificates ---


def trust_of(
    home: Path, bundle: CaBundle | None = None, environ: dict[str, str] | None = None
) -> Any:
    settings = Settings(codex_home=home, ca_bundle=bundle)
    return alone(look_at_certificates(Case(settings, environ or {})))


def test_the_system_is_trusted(home: Path) -> None:
    one = trust_of(home)
    assert one.status == "ok"
    assert one.summary.startswith("the system's (")


def test_a_bundle_is_counted(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(b"".join(trustme.CA().cert_pem.bytes() for _ in range(2)))
    one = trust_of(home, CaBundle(path=path, source="CODEX_CA_CERTIFICATE"))
    assert (one.status, one.detail) == ("ok", None)
    assert one.summary == f"the system's, and 2 of CODEX_CA_CERTIFICATE ({path})"
    bundle = CaBundle(path=path, source="CODEX_CA_CERTIFICATE")
    one = trust_of(home, bundle, {"SSL_CERT_FILE": "/other.pem"})
    assert one.detail == "SSL_CERT_FILE is not read (/other.pem)"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "Failed to read CA certificate file {} selected by SSL_CERT_FILE: No such file"),
        (b"nothing", "no certificates found in PEM file"),
        (
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
            "Failed to parse certificate #1",
        ),
    ],
)
def test_a_forgotten_variable_is_named(
    home: Path, tmp_path: Path, content: bytes | None, text: str
) -> None:
    path = tmp_path / "forgotten.pem"
    if content is not None:
        path.write_bytes(content)
    one = trust_of(home, CaBundle(path=path, source="SSL_CERT_FILE"))
    assert one.status == "error"
    assert text.format(path) in one.summary
    assert one.advice == "Unset SSL_CERT_FILE, or let it name a PEM file that has certificates."


@pytest.mark.parametrize("folder", [None, "empty", "full"])
def test_a_system_may_have_no_certificates(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str | None
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.pem").touch()
    monkeypatch.setattr(
        "codex_trio.doctor.routes.open_trust", lambda _: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    )
    found = str(tmp_path / folder) if folder else None
    paths = ssl.DefaultVerifyPaths("", found, "", "", "", "")  # type: ignore[arg-type]  # None is one
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    assert trust_of(home).status == ("ok" if folder == "full" else "warning")


def test_certificates_of_the_system_may_be_out_of_reach(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("codex_trio.doctor.routes.open_trust", refuse)
    one = trust_of(home)
    assert one.status == "error"
    assert "cannot be read: Permission denied" in one.summary
