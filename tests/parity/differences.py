"""What may differ, and why: each rule is a line of docs/differences.md.

A rule changes the genuine server's transcript into what is expected of ours. One that changes
nothing in any scenario is stale and fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeAlias

from tests.parity.run import Scenario

Json: TypeAlias = Any
Transcript: TypeAlias = list[Json]
Rule: TypeAlias = Callable[[Scenario, Transcript], Transcript]

SIGNED_OUT = {"account": None, "requiresOpenaiAuth": True, "workspaceRouting": None}

RULES: dict[str, Rule] = {}


def rule(name: str) -> Callable[[Rule], Rule]:
    def add(function: Rule) -> Rule:
        RULES[name] = function
        return function

    return add


def says(entry: Json, method: str) -> bool:
    return isinstance(entry, dict) and entry.get("<--", {}).get("method") == method


def warning(entry: Json) -> str:
    """The summary of a warning about the configuration; empty for anything else."""
    return str(entry["<--"]["params"]["summary"]) if says(entry, "configWarning") else ""


def replaced(transcript: Transcript, text: str, other: str) -> Transcript:
    changed: Transcript = json.loads(json.dumps(transcript).replace(text, other))
    return changed


@rule("remote-control")
def no_remote_control(_: Scenario, transcript: Transcript) -> Transcript:
    return [entry for entry in transcript if not says(entry, "remoteControl/status/changed")]


@rule("sandbox-warning")
def no_sandbox_to_warn_of(_: Scenario, transcript: Transcript) -> Transcript:
    return [entry for entry in transcript if "bubblewrap" not in warning(entry)]


@rule("unknown-keys")
def unknown_keys_are_not_counted(_: Scenario, transcript: Transcript) -> Transcript:
    return [entry for entry in transcript if "unrecognized configuration" not in warning(entry)]


@rule("toml-texts")
def another_parser_words_its_errors_otherwise(
    _: Scenario, transcript: Transcript
) -> Transcript:
    return replaced(transcript, "extra `=`, expected nothing", "Invalid value")


@rule("usage-texts")
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


@rule("answered-all-the-same")
def what_can_be_understood_is_answered(_: Scenario, transcript: Transcript) -> Transcript:
    def answer(entry: Json) -> Json:
        if "unanswered" not in entry:
            return entry
        (message_id,) = entry["unanswered"]
        return {"<--": {"id": int(message_id), "result": SIGNED_OUT}}

    return [answer(entry) for entry in transcript]


@rule("bytes-no-text")
def bytes_that_are_no_text_end_nothing(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    if transcript[-1] != "hung up":
        return transcript
    question = {"-->": json.dumps(scenario.steps[-1])}
    return [*transcript[:-1], question, {"<--": {"id": 1, "result": SIGNED_OUT}}]


@rule("workspace-routing")
def where_requests_go_is_not_looked_up(_: Scenario, transcript: Transcript) -> Transcript:
    failure = {"code": -32603, "message": "workspace routing discovery failed"}
    account = {"type": "chatgpt", "email": "a@b.c", "planType": "pro"}
    return [
        {"<--": {"id": 1, "result": {**SIGNED_OUT, "account": account}}}
        if entry == {"<--": {"error": failure, "id": 1}}
        else entry
        for entry in transcript
    ]


@rule("credentials-in-a-list")
def a_list_is_no_credentials(scenario: Scenario, transcript: Transcript) -> Transcript:
    if not (scenario.files.get("auth.json") or "").startswith('["'):
        return transcript
    for key in ("account", "authMethod", "authToken"):
        for entry in transcript:
            if key in entry.get("<--", {}).get("result", {}):
                entry["<--"]["result"][key] = None
    return transcript


@rule("keyring")
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


@rule("auto-logout")
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
