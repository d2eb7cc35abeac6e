"""Which terms a conversation begins with.

What the client asks for counts before what is recorded, and that before what is configured.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from codex_trio.catalogue.known import KnownModels
from codex_trio.catalogue.models import default_model
from codex_trio.errors import ConfigError, RpcError
from codex_trio.protocol import permissions
from codex_trio.protocol import threads as words
from codex_trio.protocol.structure import structure
from codex_trio.protocol.words import ABSENT
from codex_trio.responses.providers import find_provider
from codex_trio.threads.terms import Terms, reviewer, tier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_trio.configuration.choices import ThreadDefaults
    from codex_trio.configuration.reading import Configuration
    from codex_trio.protocol.threads import (
        ThreadForkParams,
        ThreadResumeParams,
        ThreadStartParams,
    )
    from codex_trio.settings import Settings
    from codex_trio.threads.recorded_settings import RecordedSettings

Wishes: TypeAlias = "ThreadStartParams | ThreadResumeParams | ThreadForkParams"

_MODES: Final = {
    ":read-only": "read-only",
    ":workspace": "workspace-write",
    ":danger-full-access": "danger-full-access",
}


async def choose_terms(
    settings: Settings,
    configuration: Configuration,
    wishes: Wishes,
    recorded: RecordedSettings | None = None,
) -> Terms:
    """Choose the terms of a conversation that begins, or goes on.

    Raises:
        RpcError: what is asked for, or what is configured, cannot be.
    """
    if (project := getattr(wishes, "project_id", None)) is not None:
        raise RpcError.invalid_request(f"project not found: {project}")
    if wishes.permissions is not None and wishes.sandbox is not None:
        raise RpcError.invalid_request("`permissions` cannot be combined with `sandbox`")
    cwd = _folder(wishes.cwd or (recorded and recorded.cwd) or ".")
    try:
        effective = await configuration.read(cwd, wishes.config)
        defaults = effective.defaults
        name = (
            wishes.model_provider
            or (recorded and recorded.model_provider)
            or defaults.model_provider
        )
        provider = find_provider(name, effective.table, settings)
        models = await KnownModels(settings).read(defaults.model_catalog_json)
    except ConfigError as error:
        raise RpcError.invalid_request(
            f"failed to load configuration: {error.reason}"
        ) from None
    model = (
        wishes.model
        or (recorded and recorded.model)
        or defaults.model
        or default_model(models).id
    )
    terms = Terms(
        model=model,
        models=models,
        provider=provider,
        cwd=cwd,
        workspace_roots=(cwd,),
        approval_policy=_policy(defaults.approval_policy),
        approvals_reviewer=reviewer(defaults.approvals_reviewer),
        service_tier=defaults.service_tier,
        effort=defaults.effort,
        summary=defaults.summary,
        verbosity=defaults.verbosity,
        personality=defaults.personality,
        base_instructions=defaults.base_instructions,
        developer_instructions=defaults.developer_instructions,
        window_override=defaults.context_window,
        compact_override=defaults.auto_compact_token_limit,
        max_instructions=defaults.project_doc_max_bytes,
        instruction_names=defaults.project_doc_fallback_filenames,
        root_markers=defaults.project_root_markers,
        tells_environment=defaults.include_environment_context,
        compact_prompt=defaults.compact_prompt,
        **_sandbox(wishes, defaults, recorded),
    )
    if recorded is not None:
        terms = _recalled(terms, recorded)
    return _wished(terms, wishes)


def _recalled(terms: Terms, recorded: RecordedSettings) -> Terms:
    """Lay over these what the conversation was set to last."""
    known: dict[str, Any] = {
        "approval_policy": recorded.approval_policy,
        "approvals_reviewer": recorded.approvals_reviewer,
        "service_tier": recorded.service_tier,
        "effort": recorded.effort,
        "summary": recorded.summary,
        "personality": recorded.personality,
        "collaboration_mode": recorded.collaboration_mode,
        "workspace_roots": recorded.workspace_roots,
    }
    return attrs.evolve(
        terms, **{name: value for name, value in known.items() if value is not None}
    )


def _wished(terms: Terms, wishes: Wishes) -> Terms:
    """Lay over these what the client asks for."""
    asked: dict[str, Any] = {
        "approval_policy": wishes.approval_policy,
        "approvals_reviewer": reviewer(wishes.approvals_reviewer),
        "base_instructions": wishes.base_instructions,
        "developer_instructions": wishes.developer_instructions,
        "personality": getattr(wishes, "personality", None),
    }
    if wishes.service_tier is not ABSENT:
        asked["service_tier"] = tier(wishes.service_tier) or "default"  # null (observed)
    if wishes.config and isinstance(effort := wishes.config.get("model_reasoning_effort"), str):
        asked["effort"] = effort
    if wishes.runtime_workspace_roots is not None:
        asked["workspace_roots"] = _roots(wishes.runtime_workspace_roots, terms.cwd)
    elif wishes.cwd is not None or terms.workspace_roots == (terms.cwd,):
        asked["workspace_roots"] = (terms.cwd, *_writable(terms.sandbox))
    if (places := _environments(wishes)) is not None:
        roots = [root for place in places for root in place.runtime_workspace_roots]
        asked.update(environments=places, workspace_roots=tuple(roots))
    return attrs.evolve(
        terms, **{name: value for name, value in asked.items() if value is not None}
    )


def _environments(wishes: Wishes) -> tuple[words.ThreadEnvironment, ...] | None:
    """Read where tools are to work: nowhere, or in a folder here (observed)."""
    if (given := getattr(wishes, "environments", None)) is None:
        return None
    for place in given:
        if place.environment_id != "local":
            raise RpcError.invalid_request(
                f"unknown turn environment id `{place.environment_id}`"
            )
    return tuple(
        words.ThreadEnvironment(
            environment_id=place.environment_id,
            cwd=place.cwd,
            runtime_workspace_roots=list(place.runtime_workspace_roots or [place.cwd]),
        )
        for place in given
    )


def _sandbox(
    wishes: Wishes, defaults: ThreadDefaults, recorded: RecordedSettings | None
) -> dict[str, Any]:
    named = wishes.permissions
    if named is None and wishes.sandbox is None and recorded is not None:
        named = recorded.permission_profile
    if named is not None:
        if named not in _MODES:
            raise RpcError.invalid_request(
                "failed to load configuration: default_permissions refers to unknown built-in"
                f" profile `{named}`"
            )
        mode, profile = _MODES[named], permissions.ActivePermissionProfile(id=named)
        return {"sandbox": _policy_of(mode, defaults), "profile": profile}
    if wishes.sandbox is not None:
        return {"sandbox": _policy_of(wishes.sandbox, defaults), "profile": None}
    default = defaults.permission_profile
    return {
        "sandbox": _policy_of(defaults.sandbox_mode, defaults),
        "profile": None if default is None else permissions.ActivePermissionProfile(id=default),
    }


def _policy_of(mode: str, defaults: ThreadDefaults) -> permissions.SandboxPolicy:
    if mode == "danger-full-access":
        return permissions.DangerFullAccessSandboxPolicy()
    if mode == "read-only":
        return permissions.ReadOnlySandboxPolicy()
    given = defaults.sandbox_workspace_write
    return permissions.WorkspaceWriteSandboxPolicy(
        writable_roots=list(given.get("writable_roots") or ()),
        network_access=bool(given.get("network_access")),
        exclude_tmpdir_env_var=bool(given.get("exclude_tmpdir_env_var")),
        exclude_slash_tmp=bool(given.get("exclude_slash_tmp")),
    )


def _policy(given: object) -> permissions.AskForApproval:
    policy: permissions.AskForApproval = structure(given, permissions.AskForApproval)
    return policy


def _writable(sandbox: permissions.SandboxPolicy) -> Sequence[str]:
    if isinstance(sandbox, permissions.WorkspaceWriteSandboxPolicy):
        return sandbox.writable_roots
    return ()


def _roots(roots: Sequence[str], cwd: str) -> tuple[str, ...]:
    return tuple(os.path.abspath(os.path.join(cwd, root)) for root in roots)


def _folder(path: str) -> str:
    try:
        return os.path.abspath(path)
    except OSError:
        raise RpcError.invalid_request("the working directory does not exist") from None
