"""What the environment says of the network: whom we ask, by what way, and whom we trust."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codex_trio.settings import CLIENT_ID, ISSUER, CaBundle, Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path


def load_from(home: Path, **environ: str) -> Settings:
    return load_settings(environ={"CODEX_HOME": str(home), **environ})


@pytest.mark.parametrize(
    ("given", "issuer"),
    [
        ("http://127.0.0.1:1", "http://127.0.0.1:1"),
        (" https://auth.example.com/x// ", "https://auth.example.com/x"),
        ("", ISSUER),
        ("  ", ISSUER),
        ("/", ISSUER),
    ],
)
def test_the_issuer_can_be_another(home: Path, given: str, issuer: str) -> None:
    assert load_from(home, CODEX_APP_SERVER_LOGIN_ISSUER=given).issuer == issuer


@pytest.mark.parametrize(
    ("given", "client_id"),
    [("app_mine", "app_mine"), (" a ", " a "), (" ", CLIENT_ID), ("", CLIENT_ID)],
)
def test_the_issuer_may_know_us_by_another_name(home: Path, given: str, client_id: str) -> None:
    assert load_from(home, CODEX_APP_SERVER_LOGIN_CLIENT_ID=given).client_id == client_id


@pytest.mark.parametrize(
    ("refresh", "revoke", "url"),
    [
        ("", "", None),
        ("", "http://a/b?c=d", "http://a/b?c=d"),
        ("http://a:1/b/c?d=e#f", "", "http://a:1/oauth/revoke"),
        ("http://a", "", "http://a/oauth/revoke"),
        ("http://a/b", "http://c/d", "http://c/d"),
    ],
)
def test_tokens_can_be_revoked_elsewhere(
    home: Path, refresh: str, revoke: str, url: str | None
) -> None:
    settings = load_from(
        home,
        CODEX_REFRESH_TOKEN_URL_OVERRIDE=refresh,
        CODEX_REVOKE_TOKEN_URL_OVERRIDE=revoke,
    )
    assert settings.revoke_url == url


@pytest.mark.parametrize("refresh", ["http://[::1", "http://a]/"])
def test_an_url_that_is_none_is_no_crash(home: Path, refresh: str) -> None:
    load_from(home, CODEX_REFRESH_TOKEN_URL_OVERRIDE=refresh)


@pytest.mark.parametrize(
    ("codex", "openssl", "bundle"),
    [
        ("", "", None),
        ("/a", "", CaBundle(path="/a", source="CODEX_CA_CERTIFICATE")),
        ("", "/b", CaBundle(path="/b", source="SSL_CERT_FILE")),
        ("/a", "/b", CaBundle(path="/a", source="CODEX_CA_CERTIFICATE")),
    ],
)
def test_certificates_can_be_named(
    home: Path, codex: str, openssl: str, bundle: CaBundle | None
) -> None:
    settings = load_from(home, CODEX_CA_CERTIFICATE=codex, SSL_CERT_FILE=openssl)
    assert settings.ca_bundle == bundle


def test_proxies_can_be_named_in_either_case(home: Path) -> None:
    assert load_from(home, HTTP_PROXY="", no_proxy="").proxies == {}
    settings = load_from(
        home,
        HTTP_PROXY="http://u:s3cret@a",
        http_proxy="http://b",
        https_proxy="c",
        ALL_PROXY="socks5://d",
        no_proxy="*",
        ftp_proxy="http://e",
    )
    assert settings.proxies == {
        "http": "http://u:s3cret@a",
        "https": "c",
        "all": "socks5://d",
        "no": "*",
    }
    assert "s3cret" not in repr(settings)
