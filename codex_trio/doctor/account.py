"""Who is signed in, and where that is kept."""

from __future__ import annotations

import hashlib
import os
import shlex
import stat
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import trio

from codex_trio.account.claims import read_expiry
from codex_trio.account.file_store import stale_drafts
from codex_trio.account.keyring_store import KeyringMissingError, name_keyring
from codex_trio.account.lock import lock_paths
from codex_trio.account.restrictions import Restrictions
from codex_trio.doctor.case import read_auth_file
from codex_trio.doctor.disk import lock_holder
from codex_trio.doctor.report import error, ok, skipped, unless, warning
from codex_trio.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from codex_trio.account.credentials import Credentials, Tokens
    from codex_trio.doctor.case import Case
    from codex_trio.doctor.report import Finding

_LONG: Final = 2.0  # seconds that a lock is held by who only changes something, and more
_SIGN_IN: Final = "codex-trio login (or codex-trio login --device-auth, without a browser here)"
_NO_KEYRING: Final = (
    "pip install 'codex-trio[keyring]' where there is a keyring,"
    ' or set cli_auth_credentials_store = "file" in config.toml.'
)
_SILENT_KEYRING: Final = (
    "Unlock the keyring, as by signing in to the desktop,"
    ' or set cli_auth_credentials_store = "file" in config.toml and sign in again.'
)


def look_at_store(case: Case) -> list[Finding]:
    """Look at ``auth.json``, whether it counts or has been left behind."""
    kind, path = case.settings.credentials_store, case.auth_file
    there = os.path.exists(path)
    problems = list(_drafts(path))
    if kind in ("file", "auto") and there:
        problems += _judge_file(path)
    elif there:
        problems.append(
            warning(
                "store",
                f"{path} is left behind: with the store `{kind}` it is never read",
                f"It may hold keys. Remove it: rm {shlex.quote(str(path))}",
            )
        )
    match kind:
        case "file":
            place = f"{path}{'' if there else ', which is not there yet'}"
        case "auto":
            place = f"{path}, while it is there" if there else f"the keyring, else {path}"
        case "keyring":
            place = "the keyring"
        case "ephemeral":
            place = "memory; a sign-in ends with its process"
    return unless(problems, ok("store", f"{kind}: {place}"))


async def check_locks(case: Case) -> list[Finding]:
    """See whether somebody holds a lock of the store for longer than a change takes."""
    paths = await case.in_thread(lambda: lock_paths(case.auth_file))
    held = await case.in_thread(lambda: _holders(paths))
    if held:
        await trio.sleep(_LONG)
        still = await case.in_thread(lambda: _holders(paths))
        held = {path: pid for path, pid in still.items() if held.get(path) == pid}
    return unless(
        [
            warning(
                "locks",
                f"{path} has been held by process {pid} for more than {_LONG:g} s",
                "That process renews tokens, or hangs. A lock ends with who holds it; no file"
                " needs to be removed.",
            )
            for path, pid in held.items()
        ],
        ok("locks", "nobody holds a lock of the store"),
    )


async def check_keyring(case: Case) -> list[Finding]:
    """See whether there is a keyring, and whether it answers, if the store is one."""
    kind = case.settings.credentials_store
    if kind not in ("keyring", "auto"):
        return [skipped("keyring", f"the store is `{kind}`; no keyring is needed")]
    try:
        name = await case.in_thread(name_keyring)
    except KeyringMissingError as failure:
        if kind == "auto":
            return [ok("keyring", f"{failure}; credentials are kept in {case.auth_file}")]
        return [error("keyring", str(failure), _NO_KEYRING)]
    except StoreError as failure:
        return [error("keyring", str(failure), _SILENT_KEYRING)]
    if kind == "auto" and await case.in_thread(lambda: os.path.exists(case.auth_file)):
        return [ok("keyring", f"{name}; not asked, since {case.auth_file} counts")]
    try:
        await case.stored.get()
    except StoreError as failure:
        return [error("keyring", f"{name}: {failure}", _SILENT_KEYRING)]
    return [ok("keyring", f"{name}; it answers")]


async def check_account(case: Case) -> list[Finding]:
    """Say who is signed in, and for how long."""
    try:
        stored = await case.stored.get()
    except StoreError:
        return [skipped("account", "who is signed in is not known: the store cannot be read")]
    if stored is None:
        if not case.settings.requires_openai_auth:
            return [ok("account", "nobody is signed in, and the model provider needs nobody")]
        return [warning("account", "nobody is signed in", _SIGN_IN)]
    if not Restrictions.of(case.settings).allow(stored):
        return [
            error(
                "account",
                f"{_describe(stored)} is stored, and not allowed by the configuration",
                "See forced_login_method and forced_chatgpt_workspace_id in config.toml,"
                " or sign in as they say: codex-trio login",
            )
        ]
    if stored.bearer is None:
        return [
            error("account", f"{_describe(stored)} is stored, and cannot be used", _SIGN_IN)
        ]
    problems = []
    if stored.mode == "chatgpt" and stored.tokens is not None:
        tokens = stored.tokens
        noted = await case.in_thread(lambda: _is_noted(case.auth_file, tokens.refresh_token))
        problems = list(_judge_tokens(tokens, noted))
    return unless(problems, ok("account", _describe(stored), _ages(stored)))


def _drafts(path: Path) -> Iterator[Finding]:
    drafts: list[str] = []
    with suppress(OSError):
        drafts = list(stale_drafts(path))
    if drafts:
        yield warning(
            "store",
            f"drafts of {path} were left behind by programs that were killed, and may hold keys",
            'The next look of a server whose store is "file" or "auto" removes them, as in:'
            " codex-trio login status",
            "\n".join(sorted(drafts)),
        )


def _judge_file(path: Path) -> Iterator[Finding]:
    try:
        read_auth_file(path)
    except StoreError as failure:
        yield error(
            "store",
            f"{path} cannot be used: {failure}",
            f"Move it away, and sign in again: {_SIGN_IN}",
        )
    if sys.platform == "win32":
        return
    with suppress(OSError):  # it is gone
        seen = os.stat(path)
        if seen.st_mode & 0o077 and stat.S_ISREG(seen.st_mode):
            yield warning(
                "store",
                f"{path} can be read by others (mode {stat.S_IMODE(seen.st_mode):o})",
                f"chmod 600 {shlex.quote(str(path))}",
            )


def _holders(paths: tuple[Path, ...]) -> dict[Path, int]:
    holders = ((path, lock_holder(path)) for path in paths)
    return {path: pid for path, pid in holders if pid is not None}


def _describe(stored: Credentials) -> str:
    if stored.mode == "apikey":
        return "an API key"
    if stored.tokens is None:
        return f"an account ({stored.mode}) without tokens"
    claims = stored.tokens.claims
    who = f" of {_masked(claims.email)}" if claims.email else ""
    return f"an account{who} ({stored.mode}, plan {claims.plan or 'unknown'})"


def _masked(email: str) -> str:
    """Show enough for its owner: reports are passed on."""
    name, at, domain = email.partition("@")
    return f"{name[:1]}***{at}{domain}"


def _ages(stored: Credentials) -> str | None:
    if stored.tokens is None or stored.mode == "apikey":
        return None
    renewed = f"tokens of {stored.last_refresh}"
    expiry = read_expiry(stored.tokens.access_token)
    if expiry is None:
        return f"{renewed}; the access token does not say when it ends"
    return f"{renewed}; the access token {_when(expiry)}"


def _when(expiry: float) -> str:
    minutes = round(abs(expiry - time.time()) / 60)
    if expiry < time.time():
        return f"ended {minutes} min ago, and is renewed when it is needed"
    return f"ends in {minutes} min, and is renewed in time"


def _judge_tokens(tokens: Tokens, noted: bool) -> Iterator[Finding]:
    expiry = read_expiry(tokens.access_token)
    ended = expiry is not None and expiry < time.time()
    if ended and not tokens.refresh_token:
        yield error("account", "the access token has ended, and none can be had", _SIGN_IN)
    elif noted:
        yield warning(
            "account",
            "an attempt to renew the tokens was cut off, and may have spent the refresh token",
            "It is tried again once the access token has ended. If that fails, sign in:"
            f" {_SIGN_IN}",
        )


def _is_noted(auth_file: Path, refresh_token: str) -> bool:
    """Say whether it is noted of a token that it may be spent."""
    mark = hashlib.sha256(refresh_token.encode()).hexdigest()
    with suppress(OSError):
        return mark in lock_paths(auth_file)[1].read_text("utf-8", "replace").split()
    return False
