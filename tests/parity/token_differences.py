"""What may differ once somebody is signed in; see ``differences``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from tests.parity.login_differences import COMPLETED, updated
from tests.parity.rules import Json, Rules, Transcript, heard, replaced, says

if TYPE_CHECKING:
    from tests.parity.run import Scenario

TOKEN_RULES: Final = Rules()

ADA: Final = {"type": "chatgpt", "email": "ada@example.com", "planType": "plus"}
BOB: Final = {**ADA, "email": "b@example.com"}
KEY: Final = {"type": "apiKey"}

QUESTION: Final = "account/chatgptAuthTokens/refresh"

_TOKEN: Final = "<access-token-1>"


def renewal() -> Json:
    """A request for new tokens, with the first refresh token that there is."""
    return {
        "asked": "POST /oauth/token",
        "content-type": "application/json",
        "originator": "probe",
        "names itself": True,
        "fields": [
            ["client_id", "app_EMoamEEZ73f0CkXaXp7hrann"],
            ["grant_type", "refresh_token"],
            ["refresh_token", "<refresh-token-1>"],
        ],
    }


def results(transcript: Transcript) -> list[Json]:
    """What requests have come to, in their order."""
    return [heard(entry)["result"] for entry in transcript if heard(entry).get("result")]


def asked(entry: Json) -> str:
    """What the stand-in was asked, if that is what an entry is about."""
    return str(entry.get("asked", "")) if isinstance(entry, dict) else ""


def renews(entry: Json) -> bool:
    """Whether it is a request for new tokens."""
    return isinstance(entry, dict) and ["grant_type", "refresh_token"] in entry.get(
        "fields", []
    )


def behind(transcript: Transcript, text: str) -> int:
    """The place behind what a script did last under such a name."""
    places = [i for i, entry in enumerate(transcript) if text in str(entry.get("act"))]
    return places[-1] + 1


def retold(
    transcript: Transcript, account: Json, method: str | None, token: str | None = None
) -> None:
    """Let all answers from here on be about somebody else."""
    for result in results(transcript):
        if "account" in result:
            result["account"] = account
        elif "authMethod" in result:
            result["authMethod"] = method
            result["authToken"] = token


@TOKEN_RULES.add("renewed-when-needed")
def tokens_are_renewed_when_they_are_needed(_: Scenario, transcript: Transcript) -> Transcript:
    """And not before there is a client, whose name is told."""
    for entry in transcript:
        if renews(entry):
            entry["originator"] = "probe"
    return transcript


@TOKEN_RULES.add("never-twice")
def a_refresh_token_that_may_be_spent_is_not_sent_again(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    if not scenario.name.startswith("refresh: it comes to") or "redirect" in scenario.name:
        return transcript
    retold(transcript, ADA, "chatgpt", "<access-token-1>")
    _, *again = [i for i, entry in enumerate(transcript) if renews(entry)]
    transcript = [entry for i, entry in enumerate(transcript) if i not in again]
    return [replaced(entry, "refresh-token-2", "refresh-token-1") for entry in transcript]


@TOKEN_RULES.add("tokens-are-kept")
def what_is_wrong_with_one_token_does_not_cost_the_others(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    if scenario.name.endswith("gives an identity token that is none"):
        stored = transcript[-1]["auth.json"]
        transcript[-1]["auth.json"] = stored.replace("refresh-token-1", "refresh-token-2")
    elif scenario.name.endswith("gives empty tokens"):
        retold(transcript, ADA, "chatgpt", "<access-token-1>")
        for kind in ("access", "refresh"):
            was, now = f'"{kind}_token": ""', f'"{kind}_token": "<{kind}-token-1>"'
            stored = transcript[-1]["auth.json"]
            transcript[-1]["auth.json"] = stored.replace(was, now)
    return transcript


@TOKEN_RULES.add("renewed-without-account")
def tokens_of_no_known_account_are_renewed(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    """In the original they never are: it cannot tell whose they are."""
    if scenario.name != "state: renewed, no account in the file":
        return transcript
    stored = transcript.pop()
    return [*transcript, renewal(), replaced(stored, "<refresh-token-1>", "<refresh-token-2>")]


@TOKEN_RULES.add("nothing-to-renew-with")
def without_a_refresh_token_nobody_is_asked(_: Scenario, transcript: Transcript) -> Transcript:
    return [
        entry
        for entry in transcript
        if not (renews(entry) and ["refresh_token", ""] in entry["fields"])
    ]


@TOKEN_RULES.add("changes-are-told")
def another_plan_is_told(scenario: Scenario, transcript: Transcript) -> Transcript:
    """Also when it comes with renewed tokens."""
    plans = {
        "state: no account in the identity token": "plus",
        "refresh: the issuer gives another e-mail address and plan": "team",
    }
    if (plan := plans.get(scenario.name)) is None:
        return transcript
    at = next(i for i, entry in enumerate(transcript) if "refreshToken" in entry.get("-->", ""))
    return [*transcript[: at + 1], updated("chatgpt", plan), *transcript[at + 1 :]]


@TOKEN_RULES.add("mode-is-written")
def what_is_stored_says_its_mode(scenario: Scenario, transcript: Transcript) -> Transcript:
    if scenario.name == "state: no mode":
        stored = transcript[-1]["auth.json"]
        transcript[-1]["auth.json"] = stored.replace("{", '{\n  "auth_mode": "chatgpt",', 1)
    return transcript


@TOKEN_RULES.add("one-account")
def tokens_of_another_account_are_not_taken(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    if scenario.name == "restricted: and renewed to another workspace":
        retold(transcript, ADA, "chatgpt", "<access-token-1>")
        transcript[-1] = replaced(transcript[-1], "refresh-token-2", "refresh-token-1")
    return transcript


@TOKEN_RULES.add("rejected-ends-nothing")
def tokens_that_are_rejected_end_no_login(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    if scenario.name != "host: while somebody signs in, without":
        return transcript
    return [entry for entry in transcript if not says(entry, COMPLETED)]


@TOKEN_RULES.add("nobody-waits-for-policy")
def a_policy_is_asked_for_beside(scenario: Scenario, transcript: Transcript) -> Transcript:
    """Whoever signs in is told so before, and whom a policy hides is news."""
    if scenario.name.startswith("host: asked, "):
        asks = next(i for i, entry in enumerate(transcript) if says(entry, QUESTION))
        question = transcript[asks : asks + 2]
        signed_in = transcript[asks + 2 : asks + 5]
        transcript[asks : asks + 5] = [*signed_in, *question]
    elif (
        scenario.name.startswith("restricted: by a workspace")
        and not (results(transcript)[1]["account"])
    ):
        at = behind(transcript, "later") + 1
        transcript.insert(at, updated(None, None))
    return transcript


@TOKEN_RULES.add("policy-anywhere")
def what_a_policy_wants_it_may_say_anywhere(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    """The original ignores it among the requirements."""
    hidden = ("an API key, in requirements_toml", "another workspace, in requirements_toml")
    if scenario.name.startswith("restricted: by a") and scenario.name.endswith(hidden):
        retold(transcript, None, None)
        transcript.insert(behind(transcript, "later") + 1, updated(None, None))
    return transcript


@TOKEN_RULES.add("host-mismatch")
def tokens_of_another_workspace_do_not_hide_the_present_ones(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    if scenario.name.endswith("another workspace, which may not be"):
        retold(transcript, {**ADA, "planType": "business"}, "chatgptAuthTokens", _TOKEN)
    return transcript


@TOKEN_RULES.add("store-is-watched")
def what_others_store_is_taken_on(scenario: Scenario, transcript: Transcript) -> Transcript:
    """And told to all clients, if it makes a difference to them."""
    name = scenario.name.removeprefix("outside: ")
    if name not in SEEN:
        return transcript
    account, method, plan, token, is_news = SEEN[name]
    at = behind(transcript, "another program stores")
    retold(transcript[at:], account, method, token)
    if is_news:
        question = next(i for i, entry in enumerate(transcript) if i >= at and "-->" in entry)
        transcript.insert(question + 1, updated(method, plan))
    return [replaced(entry, "<access-token-2>", _TOKEN) for entry in transcript]


_REFUSED: Final = ", when the former tokens were refused"

SEEN: Final = {
    "other tokens of the account": (BOB, "chatgpt", "plus", _TOKEN, False),
    "another account": (BOB, "chatgpt", "plus", _TOKEN, True),
    "an API key for an account": (KEY, "apikey", None, "sk-test", True),
    "nothing for an account": (None, None, None, None, True),
    "another API key": (KEY, "apikey", None, "sk-other", True),
    "an account for an API key": (ADA, "chatgpt", "plus", _TOKEN, True),
    "nothing for an API key": (None, None, None, None, True),
    "an API key for nothing": (KEY, "apikey", None, "sk-test", True),
    "an account for nothing": (ADA, "chatgpt", "plus", _TOKEN, True),
    f"other tokens{_REFUSED}": (BOB, "chatgpt", "plus", None, False),
    f"another account{_REFUSED}": (BOB, "chatgpt", "plus", None, True),
}
"""Who is in force once others have stored something, and whether that is news."""


# --- limits ---


@TOKEN_RULES.add("limits-are-lenient")
def what_is_told_oddly_is_told(scenario: Scenario, transcript: Transcript) -> Transcript:
    """What it is taken for is what the genuine server is asked about next."""
    if scenario.name != "limits: what is told oddly":
        return transcript
    for at, entry in enumerate(transcript):
        if "error" not in heard(entry):
            continue
        taken, *_ = results(transcript[at:])
        if transcript[at - 2]["act"].endswith(("plan", "nothing")):
            snapshot = {**taken["rateLimits"], "planType": None}
            views = {"rateLimits": snapshot, "rateLimitsByLimitId": {"codex": snapshot}}
            taken = {**taken, **views}
        transcript[at] = {"<--": {"id": 6, "result": taken}}
    return transcript


@TOKEN_RULES.add("limits-told-twice")
def both_views_of_the_main_limit_are_the_same(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    if scenario.name == "limits: of the main one twice":
        (result,) = results(transcript)[1:]
        result["rateLimitsByLimitId"]["codex"] = result["rateLimits"]
    return transcript


@TOKEN_RULES.add("limits-texts")
def failures_to_tell_limits_are_worded_otherwise(
    _: Scenario, transcript: Transcript
) -> Transcript:
    texts = {
        r"(Decode error for \S+: )(?:expected value|EOF while) .*?(; content-type)": (
            r"\1it is not JSON\2"
        ),
        r"(Decode error for \S+: )invalid type: .*?(; content-type)": (
            r"\1it is not an object\2"
        ),
        r"; content-type=.*?(; body=)": r"\1",
        r"(body=x{200})x+": r"\1…",
    }
    for pattern, text in texts.items():
        transcript = replaced(transcript, pattern, text)
    return transcript


@TOKEN_RULES.add("limits-recover")
def a_token_that_is_refused_is_renewed(
    scenario: Scenario, transcript: Transcript
) -> Transcript:
    """Or the host is asked for another one."""
    if not (scenario.name.startswith("limits: ") and "refused" in scenario.name):
        return transcript
    if not scenario.name.endswith("all the time"):
        failed = next(i for i, entry in enumerate(transcript) if "error" in heard(entry))
        told = [one for one in results(transcript) if "rateLimits" in one]
        transcript[failed] = {"<--": {**heard(transcript[failed]), "result": told[0]}}
        del transcript[failed]["<--"]["error"]
    (*_, last) = (i for i, entry in enumerate(transcript) if asked(entry).endswith("/usage"))
    again = {**transcript[last], "authorization": "Bearer <access-token-2>"}
    if "of a host" in scenario.name:
        transcript.insert(last + 1, again)
        return _with_question(transcript)
    transcript[last + 1 : last + 1] = [renewal(), again]
    transcript[-1] = replaced(transcript[-1], r"<(access|refresh)-token-1>", r"<\1-token-2>")
    return transcript


def _with_question(transcript: Transcript) -> Transcript:
    """Let the host be asked, and its answer count."""
    question = {
        "method": QUESTION,
        "id": 0,
        "params": {"reason": "unauthorized", "previousAccountId": "fake-account"},
    }
    token = {"accessToken": "<access-token-2>", "chatgptAccountId": "fake-account"}
    at = transcript.index("nothing is asked")
    result = transcript[at - 2]
    answer = {"-->": json.dumps({"id": 0, "result": token})}
    transcript[at - 2 : at + 1] = [{"<--": question}, answer, result]
    for one in results(transcript[at:]):
        if "authToken" in one:
            one["authToken"] = "<access-token-2>"
    return transcript
