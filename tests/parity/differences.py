"""What may differ, and why: each rule is a line of docs/differences.md.

A rule changes the genuine server's transcript into what is expected of ours. One that changes
nothing in any scenario is stale and fails.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from tests.parity.login_differences import LOGIN_RULES
from tests.parity.rules import Json, Rules, Transcript, heard, replaced, says

if TYPE_CHECKING:
    from tests.parity.run import Scenario

SIGNED_OUT = {"account": None, "requiresOpenaiAuth": True, "workspaceRouting": None}

RULES: Final = Rules()


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
def where_requests_go_is_not_looked_up(_: Scenario, transcript: Transcript) -> Transcript:
    failure = {"code": -32603, "message": "workspace routing discovery failed"}
    account = {"type": "chatgpt", "email": "a@b.c", "planType": "pro"}
    question = "GET /backend-api/wham/accounts/check"
    asked = [entry for entry in transcript if isinstance(entry, dict) and "asked" in entry]
    transcript = [
        {"<--": {"id": 1, "result": {**SIGNED_OUT, "account": account}}}
        if entry == {"<--": {"error": failure, "id": 1}}
        else entry
        for entry in transcript
        if not (entry in asked and entry["asked"] == question)
    ]
    for entry in transcript:
        result = heard(entry).get("result") or {}
        if result.get("workspaceRouting"):
            result["workspaceRouting"] = None
    return transcript


@RULES.add("credentials-in-a-list")
def a_list_is_no_credentials(scenario: Scenario, transcript: Transcript) -> Transcript:
    if not (scenario.files.get("auth.json") or "").startswith('["'):
        return transcript
    for key in ("account", "authMethod", "authToken"):
        for entry in transcript:
            if key in entry.get("<--", {}).get("result", {}):
                entry["<--"]["result"][key] = None
    return transcript


@RULES.add("keyring")
def there_is_no_keyring_yet(scenario: Scenario, transcript: Transcript) -> Transcript:
    if scenario.name != "config: no keyring":
        return transcript
    text = r"failed to (write OAuth tokens to|delete auth from) keyring: .*"
    for entry in transcript:
        if "error" in entry.get("<--", {}):
            error = entry["<--"]["error"]
            error["message"] = re.sub(
                text, "keyring storage is not served by codex-trio yet", error["message"]
            )
    return transcript


@RULES.add("auto-logout")
def without_a_keyring_one_can_sign_out(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    if scenario.name != "config: auto without a keyring":
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
    ]


RULES.update(LOGIN_RULES)
