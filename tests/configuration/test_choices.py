"""What a thread begins with, as the configuration says."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from codex_trio.configuration.choices import ThreadDefaults
from codex_trio.errors import ConfigError


def of(text: str, trust: Any = None) -> ThreadDefaults:
    return ThreadDefaults.of(tomllib.loads(text), trust)


def test_nothing_configured_is_the_default() -> None:
    assert of("") == ThreadDefaults()


def test_what_is_configured_is_chosen() -> None:
    defaults = of(
        """
        model = "m"
        model_provider = "mine"
        model_reasoning_effort = "high"
        model_reasoning_summary = "concise"
        model_verbosity = "low"
        model_context_window = 1000
        model_auto_compact_token_limit = 900
        service_tier = "flex"
        personality = "friendly"
        developer_instructions = "d"
        compact_prompt = "c"
        approval_policy = "never"
        approvals_reviewer = "auto_review"
        sandbox_mode = "workspace-write"
        project_doc_max_bytes = 10
        project_doc_fallback_filenames = ["a.md"]
        project_root_markers = ["x"]
        hide_agent_reasoning = true
        show_raw_agent_reasoning = true
        include_environment_context = false
        web_search = "live"
        openai_base_url = "http://o"
        model_catalog_json = "/c.json"
        [sandbox_workspace_write]
        network_access = true
        [model_providers.mine]
        name = "Mine"
        requires_openai_auth = true
        """
    )
    assert defaults == ThreadDefaults(
        model="m",
        model_provider="mine",
        model_providers={"mine": {"name": "Mine", "requires_openai_auth": True}},
        requires_openai_auth=True,
        effort="high",
        summary="concise",
        verbosity="low",
        context_window=1000,
        auto_compact_token_limit=900,
        service_tier="flex",
        personality="friendly",
        developer_instructions="d",
        compact_prompt="c",
        approval_policy="never",
        approvals_reviewer="auto_review",
        sandbox_mode="workspace-write",
        sandbox_workspace_write={"network_access": True},
        permission_profile=None,
        project_doc_max_bytes=10,
        project_doc_fallback_filenames=("a.md",),
        project_root_markers=("x",),
        include_environment_context=False,
        model_catalog_json="/c.json",
    )


def test_keys_of_providers_are_not_shown() -> None:
    text = '[model_providers.m]\nname = "m"\nexperimental_bearer_token = "sk-secret"\n'
    assert "sk-secret" not in repr(of(text))


def test_a_tier_has_a_name_for_people() -> None:
    assert of('service_tier = "fast"').service_tier == "priority"


@pytest.mark.parametrize(
    ("text", "trust", "policy", "mode", "profile"),
    [
        ("", None, "on-request", "read-only", ":read-only"),
        ("", "trusted", "on-request", "workspace-write", ":workspace"),
        ("", "untrusted", "untrusted", "workspace-write", ":workspace"),
        ('sandbox_mode = "read-only"', "trusted", "on-request", "read-only", None),
        ('approval_policy = "never"', "untrusted", "never", "workspace-write", ":workspace"),
    ],
)
def test_what_is_not_configured_depends_on_trust(
    text: str, trust: Any, policy: str, mode: str, profile: str | None
) -> None:
    defaults = of(text, trust)
    assert defaults.approval_policy == policy
    assert (defaults.sandbox_mode, defaults.permission_profile) == (mode, profile)


def test_a_granular_policy_says_no_to_what_it_does_not_name() -> None:
    text = "approval_policy = {granular = {sandbox_approval=false, rules=true, mcp_elicitations=true}}"
    assert of(text).approval_policy == {
        "granular": {
            "sandbox_approval": False,
            "rules": True,
            "mcp_elicitations": True,
            "skill_approval": False,
            "request_permissions": False,
        }
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            'approval_policy = "untrusted"',
            'approval_policy = "untrusted" is no longer supported; remove this setting',
        ),
        ('model_provider = "nope"', "Model provider `nope` not found"),
        ('model_provider = ""', "Model provider `` not found"),
    ],
)
def test_what_is_chosen_has_to_be_there(text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        of(text)
    assert caught.value.reason == reason
