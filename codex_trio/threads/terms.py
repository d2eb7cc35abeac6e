"""What a conversation has been set to, from the model to the sandbox."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import attrs

from codex_trio.catalogue.models import MODELS, find_model
from codex_trio.errors import RpcError
from codex_trio.protocol import permissions
from codex_trio.protocol import threads as words
from codex_trio.protocol.words import ABSENT

if TYPE_CHECKING:
    from codex_trio.model import Model
    from codex_trio.protocol.turns import TurnStartParams
    from codex_trio.responses.providers import Provider

READ_ONLY: Final = permissions.ActivePermissionProfile(id=":read-only")
"""The profile that is in force when nobody has chosen a sandbox (observed)."""

CONTEXT_WINDOW: Final = 258_400
"""Tokens that a model can take of which nothing is known (observed)."""

_PROFILES: Final = {
    ":read-only": permissions.ReadOnlySandboxPolicy,
    ":workspace": permissions.WorkspaceWriteSandboxPolicy,
    ":danger-full-access": permissions.DangerFullAccessSandboxPolicy,
}

_TIERS: Final = {"fast": "priority"}  # what a tier is called when it is asked for


@attrs.frozen(kw_only=True)
class Terms:
    """What holds for the turns of a conversation until it is set to something else.

    Args:
        workspace_roots: the folders that belong to the work.
        environments: where tools are to work; None for the folder of the conversation.
        profile: the named permissions in force; None when they have no name.
        effort: how much the model should think; None leaves it to the model.
        summary: how much of that is told; None leaves it to the model.
        base_instructions: instead of those of ours.
        developer_instructions: what the client wants the model told besides.
        instruction_sources: the AGENTS.md files that were found at the beginning.
        models: the models that are known.
        window_override: tokens that the model can take, instead of what is known of it.
        compact_override: with how many tokens a summary is made, instead of the usual share.
        max_instructions: bytes that are read of a project's AGENTS.md files.
        instruction_names: what such a file may be called besides.
        root_markers: what the root of a project has.
        tells_environment: whether a model is told where it works.
        compact_prompt: how a summary is asked for, instead of our way.
    """

    model: str
    provider: Provider
    cwd: str
    workspace_roots: tuple[str, ...]
    environments: tuple[words.ThreadEnvironment, ...] | None = None
    approval_policy: permissions.AskForApproval = "on-request"
    approvals_reviewer: permissions.ApprovalsReviewer = "user"
    sandbox: permissions.SandboxPolicy = attrs.field(factory=permissions.ReadOnlySandboxPolicy)
    profile: permissions.ActivePermissionProfile | None = READ_ONLY
    service_tier: str | None = None
    effort: str | None = None
    summary: permissions.ReasoningSummary | None = None
    verbosity: str | None = None
    personality: permissions.Personality | None = None
    collaboration_mode: permissions.CollaborationMode | None = None
    multi_agent_mode: permissions.MultiAgentMode = "explicitRequestOnly"
    disabled_plugin_ids: tuple[str, ...] = ()
    base_instructions: str | None = attrs.field(default=None, repr=False)
    developer_instructions: str | None = attrs.field(default=None, repr=False)
    instruction_sources: tuple[str, ...] = ()
    models: tuple[Model, ...] = attrs.field(default=MODELS, repr=False)
    window_override: int | None = None
    compact_override: int | None = None
    max_instructions: int | None = None
    instruction_names: tuple[str, ...] = ()
    root_markers: tuple[str, ...] = (".git",)
    tells_environment: bool = True
    compact_prompt: str | None = attrs.field(default=None, repr=False)

    def changed(self, wishes: TurnStartParams | words.ThreadSettingsUpdateParams) -> Terms:
        """Lay over these what a turn, or a client, wants changed from now on."""
        changes = {
            "model": wishes.model,
            "approval_policy": wishes.approval_policy,
            "approvals_reviewer": reviewer(wishes.approvals_reviewer),
            "effort": wishes.effort,
            "summary": wishes.summary,
            "personality": wishes.personality,
            "collaboration_mode": wishes.collaboration_mode,
        }
        changed = attrs.evolve(
            self, **{name: value for name, value in changes.items() if value is not None}
        )
        if (mode := wishes.collaboration_mode) is not None:  # it wins (observed)
            changed = attrs.evolve(
                changed, model=mode.settings.model, effort=mode.settings.reasoning_effort
            )
        if wishes.cwd is not None:
            cwd = os.path.abspath(os.path.join(self.cwd, wishes.cwd))
            roots = tuple(cwd if root == self.cwd else root for root in self.workspace_roots)
            changed = attrs.evolve(changed, cwd=cwd, workspace_roots=roots)
        if wishes.sandbox_policy is not None and wishes.sandbox_policy != self.sandbox:
            profile = None
            if isinstance(wishes.sandbox_policy, permissions.ReadOnlySandboxPolicy):
                profile = self.profile
            changed = attrs.evolve(changed, sandbox=wishes.sandbox_policy, profile=profile)
        if wishes.permissions is not None:
            if wishes.sandbox_policy is not None:
                raise RpcError.invalid_request(
                    "`permissions` cannot be combined with `sandboxPolicy`"
                )
            changed = attrs.evolve(changed, **named_sandbox(wishes.permissions))
        if wishes.disabled_plugin_ids is not None:
            changed = attrs.evolve(
                changed, disabled_plugin_ids=tuple(wishes.disabled_plugin_ids)
            )
        if wishes.service_tier is not ABSENT:
            chosen = tier(wishes.service_tier) or "default"  # null (observed)
            changed = attrs.evolve(changed, service_tier=chosen)
        return changed

    @property
    def known_model(self) -> Model | None:
        """What is known of the model, if anything is."""
        return find_model(self.model, self.models)

    @property
    def summary_asked(self) -> permissions.ReasoningSummary:
        """How much the model is asked to tell of what it thinks."""
        return self.summary or ("auto" if self.known_model is None else "none")

    @property
    def context_window(self) -> int:
        """Tokens that the model can take."""
        if self.window_override is not None:
            return self.window_override
        known = self.known_model
        return CONTEXT_WINDOW if known is None else known.usable_window

    @property
    def compact_limit(self) -> int:
        """With how many tokens a summary is made."""
        if self.compact_override is not None:
            return self.compact_override
        return self.context_window * 9 // 10

    @property
    def mode(self) -> permissions.CollaborationMode:
        """The way of collaborating: the usual one, unless another has been chosen."""
        settings = permissions.Settings(model=self.model, reasoning_effort=self.effort)
        if (chosen := self.collaboration_mode) is None:
            return permissions.CollaborationMode(mode="default", settings=settings)
        told = chosen.settings.developer_instructions
        return attrs.evolve(
            chosen, settings=attrs.evolve(settings, developer_instructions=told)
        )

    def words(self) -> words.ThreadSettings:
        """Say them as followers are told."""
        return words.ThreadSettings(
            disabled_plugin_ids=list(self.disabled_plugin_ids),
            cwd=self.cwd,
            approval_policy=self.approval_policy,
            approvals_reviewer=self.approvals_reviewer,
            sandbox_policy=self.sandbox,
            active_permission_profile=self.profile,
            model=self.model,
            model_provider=self.provider.id,
            service_tier=self.service_tier,
            effort=self.effort,
            summary=self.summary,
            collaboration_mode=self.mode,
            multi_agent_mode=self.multi_agent_mode,
            personality=self.personality,
        )


def named_sandbox(name: str) -> dict[str, Any]:
    """Say which sandbox a permission profile stands for, and which profile that is.

    Raises:
        RpcError: there is no such profile.
    """
    if (make := _PROFILES.get(name)) is None:
        raise RpcError.invalid_request(
            "failed to load configuration: default_permissions refers to unknown built-in"
            f" profile `{name}`"
        )
    return {"sandbox": make(), "profile": permissions.ActivePermissionProfile(id=name)}


def tier(given: str | None) -> str | None:
    """Name a service tier as it is asked for."""
    return None if given is None else _TIERS.get(given, given)


def reviewer(given: permissions.ApprovalsReviewer | None) -> Any:
    """Name who reviews by the newer of two names."""
    return "auto_review" if given == "guardian_subagent" else given
