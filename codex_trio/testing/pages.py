"""The pages on which a person consents."""

from __future__ import annotations

from html import escape
from typing import Final

_PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 26rem; margin: 15vh auto; padding: 0 1rem }}
h1 {{ font-size: 1.4rem }}
small {{ opacity: .7 }}
button, input {{ font: inherit; padding: .4rem 1rem; margin: 0 .5rem .5rem 0 }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{content}
</main>
<small>A stand-in for OpenAI, for tests. Nothing here is real.</small>
</body>
</html>
"""

_CONSENT: Final = """\
<p><strong>{client}</strong> wants to sign in as <strong>{name}</strong> ({plan}).</p>
<form method="post" action="/oauth/consent">
<input type="hidden" name="request" value="{request}">
<button name="decision" value="approve">Approve</button>
<button name="decision" value="deny">Deny</button>
</form>
"""

_DEVICE: Final = """\
<p>{note}</p>
<form method="post" action="/codex/device">
<label>Code <input name="user_code" autocomplete="off" autofocus required></label>
<button>Approve</button>
</form>
"""


def consent_page(client: str, name: str, plan: str, request: str) -> str:
    """Ask whether a client may sign in."""
    fields = {"client": client, "name": name, "plan": plan, "request": request}
    escaped = {field: escape(value) for field, value in fields.items()}
    return _page("Sign in?", _CONSENT.format(**escaped))


def device_page(note: str = "Enter the code that your device shows.") -> str:
    """Ask for the code of a device."""
    return _page("Sign in a device", _DEVICE.format(note=escape(note)))


def message_page(title: str, text: str) -> str:
    """Say something, and lead nowhere."""
    return _page(title, f"<p>{escape(text)}</p>")


def _page(title: str, content: str) -> str:
    return _PAGE.format(title=escape(title), content=content)
