"""Words of threads and turns from JSON values: faults are named as 0.163.0 does."""

from __future__ import annotations

from typing import Any

import pytest

from codex_trio.errors import InvalidParamsError
from codex_trio.protocol import (
    items,
    listing,
    methods,
    models,
    older_threads,
    permissions,
    thread_rows,
    threads,
    turns,
    upkeep,
)
from codex_trio.protocol.structure import structure, unstructure
from codex_trio.protocol.words import ABSENT

GRANULAR = {"sandbox_approval": True, "rules": True, "mcp_elicitations": False}
MODES = (
    "unknown variant `x`, expected one of `plan`, `code`, `custom`, `default`, `execute`, "
    "`pair_programming`"
)
AGENT_MODES = (
    "unknown variant `x`, expected one of `none`, `custom`, `explicitRequestOnly`, `proactive`"
)
POLICIES = "unknown variant `x`, expected one of `untrusted`, `on-request`, `granular`, `never`"
NO_IMAGE = "data did not match any variant of untagged enum ImageReference"
NO_SUMMARY = "data did not match any variant of untagged enum GetConversationSummaryParams"


def fault(value: Any, words: Any) -> str:
    with pytest.raises(InvalidParamsError) as caught:
        structure(value, words)
    return caught.value.reason


@pytest.mark.parametrize(
    ("member", "value", "reason"),
    [
        ("approvalPolicy", 5, "invalid type: integer `5`, expected string or map"),
        ("approvalPolicy", "x", POLICIES),
        ("approvalPolicy", {"x": 5}, POLICIES),
        ("approvalPolicy", {}, "invalid value: map, expected map with a single key"),
        (
            "approvalPolicy",
            {"a": 1, "b": 2},
            "invalid value: map, expected map with a single key",
        ),
        ("approvalPolicy", {"never": 5}, "invalid type: integer `5`, expected unit"),
        ("approvalPolicy", "granular", "invalid type: unit variant, expected struct variant"),
        (
            "approvalPolicy",
            {"granular": 5},
            "invalid type: integer `5`, expected struct variant",
        ),
        ("approvalPolicy", {"granular": {}}, "missing field `sandbox_approval`"),
        (
            "approvalPolicy",
            {"granular": []},
            "invalid length 0, expected struct variant AskForApproval::Granular with 5 elements",
        ),
        ("multiAgentMode", "custom", "invalid type: unit variant, expected newtype variant"),
        (
            "multiAgentMode",
            {"custom": 5},
            "invalid type: integer `5`, expected a string",
        ),
        (
            "multiAgentMode",
            "x",
            AGENT_MODES,
        ),
        (
            "runtimeWorkspaceRoots",
            ["a"],
            "AbsolutePathBuf deserialized without a base path",
        ),
        ("runtimeWorkspaceRoots", [5], "invalid type: integer `5`, expected path string"),
        ("config", [], "invalid type: sequence, expected a map"),
        ("serviceTier", 5, "invalid type: integer `5`, expected a string"),
        ("allowProviderModelFallback", None, "invalid type: null, expected a boolean"),
    ],
)
def test_a_thread_is_not_begun_with_faults(member: str, value: Any, reason: str) -> None:
    assert fault({member: value}, threads.ThreadStartParams) == reason


@pytest.mark.parametrize(
    ("member", "value", "reason"),
    [
        (
            "sandboxPolicy",
            "x",
            'invalid type: string "x", expected internally tagged enum SandboxPolicyDeserialize',
        ),
        ("effort", "", "reasoning_effort must not be empty"),
        ("effort", 5, "invalid type: integer `5`, expected a string"),
        ("collaborationMode", {"mode": "x", "settings": {}}, MODES),
        ("input", [{"type": "image"}], NO_IMAGE),
        ("input", [{"type": "image", "url": 5, "fileId": None}], NO_IMAGE),
        (
            "input",
            [{"type": "image", "url": "a", "detail": "x"}],
            "unknown variant `x`, expected one of `auto`, `low`, `high`, `original`",
        ),
        (
            "input",
            [["image", "a"]],
            "invalid type: sequence, expected struct variant UserInput::Image",
        ),
        (
            "input",
            [{"type": "text", "text": "a", "text_elements": [{"byteRange": {"start": -1}}]}],
            "invalid value: integer `-1`, expected usize",
        ),
        (
            "input",
            [{"type": "localImage", "path": 5}],
            "invalid type: integer `5`, expected path string",
        ),
    ],
)
def test_a_turn_is_not_begun_with_faults(member: str, value: Any, reason: str) -> None:
    params = {"threadId": "t", "input": [], member: value}
    assert fault(params, turns.TurnStartParams) == reason


@pytest.mark.parametrize(
    ("value", "words", "reason"),
    [
        ({"limit": -1}, listing.ThreadListParams, "invalid value: integer `-1`, expected u32"),
        (
            {"limit": 2**32},
            listing.ThreadListParams,
            "invalid value: integer `4294967296`, expected u32",
        ),
        ({"limit": True}, models.ModelListParams, "invalid type: boolean `true`, expected u32"),
        (
            {"cwd": {}},
            listing.ThreadListParams,
            "data did not match any variant of untagged enum ThreadListCwdFilter",
        ),
        (
            {"threadId": "x", "cursor": {"type": "x"}},
            listing.ThreadItemsListParams,
            "data did not match any variant of untagged enum ThreadItemsListCursor",
        ),
        ({}, older_threads.GetConversationSummaryParams, NO_SUMMARY),
        (5, older_threads.GetConversationSummaryParams, NO_SUMMARY),
        ({"conversationId": 5}, older_threads.GetConversationSummaryParams, NO_SUMMARY),
        ({"conversationId": "x"}, older_threads.GetConversationSummaryParams, NO_SUMMARY),
    ],
)
def test_faults_of_lists_are_named(value: Any, words: Any, reason: str) -> None:
    assert fault(value, words) == reason


def test_what_may_be_null_can_be_told_from_what_is_left_out() -> None:
    change = structure({"sha": None, "branch": "b"}, upkeep.ThreadMetadataGitInfoUpdateParams)
    assert (change.sha, change.branch, change.origin_url) == (None, "b", ABSENT)
    assert unstructure(change) == {"sha": None, "branch": "b"}


@pytest.mark.parametrize("none", [None, {}])
def test_a_name_may_be_an_object_of_nothing(none: object) -> None:
    params = structure({"approvalPolicy": {"never": none}}, threads.ThreadStartParams)
    assert params.approval_policy == "never"


def test_older_names_are_understood_as_those_of_today() -> None:
    params = structure(
        {"approvalsReviewer": "guardian_subagent", "multiAgentMode": "none"},
        threads.ThreadStartParams,
    )
    assert params.approvals_reviewer == "auto_review"
    assert params.multi_agent_mode == "explicitRequestOnly"
    mode = {"mode": "pair_programming", "settings": {"model": "m"}}
    assert structure(mode, permissions.CollaborationMode).mode == "default"


def test_objects_told_apart_by_their_field_come_and_go() -> None:
    policy = {"granular": {**GRANULAR, "skill_approval": False, "request_permissions": False}}
    params = structure({"approvalPolicy": {"granular": GRANULAR}}, threads.ThreadStartParams)
    assert params.approval_policy.granular.rules
    assert unstructure(params)["approvalPolicy"] == policy
    mode = structure({"multiAgentMode": {"custom": "a"}}, threads.ThreadStartParams)
    assert mode.multi_agent_mode == permissions.CustomMultiAgentMode(custom="a")


def test_an_absolute_path_loses_its_detours() -> None:
    params = structure({"runtimeWorkspaceRoots": ["/a/../b//c/"]}, threads.ThreadStartParams)
    assert params.runtime_workspace_roots == ["/b/c"]


def test_the_first_reference_to_an_image_that_fits_counts() -> None:
    image = structure({"type": "image", "url": 5, "fileId": "f"}, items.UserInput)
    assert image == items.ImageUserInput(file_id="f")
    assert unstructure(image) == {"type": "image", "detail": None, "fileId": "f"}
    both = structure({"type": "image", "url": "u", "fileId": "f"}, items.UserInput)
    assert both == items.ImageUserInput(url="u")


def test_a_summary_is_asked_for_by_file_or_by_id() -> None:
    words = older_threads.GetConversationSummaryParams
    by_file = structure({"rolloutPath": "a"}, words)
    assert by_file == older_threads.RolloutPathGetConversationSummaryParams(rollout_path="a")
    thread_id = "01a1fe46-9ebb-7a30-8f57-3b9f155c0712"
    by_id = structure({"conversationId": thread_id.upper()}, words)
    assert by_id.conversation_id == thread_id


def test_items_of_others_stand_beside_ours() -> None:
    other = {"type": "imageView", "id": "i", "path": "/a", "deep": [{"x": None}]}
    turn = turns.Turn(
        id="t", items=[items.PlanThreadItem(id="p", text="x"), other], status="completed"
    )
    ours, theirs = unstructure(turn)["items"]
    assert ours == {"type": "plan", "id": "p", "text": "x"}
    assert theirs is other


@pytest.mark.parametrize(
    ("row", "params", "reserved"),
    [
        ("thread/start", {}, None),
        ("thread/start", {"approvalPolicy": "never", "dynamicTools": None}, None),
        ("thread/start", {"allowProviderModelFallback": False}, None),
        ("thread/start", {"dynamicTools": []}, "thread/start.dynamicTools"),
        ("thread/start", {"daybreakEnabled": False}, "thread/start.daybreakEnabled"),
        ("thread/start", {"approvalPolicy": {"granular": GRANULAR}}, "askForApproval.granular"),
        (
            "thread/start",
            {"experimentalRawEvents": True, "permissions": "p"},
            "thread/start.permissions",
        ),
        ("thread/resume", {"threadId": "x", "path": ""}, None),
        ("thread/resume", {"threadId": "x", "path": "/x"}, "thread/resume.path"),
        ("thread/list", {"projectId": None}, "thread/list.projectId"),
        ("turn/start", {"threadId": "x", "input": []}, None),
    ],
)
def test_some_members_are_reserved(
    row: str, params: dict[str, Any], reserved: str | None
) -> None:
    found = {row.name: row for row in methods.CLIENT_REQUESTS}[row]
    assert found.reserved(structure(params, found.params)) == reserved


def test_a_rollback_is_beside_the_contract() -> None:
    assert thread_rows.THREAD_ROLLBACK in methods.SERVED_BESIDE
    assert not thread_rows.THREAD_ROLLBACK.listed
