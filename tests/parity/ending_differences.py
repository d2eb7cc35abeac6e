"""What may differ in a turn that ends early, or makes a summary; see ``differences``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codex_trio.threads.instructions import SUMMARIZE, SUMMARY
from tests.parity.rules import Json, Rules, Transcript, heard, is_sent, says
from tests.parity.turn_differences import asked, begins, told

if TYPE_CHECKING:
    from tests.parity.run import Scenario

ENDING_RULES: Final = Rules()


@ENDING_RULES.add("partial-is-kept")
def what_came_before_an_interrupt_is_kept(_: Scenario, transcript: Transcript) -> Transcript:
    """Of the message that the model was in the middle of; and it is said at the end."""
    for done in [one for one in transcript if _is_interrupted(one)]:
        params = heard(done)["params"]
        about = {"threadId": params["threadId"], "turnId": params["turn"]["id"]}
        whole, partial = _messages(transcript, about["turnId"])
        if partial is not None:
            keep_partial(transcript, transcript.index(done), partial, about)
        if last := partial or whole:
            params["turn"].update(items=[last], itemsView="summary")
    return transcript


def _is_interrupted(entry: Json) -> bool:
    return (
        says(entry, "turn/completed")
        and heard(entry)["params"]["turn"]["status"] == "interrupted"
    )


def _messages(transcript: Transcript, turn_id: str) -> tuple[Json, Json]:
    """The last message of a turn that is complete, and the one that is not."""
    whole: Json = None
    partial: Json = None
    for entry in transcript:
        params = heard(entry).get("params") or {}
        if params.get("turnId") != turn_id:
            continue
        if says(entry, "item/agentMessage/delta"):
            partial = {**partial, "text": partial["text"] + params["delta"]}
        elif params.get("item", {}).get("type") == "agentMessage":
            is_whole = says(entry, "item/completed")
            whole, partial = (params["item"], None) if is_whole else (whole, params["item"])
    return whole, partial


def keep_partial(transcript: Transcript, done: int, partial: Json, about: Json) -> None:
    """Keep a message in a turn that ends there."""
    line = max(at for at in range(done) if is_sent(transcript[at], "turn/interrupt"))
    answer = next(at for at in range(line, done) if "result" in heard(transcript[at]))
    if not says(transcript[answer - 1], "thread/readState/changed"):
        unread = {"type": "turn", "turnId": first_unread(transcript[:done], about)}
        state = {"firstUnread": unread, "revision": f"<login-{1000 + done}>"}
        news = told("thread/readState/changed", threadId=about["threadId"], readState=state)
        transcript.insert(answer, news)
        for entry in transcript[answer:]:
            if says(entry, "thread/readState/changed"):
                heard(entry)["params"]["readState"]["firstUnread"] = unread
    complete = told("item/completed", item=partial, completedAtMs="<time>", **about)
    transcript.insert(line + 1, complete)
    message = {
        "type": "message",
        "id": partial["id"],
        "role": "assistant",
        "content": [{"type": "output_text", "text": partial["text"]}],
    }
    for one in asked(transcript):
        for at, item in enumerate(one["input"]):
            if item.get("content") == ["the turn_aborted"]:
                one["input"].insert(at, message)
                break


def first_unread(transcript: Transcript, about: Json) -> str:
    """The first turn that somebody has not read, when a turn ends."""
    told_of = [
        heard(entry)["params"]["readState"]["firstUnread"]["turnId"]
        for entry in transcript
        if says(entry, "thread/readState/changed")
    ]
    return str([*told_of, about["turnId"]][0])


@ENDING_RULES.add("world-comes-last")
def what_the_world_is_like_is_told_right_before_what_is_said(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    """And so behind a summary, and behind items that come from elsewhere."""
    for one in asked(transcript):
        items = one["input"]
        places = [at for at, item in enumerate(items) if _comes_before_the_world(item)]
        told_at = [
            at for at, item in enumerate(items) if PERMISSIONS in item.get("content", ())
        ]
        if places and told_at and told_at[0] < places[0]:
            at, behind = told_at[0], places[0] + 1
            one["input"] = items[:at] + items[at + 2 : behind] + items[at : at + 2]
            one["input"] += items[behind:]
    return transcript


PERMISSIONS: Final = "the permissions instructions"


def _comes_before_the_world(item: Json) -> bool:
    (text, *_) = [
        part["text"]
        for part in item.get("content") or ()
        if isinstance(part, dict) and "text" in part
    ] or [""]
    return bool(text.startswith(SUMMARY) or text == "said before")


@ENDING_RULES.add("summary-is-asked-for")
def who_asks_for_a_summary_says_it_as_anything_else(
    _: Scenario, transcript: Transcript
) -> Transcript:
    """With an id."""
    for number, one in enumerate(asked(transcript)):
        for item in one["input"]:
            if item.get("content") == [{"type": "input_text", "text": SUMMARIZE}]:
                item["id"] = f"msg_<login-{2000 + number}>"
    return transcript


@ENDING_RULES.add("costs-are-told-once")
def what_a_conversation_costs_is_told_when_it_is_known(
    _: Scenario, transcript: Transcript
) -> Transcript:
    """The original tells it when a summary begins, too, as it was."""
    kept: Transcript = []
    is_new = False
    for entry, following in zip(transcript, [*transcript[1:], None], strict=True):
        item = (heard(entry).get("params") or {}).get("item", {})
        if item.get("type") == "contextCompaction":
            is_new = says(entry, "item/started")
        elif is_new and says(entry, "account/rateLimits/updated"):
            is_new = False
            if says(following, "thread/tokenUsage/updated"):
                if says(kept[-1], "thread/tokenUsage/updated"):
                    kept.pop()
                continue
        kept.append(entry)
    return kept


@ENDING_RULES.add("over-is-over")
def a_turn_that_was_interrupted_is_over(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    """In the original, who interrupts it again hears nothing before the next one ends."""
    if scenario.name != "turn: interrupted when it is over":
        return transcript
    message = "no active turn to interrupt"
    answers = [at for at, entry in enumerate(transcript) if heard(entry).get("id") == 6]
    _, silence, late = answers
    transcript[silence] = {"<--": {"id": 6, "error": {"code": -32600, "message": message}}}
    del transcript[late]
    return transcript


@ENDING_RULES.add("joined-since")
def who_joins_a_turn_is_told_since_when_it_is(
    _: Scenario, transcript: Transcript
) -> Transcript:
    begun = set()
    for entry in transcript:
        if begins(entry):
            turn = heard(entry)["result"]["turn"]
            if turn["id"] in begun:
                turn["startedAt"] = "<time>"
            begun.add(turn["id"])
    return transcript
