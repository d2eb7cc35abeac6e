"""The pages at the end of a login, as text; in a browser they are under tests/browser."""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_trio.account.pages import PAGE_HEADERS, error_page, no_access_page, success_page

SETUP_URL = "https://platform.example/org-setup?p=plus&t=a.b.c&with_org=o&project_id=p"
PAGES = {
    "success": success_page(),
    "setup": success_page(SETUP_URL),
    "error": error_page("token_exchange_failed", "Token exchange failed: no.", "no"),
    "short error": error_page("missing_authorization_code", "Missing authorization code."),
    "no access": no_access_page(),
}

every_page = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)


class Outline(HTMLParser):
    """What a page consists of; raises where tags are not closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._texts: defaultdict[str, list[str]] = defaultdict(list)
        self._open: list[tuple[str, list[str]]] = [("", [])]
        self.feed(page)
        self.close()
        assert len(self._open) == 1

    def handle_decl(self, decl: str) -> None:
        assert decl == "doctype html"
        assert self.tags == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "link"}:
            self._open.append((tag, []))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag == "path"
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        opened, parts = self._open.pop()
        assert opened == tag
        self._texts[tag].append("".join(parts))
        self._open[-1][1].extend(parts)

    def handle_data(self, data: str) -> None:
        self._open[-1][1].append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    handle_pi = unknown_decl = handle_comment

    def names(self) -> list[str]:
        return [name for name, _ in self.tags]

    def texts(self, tag: str) -> list[str]:
        return self._texts[tag]

    def attributes(self, name: str) -> list[str]:
        return [value for _, given in self.tags if (value := given.get(name)) is not None]


def policy() -> dict[str, str]:
    rules = dict(PAGE_HEADERS)["Content-Security-Policy"].split("; ")
    return dict(rule.split(" ", 1) for rule in rules)


@every_page
def test_a_page_is_well_formed_and_says_what_it_is(page: str) -> None:
    outline = Outline(page)
    assert page.startswith("<!doctype html>\n")
    assert ("html", {"lang": "en"}) in outline.tags
    assert ("meta", {"charset": "utf-8"}) in outline.tags
    assert "width=device-width, initial-scale=1" in outline.attributes("content")
    assert [len(outline.texts(tag)) for tag in ("title", "h1")] == [1, 1]
    assert outline.names().count("main") == 1
    assert "$" not in page


@every_page
def test_a_page_needs_no_script_and_nothing_from_elsewhere(page: str) -> None:
    outline = Outline(page)
    assert not {"script", "img", "iframe", "form"} & set(outline.names())
    assert not any(name.startswith("on") for _, given in outline.tags for name in given)
    assert outline.attributes("style") == []
    assert outline.attributes("src") == []
    assert set(outline.attributes("href")) <= {"data:,", SETUP_URL}
    (style,) = outline.texts("style")
    assert "url(" not in style
    assert "@import" not in style


@every_page
def test_the_policy_allows_the_style_of_a_page_and_nothing_else(page: str) -> None:
    (style,) = Outline(page).texts("style")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy() == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


def test_pages_are_kept_nowhere_framed_nowhere_and_tell_nothing() -> None:
    headers = dict(PAGE_HEADERS)
    assert len(headers) == len(PAGE_HEADERS)
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"


def test_success_is_said() -> None:
    outline = Outline(success_page())
    assert outline.texts("title") == ["Sign into Codex"]
    assert outline.texts("h1") == ["Signed in to Codex"]
    assert "You may now close this page" in outline.texts("p")
    assert "a" not in outline.names()
    assert "http-equiv" not in success_page()


def test_an_organization_to_set_up_is_where_the_browser_goes_next() -> None:
    outline = Outline(success_page(SETUP_URL))
    assert outline.texts("title") == ["Sign into Codex"]
    assert outline.texts("h1") == ["Signed in to Codex"]
    assert outline.texts("h2") == ["Finish setting up your API organization"]
    assert ("a", {"href": SETUP_URL}) in outline.tags
    refresh = {"http-equiv": "refresh", "content": f"3; url={SETUP_URL}"}
    assert ("meta", refresh) in outline.tags


def test_an_error_is_explained() -> None:
    page = error_page("server_error", "Sign-in failed: try later", "try later")
    outline = Outline(page)
    assert outline.texts("title") == ["Codex Sign-in Error"]
    assert outline.texts("h1") == ["Sign-in could not be completed"]
    assert outline.texts("p") == [
        "Codex login",
        "Sign-in failed: try later",
        (
            "Return to Codex to retry, switch accounts, or contact your workspace admin if access "
            "is restricted."
        ),
    ]
    assert outline.texts("dt") == ["Error code", "Details"]
    assert outline.texts("dd") == ["server_error", "try later"]


def test_an_error_may_have_no_details_and_no_code() -> None:
    outline = Outline(error_page("", "Something went wrong."))
    assert outline.texts("dt") == ["Error code"]
    assert outline.texts("dd") == ["unknown_error"]


def test_who_may_not_use_codex_is_told_whom_to_ask() -> None:
    outline = Outline(no_access_page())
    assert outline.texts("title") == ["Codex Sign-in Error"]
    assert outline.texts("h1") == ["You do not have access to Codex"]
    assert outline.texts("p")[1:] == [
        "This account is not currently authorized to use Codex in this workspace.",
        (
            "Contact your workspace administrator to get access to Codex, then return to Codex "
            "and try again."
        ),
    ]
    assert outline.texts("dd") == [
        "access_denied",
        "Contact your workspace administrator to request access to Codex.",
    ]


def test_all_that_means_something_in_html_is_escaped() -> None:
    page = error_page("&amp;", """<b class="x">it's</b>""")
    assert "<code>&amp;amp;</code>" in page
    assert "<p>&lt;b class=&quot;x&quot;&gt;it&#x27;s&lt;/b&gt;</p>" in page


# Chosen to break out of a page, if anything can; or to stop it from being sent.
TEXTS = st.one_of(
    st.text(max_size=40),
    st.text(st.sampled_from("<>&\"'/!-=;$ {}`\n"), max_size=20),
    st.sampled_from(["</style><script>alert(1)</script>", "<!--", "]]>", "&lt;", "\udcff"]),
)


@given(TEXTS, TEXTS, TEXTS, TEXTS, TEXTS)
def test_any_text_is_shown_as_it_is_and_opens_no_tag(
    code: str, message: str, details: str, title: str, help_text: str
) -> None:
    page = error_page(code, message, details, title=title, help_text=help_text)
    usual = Outline(error_page("code", "message", "details"))
    outline = Outline(page.encode().decode())
    assert outline.tags == usual.tags
    readable = [text.encode(errors="replace").decode() for text in (code, details, message)]
    assert outline.texts("dd") == [readable[0] or "unknown_error", readable[1]]
    assert outline.texts("p")[1] == readable[2]


@given(TEXTS)
def test_any_address_stays_in_its_place(url: str) -> None:
    page = success_page(url)
    outline = Outline(page.encode().decode())
    assert outline.names() == Outline(success_page(SETUP_URL)).names()
    readable = url.encode(errors="replace").decode()
    assert outline.attributes("href") == ["data:,", readable]
    assert outline.attributes("content")[-1] == f"3; url={readable}"
