"""What a browser is shown: statuses, the headers that count, and words instead of pages."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import urlsplit

import h11
import trio

from codex_trio.testing.browser import is_local

Json = Any

COMPARED: Final = ("content-type", "location", "connection")
"""The headers that are compared. Others are the library's (``Server``, ``Date``), or ours alone."""


async def fetch(
    host: str, target: str, method: str = "GET", headers: dict[str, str] | None = None
) -> Json:
    """Ask for one page, on a connection that could be kept, and say what came."""
    try:
        response, body = await _exchange(host, target, method, headers or {})
    except OSError:
        return "nobody is there"
    except (h11.RemoteProtocolError, trio.BrokenResourceError):
        return "no answer"
    got = {name.decode(): value.decode() for name, value in response.headers}
    if "content-type" in got:
        got["content-type"] = got["content-type"].lower()
    text = body.decode()
    is_page = got.get("content-type", "").startswith("text/html")
    return {
        "status": response.status_code,
        **{name: got[name] for name in COMPARED if name in got},
        "text": words_of(text) if is_page else text,
    }


async def _exchange(
    host: str, target: str, method: str, headers: dict[str, str]
) -> tuple[h11.Response, bytes]:
    name, _, port = host.partition(":")
    said = {"host": host, **headers}
    http = h11.Connection(h11.CLIENT)
    request = http.send(h11.Request(method=method, target=target, headers=list(said.items())))
    body = bytearray()
    async with await trio.open_tcp_stream(name, int(port)) as stream:
        await stream.send_all((request or b"") + (http.send(h11.EndOfMessage()) or b""))
        while not isinstance(event := http.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                http.receive_data(bytes(await stream.receive_some()))
            elif isinstance(event, h11.Response):
                response = event
            elif isinstance(event, h11.Data):
                body += event.data
    return response, bytes(body)


async def browse(url: str, hops: int) -> list[Json]:
    """Follow redirects on this machine, and say what came on the way."""
    pages = []
    for _ in range(hops):
        parts = urlsplit(url)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        page = await fetch(parts.netloc, target)
        pages.append(page)
        if isinstance(page, str) or not is_local(url := page.get("location", "")):
            break
    return pages


def words_of(page: str) -> list[str]:
    """What a page says: its title and its texts, in their order."""
    reader = _Reader()
    reader.feed(page)
    return reader.words


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: Json) -> None:
        self._silent += tag in {"script", "style"}

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in {"script", "style"}

    def handle_data(self, data: str) -> None:
        if not self._silent and data.strip():
            self.words.append(" ".join(data.split()))
