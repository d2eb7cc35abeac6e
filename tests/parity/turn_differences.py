"""What may differ in a turn, and in what a model is asked; see ``differences``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codex_trio.threads.compacting import WARNING
from codex_trio.threads.instructions import SUMMARIZE, SUMMARY
from tests.parity.rules import Json, Rules, Transcript, heard, replaced, says

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.parity.run import Scenario

TURN_RULES: Final = Rules()

UNSAID_HEADERS: Final = ("x-codex-beta-features", "x-openai-internal-codex-responses-lite")

UNSAID: Final = (
    *("installation_id", "context_window_id", "history_initialization", "sandbox"),
    *("sandbox_mode", "auto_review_enabled", "node_repl_auto_review_required"),
    *("node_repl_disabled", "turn_started_at_unix_ms", "analytics_enabled"),
    *("reasoning_effort", "compaction"),
    *("forked_from_thread_id", "forked_from_ordinal_exclusive"),
)
"""What the original says of a turn beside what ours does."""


def asked(transcript: Transcript) -> Iterator[Json]:
    """What models were asked, in its order."""
    return (
        one
        for one in transcript
        if isinstance(one, dict) and "metadata" in one and "body" in one
    )


@TURN_RULES.add("says-less")
def a_model_is_told_less_of_who_asks(_: Scenario, transcript: Transcript) -> Transcript:
    for one in asked(transcript):
        for name in UNSAID_HEADERS:
            one["headers"].pop(name, None)
        one["metadata"].pop("x-codex-installation-id")
        of_turn = one["metadata"]["x-codex-turn-metadata"]
        for name in UNSAID:
            of_turn.pop(name, None)
        of_turn["model"] = one["body"]["model"]
    return transcript


@TURN_RULES.add("no-tools")
def there_are_no_tools_to_offer(_: Scenario, transcript: Transcript) -> Transcript:
    """Nor skills, nor other agents; models that are told so otherwise are told it alike."""
    for one in asked(transcript):
        one["tools"] = []
        one["input"] = [item for item in map(without_tools, one["input"]) if item is not None]
        one["body"]["parallel_tool_calls"] = True
        if one["body"]["reasoning"] is not None:
            one["body"]["reasoning"].pop("context", None)
    return transcript


def without_tools(item: Json) -> Json:
    """An item of the input, without what is about tools; None if that is all."""
    if item["type"] == "additional_tools":
        return None
    if not isinstance(item.get("content"), list):
        return item
    content = [part for part in item["content"] if part not in ABOUT_TOOLS]
    return {**item, "content": content} if content else None


ABOUT_TOOLS: Final = [
    "the skills_instructions",
    "the collaboration_mode",
    "the multi_agent_role",
    "the multi_agent_mode",
]


@TURN_RULES.add("no-plugins")
def there_are_no_plugins_to_start(_: Scenario, transcript: Transcript) -> Transcript:
    return [one for one in transcript if not says(one, "mcpServer/startupStatus/updated")]


@TURN_RULES.add("own-texts")
def what_servers_say_is_in_words_of_their_own(
    _: Scenario, transcript: Transcript
) -> Transcript:
    texts = {
        r"Your account was flagged .* routed to (\S+) as a fallback.*": (
            r"The host has answered with \1 instead of gpt-5.5, because it takes this account's"
            r" requests for a risk. See"
            r" https://developers.openai.com/codex/concepts/cyber-safety"
        ),
        r"Heads up: Long threads .*": WARNING,
        r"(?s)You are performing a CONTEXT CHECKPOINT .*": SUMMARIZE,
        r"Another language model started [^\n]*\n": SUMMARY,
        r"(items\[0\] is not a valid response item): (missing|unknown) .*": r"\1",
        r"(items\[0\] is not a valid response item: )invalid type: .*, ": r"\1",
    }
    for pattern, text in texts.items():
        transcript = [replaced(one, pattern, text) for one in transcript]
    return transcript


@TURN_RULES.add("as-it-came")
def what_a_model_thinks_is_sent_back_as_it_came(
    _: Scenario, transcript: Transcript
) -> Transcript:
    for one in asked(transcript):
        for item in one["input"]:
            if item["type"] == "reasoning":
                item["status"] = "completed"
                if item["content"] is None:
                    del item["content"]
    return transcript


@TURN_RULES.add("calls-are-answered")
def a_call_has_its_answer_behind_it(_: Scenario, transcript: Transcript) -> Transcript:
    for one in asked(transcript):
        outputs = {
            item["call_id"]: item for item in one["input"] if item["type"].endswith("_output")
        }
        one["input"] = [
            placed
            for item in one["input"]
            if not item["type"].endswith("_output")
            for placed in (item, outputs.get(item.get("call_id")))
            if placed is not None
        ]
    return transcript


@TURN_RULES.add("whole-environment")
def the_environment_is_told_as_a_whole(_: Scenario, transcript: Transcript) -> Transcript:
    """When anything of it has changed; the original leaves out what has not."""
    opening = "<environment_context>\n"
    lines = "  <cwd><home>/project</cwd>\n  <shell>bash</shell>\n"
    pattern = rf"^{opening}  <current_date>"
    return [replaced(one, pattern, f"{opening}{lines}  <current_date>") for one in transcript]


@TURN_RULES.add("no-model-switch")
def all_models_are_told_the_same(_: Scenario, transcript: Transcript) -> Transcript:
    for one in asked(transcript):
        switch = "the model_switch"
        one["input"] = [item for item in one["input"] if item.get("content") != [switch]]
    return transcript


@TURN_RULES.add("pictures-pass")
def a_picture_that_comes_with_a_message_is_not_looked_at(
    _: Scenario, transcript: Transcript
) -> Transcript:
    """Only files are; whether it is one, the host of the model says."""
    url = "data:image/png;base64,eA=="
    none = {
        "type": "input_text",
        "text": "image content omitted because it could not be processed",
    }
    for one in asked(transcript):
        for item in one["input"]:
            if item.get("content") == [none]:
                picture = {"type": "input_image", "image_url": url, "detail": "high"}
                item["content"] = [picture]
    return transcript


@TURN_RULES.add("service-tier")
def a_model_that_nobody_knows_has_tiers_too(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    """The original leaves out the one that is set."""
    if scenario.name == "turn: what a turn sets":
        for one in asked(transcript):
            if one["body"]["model"] == "mock":
                one["body"]["service_tier"] = "priority"
    return transcript


@TURN_RULES.add("refusals-are-shown")
def what_a_model_refuses_is_shown(scenario: Scenario, transcript: Transcript) -> Transcript:
    """In the original, a turn in which it says nothing else ends without a word."""
    if scenario.name != "turn: the model refuses":
        return transcript
    done = next(i for i, one in enumerate(transcript) if says(one, "turn/completed"))
    params = heard(transcript[done])["params"]
    item = {
        "type": "agentMessage", "id": "msg_1", "text": "no", "phase": None,
        "memoryCitation": None, "delivery": None, "questions": None,
    }  # fmt: skip
    params["turn"].update(items=[item], itemsView="summary")
    about = {"threadId": params["threadId"], "turnId": params["turn"]["id"]}
    unread = {"type": "turn", "turnId": about["turnId"]}
    state = {"firstUnread": unread, "revision": "<login-1000>"}
    place = next(
        i for i, one in enumerate(transcript) if says(one, "thread/tokenUsage/updated")
    )
    transcript[done - 1 : done - 1] = [
        told("thread/readState/changed", threadId=about["threadId"], readState=state)
    ]
    transcript[place:place] = [
        told(f"item/{what}", item=item, **{f"{what}AtMs": "<time>"}, **about)
        for what in ("started", "completed")
    ]
    (later,) = [one for one in transcript[done + 3 :] if says(one, "thread/readState/changed")]
    heard(later)["params"]["readState"]["firstUnread"] = unread
    *_, one = asked(transcript)
    content = [{"type": "refusal", "refusal": "no"}]
    refusal = {"type": "message", "id": "msg_1", "role": "assistant", "content": content}
    one["input"].insert(-1, refusal)
    return transcript


@TURN_RULES.add("filtered-again")
def what_is_filtered_is_asked_for_again_as_it_is(
    _: Scenario, transcript: Transcript
) -> Transcript:
    guidance = ["the content_filter_guidance"]
    for one in asked(transcript):
        one["input"] = [item for item in one["input"] if item.get("content") != guidance]
    return transcript


def told(method: str, **params: Json) -> Json:
    """A notification."""
    return {"<--": {"method": method, "params": params, "emittedAtMs": "<time>"}}


def settle_turns(transcript: Transcript) -> Transcript:
    """Put the answer to turn/start where it mostly is: between what it sets and the turn.

    That to who says something in a turn that is under way comes at once.
    """
    settled: Transcript = []
    begun: set[str] = set()
    for entry in transcript:
        at = len(settled)
        if _joins(entry, begun):
            while at and heard(settled[at - 1]):
                at -= 1
        elif begins(entry):
            begun.add(heard(entry)["result"]["turn"]["id"])
            while at and (_is_active(settled[at - 1]) or says(settled[at - 1], "turn/started")):
                at -= 1
        elif _is_set(entry) and at and begins(settled[at - 1]):
            at -= 1
        settled.insert(at, entry)
    return settled


def _joins(entry: Json, begun: set[str]) -> bool:
    result = heard(entry).get("result") or {}
    return "turnId" in result or (begins(entry) and result["turn"]["id"] in begun)


def begins(entry: Json) -> bool:
    return "turn" in (heard(entry).get("result") or {})


def _is_set(entry: Json) -> bool:
    return says(entry, "thread/settings/updated") or "Model metadata" in str(entry)


def _is_active(entry: Json) -> bool:
    params = heard(entry).get("params") or {}
    return says(entry, "thread/status/changed") and params["status"]["type"] == "active"
