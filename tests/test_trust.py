"""Which certificates count: what may be in a bundle, and what is said of a bad one."""

from __future__ import annotations

import base64
import os
import ssl
import textwrap
from typing import TYPE_CHECKING

import pytest
import trustme

from codex_trio.errors import TrustError, UpstreamError
from codex_trio.settings import CaBundle
from codex_trio.trust import open_trust

if TYPE_CHECKING:
    from pathlib import Path

HINT = (
    "If you set CODEX_CA_CERTIFICATE or SSL_CERT_FILE, ensure it points to a PEM file"
    " containing one or more CERTIFICATE blocks, or unset it to use system roots."
)
SOURCE = "CODEX_CA_CERTIFICATE"

# What OpenSSL puts behind a certificate that it trusts for one purpose: serverAuth.
TRUST_DATA = bytes.fromhex("300c300a06082b06010505070301")

CRL = "-----BEGIN X509 CRL-----\nMIIBYDCBygIBATANBgkq\n-----END X509 CRL-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n"


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA(organization_name="first")


@pytest.fixture(scope="module")
def other_ca() -> trustme.CA:
    return trustme.CA(organization_name="second")


@pytest.fixture
def bundle(tmp_path: Path) -> CaBundle:
    return CaBundle(path=tmp_path / "ca.pem", source=SOURCE)


def der_of(ca: trustme.CA) -> bytes:
    return ssl.PEM_cert_to_DER_cert(ca.cert_pem.bytes().decode())


def pem(der: bytes, label: str = "CERTIFICATE") -> str:
    body = "\n".join(textwrap.wrap(base64.b64encode(der).decode(), 64))
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"


def trusted(bundle: CaBundle, content: str | bytes) -> list[bytes]:
    data = content if isinstance(content, bytes) else content.encode()
    bundle.path.write_bytes(data)
    return open_trust(bundle).get_ca_certs(binary_form=True)


def refusal(bundle: CaBundle | None) -> TrustError:
    with pytest.raises(TrustError) as caught:
        open_trust(bundle)
    return caught.value


def test_without_a_bundle_it_is_the_system_s() -> None:
    context = open_trust(None)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.get_ca_certs() == ssl.create_default_context().get_ca_certs()


def test_a_bundle_is_trusted_beside_the_system_s(bundle: CaBundle, ca: trustme.CA) -> None:
    bundle.path.write_bytes(ca.cert_pem.bytes())
    context = open_trust(bundle)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    found = context.get_ca_certs(binary_form=True)
    assert der_of(ca) in found
    assert set(open_trust(None).get_ca_certs(binary_form=True)) <= set(found)


def test_every_certificate_of_a_bundle_counts(
    bundle: CaBundle, ca: trustme.CA, other_ca: trustme.CA
) -> None:
    both = b"# ours\n" + ca.cert_pem.bytes() + b"\n# theirs\n" + other_ca.cert_pem.bytes()
    found = trusted(bundle, both)
    assert der_of(ca) in found
    assert der_of(other_ca) in found


def test_lines_may_end_as_on_windows(bundle: CaBundle, ca: trustme.CA) -> None:
    assert der_of(ca) in trusted(bundle, ca.cert_pem.bytes().replace(b"\n", b"\r\n"))


def test_one_certificate_may_be_there_twice(bundle: CaBundle, ca: trustme.CA) -> None:
    assert trusted(bundle, ca.cert_pem.bytes() * 2).count(der_of(ca)) == 1


@pytest.mark.parametrize("behind", [TRUST_DATA, b""])
def test_openssl_s_own_form_is_understood(
    bundle: CaBundle, ca: trustme.CA, behind: bytes
) -> None:
    block = pem(der_of(ca) + behind, "TRUSTED CERTIFICATE")
    assert der_of(ca) in trusted(bundle, block)


def test_what_is_no_certificate_is_passed_over(bundle: CaBundle, ca: trustme.CA) -> None:
    content = f"{CRL}{KEY}{ca.cert_pem.bytes().decode()}{CRL}"
    assert der_of(ca) in trusted(bundle, content)


def test_a_chain_may_be_trusted_from_its_middle(bundle: CaBundle, ca: trustme.CA) -> None:
    """Who is given a company's intermediate authority has no root to add."""
    middle = ca.create_child_ca()
    assert der_of(middle) in trusted(bundle, middle.cert_pem.bytes())


# --- what is wrong with it ---


def test_a_missing_file_is_said_and_is_known_to_be_missing(bundle: CaBundle) -> None:
    error = refusal(bundle)
    assert str(error) == (
        f"Failed to read CA certificate file {bundle.path} selected by {SOURCE}:"
        f" No such file or directory (os error 2). {HINT}"
    )
    assert error.missing
    assert isinstance(error, UpstreamError)


def test_a_directory_is_said_and_is_not_missing(tmp_path: Path) -> None:
    error = refusal(CaBundle(path=tmp_path))
    assert str(error) == (
        f"Failed to read CA certificate file {tmp_path} selected by the settings:"
        f" Is a directory (os error 21). {HINT}"
    )
    assert not error.missing


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_is_not_ours_to_read_is_said(bundle: CaBundle) -> None:
    bundle.path.touch(mode=0)
    error = refusal(bundle)
    assert "Permission denied (os error 13)" in str(error)
    assert not error.missing


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"\xff\xfe\x00",
        CRL.encode(),
        KEY.encode(),
        b"-----BEGIN CERTIFICATE-----\nMIIB",
        b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END TRUSTED CERTIFICATE-----\n",
    ],
)
def test_a_file_without_certificates_is_no_bundle(bundle: CaBundle, content: bytes) -> None:
    bundle.path.write_bytes(content)
    assert str(refusal(bundle)) == (
        f"Failed to load CA certificates from {bundle.path} selected by {SOURCE}:"
        f" no certificates found in PEM file. {HINT}"
    )


@pytest.mark.parametrize("label", ["CERTIFICATE", "TRUSTED CERTIFICATE"])
@pytest.mark.parametrize(
    "body", ["", "AAAA", "MIIB", "A", "MIN/////", "MP////////8=", "not base64 at all!"]
)
def test_a_broken_certificate_is_said_with_its_number(
    bundle: CaBundle, ca: trustme.CA, label: str, body: str
) -> None:
    good = ca.cert_pem.bytes().decode()
    bundle.path.write_text(
        f"{good}-----BEGIN {label}-----\n{body}\n-----END {label}-----\n{good}"
    )
    text = str(refusal(bundle))
    assert text.startswith(
        f"Failed to parse certificate #2 from {bundle.path} selected by {SOURCE}: "
    )
    assert text.endswith(f". {HINT}")


def test_a_certificate_that_was_cut_is_said(bundle: CaBundle, ca: trustme.CA) -> None:
    bundle.path.write_text(pem(der_of(ca)[:-20]))
    assert "Failed to parse certificate #1 from" in str(refusal(bundle))


def test_a_certificate_with_something_behind_it_is_broken(
    bundle: CaBundle, ca: trustme.CA
) -> None:
    bundle.path.write_text(pem(der_of(ca) + TRUST_DATA))
    assert "Failed to parse certificate #1 from" in str(refusal(bundle))
