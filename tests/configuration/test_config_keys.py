"""What values must be; what is expected was observed on 0.163.0."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codex_trio.config import MAX_SIZE, read_config
from codex_trio.config_keys import fault_text, find_fault
from codex_trio.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

RESERVED = (
    "model_providers contains reserved built-in provider IDs: `{0}`. Built-in providers cannot"
    " be overridden. Rename your custom provider (for example, `{0}-custom`)."
)
PROVIDER = '[model_providers.m]\nname="m"\n'
APPROVALS = "`untrusted`, `on-failure`, `on-request`, `granular`, `never`"


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("sandbox_mode = 5", (1, 16), "wanted string or table"),
        (
            'sandbox_mode="x"',
            (1, 14),
            (
                "unknown variant `x`, expected one of `read-only`, `workspace-write`,"
                " `danger-full-access`"
            ),
        ),
        (
            'model_reasoning_summary="x"',
            (1, 25),
            "unknown variant `x`, expected one of `auto`, `concise`, `detailed`, `none`",
        ),
        ("model_verbosity=true", (1, 17), "wanted string or table"),
        ('model_context_window="1"', (1, 22), 'invalid type: string "1", expected i64'),
        (
            "model_auto_compact_token_limit=1.5",
            (1, 32),
            "invalid type: floating point `1.5`, expected i64",
        ),
        ('model_reasoning_effort=""', (1, 24), "reasoning_effort must not be empty"),
        ("model_reasoning_effort=1", (1, 24), "invalid type: integer `1`, expected a string"),
        (
            "sandbox_workspace_write=1",
            (1, 25),
            "invalid type: integer `1`, expected struct SandboxWorkspaceWrite",
        ),
        (
            "[sandbox_workspace_write]\nwritable_roots=1",
            (2, 16),
            "invalid type: integer `1`, expected a sequence",
        ),
        (
            "[sandbox_workspace_write]\nnetwork_access=1",
            (2, 16),
            "invalid type: integer `1`, expected a boolean",
        ),
        (
            "project_doc_max_bytes=-1",
            (1, 23),
            "invalid value: integer `-1`, expected usize",
        ),
        (
            "project_doc_max_bytes=1.5",
            (1, 23),
            "invalid type: floating point `1.5`, expected usize",
        ),
        (
            "project_doc_fallback_filenames=['a', 1]",
            (1, 32),
            "invalid type: integer `1`, expected a string",
        ),
        (
            'personality="x"',
            (1, 13),
            "unknown variant `x`, expected one of `none`, `friendly`, `pragmatic`",
        ),
        (
            "model_instructions_file=1",
            (1, 25),
            "invalid type: integer `1`, expected path string",
        ),
        (
            f"{PROVIDER}request_max_retries=-1",
            (3, 21),
            "invalid value: integer `-1`, expected u64",
        ),
        (
            f'{PROVIDER}wire_api="chat"',
            (3, 10),
            (
                '`wire_api = "chat"` is no longer supported.\n'
                'How to fix: set `wire_api = "responses"` in your provider config.'
            ),
        ),
        (f'{PROVIDER}wire_api="x"', (3, 10), "unknown variant `x`, expected `responses`"),
        (f"{PROVIDER}http_headers=1", (3, 14), "invalid type: integer `1`, expected a map"),
        (
            f"{PROVIDER}http_headers={{a=1}}",
            None,
            "invalid type: integer `1`, expected a string",
        ),
        (
            f'{PROVIDER}stream_idle_timeout_ms="x"',
            (3, 24),
            'invalid type: string "x", expected u64',
        ),
        (
            '[model_providers.m]\nbase_url="x"',
            (1, 2),
            "model_providers.m: provider name must not be empty",
        ),
        ('[model_providers.openai]\nname="x"', (1, 2), RESERVED.format("openai")),
        ('[model_providers.lmstudio]\nname="x"', (1, 2), RESERVED.format("lmstudio")),
        (
            '[projects."/a.b"]\ntrust_level="y"',
            (2, 13),
            "unknown variant `y`, expected `trusted` or `untrusted`",
        ),
        (
            "[projects]\nx=1",
            (2, 3),
            "invalid type: integer `1`, expected struct ProjectConfig",
        ),
        (
            "[mcp_servers.x]\ncommand=1",
            (2, 9),
            "invalid type: integer `1`, expected a string",
        ),
        ("[mcp_servers.x]\n", (1, 2), "invalid transport"),
        ("approval_policy = 5", (1, 19), "wanted string or table"),
        (
            "approval_policy = 'x'",
            (1, 19),
            f"unknown variant `x`, expected one of {APPROVALS}",
        ),
        (
            "approval_policy = {foo = {}}",
            (1, 19),
            f"unknown variant `foo`, expected one of {APPROVALS}",
        ),
        (
            "approval_policy = 'granular'",
            (1, 19),
            "invalid type: unit variant, expected newtype variant",
        ),
        (
            "approval_policy = {granular = {}}",
            (1, 19),
            "missing field `sandbox_approval`",
        ),
        (
            "approval_policy = {granular = 5}",
            (1, 19),
            "invalid type: integer `5`, expected struct GranularApprovalConfig",
        ),
        (
            "[[skills.config]]\npath='/x'\nenabled=1",
            None,
            "invalid type: integer `1`, expected a boolean",
        ),
    ],
)
def test_a_value_that_is_wrong_is_said_to_be_so(
    tmp_path: Path, text: str, place: tuple[int, int] | None, reason: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert (caught.value.reason, caught.value.start) == (reason, place)


@pytest.mark.parametrize(
    "text",
    [
        'model_reasoning_effort="weird"\nmodel_context_window=-1\nservice_tier="any"',
        "approval_policy = 'never'",
        (
            "approval_policy = {granular = {sandbox_approval=true, rules=true,"
            " mcp_elicitations=true}}"
        ),
        f'{PROVIDER}bogus=1\nwire_api="responses"\nhttp_headers={{a="b"}}',
        '[model_providers.amazon-bedrock]\nbase_url="x"',
        '[mcp_servers.x]\nurl="http://x"\nargs=["a"]\nenv={A="b"}',
        "[skills]\nx=1",
        "unknown = [1979-05-27]",
    ],
)
def test_a_value_that_is_right_is_taken(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text("\ufeff" + text)
    assert read_config(path)


def test_where_there_is_no_file_a_fault_is_said_with_its_key() -> None:
    fault = find_fault({"model_providers": {"m": {"http_headers": {"a": 1}}}})
    assert fault is not None
    assert fault_text(fault) == (
        "invalid type: integer `1`, expected a string\nin `model_providers.m.http_headers.a`\n"
    )
    fault = find_fault({"sandbox_mode": []})
    assert fault is not None
    assert fault_text(fault) == (
        "invalid type: unit variant, expected string only\nin `sandbox_mode`\n"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (f"a = {2**63}", "the file cannot be read as TOML"),
        ("a = " + "[" * 65 + "]" * 65, "the file cannot be read as TOML"),
        (".".join("a" * 66) + " = 1", "the file cannot be read as TOML"),
        (
            "#" * (MAX_SIZE + 1),
            f"Failed to read config file {{}}: longer than {MAX_SIZE} bytes",
        ),
    ],
)
def test_what_no_configuration_has_is_none(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert caught.value.reason == reason.format(path)
