"""What may differ of conversations that are kept, and of what is around them.

See ``differences``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tests.parity.rules import Rules, Transcript, heard, is_sent, replaced, says

if TYPE_CHECKING:
    from tests.parity.run import Scenario

THREAD_RULES: Final = Rules()


def places(transcript: Transcript, method: str) -> list[int]:
    """Where the server says something."""
    return [place for place, entry in enumerate(transcript) if says(entry, method)]


def results(transcript: Transcript, *names: str) -> list[Any]:
    """What was answered, where it has members of these names."""
    found = [heard(entry).get("result") for entry in transcript]
    return [
        one for one in found if isinstance(one, dict) and all(name in one for name in names)
    ]


@THREAD_RULES.add("own-warnings")
def a_switch_of_models_is_told_in_other_words(
    _: Scenario, transcript: Transcript
) -> Transcript:
    pattern = r"This session was recorded with model `(\S+)` but is resuming with `(\S+)`\. .*"
    text = (
        r"This conversation was held with `\1`, and goes on with `\2`. One model may not do well"
        r" what another has begun."
    )
    return [replaced(entry, pattern, text) for entry in transcript]


@THREAD_RULES.add("stays-loaded")
def a_thread_stays_loaded_when_it_is_reverted(
    _: Scenario, transcript: Transcript
) -> Transcript:
    kept: Transcript = []
    reverting = False
    for entry in transcript:
        if isinstance(entry, dict) and "-->" in entry:
            reverting = is_sent(entry, '"thread/revert"')
        is_status = reverting and says(entry, "thread/status/changed")
        if not is_status or heard(entry)["params"]["status"]["type"] == "active":
            kept.append(entry)
    return kept


@THREAD_RULES.add("read-while-loaded")
def what_is_unread_is_known_of_loaded_threads(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    """The original keeps it in a database."""
    if scenario.name.startswith("turn: "):  # in which the first turn may be read
        return transcript
    begun: dict[str, str] = {}
    for entry in transcript:
        message = heard(entry)
        params, result = message.get("params") or {}, message.get("result") or {}
        if says(entry, "turn/started"):
            begun.setdefault(params["threadId"], params["turn"]["id"])
        if says(entry, "thread/status/changed") and params["status"]["type"] == "notLoaded":
            begun.pop(params["threadId"], None)
        states = dict(result.get("readStates") or {})
        if result.get("readState"):
            states[result["thread"]["id"]] = result["readState"]
        if says(entry, "thread/readState/changed"):
            if params["readState"]["firstUnread"] is None:
                begun.pop(params["threadId"], None)
            states[params["threadId"]] = params["readState"]
        for thread_id, state in states.items():
            if (state["firstUnread"] or {}).get("type") != "turn":
                continue
            if thread_id in begun:
                state["firstUnread"]["turnId"] = begun[thread_id]
            else:
                state.update(firstUnread=None, revision=f"initial:{thread_id}")
    return transcript


@THREAD_RULES.add("one-id")
def an_item_has_one_id(_: Scenario, transcript: Transcript) -> Transcript:
    """Those of a turn that is under way have another one in the original's thread/resume."""
    shown: dict[str, str] = {}
    for entry in transcript:
        params = heard(entry).get("params") or {}
        if says(entry, "item/completed") and params["item"]["type"] == "userMessage":
            shown.setdefault(params["turnId"], params["item"]["id"])
        if says(entry, "turn/started"):
            shown.pop(params["turn"]["id"], None)
    for result in results(transcript, "collaborationMode"):
        page = result["initialTurnsPage"] or {"data": []}
        for turn in [*result["thread"]["turns"], *page["data"]]:
            for item in turn["items"]:
                if item["id"] == "item-1":
                    item["id"] = shown.get(turn["id"], "item-1")
    return transcript


@THREAD_RULES.add("preview-of-all")
def ephemeral_threads_have_a_preview_too(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    """So have those that were reverted by another server."""
    if scenario.name == "thread: its past, when there is none":
        thread = results(transcript, "readState")[-1]["thread"]
        assert thread["ephemeral"]
        thread["preview"] = "one"
    if scenario.name == "thread: forked and reverted by the other":
        results(transcript, "turnsBackwardsCursor")[0]["thread"]["preview"] = "one"
    return transcript


@THREAD_RULES.add("no-mode-texts")
def ways_of_collaborating_bring_no_instructions(
    _: Scenario, transcript: Transcript
) -> Transcript:
    pattern = re.compile(r"# Plan Mode .*", re.DOTALL)
    for entry in transcript:
        message = heard(entry)
        for said in (
            message.get("result"),
            (message.get("params") or {}).get("threadSettings"),
        ):
            mode = said.get("collaborationMode") if isinstance(said, dict) else None
            if mode and pattern.match(mode["settings"]["developer_instructions"] or ""):
                mode["settings"]["developer_instructions"] = None
    return transcript


def settle_threads(transcript: Transcript) -> Transcript:
    """Put what is said of goals where it mostly is: behind the answer to thread/resume.

    What a conversation has cost comes before it, on whichever side of it that was.
    """
    settled: Transcript = []
    for entry in transcript:
        at = len(settled)
        if says(entry, "thread/goal/cleared"):
            at = _behind_answer(settled, entry) + 1
        elif says(entry, "thread/tokenUsage/updated") and _is_early(settled):
            at -= 1
        settled.insert(at, entry)
    return settled


def _behind_answer(settled: Transcript, news: Any) -> int:
    """Return where the last of what is said at once of a resumed thread stands."""
    thread_id = heard(news)["params"]["threadId"]
    at = next(at for at in reversed(range(len(settled))) if _is_resumed(settled[at], thread_id))
    return at + any(
        says(told, "thread/tokenUsage/updated") for told in settled[at + 1 : at + 2]
    )


def _is_early(settled: Transcript) -> bool:
    """Whether the last thing said is of goals, right behind the answer."""
    return (
        bool(settled)
        and says(settled[-1], "thread/goal/cleared")
        and _is_resumed(settled[-2], heard(settled[-1])["params"]["threadId"])
    )


def _is_resumed(entry: Any, thread_id: str) -> bool:
    result = heard(entry).get("result") or {}
    return "turnsBackwardsCursor" in result and result["thread"]["id"] == thread_id
