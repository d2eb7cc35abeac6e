"""What we write into rollouts, and that it reads as it was meant."""

from __future__ import annotations

from typing import Any

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_trio.protocol import items, limits, permissions, threads, turns
from codex_trio.threads import rollout_lines as lines
from codex_trio.threads.fold import Fold
from codex_trio.threads.line import Line, timestamp_of
from codex_trio.threads.meta import HistoryBase, Meta
from tests.threads import records


def read(*happened: Line) -> Fold:
    """Fold lines that have been to the disk and back."""
    fold = Fold()
    for ordinal, line in enumerate(happened):
        again = Line.decode(line.encode(ordinal))
        assert again is not None
        fold.take(again)
    return fold


class TestLine:
    def test_it_is_as_the_original_writes_it(self) -> None:
        line = Line(
            "event_msg", {"type": "x", "text": "ä"}, timestamp="2026-11-21T13:23:23.974Z"
        )
        assert line.encode(3).decode() == (
            '{"timestamp":"2026-11-21T13:23:23.974Z","ordinal":3,"type":"event_msg",'
            '"payload":{"type":"x","text":"ä"}}\n'
        )
        noted = attrs.evolve(line, metadata={"client_authored": False})
        assert noted.encode(None).decode() == (
            '{"timestamp":"2026-11-21T13:23:23.974Z","type":"event_msg",'
            '"payload":{"type":"x","text":"ä"},"metadata":{"client_authored":false}}\n'
        )
        assert Line.decode(noted.encode(4)) == attrs.evolve(noted, ordinal=4)

    def test_times_are_in_utc_to_the_millisecond(self) -> None:
        assert timestamp_of(1795267403974) == "2026-11-21T13:23:23.974Z"
        assert timestamp_of(1795267403007) == "2026-11-21T13:23:23.007Z"
        assert len(Line("x", {}).timestamp) == len("2026-11-21T13:23:23.974Z")

    @pytest.mark.parametrize(
        ("value", "kept"),
        [
            (2**80, 2**80),
            ("half \ud83d", "half ?"),
            ([[[]]] * 3, [[[]]] * 3),
        ],
    )
    def test_what_json_can_hardly_say_is_written_all_the_same(
        self, value: object, kept: object
    ) -> None:
        raw = Line("x", {"value": value}).encode(1)
        assert raw.count(b"\n") == 1
        line = Line.decode(raw)
        if isinstance(kept, int):  # nothing reads such numbers
            assert str(kept).encode() in raw
        else:
            assert line is not None
            assert line.payload["value"] == kept

    def test_brackets_without_end_are_written_as_deep_as_can_be(self) -> None:
        deep: Any = []
        for _ in range(300):
            deep = [deep]
        assert Line("x", {"deep": deep}).encode(1).count(b"[") == 301

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"\n",
            b"null",
            b"[]",
            b"{}",
            b'{"timestamp":"2026',
            b"\x00\xff\xfe",
            b'{"timestamp":5,"type":"x","payload":{}}',
            b'{"timestamp":"t","type":5,"payload":{}}',
            b'{"timestamp":"t","type":"x","payload":[]}',
            b"[" * 100_000,
        ],
    )
    def test_what_is_no_line_is_none(self, raw: bytes) -> None:
        assert Line.decode(raw) is None

    @pytest.mark.parametrize("ordinal", [-1, "1", 1.5, True, None, 2**63])
    def test_an_ordinal_that_is_none_is_left_out(self, ordinal: object) -> None:
        raw = orjson.dumps(
            {"timestamp": "t", "ordinal": ordinal, "type": "x", "payload": {}, "metadata": 5}
        )
        line = Line.decode(raw)
        assert line is not None
        assert line.ordinal is None
        assert line.metadata is None
        assert line.event is None

    def test_an_event_without_a_kind_is_of_none(self) -> None:
        assert Line("event_msg", {"type": 5}).event is None

    @given(st.binary())
    def test_no_bytes_are_too_strange(self, raw: bytes) -> None:
        line = Line.decode(raw)
        if line is not None:
            Fold().take(line)


class TestMeta:
    def test_all_of_it_comes_back(self) -> None:
        meta = records.meta(
            workspace_roots=("/srv/place",),
            history_base=HistoryBase(records.T2, 5, 999),
            forked_from_id=records.T2,
            parent_thread_id=records.T3,
            thread_source="user",
            agent_nickname="Nick",
            agent_role="role",
            git_info=threads.GitInfo(sha="abc", branch="main", origin_url="https://x/r.git"),
        )
        fold = read(lines.session_meta(meta))
        assert fold.meta == meta

    def test_it_says_whose_instructions_they_are(self) -> None:
        written = lines.session_meta(records.meta(), instructions_of="gpt-5.5").payload
        provenance = {"type": "model", "model": "gpt-5.5"}
        assert written["base_instructions"] == {"text": "Be kind.", "provenance": provenance}
        written = lines.session_meta(records.meta()).payload
        assert written["base_instructions"]["provenance"] == {"type": "custom"}
        written = lines.session_meta(
            records.meta(base_instructions=None, history_mode="legacy")
        ).payload
        assert "base_instructions" not in written
        assert "history_mode" not in written
        assert written["timestamp"] == "2026-11-21T13:23:23.451Z"

    @pytest.mark.parametrize("missing", ["id", "timestamp", "cwd", "originator", "cli_version"])
    def test_without_these_there_is_none(self, missing: str) -> None:
        payload = dict(lines.session_meta(records.meta()).payload)
        del payload[missing]
        assert Meta.read(payload) is None

    @pytest.mark.parametrize(
        "timestamp", ["yesterday", "", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"]
    )
    def test_a_time_that_is_none(self, timestamp: str) -> None:
        payload = {**lines.session_meta(records.meta()).payload, "timestamp": timestamp}
        meta = Meta.read(payload)
        assert meta is None or timestamp.startswith(("0001", "9999"))

    def test_everything_else_may_be_anything(self) -> None:
        payload = {
            **lines.session_meta(records.meta()).payload,
            "timestamp": "2026-11-21T13:23:23",
            "session_id": 5,
            "base_instructions": "x",
            "history_base": {"thread_id": 5},
            "git": {"branch": 5},
            "runtime_workspace_roots": {"a": 1},
            "source": None,
        }
        meta = Meta.read(payload)
        assert meta is not None
        assert meta.session_id == records.T1
        assert meta.created_ms == 1795267403000
        assert meta.git_info == threads.GitInfo()
        assert meta.source == "vscode"
        assert meta.history_base is None


class TestTurns:
    def test_a_turn_comes_back(self) -> None:
        (turn,) = read(*records.thread()).turns
        assert turn == turns.Turn(
            id="turn-1",
            root_turn_id="turn-1",
            items=[
                items.UserMessageThreadItem(
                    id="user-1", content=[items.TextUserInput(text="hello")]
                ),
                items.AgentMessageThreadItem(id="msg_a1", text="yes"),
            ],
            status="completed",
            started_at=records.SECONDS,
            completed_at=records.SECONDS + 1,
            duration_ms=900,
        )

    def test_so_does_what_it_ran_with(self) -> None:
        mode = permissions.CollaborationMode(
            mode="plan", settings=permissions.Settings(model="gpt-5.4", reasoning_effort="high")
        )
        settings = records.settings(
            model="gpt-5.4",
            effort="high",
            summary="concise",
            personality="friendly",
            service_tier="flex",
            approval_policy=permissions.GranularAskForApproval(
                granular=permissions.Granular(
                    sandbox_approval=True, rules=False, mcp_elicitations=True
                )
            ),
            active_permission_profile=permissions.ActivePermissionProfile(id=":workspace"),
            collaboration_mode=mode,
        )
        fold = read(
            lines.session_meta(records.meta()),
            lines.turn_context("turn-1", settings),
            lines.thread_settings_applied(records.T1, settings, ["/srv/place", "/else"]),
        )
        found = fold.settings
        assert found.model == "gpt-5.4"
        assert found.model_provider == "mock"
        assert (found.effort, found.summary, found.personality) == (
            "high",
            "concise",
            "friendly",
        )
        assert found.service_tier == "flex"
        assert found.approval_policy == settings.approval_policy
        assert found.approvals_reviewer == "user"
        assert found.sandbox == settings.sandbox_policy
        assert found.permission_profile == ":workspace"
        assert found.workspace_roots == ("/srv/place", "/else")
        assert found.collaboration_mode == mode
        assert found.cwd == "/srv/place"

    @pytest.mark.parametrize(
        ("policy", "written"),
        [
            (permissions.ReadOnlySandboxPolicy(), {"type": "read-only"}),
            (
                permissions.ReadOnlySandboxPolicy(network_access=True),
                {"type": "read-only", "network_access": True},
            ),
            (permissions.DangerFullAccessSandboxPolicy(), {"type": "danger-full-access"}),
            (
                permissions.WorkspaceWriteSandboxPolicy(writable_roots=["/a"]),
                {
                    "type": "workspace-write",
                    "writable_roots": ["/a"],
                    "network_access": False,
                    "exclude_tmpdir_env_var": False,
                    "exclude_slash_tmp": False,
                },
            ),
            (
                permissions.ExternalSandboxSandboxPolicy(network_access="enabled"),
                {"type": "external-sandbox", "network_access": "enabled"},
            ),
        ],
    )
    def test_sandboxes_are_written_as_the_original_does(
        self, policy: permissions.SandboxPolicy, written: object
    ) -> None:
        line = lines.turn_context("turn-1", records.settings(sandbox_policy=policy))
        assert line.payload["sandbox_policy"] == written
        assert read(line).settings.sandbox == policy

    def test_settings_that_are_anything(self) -> None:
        fold = read(
            lines.turn_context("turn-1", records.settings()),
            Line(
                "turn_context",
                {"model": 5, "sandbox_policy": {"type": "x"}, "approval_policy": "sometimes"},
            ),
            Line("turn_context", {"sandbox_policy": {"type": 5}}),
            Line("event_msg", {"type": "thread_settings_applied", "thread_settings": 5}),
        )
        assert fold.settings.model == "gpt-5.5"
        assert fold.settings.approval_policy == "never"
        assert fold.settings.sandbox == permissions.WorkspaceWriteSandboxPolicy()

    @pytest.mark.parametrize(
        ("info", "written"),
        [
            ("usageLimitExceeded", "usage_limit_exceeded"),
            (
                {"httpConnectionFailed": {"httpStatusCode": 401}},
                {"http_connection_failed": {"http_status_code": 401}},
            ),
            (None, None),
        ],
    )
    def test_a_failed_turn_has_its_error(self, info: object, written: object) -> None:
        error = turns.TurnError(
            message="no", codex_error_info=info, additional_details="really no"
        )
        ended = lines.task_complete(
            turn_id="turn-1",
            last_agent_message=None,
            started_at=1,
            completed_at=2,
            duration_ms=3,
            error=error,
        )
        assert ended.payload["error"].get("codex_error_info") == written
        (turn,) = read(*records.turn(1, "hello", None), ended).turns
        assert (turn.status, turn.error) == ("failed", error)

    def test_an_interrupted_one_has_none(self) -> None:
        ended = lines.turn_aborted(
            turn_id="turn-1", started_at=1, completed_at=2, duration_ms=3
        )
        (turn,) = read(*records.turn(1, "hello", None), ended).turns
        assert (turn.status, turn.error, turn.duration_ms) == ("interrupted", None, 3)

    def test_tokens_add_up(self) -> None:
        limit = limits.RateLimitSnapshot(
            limit_id="codex", primary=limits.RateLimitWindow(used_percent=5)
        )
        first = lines.add_usage(None, records.tokens(10), 1000)
        both = lines.add_usage(first, records.tokens(32), 1000)
        line = lines.token_count(both, limit)
        assert line.payload["rate_limits"]["primary"]["used_percent"] == 5
        usage = read(line).usage
        assert usage == both
        assert usage is not None
        assert usage.total.total_tokens == 42
        assert usage.last.total_tokens == 32

    def test_tokens_that_are_none_change_nothing(self) -> None:
        first = lines.token_count(lines.add_usage(None, records.tokens(10), None))
        strange = Line("event_msg", {"type": "token_count", "info": {"total_token_usage": 5}})
        none = Line("event_msg", {"type": "token_count", "info": None})
        usage = read(first, strange, none).usage
        assert usage is not None
        assert usage.total.total_tokens == 10

    def test_items_are_completed_now_unless_somebody_says_when(self) -> None:
        item = items.PlanThreadItem(id="plan", text="first this")
        payload = lines.item_completed(records.T1, "turn-1", item).payload
        assert payload["started_at_ms"] == payload["completed_at_ms"] > 1_600_000_000_000
