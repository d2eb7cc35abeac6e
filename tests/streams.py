"""Asking for streams, and in vain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codex_trio.errors import UpstreamError
from tests.sites import SECRET

if TYPE_CHECKING:
    from codex_trio.upstream import Upstream


async def fetch(
    upstream: Upstream, url: str, content: bytes = b"{}", **headers: str
) -> tuple[int, bytes]:
    """Ask, and read the reply to its end."""
    async with upstream.stream(url, headers=headers, content=content) as answer:
        return answer.status, await answer.read(2**20)


async def refusal(upstream: Upstream, url: str, **headers: str) -> UpstreamError:
    """Ask in vain."""
    with pytest.raises(UpstreamError) as caught:
        await fetch(upstream, url, SECRET.encode(), **headers)
    assert SECRET not in repr(caught.value)
    assert caught.value.__cause__ is None
    return caught.value
