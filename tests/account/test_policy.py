"""What a workspace wants, as it is written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_trio.account.claims import Claims
from codex_trio.account.credentials import Credentials, Tokens
from codex_trio.account.policy import Member, Policy, PolicyError, read_bundle

ALL = """
forced_login_method = "chatgpt"
forced_chatgpt_workspace_id = ["a", " b "]
enforce_residency = "us"
something = { else = [1, 2] }
"""


def fragments(*texts: object) -> Any:
    named = [
        {"id": f"f{n}", "name": f"F {n}", "contents": text} for n, text in enumerate(texts)
    ]
    return {"enterprise_managed": named}


def of(text: object) -> Policy:
    return read_bundle({"requirements_toml": fragments(text)})


def test_a_policy_is_made_of_three_keys() -> None:
    wanted = Policy(forced_login_method="chatgpt", forced_workspaces=("a", "b"), residency="us")
    assert of(ALL) == wanted
    assert read_bundle({"config_toml": fragments(ALL)}) == wanted
    assert Policy.of(wanted.wanted) == wanted
    assert Policy.of(Policy().wanted) == Policy()


@pytest.mark.parametrize(
    "bundle",
    [
        {},
        {"config_toml": None, "requirements_toml": None},
        {"config_toml": {}, "contents": "forced_login_method = 'api'"},
        {"requirements_toml": {"enterprise_managed": None, "other": 5}},
        {"requirements_toml": fragments()},
        {"requirements_toml": fragments("", " \n", "# nothing", None)},
        {"requirements_toml": fragments("forced_chatgpt_workspace_id = ' '")},
        {"requirements_toml": fragments("forced_chatgpt_workspace_id = []")},
        {"requirements_toml": {"enterprise_managed": [{}]}},
    ],
)
def test_a_workspace_may_want_nothing(bundle: Any) -> None:
    assert read_bundle(bundle) == Policy()


def test_the_first_fragment_that_names_a_key_counts() -> None:
    bundle = {
        "requirements_toml": fragments("forced_login_method = 'api'\nenforce_residency = 'us'"),
        "config_toml": fragments(
            "forced_chatgpt_workspace_id = 'a'",
            "forced_chatgpt_workspace_id = 'b'\nforced_login_method = 'chatgpt'",
        ),
    }
    assert read_bundle(bundle) == Policy(
        forced_login_method="chatgpt", forced_workspaces=("a",), residency="us"
    )


@pytest.mark.parametrize("region", ["us", "eu", "us-gov_2"])
def test_a_region_may_be_new(region: str) -> None:
    assert of(f"enforce_residency = '{region}'").residency == region


@pytest.mark.parametrize(
    "text",
    [
        "forced_login_method = 'bedrock'",
        "forced_login_method = 5",
        "forced_login_method = ['api']",
        "forced_chatgpt_workspace_id = 5",
        "forced_chatgpt_workspace_id = ['a', 5]",
        "forced_chatgpt_workspace_id = { a = 'b' }",
        "enforce_residency = true",
        "enforce_residency = ''",
        "enforce_residency = 'u\\ns'",
        "enforce_residency = 'US of A'",
    ],
)
def test_what_is_not_understood_is_no_policy(text: str) -> None:
    key, _, _ = text.partition(" ")
    with pytest.raises(PolicyError, match=f"^the workspace's policy .* value of `{key}`$"):
        of(text)


@pytest.mark.parametrize(
    ("bundle", "reason"),
    [
        (None, "is not an object"),
        ([], "is not an object"),
        ({"config_toml": "x = 1"}, "has no fragments"),
        ({"config_toml": []}, "has no fragments"),
        ({"requirements_toml": {"enterprise_managed": {}}}, "has no fragments"),
        ({"requirements_toml": {"enterprise_managed": ["x = 1"]}}, "has no text"),
        ({"requirements_toml": fragments(5)}, "has no text"),
        ({"requirements_toml": fragments("secret =")}, "is not TOML"),
        ({"requirements_toml": fragments("a = " + "[" * 10_000)}, "is not TOML"),
        ({"requirements_toml": fragments("a = " + "9" * 10_000)}, "is not TOML"),
    ],
)
def test_what_cannot_be_read_is_not_quoted(bundle: Any, reason: str) -> None:
    with pytest.raises(PolicyError, match=reason) as caught:
        read_bundle(bundle)
    assert "secret" not in str(caught.value)


def test_a_policy_that_wants_nothing_allows_everything() -> None:
    for policy in (Policy(), Policy(residency="us")):
        assert policy.allows(Credentials.of_api_key("sk-x"))
        assert policy.allows(credentials("plus"))
        assert policy.allows(credentials("plus", tokens=None))
        assert policy.allows_workspace(None)
        assert not policy.forbids("api")
        assert not policy.forbids("chatgpt")


def test_a_policy_allows_one_way() -> None:
    key, account = Credentials.of_api_key("sk-x"), credentials("plus")
    assert Policy(forced_login_method="api").allows(key)
    assert not Policy(forced_login_method="api").allows(account)
    assert not Policy(forced_login_method="chatgpt").allows(key)
    assert Policy(forced_login_method="chatgpt").allows(account)


def test_a_policy_allows_some_workspaces() -> None:
    policy = Policy(forced_workspaces=("acc", "b"))
    assert policy.allows(credentials("plus"))
    assert policy.allows(credentials("plus", tokens=None))
    assert policy.allows(Credentials.of_api_key("sk-x"))
    assert not Policy(forced_workspaces=("other",)).allows(credentials("plus"))
    assert not policy.allows_workspace(None)


LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
TEXTS = st.sampled_from([ALL, "", "a = [", "enforce_residency = 'us'"]) | st.text(max_size=9)
LAYERS = st.builds(lambda texts: fragments(*texts), st.lists(TEXTS | LEAVES, max_size=3))


@given(
    st.fixed_dictionaries(
        {},
        optional={"config_toml": LAYERS | LEAVES, "requirements_toml": LAYERS | LEAVES},
    )
)
def test_a_bundle_is_a_policy_or_an_error(bundle: Any) -> None:
    try:
        policy = read_bundle(bundle)
    except PolicyError:
        return
    assert Policy.of(policy.wanted) == policy


# --- whose it is ---


def credentials(plan: Any, **more: Any) -> Credentials:
    tokens = Tokens(
        id_token="",
        access_token="",
        refresh_token="",
        account_id="acc",
        claims=Claims(plan=plan, user_id="u", account_id="other"),
    )
    return Credentials(**{"mode": "chatgpt", "tokens": tokens, **more})


@pytest.mark.parametrize(
    "plan", ["business", "enterprise", "enterprise_cbp_usage_based", "edu"]
)
@pytest.mark.parametrize("mode", ["chatgpt", "chatgptAuthTokens"])
def test_some_plans_have_policies(plan: Any, mode: Any) -> None:
    assert Member.of(credentials(plan, mode=mode)) == Member("u", "acc")


@pytest.mark.parametrize("plan", ["free", "plus", "team", "unknown", None])
def test_others_have_none(plan: Any) -> None:
    assert Member.of(credentials(plan)) is None


def test_nobody_is_no_member() -> None:
    assert Member.of(None) is None
    assert Member.of(Credentials.of_api_key("sk-x")) is None
    assert Member.of(credentials("business", tokens=None)) is None
