"""Reading URLs, and showing them to people."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit


def query_of(url: str) -> dict[str, str]:
    """Read the parameters of a query; of repeated ones, the last. A broken URL has none."""
    try:
        return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    except ValueError:
        return {}


def shown(url: str) -> str:
    """Leave out of a URL what may be a secret: user, password, query, fragment."""
    try:
        parts = urlsplit(url)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return "<invalid-url>"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
