"""What a report looks like, to people and to programs."""

from __future__ import annotations

import io
import re

import pytest

import codex_trio
from codex_trio.doctor import Finding, Report
from codex_trio.doctor.report import error, ok, skipped, warning
from codex_trio.terminal import RED, Screen

FINE = ok("home", "/home/ada", "two\nlines")
ODD = warning("ports", "taken", "Stop it.")
WRONG = error("issuer", "not reached", "Try again.")
UNKNOWN = skipped("clock", "not compared")


def shown(*findings: Finding, columns: int = 0) -> str:
    """Show it in a file, or on a terminal with so many columns."""
    stream = io.StringIO()
    screen = Screen(stream, live=bool(columns), coloured=bool(columns))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Screen, "_width", lambda _: columns)
        Report(findings).show(screen)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("findings", "status"),
    [
        ([], "ok"),
        ([FINE, UNKNOWN], "ok"),
        ([FINE, ODD, UNKNOWN], "warning"),
        ([WRONG, ODD, FINE], "error"),
    ],
)
def test_the_worst_counts(findings: list[Finding], status: str) -> None:
    assert Report(tuple(findings)).status == status


def test_json_has_what_there_is() -> None:
    assert Report((FINE, WRONG)).as_json() == {
        "version": codex_trio.__version__,
        "findings": [
            {"check": "home", "status": "ok", "summary": "/home/ada", "detail": "two\nlines"},
            {
                "check": "issuer",
                "status": "error",
                "summary": "not reached",
                "advice": "Try again.",
            },
        ],
        "status": "error",
    }


def test_a_name_that_is_no_unicode_can_be_told() -> None:
    (found,) = Report((ok("home", "/home/\udcff"),)).as_json()["findings"]
    assert found["summary"] == "/home/\\udcff"
    assert "/home/\\udcff\n" in shown(ok("home", "/home/\udcff"))


def test_people_read_columns() -> None:
    assert shown(FINE, ODD, WRONG, WRONG, UNKNOWN).splitlines() == [
        f"codex-trio {codex_trio.__version__}",
        "",
        "ok       home          /home/ada",
        "                       two",
        "                       lines",
        "warning  ports         taken",
        "                       => Stop it.",
        *(
            "error    issuer        not reached",
            "                       => Try again.",
        )
        * 2,
        "skipped  clock         not compared",
        "",
        "2 errors, 1 warning",
    ]
    assert shown(FINE).splitlines()[-1] == "Nothing is wrong."


def test_a_terminal_has_colours_and_what_hosts_say_has_none() -> None:
    text = shown(error("issuer", "\x1b[2J", "\x1b[2J"), columns=80)
    assert RED in text
    assert "\x1b[2J" not in text


def test_a_terminal_has_lines_that_fit() -> None:
    lines = shown(warning("ports", "all taken " * 7, "Stop them."), columns=60).splitlines()
    plain = [re.sub(r"\x1b\[\d+m", "", line) for line in lines]
    assert plain[2:-2] == [
        "warning  ports         all taken all taken all taken all",
        "                       taken all taken all taken all taken",
        "                       => Stop them.",
    ]


def test_who_finds_something_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="no advice for home"):
        Finding(check="home", status="warning", summary="odd")
