"""What a new thread begins with, as the configuration says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import attrs

from codex_trio.config import needs_openai
from codex_trio.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from codex_trio.config import Table
    from codex_trio.configuration.projects import Trust

SandboxMode: TypeAlias = Literal["read-only", "workspace-write", "danger-full-access"]

_PRIORITY: Final = {"fast": "priority"}  # what people call a tier, and what requests call it


@attrs.frozen(kw_only=True)
class ThreadDefaults:
    """What a thread and its turns do when nobody says otherwise.

    What the configuration leaves open is None, where the model or the caller decides.

    Args:
        model: the id of the model.
        model_provider: who answers; it is a provider that there is.
        model_providers: the providers that are defined, as JSON, by their ids.
        requires_openai_auth: whether that provider needs an OpenAI account.
        effort: how hard the model thinks.
        summary: how its thoughts are summed up.
        verbosity: how much it says.
        context_window: how many tokens it can see, instead of what is known of it.
        auto_compact_token_limit: with how many tokens a thread is compacted.
        service_tier: how fast it answers, as requests call it.
        personality: how it talks.
        base_instructions: what it is told first, instead of ours.
        developer_instructions: what it is told besides.
        compact_prompt: what it is told when it is to compact a thread.
        approval_policy: when somebody is asked first, as on the wire: a name, or an object.
        approvals_reviewer: who that is.
        sandbox_mode: what commands may do.
        sandbox_workspace_write: more of that, as in the file.
        permission_profile: the name of all that, if nobody has chosen it; None if somebody has.
        project_doc_max_bytes: how much of a project's own instructions is read.
        project_doc_fallback_filenames: where they may be besides, in order of preference.
        project_root_markers: what the root of a project has.
        include_environment_context: whether the model is told where it works.
        model_catalog_json: a file with the models that there are.
    """

    model: str | None = None
    model_provider: str = "openai"
    model_providers: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    requires_openai_auth: bool = True
    effort: str | None = None
    summary: Literal["auto", "concise", "detailed", "none"] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    context_window: int | None = None
    auto_compact_token_limit: int | None = None
    service_tier: str | None = None
    personality: Literal["none", "friendly", "pragmatic"] | None = None
    base_instructions: str | None = attrs.field(default=None, repr=False)
    developer_instructions: str | None = attrs.field(default=None, repr=False)
    compact_prompt: str | None = attrs.field(default=None, repr=False)
    approval_policy: Any = "on-request"
    approvals_reviewer: Literal["user", "auto_review", "guardian_subagent"] = "user"
    sandbox_mode: SandboxMode = "read-only"
    sandbox_workspace_write: Mapping[str, Any] = attrs.field(factory=dict)
    permission_profile: str | None = ":read-only"
    project_doc_max_bytes: int = 32768
    project_doc_fallback_filenames: tuple[str, ...] = ()
    project_root_markers: tuple[str, ...] = (".git",)
    include_environment_context: bool = True
    model_catalog_json: str | None = None

    @classmethod
    def of(
        cls,
        table: Table,
        trust: Trust | None = None,
        read_instructions: Callable[[str], str] | None = None,
    ) -> ThreadDefaults:
        """Choose from a whole configuration that has no fault.

        Args:
            table: the configuration.
            trust: what is said of the folder in which the thread works.
            read_instructions: reads a file of instructions; may raise ``ConfigError``.

        Raises:
            ConfigError: what is chosen is not there; the texts are the original's.
        """
        requires_openai_auth = needs_openai(table)
        policy = table.get("approval_policy")
        if policy == "untrusted":
            raise ConfigError(
                'approval_policy = "untrusted" is no longer supported; remove this setting'
            )
        file = table.get("model_instructions_file")
        return cls(
            **_given(table),
            requires_openai_auth=requires_openai_auth,
            service_tier=_tier(table.get("service_tier")),
            base_instructions=(
                None if file is None or read_instructions is None else read_instructions(file)
            ),
            approval_policy=_policy(policy, trust),
            **_sandbox(table.get("sandbox_mode"), trust),
        )


_SAME: Final = {
    "model": "model",
    "model_provider": "model_provider",
    "model_providers": "model_providers",
    "model_reasoning_effort": "effort",
    "model_reasoning_summary": "summary",
    "model_verbosity": "verbosity",
    "model_context_window": "context_window",
    "model_auto_compact_token_limit": "auto_compact_token_limit",
    "personality": "personality",
    "developer_instructions": "developer_instructions",
    "compact_prompt": "compact_prompt",
    "approvals_reviewer": "approvals_reviewer",
    "sandbox_workspace_write": "sandbox_workspace_write",
    "project_doc_max_bytes": "project_doc_max_bytes",
    "include_environment_context": "include_environment_context",
    "model_catalog_json": "model_catalog_json",
}
"""Keys whose values are taken as they are, and what they are called here."""

_LISTS: Final = ("project_doc_fallback_filenames", "project_root_markers")


def _given(table: Table) -> dict[str, Any]:
    given = {name: table[key] for key, name in _SAME.items() if key in table}
    return given | {key: tuple(table[key]) for key in _LISTS if key in table}


def _tier(tier: str | None) -> str | None:
    return None if tier is None else _PRIORITY.get(tier, tier)


def _policy(given: Any, trust: Trust | None) -> Any:
    match given:
        case None:
            return "untrusted" if trust == "untrusted" else "on-request"
        case {"granular": granular}:
            never = dict.fromkeys(("skill_approval", "request_permissions"), False)
            return {"granular": {**never, **granular}}
        case _:
            return given


def _sandbox(given: SandboxMode | None, trust: Trust | None) -> dict[str, Any]:
    if given is not None:
        return {"sandbox_mode": given, "permission_profile": None}
    if trust is None:
        return {"sandbox_mode": "read-only", "permission_profile": ":read-only"}
    return {"sandbox_mode": "workspace-write", "permission_profile": ":workspace"}
