"""What the issuer may answer to a refresh: what is stored then, and what clients are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_trio.account.claims import read_claims
from codex_trio.account.credentials import Credentials
from codex_trio.account.credentials import Tokens as StoredTokens
from codex_trio.account.refresh_grant import classify, instant, renew
from codex_trio.errors import RefreshError
from codex_trio.testing import Fault, StandIn, WireClient, make_jwt
from codex_trio.upstream import Reply
from tests.account.renewals import (
    OTHER,
    SOMEBODY,
    TOKEN,
    account,
    failure,
    outcomes,
    read_stored,
    renewed,
    status,
    thread_clock,
    token,
    told,
)
from tests.account.signed_in import sign_in, stored_tokens
from tests.sites import open_site, say_ok

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock


pytestmark = pytest.mark.usefixtures("alone")

FIELDS = ("id_token", "access_token", "refresh_token")

NOT_TEXT: list[Any] = [None, "", 5, True, [], {"x": "y"}]
BAD_ID_TOKENS = ["bad", "a.b", "a.!.c", make_jwt({"email": 5}), "e30.W10.x", "x" * 2**20]

OUTDATED = "Your access token could not be refreshed"


@pytest.fixture
def patient_clock(monkeypatch: pytest.MonkeyPatch) -> MockClock:
    return thread_clock(monkeypatch)


# --- a reply that is one, more or less ---


@pytest.mark.parametrize("value", NOT_TEXT, ids=repr)
@pytest.mark.parametrize("name", FIELDS)
async def test_what_is_missing_leaves_the_former_in_force(
    login_client: WireClient, home: Path, stand_in: StandIn, name: str, value: Any
) -> None:
    sign_in(home, stand_in.issue_tokens())
    former = stored_tokens(home)
    stand_in.refresh_reply = {name: value}
    assert await renewed(login_client) == SOMEBODY
    stored = stored_tokens(home)
    assert {one for one in FIELDS if stored[one] == former[one]} == {name}
    assert await token(login_client) == stored["access_token"]
    now = await status(login_client)
    assert now["failure"] is None
    assert now["standing"] == ("present" if name == "access_token" else "verified")


@pytest.mark.parametrize("id_token", BAD_ID_TOKENS, ids=lambda text: text[:8])
async def test_a_bad_identity_token_costs_nothing(
    login_client: WireClient, home: Path, stand_in: StandIn, id_token: str
) -> None:
    former = stand_in.issue_tokens()
    sign_in(home, former)
    stand_in.refresh_reply = {"id_token": id_token}
    assert await renewed(login_client) == SOMEBODY
    stored = stored_tokens(home)
    assert stand_in.live_refresh_tokens() == [stored["refresh_token"]]
    assert stored["access_token"] != former.access_token
    assert stored["id_token"] == former.id_token
    assert await failure(login_client) is None


@pytest.mark.parametrize("access_token", ["opaque", "a.b.c", make_jwt({"email": 5})])
async def test_an_access_token_may_be_anything(
    login_client: WireClient, home: Path, stand_in: StandIn, access_token: str
) -> None:
    sign_in(home, stand_in.issue_tokens())
    stand_in.refresh_reply = {"access_token": access_token}
    assert await renewed(login_client) == SOMEBODY
    assert await token(login_client) == access_token
    assert (await status(login_client))["expiresAt"] is None


async def test_what_else_is_in_a_reply_is_not_stored(
    login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    sign_in(home, stand_in.issue_tokens())
    stand_in.refresh_reply = {"account_id": "other", "more": {"x": 1}, "expires_in": "soon"}
    assert await renewed(login_client) == SOMEBODY
    assert read_stored(home)["tokens"].keys() == {*FIELDS, "account_id"}
    assert stored_tokens(home)["account_id"] == "fake-account"


async def test_a_user_who_becomes_known_is_nobody_else(
    login_client: WireClient, home: Path, stand_in: StandIn
) -> None:
    issued = stand_in.issue_tokens()
    unnamed = {"https://api.openai.com/auth": {"chatgpt_account_id": "fake-account"}}
    sign_in(home, attrs.evolve(issued, id_token=make_jwt(unnamed)))
    assert await account(login_client) == {**SOMEBODY, "email": None, "planType": "unknown"}
    stand_in.expire_access_tokens()
    await login_client.call("account/rateLimits/read")
    assert await account(login_client) == SOMEBODY
    assert outcomes(stand_in) == ["rotated"]


@pytest.mark.parametrize(
    "names", [FIELDS, FIELDS[:1], FIELDS[1:2]], ids=["all", "id", "access"]
)
async def test_somebody_else_s_tokens_are_not_taken(
    login_client: WireClient, home: Path, stand_in: StandIn, names: tuple[str, ...]
) -> None:
    sign_in(home, stand_in.issue_tokens())
    former = read_stored(home)
    theirs = attrs.asdict(stand_in.issue_tokens(account=OTHER))
    stand_in.refresh_reply = {name: theirs[name] for name in names}
    assert await renewed(login_client) == SOMEBODY
    text = "Failed to refresh token: the reply is somebody else's"
    assert await failure(login_client) == {"message": text, "permanent": False}
    assert read_stored(home) == former
    assert await token(login_client) == former["tokens"]["access_token"]
    assert told(login_client) == []
    # Which has spent ours, as far as anybody knows.
    assert await renewed(login_client) == SOMEBODY
    assert outcomes(stand_in) == ["rotated"]


# --- a reply that is none ---


@pytest.mark.parametrize("permanent", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(
    login_client: WireClient, home: Path, stand_in: StandIn, permanent: int
) -> None:
    """Whoever it leads to would have the refresh token, or the next request without it."""
    sign_in(home, stand_in.issue_tokens())
    async with open_site(say_ok) as elsewhere:
        stand_in.faults.add(TOKEN, Fault.redirect(f"{elsewhere.url}/oauth/token", permanent))
        assert await renewed(login_client) == SOMEBODY
        assert elsewhere.requests == []
        assert elsewhere.door.opened == 0
    failed = await failure(login_client)
    assert failed["message"].startswith(f"Failed to refresh token: {permanent} ")
    assert failed["permanent"] is False


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault.status(400, {"error": "invalid_request"}), "400 Bad Request"),
        (Fault.status(400, {"error": {"code": "other"}}), "400 Bad Request"),
        (Fault.status(403, {"error": "invalid_grant"}), "403 Forbidden"),
        (Fault.status(418, "<html>", "text/html"), "418 I'm a Teapot"),
        (Fault.status(429, {"error": ["x"]}), "429 Too Many Requests"),
        (Fault.status(500, b"\xff"), "500 Internal Server Error"),
        (Fault.status(503, {"error": {"code": 5}}), "503 Service Unavailable"),
        (Fault.status(502, "<html>"), "502 Bad Gateway"),
        (Fault.status(200, "<html>"), "there is no token in the reply"),
        (Fault.status(200, "null"), "there is no token in the reply"),
        (Fault.status(200, '"text"'), "there is no token in the reply"),
        (Fault.status(200, "[" * 10_000), "there is no token in the reply"),
        (Fault.status(204), "there is no token in the reply"),
        (Fault.status(200, {"access_token": 1}), "there is no token in the reply"),
        (Fault.garbage(b"HTTP/1.1 599 \r\ncontent-length: 0\r\n\r\n"), "599"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_failure_for_the_moment_leaves_everything_as_it_is(
    login_client: WireClient, home: Path, stand_in: StandIn, fault: Fault, text: str
) -> None:
    sign_in(home, stand_in.issue_tokens())
    former = read_stored(home)
    stand_in.faults.add(TOKEN, fault)
    assert await renewed(login_client) == SOMEBODY
    assert read_stored(home) == former
    assert await token(login_client) == former["tokens"]["access_token"]
    failed = {"message": f"Failed to refresh token: {text}", "permanent": False}
    now = await status(login_client)
    assert (now["failure"], now["standing"], now["saved"]) == (failed, "present", True)
    assert told(login_client) == []


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.drop(), "the connection was lost"),
        (Fault.hang(), "no reply within 30 seconds"),
        (Fault.trickle(), "no reply within 30 seconds"),
        (Fault.garbage(), "the reply is no HTTP"),
        (Fault.status(500, b"x" * 5 * 2**20), "the reply exceeds 4194304 bytes"),
    ],
    ids=["dropped", "silent", "endless", "garbage", "huge"],
)
async def test_a_reply_that_never_comes_whole_is_told(
    patient_clock: MockClock,
    login_client: WireClient,
    home: Path,
    stand_in: StandIn,
    fault: Fault,
    reason: str,
) -> None:
    sign_in(home, stand_in.issue_tokens())
    former = read_stored(home)
    stand_in.faults.add(TOKEN, fault)
    assert await renewed(login_client) == SOMEBODY
    url = f"{stand_in.url}{TOKEN}"
    text = f"Failed to refresh token: error sending request for url ({url}): {reason}"
    assert await failure(login_client) == {"message": text, "permanent": False}
    assert read_stored(home) == former


# --- anything ---

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
VALUES = JSON | st.sampled_from(
    ["a.b.c", make_jwt({}), make_jwt({"https://api.openai.com/auth": {"chatgpt_user_id": "u"}})]
)
REPLIES = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, VALUES))

FORMER = Credentials(
    mode="chatgpt",
    tokens=StoredTokens(
        id_token=make_jwt({"email": "a@b.c"}),
        access_token="access",
        refresh_token="refresh",
        account_id="acc",
        claims=read_claims(make_jwt({"email": "a@b.c"})),
    ),
    last_refresh="2026-01-01T00:00:00Z",
)


@given(body=st.binary(max_size=50) | (REPLIES | JSON).map(orjson.dumps))
def test_whatever_a_reply_is_what_is_stored_can_be_read(body: bytes) -> None:
    try:
        credentials = renew(FORMER, Reply(status=200, body=body), "2026-01-02T00:00:00Z")
    except RefreshError as error:
        assert not error.permanent
    else:
        assert Credentials.decode(credentials.encode()) == credentials
        assert credentials.tokens is not None
        assert credentials.tokens.account_id == "acc"
        assert credentials.bearer


@given(status=st.integers(300, 599), body=st.binary(max_size=50) | JSON.map(orjson.dumps))
def test_whatever_a_refusal_is_its_text_quotes_nothing(status: int, body: bytes) -> None:
    error = classify(Reply(status=status, body=body))
    text = str(error)
    assert text.startswith((f"Failed to refresh token: {status}", OUTDATED))
    assert error.permanent == text.startswith(OUTDATED)


@given(text=st.text(max_size=30) | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"))
def test_whatever_a_time_is_it_can_be_read_or_not(text: str) -> None:
    assert isinstance(instant(text), float | None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:01Z", 1.0),
        ("1970-01-01t01:00:00.500000000+01:00", 0.5),
        ("0001-01-01T00:00:00+23:59", -62135683140.0),
        ("2026-13-01T00:00:00Z", None),
        ("2026-01-01T00:00:60Z", None),
        (None, None),
    ],
)
def test_a_time_is_one_of_rfc_3339(text: str | None, seconds: float | None) -> None:
    assert instant(text) == seconds
