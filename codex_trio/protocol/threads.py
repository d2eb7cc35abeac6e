"""Words of a thread: how it begins, goes on, is copied, and is set."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from attrs import field, frozen

from codex_trio.protocol.as_it_came import (
    DynamicToolSpec,
    ResponseItem,
    SelectedCapabilityRoot,
    SessionSource,
    ThreadExtra,
)
from codex_trio.protocol.permissions import (
    ActivePermissionProfile,
    ApprovalsReviewer,
    AskForApproval,
    CollaborationMode,
    MultiAgentMode,
    Personality,
    ReasoningEffort,
    ReasoningSummary,
    SandboxMode,
    SandboxPolicy,
)
from codex_trio.protocol.turns import Turn, TurnEnvironmentParams, TurnItemsView
from codex_trio.protocol.words import ABSENT, U32, Absent, AbsolutePath, PathText, Tagged

SortDirection: TypeAlias = Literal["asc", "desc"]


ThreadHistoryMode: TypeAlias = Literal["legacy", "paginated"]


ThreadStartSource: TypeAlias = Literal["startup", "clear"]


ThreadActiveFlag: TypeAlias = Literal["waitingOnApproval", "waitingOnUserInput"]


@frozen(kw_only=True)
class ThreadEnvironment:
    """A place where the tools of a thread work."""

    environment_id: str
    cwd: str
    runtime_workspace_roots: list[str]


@frozen(kw_only=True)
class ThreadSectionAppearance:
    """How a section is shown."""

    icon: str | None = None
    color: str | None = None


@frozen(kw_only=True)
class ThreadSection:
    """One of the sections into which a user has put threads."""

    id: str
    name: str
    appearance: ThreadSectionAppearance | None = None


@frozen(kw_only=True)
class GitInfo:
    """Where a thread stood in a git repository when it began."""

    sha: str | None = None
    branch: str | None = None
    origin_url: str | None = None


@frozen(kw_only=True)
class NotLoadedThreadStatus:
    """It is on the disk alone."""

    type: Literal["notLoaded"] = "notLoaded"


@frozen(kw_only=True)
class IdleThreadStatus:
    """It waits for a turn."""

    type: Literal["idle"] = "idle"


@frozen(kw_only=True)
class SystemErrorThreadStatus:
    """Its last turn has failed."""

    type: Literal["systemError"] = "systemError"


@frozen(kw_only=True)
class ActiveThreadStatus:
    """A turn is under way."""

    type: Literal["active"] = "active"
    active_flags: list[ThreadActiveFlag]


ThreadStatus: TypeAlias = Annotated[
    NotLoadedThreadStatus | IdleThreadStatus | SystemErrorThreadStatus | ActiveThreadStatus,
    Tagged("ThreadStatus"),
]


@frozen(kw_only=True)
class Thread:
    """A conversation; times are in seconds of Unix time."""

    id: str
    environments: list[ThreadEnvironment] | None = None
    extra: ThreadExtra | None = None
    session_id: str
    forked_from_id: str | None = None
    parent_thread_id: str | None = None
    preview: str
    ephemeral: bool
    section: ThreadSection | None = None
    section_entered_at: int | None = None
    project_id: str | None
    history_mode: ThreadHistoryMode = "legacy"
    model_provider: str
    model: str | None = None
    reasoning_effort: str | None = None
    created_at: int
    updated_at: int
    recency_at: int | None = None
    status: ThreadStatus
    path: str | None = None
    cwd: str
    cli_version: str
    originator: str | None = None
    source: SessionSource
    can_accept_direct_input: bool | None = None
    thread_source: str | None = None
    agent_nickname: str | None = None
    agent_role: str | None = None
    git_info: GitInfo | None = None
    name: str | None = None
    daybreak_enabled: bool | None = None
    turns: list[Turn]


@frozen(kw_only=True)
class ThreadStartParams:
    """Begin a thread."""

    model: str | None = None
    model_provider: str | None = None
    allow_provider_model_fallback: bool = False
    service_tier: str | Absent | None = ABSENT
    cwd: str | None = None
    runtime_workspace_roots: list[AbsolutePath] | None = None
    approval_policy: AskForApproval | None = None
    approvals_reviewer: ApprovalsReviewer | None = None
    sandbox: SandboxMode | None = None
    permissions: str | None = None
    config: dict[str, object] | None = None
    service_name: str | None = None
    base_instructions: str | None = None
    developer_instructions: str | None = None
    personality: Personality | None = None
    multi_agent_mode: MultiAgentMode | None = None
    ephemeral: bool | None = None
    history_mode: ThreadHistoryMode | None = None
    session_start_source: ThreadStartSource | None = None
    thread_source: str | None = None
    project_id: str | None = None
    daybreak_enabled: bool | None = None
    environments: list[TurnEnvironmentParams] | None = None
    dynamic_tools: list[DynamicToolSpec] | None = None
    selected_capability_roots: list[SelectedCapabilityRoot] | None = None
    mock_experimental_field: str | None = None
    experimental_raw_events: bool = False


@frozen(kw_only=True)
class ThreadStartResponse:
    """The thread, and what it has been set to."""

    thread: Thread
    model: str
    model_provider: str
    service_tier: str | None = None
    disabled_plugin_ids: list[str] = field(factory=list)
    cwd: str
    runtime_workspace_roots: list[str] = field(factory=list)
    instruction_sources: list[str] = field(factory=list)
    approval_policy: AskForApproval
    approvals_reviewer: ApprovalsReviewer
    sandbox: SandboxPolicy
    active_permission_profile: ActivePermissionProfile | None = None
    reasoning_effort: str | None = None
    multi_agent_mode: MultiAgentMode = "explicitRequestOnly"


@frozen(kw_only=True)
class ThreadResumeInitialTurnsPageParams:
    """Which turns should come with the answer."""

    limit: U32 | None = None
    sort_direction: SortDirection | None = None
    items_view: TurnItemsView | None = None


@frozen(kw_only=True)
class ThreadResumeParams:
    """Go on with a thread, which ``path`` names if it is given, and else its id."""

    thread_id: str
    history: list[ResponseItem] | None = None
    path: PathText | None = None
    model: str | None = None
    model_provider: str | None = None
    service_tier: str | Absent | None = ABSENT
    cwd: str | None = None
    runtime_workspace_roots: list[AbsolutePath] | None = None
    approval_policy: AskForApproval | None = None
    approvals_reviewer: ApprovalsReviewer | None = None
    sandbox: SandboxMode | None = None
    permissions: str | None = None
    config: dict[str, object] | None = None
    base_instructions: str | None = None
    developer_instructions: str | None = None
    personality: Personality | None = None
    exclude_turns: bool = False
    initial_turns_page: ThreadResumeInitialTurnsPageParams | None = None


@frozen(kw_only=True)
class TurnsPage:
    """Some turns, and where those before and behind them begin."""

    data: list[Turn]
    next_cursor: str | None = None
    backwards_cursor: str | None = None


@frozen(kw_only=True)
class ThreadResumeResponse:
    """The thread, what it has been set to, and where its past can be read."""

    thread: Thread
    model: str
    model_provider: str
    service_tier: str | None = None
    disabled_plugin_ids: list[str] = field(factory=list)
    cwd: str
    runtime_workspace_roots: list[str] = field(factory=list)
    instruction_sources: list[str] = field(factory=list)
    approval_policy: AskForApproval
    approvals_reviewer: ApprovalsReviewer
    sandbox: SandboxPolicy
    active_permission_profile: ActivePermissionProfile | None = None
    reasoning_effort: str | None = None
    collaboration_mode: CollaborationMode | None = None
    multi_agent_mode: MultiAgentMode = "explicitRequestOnly"
    initial_turns_page: TurnsPage | None = None
    turns_backwards_cursor: str | None = None
    items_backwards_cursor: str | None = None


@frozen(kw_only=True)
class ThreadForkParams:
    """Begin a thread with the past of another one."""

    thread_id: str
    experimental_prediction_mode: bool = False
    last_turn_id: str | None = None
    before_turn_id: str | None = None
    path: PathText | None = None
    model: str | None = None
    model_provider: str | None = None
    service_tier: str | Absent | None = ABSENT
    cwd: str | None = None
    runtime_workspace_roots: list[AbsolutePath] | None = None
    approval_policy: AskForApproval | None = None
    approvals_reviewer: ApprovalsReviewer | None = None
    sandbox: SandboxMode | None = None
    permissions: str | None = None
    config: dict[str, object] | None = None
    base_instructions: str | None = None
    developer_instructions: str | None = None
    ephemeral: bool = False
    thread_source: str | None = None
    exclude_turns: bool = False
    defer_goal_continuation: bool = False


@frozen(kw_only=True)
class ThreadForkResponse:
    """The new thread, and what it has been set to."""

    thread: Thread
    model: str
    model_provider: str
    service_tier: str | None = None
    disabled_plugin_ids: list[str] = field(factory=list)
    cwd: str
    runtime_workspace_roots: list[str] = field(factory=list)
    instruction_sources: list[str] = field(factory=list)
    approval_policy: AskForApproval
    approvals_reviewer: ApprovalsReviewer
    sandbox: SandboxPolicy
    active_permission_profile: ActivePermissionProfile | None = None
    reasoning_effort: str | None = None
    multi_agent_mode: MultiAgentMode = "explicitRequestOnly"


@frozen(kw_only=True)
class ThreadSettingsUpdateParams:
    """Set what holds for the turns that come."""

    thread_id: str
    disabled_plugin_ids: list[str] | None = None
    cwd: PathText | None = None
    approval_policy: AskForApproval | None = None
    approvals_reviewer: ApprovalsReviewer | None = None
    sandbox_policy: SandboxPolicy | None = None
    permissions: str | None = None
    model: str | None = None
    service_tier: str | Absent | None = ABSENT
    effort: ReasoningEffort | None = None
    summary: ReasoningSummary | None = None
    collaboration_mode: CollaborationMode | None = None
    multi_agent_mode: MultiAgentMode | None = None
    personality: Personality | None = None


@frozen(kw_only=True)
class ThreadSettingsUpdateResponse:
    """It is set."""


@frozen(kw_only=True)
class ThreadSettings:
    """What a thread has been set to."""

    disabled_plugin_ids: list[str] = field(factory=list)
    cwd: str
    approval_policy: AskForApproval
    approvals_reviewer: ApprovalsReviewer
    sandbox_policy: SandboxPolicy
    active_permission_profile: ActivePermissionProfile | None = None
    model: str
    model_provider: str
    service_tier: str | None = None
    effort: str | None = None
    summary: ReasoningSummary | None = None
    collaboration_mode: CollaborationMode
    multi_agent_mode: MultiAgentMode = "explicitRequestOnly"
    personality: Personality | None = None
