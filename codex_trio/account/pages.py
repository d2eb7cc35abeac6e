"""The pages that a browser shows when a login is over.

They need no script and nothing from elsewhere, and their policy lets them have neither.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from string import Template
from typing import Final

_STYLE: Final = """
:root {
  color-scheme: light dark;
  --ground: #f4f4f1; --card: #ffffff; --line: #deded8; --text: #1b1c1d; --quiet: #5c5e62;
  --good: #14733f; --good-tint: #e3f3e9; --bad: #b3261e; --bad-tint: #fbe9e7;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #111213; --card: #1b1c1e; --line: #34363a; --text: #ededeb; --quiet: #a6a8ad;
    --good: #6fd39b; --good-tint: #17301f; --bad: #ff9c92; --bad-tint: #3a1d1b;
  }
}
* { box-sizing: border-box; margin: 0; }
body {
  display: grid; min-height: 100vh; min-height: 100svh; padding: 1rem;
  grid-template-columns: minmax(0, 30rem); place-content: center;
  background: var(--ground); color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
main {
  padding: clamp(1.5rem, 6vw, 2.5rem); overflow-wrap: anywhere;
  background: var(--card); border: 1px solid var(--line); border-radius: 1rem;
}
main > * + * { margin-top: 1rem; }
.brand { color: var(--quiet); font-size: .875rem; font-weight: 600; }
svg { display: block; width: 3rem; height: 3rem; padding: .75rem; border-radius: 50%; }
.good { color: var(--good); background: var(--good-tint); }
.bad { color: var(--bad); background: var(--bad-tint); }
.brand + svg { margin-top: 1.5rem; }
h1 { font-size: 1.5rem; line-height: 1.25; letter-spacing: -.01em; text-wrap: balance; }
h2 { font-size: 1.0625rem; line-height: 1.4; }
h1 + p { margin-top: .5rem; }
.quiet, dt { color: var(--quiet); }
section { padding-top: 1.5rem; margin-top: 1.5rem; border-top: 1px solid var(--line); }
section > * + * { margin-top: .5rem; }
a {
  display: inline-block; padding: .625rem 1.125rem; border-radius: .625rem;
  background: var(--text); color: var(--card); font-weight: 600; text-decoration: none;
}
section > a { margin-top: 1rem; }
a:hover { text-decoration: underline; }
a:focus-visible { outline: 3px solid var(--good); outline-offset: 3px; }
dl { padding: 1rem 1.125rem; background: var(--ground); border-radius: .625rem; }
dt { font-size: .8125rem; }
dd { white-space: pre-wrap; font-size: .9375rem; }
code { font: .875rem/1.6 ui-monospace, Menlo, Consolas, monospace; }
dd + dt { margin-top: .75rem; }
"""

_PAGE: Final = Template(f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<link rel="icon" href="data:,">
<style>{_STYLE}</style>
$head</head>
<body>
<main>
<p class="brand">Codex login</p>
$content</main>
</body>
</html>
""")

_SUCCESS: Final = """\
<svg class="good" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2.5"
 stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="M4 13l5 5L20 6"/></svg>
<h1>Signed in to Codex</h1>
"""

_DONE: Final = """\
<p>You may now close this page</p>
"""

_REDIRECT: Final = Template("""\
<meta http-equiv="refresh" content="3; url=$url">
""")

_SETUP: Final = Template("""\
<section>
<h2>Finish setting up your API organization</h2>
<p class="quiet">You will be taken there in three seconds.</p>
<a href="$url">Continue now</a>
</section>
""")

_ERROR: Final = Template("""\
<svg class="bad" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="3"
 stroke-linecap="round" aria-hidden="true"><path d="M12 4v10M12 20v.01"/></svg>
<h1>$headline</h1>
<p>$message</p>
<dl>
<dt>Error code</dt>
<dd><code>$code</code></dd>
$details</dl>
<p class="quiet">$help</p>
""")

_DETAILS: Final = Template("""\
<dt>Details</dt>
<dd>$details</dd>
""")

_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

PAGE_HEADERS: Final = (
    (
        "Content-Security-Policy",
        (
            f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
    ),
    ("X-Frame-Options", "DENY"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
)
"""What every page is sent with, next to its ``Content-Type``: it may load nothing, be shown in
no frame, be kept nowhere, and tell nobody where it came from."""


def success_page(setup_url: str | None = None) -> str:
    """Say that one is signed in.

    Args:
        setup_url: where the API organization is set up, if that is still to be done. The
            browser goes there after three seconds.
    """
    if setup_url is None:
        return _page("Sign into Codex", _SUCCESS + _DONE)
    url = _shown(setup_url)
    return _page(
        "Sign into Codex",
        _SUCCESS + _SETUP.substitute(url=url),
        head=_REDIRECT.substitute(url=url),
    )


def error_page(
    code: str,
    message: str,
    details: str | None = None,
    *,
    title: str | None = None,
    help_text: str | None = None,
) -> str:
    """Say why one is not signed in. Any text may be given; it is shown as text.

    Args:
        code: the error code of RFC 6749, or one of the original's.
        message: what went wrong, in a sentence.
        details: what more is known of it.
        title: the headline, if there is a better one than the usual.
        help_text: what to do about it, if there is better advice than the usual.
    """
    content = _ERROR.substitute(
        headline=_shown(title or "Sign-in could not be completed"),
        message=_shown(message),
        code=_shown(code or "unknown_error"),
        details="" if details is None else _DETAILS.substitute(details=_shown(details)),
        help=_shown(
            help_text
            or "Return to Codex to retry, switch accounts, or contact your workspace admin "
            "if access is restricted."
        ),
    )
    return _page("Codex Sign-in Error", content)


def no_access_page() -> str:
    """Say that the workspace may not use Codex."""
    return error_page(
        "access_denied",
        "This account is not currently authorized to use Codex in this workspace.",
        "Contact your workspace administrator to request access to Codex.",
        title="You do not have access to Codex",
        help_text="Contact your workspace administrator to get access to Codex, then return "
        "to Codex and try again.",
    )


def _page(title: str, content: str, head: str = "") -> str:
    return _PAGE.substitute(title=title, content=content, head=head)


def _shown(text: str) -> str:
    """Escape a text for content and for quoted attributes.

    Names of files may hold what is no Unicode; it becomes question marks here, for a page must
    be one that can be sent.
    """
    return escape(text.encode(errors="replace").decode())
