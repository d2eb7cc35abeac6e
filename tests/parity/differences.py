"""What may differ, and why: each rule is a line of docs/differences.md.

A rule changes the genuine server's transcript into what is expected of ours. One that changes
nothing in any scenario is stale and fails.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from tests.parity.catalogue_differences import CATALOGUE_RULES
from tests.parity.ending_differences import ENDING_RULES
from tests.parity.login_differences import LOGIN_RULES
from tests.parity.recovery_differences import RECOVERY_RULES
from tests.parity.rules import Json, Rules, Transcript, heard, replaced, says
from tests.parity.thread_differences import THREAD_RULES
from tests.parity.token_differences import TOKEN_RULES
from tests.parity.turn_differences import TURN_RULES

if TYPE_CHECKING:
    from tests.parity.run import Scenario

SIGNED_OUT = {"account": None, "requiresOpenaiAuth": True, "workspaceRouting": None}

RULES: Final = Rules()


def without_routing(scenario: Scenario, transcript: Transcript) -> Transcript:
    """Leave out where requests go: when that is known is a matter of time, for both.

    Scenarios that are about it know it at their end.
    """
    told = [
        heard(entry)["result"]
        for entry in transcript
        if "workspaceRouting" in (heard(entry).get("result") or {})
    ]
    for result in told[:-1] if scenario.name.startswith("routing: ") else told:
        result["workspaceRouting"] = None
    return transcript


def warning(entry: Json) -> str:
    """The summary of a warning about the configuration; empty for anything else."""
    return str(entry["<--"]["params"]["summary"]) if says(entry, "configWarning") else ""


@RULES.add("remote-control")
def no_remote_control(_: Scenario, transcript: Transcript) -> Transcript:
    return [entry for entry in transcript if not says(entry, "remoteControl/status/changed")]


@RULES.add("sandbox-warning")
def no_sandbox_to_warn_of(_: Scenario, transcript: Transcript) -> Transcript:
    return [entry for entry in transcript if "bubblewrap" not in warning(entry)]


@RULES.add("unknown-keys")
def unknown_keys_are_not_counted(_: Scenario, transcript: Transcript) -> Transcript:
    return [entry for entry in transcript if "unrecognized configuration" not in warning(entry)]


@RULES.add("toml-texts")
def another_parser_words_its_errors_otherwise(
    _: Scenario, transcript: Transcript
) -> Transcript:
    text = "extra `=`, expected nothing"
    return [replaced(entry, text, "Invalid value") for entry in transcript]


@RULES.add("usage-texts")
def another_parser_words_usage_otherwise(_: Scenario, transcript: Transcript) -> Transcript:
    texts = {
        r"unexpected argument '(.*)' found": r"unrecognized arguments: \1",
        r"unrecognized subcommand '(.*)'": r"unrecognized arguments: \1",
        r"invalid value '.*' for '--listen <URL>'": "argument --listen",
        r"the argument '--stdio' cannot be used with '--listen <URL>'": (
            "argument --listen: not allowed with argument --stdio"
        ),
    }
    for pattern, text in texts.items():
        transcript = [
            {"said": re.sub(f"^error: {pattern}", f"error: {text}", entry["said"])}
            if "said" in entry
            else entry
            for entry in transcript
        ]
    return transcript


@RULES.add("answered-all-the-same")
def what_can_be_understood_is_answered(_: Scenario, transcript: Transcript) -> Transcript:
    def answer(entry: Json) -> Json:
        if "unanswered" not in entry:
            return entry
        (message_id,) = entry["unanswered"]
        return {"<--": {"id": int(message_id), "result": SIGNED_OUT}}

    return [answer(entry) for entry in transcript]


@RULES.add("bytes-no-text")
def bytes_that_are_no_text_end_nothing(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    if scenario.name != "bytes that are no text":
        return transcript
    question = {"-->": json.dumps(scenario.steps[-1])}
    return [*transcript[:-1], question, {"<--": {"id": 1, "result": SIGNED_OUT}}]


@RULES.add("workspace-routing")
def nobody_waits_for_where_requests_go(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    """And it is no error that this cannot be found out."""
    email, plan = "ada@example.com", "plus"
    if scenario.network is None:
        email, plan = "a@b.c", "pro"
    account = {"type": "chatgpt", "email": email, "planType": plan}
    for at, entry in enumerate(transcript):
        error = heard(entry).get("error") or {}
        if re.match(ROUTING_FAILED, error.get("message", "")):
            transcript[at] = {"<--": {"id": 1, "result": {**SIGNED_OUT, "account": account}}}
    return transcript


ROUTING_FAILED: Final = r"(selected |duplicate )?workspace (backend|routing|missing|in) "


@RULES.add("credentials-in-a-list")
def a_list_is_no_credentials(scenario: Scenario, transcript: Transcript) -> Transcript:
    if not (scenario.files.get("auth.json") or "").startswith('["'):
        return transcript
    for key in ("account", "authMethod", "authToken"):
        for entry in transcript:
            if key in entry.get("<--", {}).get("result", {}):
                entry["<--"]["result"][key] = None
    return transcript


@RULES.add("keyring-texts")
def what_is_wrong_with_the_keyring_is_worded_otherwise(
    _: Scenario, transcript: Transcript
) -> Transcript:
    pattern = r"(failed to (?:write OAuth tokens to|delete auth from) keyring: ).*"
    text = r"\1there is no keyring on this host"
    return [replaced(entry, pattern, text) for entry in transcript]


@RULES.add("auto-logout")
def without_a_keyring_one_can_sign_out(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    """In the original one cannot, where credentials could only be stored in a file."""
    if '"auto"' not in (scenario.files.get("config.toml") or ""):
        return transcript
    updated = {"authMode": None, "planType": None}
    news = {"method": "account/updated", "params": updated, "emittedAtMs": "<time>"}
    (refused,) = (
        index for index, entry in enumerate(transcript) if "error" in entry.get("<--", {})
    )
    question = transcript[refused + 1]
    return [
        *transcript[:refused],
        {"<--": {"id": 1, "result": {}}},
        {"<--": news},
        question,
        {"<--": {"id": 1, "result": SIGNED_OUT}},
        *(entry for entry in transcript[refused + 3 :] if "auth.json" not in entry),
    ]


RULES.update(LOGIN_RULES)
RULES.update(TOKEN_RULES)
RULES.update(TURN_RULES)
RULES.update(ENDING_RULES)
RULES.update(RECOVERY_RULES)
RULES.update(THREAD_RULES)
RULES.update(CATALOGUE_RULES)
