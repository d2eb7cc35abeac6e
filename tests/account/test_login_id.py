"""The spellings of a login id: those that 0.163.0 takes, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_trio.account.login_id import parse_login_id

if TYPE_CHECKING:
    import uuid

ID = "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"
PLAIN = ID.replace("-", "")


@pytest.mark.parametrize(
    "text",
    [
        ID,
        ID.upper(),
        PLAIN,
        PLAIN.upper(),
        f"{{{ID}}}",
        f"{{{ID.upper()}}}",
        f"urn:uuid:{ID}",
        f"urn:uuid:{ID.upper()}",
    ],
)
def test_an_id_may_be_spelled_in_several_ways(text: str) -> None:
    assert parse_login_id(text) == ID


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        f" {ID}",
        f"{ID} ",
        f"{ID}\n",
        ID[:-1],
        f"{ID}0",
        ID.replace("-", "_"),
        ID.replace("a", "g"),
        f"{{{ID}",
        f"{ID}}}",
        f"{{{PLAIN}}}",
        f"urn:uuid:{PLAIN}",
        f"URN:UUID:{ID}",
        f"Urn:Uuid:{ID}",
        f"urn:uu\N{LATIN SMALL LETTER DOTLESS I}d:{ID}",
        f"uuid:{ID}",
        f"urn:uuid:{{{ID}}}",
        PLAIN[:8] + "-" + PLAIN[8:],
        f"0x{PLAIN}",
        f"{PLAIN[:31]}\N{ARABIC-INDIC DIGIT FOUR}",
        f"{PLAIN[:31]}\N{FULLWIDTH DIGIT FOUR}",
    ],
)
def test_anything_else_is_none(text: str) -> None:
    assert parse_login_id(text) is None


@given(st.uuids())
def test_what_we_give_out_is_understood(login_id: uuid.UUID) -> None:
    assert parse_login_id(str(login_id)) == str(login_id)


@given(st.text() | st.text("0123456789abcdefABCDEF-{}urn:id", max_size=50))
def test_no_text_is_too_strange(text: str) -> None:
    parsed = parse_login_id(text)
    assert parsed is None or parse_login_id(parsed) == parsed
