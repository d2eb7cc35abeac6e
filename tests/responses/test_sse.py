"""Cutting a stream into events, wherever it is cut on its way."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_trio.responses.sse import EventTooLongError, SseDecoder

LINES = [
    b"data: a",
    b"data:b",
    b"data:  c",
    b"data",
    b"data:",
    b"database: x",
    b"dat",
    b"event: e",
    b"id: 1",
    b": comment",
    b"",
    b"",
    b"\xc3\xa9: x",
    b"data: \xf0\x9f\x98\x80",
    b"data: \xff: y",
]
ENDS = [b"\n", b"\r", b"\r\n"]


def read(stream: bytes) -> list[bytes]:
    """Read a whole stream, as the standard says it, line by line."""
    found, data = [], []
    for line in re.split(rb"\r\n|\r|\n", stream.removeprefix(b"\xef\xbb\xbf"))[:-1]:
        name, _, value = line.partition(b":")
        if line and name == b"data":
            data.append(value.removeprefix(b" "))
        elif not line and data:
            found.append(b"\n".join(data))
            data = []
    return found


def feed(decoder: SseDecoder, *chunks: bytes) -> list[bytes]:
    return [data for chunk in chunks for data in decoder.feed(chunk)]


@given(
    st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from(ENDS)), max_size=30),
    st.booleans(),
    st.lists(st.integers(0, 300), max_size=12),
)
def test_it_reads_what_the_standard_says(
    lines: list[tuple[bytes, bytes]], marked: bool, cuts: list[int]
) -> None:
    stream = (b"\xef\xbb\xbf" if marked else b"") + b"".join(map(b"".join, lines))
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    chunks = [stream[a:b] for a, b in pairwise(places)]
    assert feed(SseDecoder(1000), *chunks) == read(stream)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_an_event_may_be_cut_anywhere(end: bytes, size: int) -> None:
    stream = b"event: e\ndata: \xf0\x9f\x98\x80\ndata: b\n\n\n\ndata: c\n\n".replace(b"\n", end)
    chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert feed(SseDecoder(100), *chunks) == [b"\xf0\x9f\x98\x80\nb", b"c"]


@pytest.mark.parametrize(
    "stream",
    [b"data: a", b"data: a\n", b"event: e\ndata: a\n", b"\xef\xbb\xbfdata: a\r"],
)
def test_what_is_whole_needs_no_empty_line_at_the_end(stream: bytes) -> None:
    decoder = SseDecoder(100)
    assert feed(decoder, *(bytes([byte]) for byte in stream)) == []
    assert decoder.end() == [b"a"]
    assert decoder.end() == []


@pytest.mark.parametrize("stream", [b"", b"\xef\xbb", b"data: a\n\n", b": x", b"id: 1\n"])
def test_at_the_end_there_may_be_nothing(stream: bytes) -> None:
    decoder = SseDecoder(100)
    decoder.feed(stream)
    assert decoder.end() == []


def test_a_byte_order_mark_counts_only_at_the_beginning() -> None:
    decoder = SseDecoder(100)
    stream = b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n\xef\xbb\xbfdata: c\n\n"
    assert feed(decoder, stream[:1], stream[1:2], stream[2:]) == [b"b"]


@pytest.mark.parametrize("beginning", [b"data: ", b"\r\n: ", b"x" * 999])
def test_an_event_without_end_is_not_held(beginning: bytes) -> None:
    decoder = SseDecoder(1000)
    assert decoder.feed(beginning) == []
    with pytest.raises(EventTooLongError, match=r"^an event exceeds 1000 bytes$"):
        decoder.feed(b"y" * 1000)
    assert decoder.end() == []


def test_the_longest_event() -> None:
    decoder = SseDecoder(1000)
    data = b"y" * 994
    assert feed(decoder, b"data: ", data) == []
    assert decoder.feed(b"\n\ndata: a\n\n") == [data, b"a"]


def test_a_long_event_is_not_searched_again_for_every_chunk() -> None:
    """Twenty megabytes, byte by byte, would take hours."""
    decoder = SseDecoder(2**26)
    decoder.feed(b"data: ")
    for _ in range(2000):
        assert decoder.feed(b"x" * 10_000) == []
    (data,) = decoder.feed(b"\n\n")
    assert len(data) == 20_000_000
