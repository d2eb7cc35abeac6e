"""What may differ in a turn whose credentials are refused; see ``differences``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.parity.rules import Json, Rules, Transcript, heard, replaced, says
from tests.parity.token_differences import QUESTION, renews
from tests.parity.turn_differences import asked, told

if TYPE_CHECKING:
    from tests.parity.run import Scenario

RECOVERY_RULES: Final = Rules()


@RECOVERY_RULES.add("renewed-at-once")
def a_token_that_is_refused_is_not_sent_again(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    """The original asks once more with it, in vain, before it renews it."""
    if not scenario.name.startswith("turn: refused") or "host" in scenario.name:
        return transcript
    kept: Transcript = []
    for entry in transcript:
        if not ("metadata" in entry and kept[-1] == entry):
            kept.append(entry)
    return kept


@RECOVERY_RULES.add("renewed-once")
def a_new_token_that_is_refused_is_not_renewed(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    if scenario.name != "turn: refused, always, and tried again":
        return transcript
    _, again = [at for at, entry in enumerate(transcript) if renews(entry)]
    transcript[again : again + 2] = [transcript[again - 1]]
    behind = [replaced(entry, "token-3>", "token-2>") for entry in transcript[again:]]
    return [*transcript[:again], *behind]


@RECOVERY_RULES.add("recovery-is-told")
def who_waits_for_other_credentials_is_told(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    """As the schema has it; the original does not tell it."""
    outcomes = list(RECOVERIES.get(scenario.name.removeprefix("turn: refused, "), ()))
    kept: Transcript = []
    recovers = False
    for entry in transcript:
        if recovers and heard(entry) and not says(entry, QUESTION):
            recovers = False
            if outcomes.pop(0):
                kept.append(recovery("Completed", RECOVERED, kept))
        kept.append(entry)
        params = heard(entry).get("params") or {}
        is_said = says(entry, "item/completed") and params["item"]["type"] == "userMessage"
        if outcomes and (is_said or params.get("willRetry")):
            kept.append(recovery("Started", RECOVERING, kept))
            recovers = True
    return kept


RECOVERING: Final = "The credentials were refused; others are being sought."
RECOVERED: Final = "There are other credentials; the request is sent again."

RECOVERIES: Final = {
    "until it is renewed": [True],
    "always": [True],
    "always, and tried again": [True],
    **{
        f"and the refresh token is {name}": [False]
        for name in ("expired", "reused", "invalidated", "no code")
    },
    "and the issuer fails": [False],
    "and the issuer fails twice": [False, False],
    "and the host brings others": [True],
    "and the host brings others that are refused": [True],
    "and the host brings others twice": [True, True],
    "and the host says no": [False],
    "and the host brings nothing": [False],
    "and the host brings no token": [False],
    "and the host brings those of a workspace that may not be": [False],
    "and the host is silent": [False],
}
"""What comes of the recoveries of a scenario's first turn."""


def recovery(what: str, message: str, transcript: Transcript) -> Json:
    """The notification of a recovery, in the turn that was told of last."""
    params = next(
        heard(entry)["params"]
        for entry in reversed(transcript)
        if "turnId" in str(heard(entry))
    )
    about = {"threadId": params["threadId"], "turnId": params["turnId"]}
    method = f"modelProvider/authRecovery{what}"
    return told(method, **about, provider="stand_in", message=message)


@RECOVERY_RULES.add("recovery-texts")
def why_there_are_no_other_credentials(_: Scenario, transcript: Transcript) -> Transcript:
    texts = {
        "(Failed to refresh token: 500 Internal Server Error): boom": r"\1",
        "auth refresh returned invalid credentials": "invalid ID token format",
        r"Login is restricted to workspace\(s\) (\S+), but current credentials belong to .*": (
            r'external auth refresh returned another workspace than one of workspace(s) ["\1"]'
        ),
    }
    for pattern, text in texts.items():
        transcript = [replaced(one, pattern, text) for one in transcript]
    return transcript


@RECOVERY_RULES.add("mismatch-in-turns")
def who_brings_what_may_not_be_is_still_signed_in(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    """The next turn goes on with the tokens that were there before."""
    if scenario.name.endswith("brings those of a workspace that may not be"):
        first, *others = asked(transcript)
        for one in others:
            for name in ("authorization", "chatgpt-account-id"):
                one["headers"].setdefault(name, first["headers"].get(name))
    return transcript
