"""Which certificates are trusted: the system's, and those of a bundle that somebody names."""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
import ssl
from typing import TYPE_CHECKING, Final

from codex_trio.errors import TrustError, os_error_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codex_trio.settings import CaBundle

_HINT: Final = (
    "If you set CODEX_CA_CERTIFICATE or SSL_CERT_FILE, ensure it points to a PEM file containing"
    " one or more CERTIFICATE blocks, or unset it to use system roots."
)
_BLOCK: Final = re.compile(
    rb"-----BEGIN ((?:TRUSTED |X509 )?CERTIFICATE)-----(.*?)-----END \1-----", re.DOTALL
)


def open_trust(bundle: CaBundle | None) -> ssl.SSLContext:
    """Trust the system's certificates and those of a bundle; blocks.

    Of the bundle every certificate counts, also in OpenSSL's ``TRUSTED CERTIFICATE`` form; what
    else is in it, such as revocation lists, is passed over (as in 0.163.0).

    Raises:
        TrustError: the bundle cannot be read, has no certificate, or has one that is broken.
    """
    context = ssl.create_default_context()
    if bundle is None:
        return context
    # Python sets it from 3.13 on: an authority may be trusted without the one above it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if bundle.source == "SSL_CERT_FILE":  # in the place of which OpenSSL has read it already
        with contextlib.suppress(OSError):
            context.load_verify_locations(ssl.get_default_verify_paths().openssl_cafile)
    selected = f"{bundle.path} selected by {bundle.source}"
    try:
        content = bundle.path.read_bytes()
    except OSError as error:
        raise TrustError(
            f"Failed to read CA certificate file {selected}: {os_error_text(error)}. {_HINT}",
            missing=isinstance(error, FileNotFoundError),
        ) from None
    number = 0
    for number, certificate in enumerate(certificates_in(content), 1):
        try:
            context.load_verify_locations(cadata=certificate)
        except (ssl.SSLError, ValueError) as error:
            raise TrustError(
                f"Failed to parse certificate #{number} from {selected}: {error}. {_HINT}"
            ) from None
    if not number:
        raise TrustError(
            f"Failed to load CA certificates from {selected}:"
            f" no certificates found in PEM file. {_HINT}"
        )
    return context


def certificates_in(pem: bytes) -> Iterator[bytes]:
    """Decode the certificates of a PEM file; a block that cannot be decoded is empty."""
    for kind, text in _BLOCK.findall(pem):
        try:
            der = base64.b64decode(text)
        except binascii.Error:
            der = b""
        yield der[: _length(der)] if kind == b"TRUSTED CERTIFICATE" else der


def _length(der: bytes) -> int:
    """Say how long the first object is; behind it, OpenSSL keeps what it trusts it for."""
    size, extra = int.from_bytes(der[1:2]), 0
    if size & 0x80:
        extra = size & 0x7F
        size = int.from_bytes(der[2 : 2 + extra])
    return 2 + extra + size
