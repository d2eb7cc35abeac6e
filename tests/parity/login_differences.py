"""What may differ when somebody signs in; see ``differences``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tests.parity.rules import Json, Rules, Transcript, heard, is_sent, replaced, says

if TYPE_CHECKING:
    from tests.parity.run import Scenario

LOGIN_RULES: Final = Rules()

SIGNED_IN: Final = ["Sign into Codex", "Codex login", "Signed in to Codex"]
CLOSE: Final = [*SIGNED_IN, "You may now close this page"]
SET_UP: Final = [
    *SIGNED_IN,
    "Finish setting up your API organization",
    "You will be taken there in three seconds.",
    "Continue now",
]
TEXT: Final = "text/plain; charset=utf-8"
NOT_FOUND: Final = {"status": 404, "content-type": TEXT, "text": "Not Found"}
FORBIDDEN: Final = {"status": 403, "content-type": TEXT, "text": "Forbidden"}

COMPLETED: Final = "account/login/completed"
UNHEARD: Final = {"unheard": COMPLETED}


def settle(transcript: Transcript) -> Transcript:
    """Put in our order what the genuine server says now in one order, now in another.

    That is the end of a login which another request displaces. We tell it before the answer to
    an API key and to signing out, and behind the answer that shows another login.

    Who is signed in at its start it tells when it has found out where that one's requests go,
    if somebody listens by then. We do not tell it: nothing has changed.
    """
    settled: Transcript = []
    changed = False
    for entry in transcript:
        changed = changed or _changes_account(entry)
        if says(entry, "account/updated") and not changed:
            continue
        at = len(settled)
        if _is_displaced(entry):
            while at and heard(settled[at - 1]):
                at -= 1
            if not (at and is_sent(settled[at - 1], "apiKey", "account/logout")):
                at = len(settled) - _is_late(settled)
        elif "authUrl" in str(entry) or "userCode" in str(entry):
            while at and _is_displaced(settled[at - 1]):
                at -= 1
        settled.insert(at, entry)
    return settled


def _is_late(settled: Transcript) -> bool:
    """Whether the next line is sent already behind a cancelled login."""
    *_, before, line = [None, None, *settled]
    cancelled = (heard(before).get("result") or {}).get("status") == "canceled"
    return cancelled and isinstance(line, dict) and "-->" in line


def _changes_account(entry: Json) -> bool:
    """Whether it is the answer to somebody who signs in, or out."""
    result = heard(entry).get("result")
    return isinstance(result, dict) and (result == {} or "type" in result)


def _is_displaced(entry: Json) -> bool:
    if not says(entry, COMPLETED) or heard(entry)["params"]["loginId"] is None:
        return False
    return str(heard(entry)["params"]["error"]).endswith("Login was not completed")


def shown(entry: Json) -> list[dict[str, Any]]:
    """The pages that an entry is about."""
    came = entry.get("comes to") if isinstance(entry, dict) else None
    pages = came if isinstance(came, list) else [came]
    return [page for page in pages if isinstance(page, dict) and "status" in page]


def completed(login: str, error: str | None) -> Json:
    params = {
        "loginId": login,
        "success": error is None,
        "error": error,
        "onboardingEntrypoint": None,
    }
    return {"<--": {"method": COMPLETED, "params": params, "emittedAtMs": "<time>"}}


def updated(mode: str | None, plan: str | None) -> Json:
    params = {"authMode": mode, "planType": plan}
    return {"<--": {"method": "account/updated", "params": params, "emittedAtMs": "<time>"}}


def asks(entry: Json, grant_type: str) -> bool:
    """Whether it is a request for tokens of this kind."""
    fields = entry.get("fields", []) if isinstance(entry, dict) else []
    return bool(fields) and fields[0][0] == "grant_type" and grant_type in fields[0][1]


@LOGIN_RULES.add("pages")
def pages_are_designed_anew(_: Scenario, transcript: Transcript) -> Transcript:
    for entry in transcript:
        setup = False
        for page in shown(entry):
            words = page["text"]
            if words == "Login cancelled":
                page["content-type"] = TEXT
            elif isinstance(words, list) and "Signed in to Codex" in words:
                page["text"] = SET_UP if setup else CLOSE
            elif isinstance(words, list) and words:
                page["text"] = _without_repetition(words)
            setup = "needs_setup=true" in page.get("location", "")
    return transcript


def _without_repetition(words: list[str]) -> list[str]:
    """Leave out details that are none, or say the same as the message; name every error."""
    message, code = words[3], words.index("Error code") + 1
    if words[code] == "Details":
        words.insert(code, "unknown_error")
    if "Details" in words:
        at = words.index("Details")
        details = words[at + 1 : -1]
        if details in ([], [message]):
            del words[at:-1]
    return words


@LOGIN_RULES.add("no-token-in-url")
def the_last_page_has_no_token_in_its_url(_: Scenario, transcript: Transcript) -> Transcript:
    for entry in transcript:
        for page in shown(entry):
            if "location" in page:
                page["location"] = re.sub(r"/success\?.*", "/success", page["location"])
    return transcript


@LOGIN_RULES.add("success-by-itself")
def the_last_page_signs_nobody_in(scenario: Scenario, transcript: Transcript) -> Transcript:
    if scenario.name != "browser: success before anything":
        return transcript
    at = next(i for i, entry in enumerate(transcript) if entry.get("act") == "GET /success")
    transcript[at]["comes to"] = NOT_FOUND
    assert says(transcript[at + 1], COMPLETED)
    transcript[at + 1] = UNHEARD
    return [entry for entry in transcript if not says(entry, "account/updated")]


@LOGIN_RULES.add("stored-is-signed-in")
def one_is_signed_in_when_that_is_stored(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    """And not when the last page is fetched, which may never happen."""
    account = {"type": "chatgpt", "email": "ada@example.com", "planType": "plus"}
    if scenario.name == "browser: the last page is never fetched":
        at = transcript.index(UNHEARD)
        (displaced,) = [entry for entry in transcript if says(entry, COMPLETED)]
        transcript.remove(displaced)
        last = max(i for i, entry in enumerate(transcript) if "<--" in entry)
        transcript.insert(last + 1, UNHEARD)
    elif scenario.name == "browser: redirected twice":
        at = next(i for i, entry in enumerate(transcript) if says(entry, COMPLETED))
        transcript[at - 1]["comes to"] = transcript[at - 2]["comes to"][-1]
        # The code of the second redirect is not even tried.
        code = ["code", "the-code-of-a-test"]
        transcript = [entry for entry in transcript if code not in entry.get("fields", [])]
    else:
        return transcript
    transcript[at] = completed("<login-1>", None)
    question = next(i for i, entry in enumerate(transcript) if i > at and "-->" in entry)
    transcript.insert(question + 1, updated("chatgpt", "plus"))
    for entry in transcript:
        result = heard(entry).get("result") or {}
        if "account" in result:
            result["account"] = account
    return transcript


@LOGIN_RULES.add("no-other-site")
def other_sites_cannot_reach_the_callback(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    names = ("another name of the host", "cancelled by a page", "cancelled by a link")
    if not scenario.name.endswith(names):
        return transcript
    for number, entry in enumerate(transcript):
        if shown(entry):
            entry["comes to"] = FORBIDDEN
        elif says(entry, COMPLETED):
            transcript[number] = UNHEARD
    return transcript


@LOGIN_RULES.add("library-texts")
def other_libraries_word_their_errors_otherwise(
    _: Scenario, transcript: Transcript
) -> Transcript:
    texts = {
        r"(error sending request for url \([^)]*\))": r"\1: <reason>",
        r"(failed to request device code: ).* at line 1 column \d+$": (
            r"\1the issuer's reply is no device code"
        ),
        r"I'm a teapot": "I'm a Teapot",
        r"599 <unknown status code>": "599",
    }
    for pattern, text in texts.items():
        transcript = replaced(transcript, pattern, text)
    return transcript


@LOGIN_RULES.add("long-replies")
def of_a_long_reply_the_beginning_is_told(_: Scenario, transcript: Transcript) -> Transcript:
    return [replaced(entry, "x{5000}", "x" * 500) for entry in transcript]


@LOGIN_RULES.add("bad-id-token")
def an_id_token_that_is_none_is_said_to_be_none(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    """The original asks for an API key first, and then says that it could not save."""
    reasons = {
        r"invalid type: null, expected struct IdClaims .*": "invalid ID token payload",
        r"expected value at line 1 column 1": "invalid ID token payload",
        r"Invalid symbol 33, offset 0\.": "invalid ID token payload",
        r"invalid type: integer `1`, expected a string .*": "invalid type of claim email",
        r"data did not match .* PlanType .*": "invalid type of claim chatgpt_plan_type",
        r"invalid type: integer `5`, expected struct AuthClaims .*": (
            "invalid type of claim https://api.openai.com/auth"
        ),
    }
    if scenario.name not in {
        "browser: tokens that are none",
        "device: the exchange fails",
        "host: no tokens",
    }:
        return transcript
    for pattern, text in reasons.items():
        transcript = replaced(transcript, pattern, text)
    reason = ""
    for entry in transcript:
        for page in shown(entry):
            if "persist_failed" in page["text"]:
                reason = page["text"][-2]
                page["text"][3:-1] = [reason, "Error code", "token_exchange_failed"]
        if says(entry, COMPLETED) and "could not be saved" in heard(entry)["params"]["error"]:
            heard(entry)["params"]["error"] = f"Login server error: {reason}"
    return [entry for entry in transcript if not asks(entry, "token-exchange")]


@LOGIN_RULES.add("cancelled-is-cancelled")
def what_is_cancelled_stores_nothing(scenario: Scenario, transcript: Transcript) -> Transcript:
    if not scenario.name.endswith("during the exchange"):
        return transcript
    redirect = "http://127.0.0.1:1455/auth/callback?code=<code-1>&state=<state-1>"
    first = {"status": 302, "location": redirect, "text": ""}
    for entry in transcript:
        if entry.get("act") == "the user is done":
            entry["comes to"] = [first, "no answer"]
        # Now and then it knows already that it has stored something.
        result = heard(entry).get("result") or {}
        if "chatgpt" in str(result.get("account")):
            result["account"] = None
    transcript = [
        entry
        for entry in transcript
        if "auth.json" not in entry and not asks(entry, "token-exchange")
    ]
    if "an API key" in scenario.name:
        key = '{\n  "auth_mode": "apikey",\n  "OPENAI_API_KEY": "sk-test"\n}'
        transcript.append({"auth.json": key, "mode": "0o600"})
    return transcript


@LOGIN_RULES.add("lost-connection")
def a_lost_connection_says_nothing_of_the_code(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    if scenario.name != "device: a connection that is lost":
        return transcript
    return [UNHEARD if says(entry, COMPLETED) else entry for entry in transcript]


@LOGIN_RULES.add("until-when")
def experimental_clients_are_told_until_when_a_code_is_good(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    if "experimentalApi" not in str(scenario.steps[:1]):
        return transcript
    for entry in transcript:
        result = heard(entry).get("result") or {}
        if "userCode" in result:
            result |= {"expiresAt": "<time>", "interval": 1}
    return transcript


@LOGIN_RULES.add("who-has-the-port")
def who_has_the_port_is_told(scenario: Scenario, transcript: Transcript) -> Transcript:
    if scenario.name != "ports: both":
        return transcript
    holder = {"pid": "<pid>", "name": "<program>"}
    reason = "Port 127.0.0.1:{} is already in use"
    for entry in transcript:
        if error := heard(entry).get("error"):
            error["message"] += " by <program> (process <pid>)"
            error["data"] = {
                "reason": "callbackPortInUse",
                "ports": [
                    {"port": port, "reason": reason.format(port), "holder": holder}
                    for port in (1455, 1457)
                ],
            }
    return transcript


@LOGIN_RULES.add("told-at-the-end")
def a_login_that_ends_with_the_server_is_told_so(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    if not scenario.name.endswith("and then the end of input"):
        return transcript
    prefix = "Login server error: " if scenario.alone else ""
    at = transcript.index("hung up")
    transcript.insert(at, completed("<login-1>", f"{prefix}Login was not completed"))
    return transcript
