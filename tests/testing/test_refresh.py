"""What the issuer gives for refresh tokens, and how it is made to refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codex_trio.account.claims import read_claims
from codex_trio.testing import Account, Ending, Exchange, StandIn, Tokens
from tests.testing.conftest import CLIENT_ID, USAGE, get, refresh, refresh_grant, refused

if TYPE_CHECKING:
    import httpx


@pytest.mark.parametrize("form", [False, True])
async def test_a_refresh_gives_new_tokens_that_say_what_the_account_is_now(
    stand_in: StandIn, web: httpx.AsyncClient, form: bool
) -> None:
    tokens = stand_in.issue_tokens(CLIENT_ID)
    stand_in.account.plan = "pro"
    grant = refresh_grant(tokens.refresh_token)
    response = await web.post("/oauth/token", **{"data" if form else "json": grant})  # type: ignore[arg-type]  # one of two
    given = response.json()
    assert read_claims(given["id_token"]).plan == "pro"
    assert given["refresh_token"] != tokens.refresh_token
    assert (await refresh(web, given["refresh_token"])).status_code == 200


async def test_a_refresh_token_that_is_used_twice_costs_the_whole_family(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    tokens = stand_in.issue_tokens(CLIENT_ID)
    given = (await refresh(web, tokens.refresh_token)).json()
    assert (await get(web, USAGE, given["access_token"])).status_code == 200
    assert refused(await refresh(web, tokens.refresh_token)) == (401, "refresh_token_reused")
    again = await refresh(web, given["refresh_token"])
    assert refused(again) == (401, "refresh_token_invalidated")
    assert "error" in (await get(web, USAGE, given["access_token"])).json()


async def test_a_refresh_token_expires(stand_in: StandIn, web: httpx.AsyncClient) -> None:
    stand_in.account.refresh_lifetime = 0
    tokens = stand_in.issue_tokens(CLIENT_ID)
    expired = await refresh(web, tokens.refresh_token)
    assert refused(expired) == (401, "refresh_token_expired")


async def test_a_refresh_token_is_its_client_s(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    token = stand_in.issue_tokens(CLIENT_ID).refresh_token
    for response in (await refresh(web, "unknown"), await refresh(web, token, client_id="x")):
        assert refused(response) == (401, "refresh_token_invalidated")


async def test_another_account_leaves_the_first_one_s_tokens_alone(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    tokens = stand_in.issue_tokens(CLIENT_ID)
    stand_in.account = Account(email="other@example.com", account_id="other")
    given = (await refresh(web, tokens.refresh_token)).json()
    assert read_claims(given["id_token"]).account_id == "fake-account"


async def test_an_account_may_keep_its_refresh_token(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    stand_in.account.rotation = False
    tokens = stand_in.issue_tokens(CLIENT_ID)
    for _ in range(2):
        given = (await refresh(web, tokens.refresh_token)).json()
        assert "refresh_token" not in given
        assert (await get(web, USAGE, given["access_token"])).status_code == 200
    assert [one.outcome for one in stand_in.exchanges] == ["renewed", "renewed"]
    assert stand_in.live_refresh_tokens() == [tokens.refresh_token]


async def test_a_reply_can_be_changed_member_by_member(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    stranger = stand_in.issue_tokens(CLIENT_ID, Account(account_id="other"))
    stand_in.refresh_reply = {
        "id_token": "bad",
        "access_token": stranger.access_token,
        "refresh_token": None,
        "expires_in": "soon",
        "more": {"x": 1},
    }
    tokens = stand_in.issue_tokens(CLIENT_ID)
    assert (await refresh(web, tokens.refresh_token)).json() == {
        "id_token": "bad",
        "access_token": stranger.access_token,
        "token_type": "Bearer",
        "expires_in": "soon",
        "more": {"x": 1},
    }
    # What it says of a code is not changed, and what it has done is not either.
    assert refused(await refresh(web, tokens.refresh_token)) == (401, "refresh_token_reused")


# --- what has been exchanged, and what could be ---


async def test_every_exchange_is_remembered(stand_in: StandIn, web: httpx.AsyncClient) -> None:
    tokens = stand_in.issue_tokens(CLIENT_ID)
    other = Account(account_id="other", refresh_lifetime=0)
    for token in (
        tokens.refresh_token,
        tokens.refresh_token,
        stand_in.issue_tokens(CLIENT_ID, other).refresh_token,
        "unknown",
    ):
        await refresh(web, token)
    assert stand_in.exchanges == [
        Exchange("rotated", "fake-account"),
        Exchange("reused", "fake-account"),
        Exchange("expired", "other"),
        Exchange("invalidated", None),
    ]


async def test_the_refresh_tokens_that_count_are_known(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    other = Account(account_id="other")
    assert stand_in.live_refresh_tokens() == []
    first, second = (stand_in.issue_tokens(CLIENT_ID) for _ in range(2))
    stranger = stand_in.issue_tokens(CLIENT_ID, other)
    stand_in.issue_access_token()
    given = (await refresh(web, first.refresh_token)).json()
    live = {given["refresh_token"], second.refresh_token}
    assert set(stand_in.live_refresh_tokens()) == live
    assert stand_in.live_refresh_tokens(other) == [stranger.refresh_token]
    await refresh(web, first.refresh_token)
    assert stand_in.live_refresh_tokens() == [second.refresh_token]
    stand_in.revoke_all()
    assert stand_in.live_refresh_tokens() == stand_in.live_refresh_tokens(other) == []


# --- ending ---


@pytest.mark.parametrize(
    ("ending", "refusal"),
    [
        ("expired", (401, "refresh_token_expired")),
        ("reused", (401, "refresh_token_reused")),
        ("invalidated", (401, "refresh_token_invalidated")),
        ("invalid_grant", (400, "invalid_grant")),
    ],
)
async def test_refresh_tokens_can_be_ended_and_access_tokens_still_count(
    stand_in: StandIn, web: httpx.AsyncClient, ending: Ending, refusal: tuple[int, str]
) -> None:
    tokens = stand_in.issue_tokens(CLIENT_ID)
    stand_in.end_refresh_tokens(ending)
    for _ in range(2):
        assert refused(await refresh(web, tokens.refresh_token)) == refusal
    assert (await get(web, USAGE, tokens.access_token)).status_code == 200
    assert stand_in.exchanges == [Exchange(ending, "fake-account")] * 2
    assert stand_in.live_refresh_tokens() == []
    later = stand_in.issue_tokens(CLIENT_ID)
    assert (await refresh(web, later.refresh_token)).status_code == 200


async def test_there_are_no_other_endings(stand_in: StandIn) -> None:  # noqa: ASYNC124 - its fixture is Trio's
    with pytest.raises(ValueError, match="'lost' is none of expired, reused"):
        stand_in.end_refresh_tokens("lost")  # type: ignore[arg-type]  # that is the point


async def test_access_tokens_can_be_expired_and_refreshed(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    tokens = stand_in.issue_tokens(CLIENT_ID)
    stand_in.expire_access_tokens()
    assert refused(await get(web, USAGE, tokens.access_token)) == (401, "token_expired")
    given = (await refresh(web, tokens.refresh_token)).json()
    assert (await get(web, USAGE, given["access_token"])).status_code == 200


async def test_a_host_has_access_tokens_alone(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    token = stand_in.issue_access_token(Account(account_id="other", email="b@example.com"))
    claims = read_claims(token)
    assert (claims.account_id, claims.email) == ("other", "b@example.com")
    assert (await get(web, USAGE, token)).status_code == 200
    stand_in.expire_access_tokens()
    assert refused(await get(web, USAGE, token)) == (401, "token_expired")
    assert (await get(web, USAGE, stand_in.issue_access_token())).status_code == 200


async def test_everything_can_be_revoked_at_once(
    stand_in: StandIn, web: httpx.AsyncClient
) -> None:
    tokens, token = stand_in.issue_tokens(CLIENT_ID), stand_in.issue_access_token()
    stand_in.revoke_all()
    for one in (tokens.access_token, token):
        assert refused(await get(web, USAGE, one)) == (401, "token_invalidated")
    revoked = await refresh(web, tokens.refresh_token)
    assert refused(revoked) == (401, "refresh_token_invalidated")


# --- revoking ---


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_a_token_is_revoked_with_its_family(
    stand_in: StandIn, web: httpx.AsyncClient, kind: str
) -> None:
    tokens: Tokens = stand_in.issue_tokens(CLIENT_ID)
    words = {"token": getattr(tokens, kind), "token_type_hint": kind}
    assert (await web.post("/oauth/revoke", json=words)).status_code == 200
    revoked = await refresh(web, tokens.refresh_token)
    assert refused(revoked) == (401, "refresh_token_invalidated")
    assert (await get(web, USAGE, tokens.access_token)).status_code == 401


async def test_what_is_unknown_is_revoked_already(web: httpx.AsyncClient) -> None:
    assert (await web.post("/oauth/revoke", data={"token": "unknown"})).status_code == 200
    assert refused(await web.post("/oauth/revoke")) == (400, "invalid_request")
