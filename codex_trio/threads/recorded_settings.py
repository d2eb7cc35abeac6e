"""What a thread was set to last, as its rollout says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from codex_trio.errors import InvalidParamsError
from codex_trio.protocol import permissions
from codex_trio.protocol.structure import camel, structure, unstructure
from codex_trio.threads.rollout_items import snake

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_trio.protocol.permissions import (
        ApprovalsReviewer,
        AskForApproval,
        CollaborationMode,
        Personality,
        ReasoningSummary,
        SandboxPolicy,
    )


@attrs.frozen(kw_only=True)
class RecordedSettings:
    """What holds for the next turn; None where the rollout does not say.

    A ``turn_context`` line says what a turn ran with, and a ``thread_settings_applied`` event
    what the thread has been set to; each has some that the other has not.
    """

    model: str | None = None
    model_provider: str | None = None
    cwd: str | None = None
    workspace_roots: tuple[str, ...] | None = None
    approval_policy: AskForApproval | None = None
    approvals_reviewer: ApprovalsReviewer | None = None
    sandbox: SandboxPolicy | None = None
    permission_profile: str | None = None
    service_tier: str | None = None
    effort: str | None = None
    summary: ReasoningSummary | None = None
    personality: Personality | None = None
    collaboration_mode: CollaborationMode | None = None

    def in_turn(self, payload: Mapping[str, Any]) -> RecordedSettings:
        """Lay over these what a turn ran with."""
        return self._said(payload, effort="effort", summary="summary")

    def applied(self, settings: Mapping[str, Any]) -> RecordedSettings:
        """Lay over these what the thread has been set to."""
        said = self._said(settings, effort="reasoning_effort", summary="reasoning_summary")
        return attrs.evolve(
            said,
            model_provider=_text(settings.get("model_provider_id")) or self.model_provider,
            service_tier=_text(settings.get("service_tier")),
        )

    def _said(self, raw: Mapping[str, Any], effort: str, summary: str) -> RecordedSettings:
        profile = raw.get("active_permission_profile")
        roots = raw.get("runtime_workspace_roots")
        return attrs.evolve(
            self,
            model=_text(raw.get("model")) or self.model,
            cwd=_text(raw.get("cwd")) or self.cwd,
            workspace_roots=tuple(root for root in roots if isinstance(root, str))
            if isinstance(roots, list)
            else self.workspace_roots,
            approval_policy=_read(raw.get("approval_policy"), permissions.AskForApproval)
            or self.approval_policy,
            approvals_reviewer=_read(
                raw.get("approvals_reviewer"), permissions.ApprovalsReviewer
            )
            or self.approvals_reviewer,
            sandbox=_read_sandbox(raw.get("sandbox_policy")) or self.sandbox,
            permission_profile=_text(profile.get("id")) if isinstance(profile, dict) else None,
            effort=_text(raw.get(effort)),
            summary=_read(raw.get(summary), permissions.ReasoningSummary),
            personality=_read(raw.get("personality"), permissions.Personality),
            collaboration_mode=_read(
                raw.get("collaboration_mode"), permissions.CollaborationMode
            )
            or self.collaboration_mode,
        )


def write_sandbox(policy: SandboxPolicy) -> dict[str, Any]:
    """Write a sandbox as rollouts have it: what is usual is left out (observed)."""
    given = {snake(key): value for key, value in unstructure(policy).items()}
    kind = snake(given.pop("type")).replace("_", "-")
    if kind == "workspace-write":
        return {"type": kind, **{key: value for key, value in given.items() if value != []}}
    return {"type": kind, **{key: value for key, value in given.items() if value}}


def _read_sandbox(raw: object) -> SandboxPolicy | None:
    if not isinstance(raw, dict) or not isinstance(raw.get("type"), str):
        return None
    given = {camel(key): value for key, value in raw.items()}
    given["type"] = camel(raw["type"].replace("-", "_"))
    sandbox: SandboxPolicy | None = _read(given, permissions.SandboxPolicy)
    return sandbox


def _read(value: object, kind: Any) -> Any:
    """Read a value of words; None if it is not one."""
    if value is None:
        return None
    try:
        return structure(value, kind)
    except InvalidParamsError:
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
