"""Words of turn/*, and of what is told while a turn is under way."""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import field, frozen

from codex_trio.protocol.as_it_came import CodexErrorInfo, FunctionCallOutputBody
from codex_trio.protocol.items import ThreadItem, UserInput
from codex_trio.protocol.permissions import (
    ApprovalsReviewer,
    AskForApproval,
    CollaborationMode,
    MultiAgentMode,
    Personality,
    ReasoningEffort,
    ReasoningSummary,
    SandboxPolicy,
)
from codex_trio.protocol.words import ABSENT, LEFT_OUT, Absent, AbsolutePath, PathText

TurnStatus: TypeAlias = Literal["completed", "interrupted", "failed", "inProgress"]


TurnItemsView: TypeAlias = Literal["notLoaded", "summary", "full"]


CyberAccessProgram: TypeAlias = Literal["standard", "daybreakBlue", "daybreakRed"]


AdditionalContextKind: TypeAlias = Literal["untrusted", "application"]


@frozen(kw_only=True)
class MisalignmentSteer:
    """What the model would have to be told."""

    message: str


@frozen(kw_only=True)
class MisalignmentErrorDetails:
    """Why a host does not let the model go on."""

    error_type: str | None = None
    detailed_explanation: str | None = None
    steer: MisalignmentSteer | None = None
    review_target: str | None = field(default=None, metadata=LEFT_OUT)


@frozen(kw_only=True)
class TurnError:
    """Why a turn has failed, or is being tried again."""

    message: str
    codex_error_info: CodexErrorInfo | None = None
    additional_details: str | None = None
    misalignment: MisalignmentErrorDetails | None = None


@frozen(kw_only=True)
class Turn:
    """One turn, with as many of its items as ``items_view`` says; times are in seconds of Unix time."""

    id: str
    root_turn_id: str | None = None
    items: list[ThreadItem]
    items_view: TurnItemsView = "full"
    status: TurnStatus
    error: TurnError | None = None
    started_at: int | None = None
    completed_at: int | None = None
    duration_ms: int | None = None


@frozen(kw_only=True)
class TurnEnvironmentParams:
    """A place where the tools of a turn work."""

    environment_id: str
    cwd: str
    runtime_workspace_roots: list[str] | None = None


@frozen(kw_only=True)
class TurnToolOutput:
    """The output of a tool that the client has run, as the start of a turn."""

    name: str
    namespace: str | None = None
    output: FunctionCallOutputBody
    retain: bool = False


@frozen(kw_only=True)
class AdditionalContextEntry:
    """Something that the model is told beside the input, and how far it is to be believed."""

    value: str
    kind: AdditionalContextKind


@frozen(kw_only=True)
class TurnStartParams:
    """Say something to the model; what is set here holds for later turns as well."""

    thread_id: str
    disabled_plugin_ids: list[str] | None = None
    client_user_message_id: str | None = None
    input: list[UserInput]
    turn_trigger: str | None = None
    parent_turn_id: str | None = None
    root_turn_id: str | None = None
    tool_output: TurnToolOutput | None = None
    responsesapi_client_metadata: dict[str, str] | None = None
    additional_context: dict[str, AdditionalContextEntry] | None = None
    environments: list[TurnEnvironmentParams] | None = None
    cwd: PathText | None = None
    runtime_workspace_roots: list[AbsolutePath] | None = None
    approval_policy: AskForApproval | None = None
    approvals_reviewer: ApprovalsReviewer | None = None
    sandbox_policy: SandboxPolicy | None = None
    permissions: str | None = None
    model: str | None = None
    service_tier: str | Absent | None = ABSENT
    service_tier_for_turn: str | None = None
    effort: ReasoningEffort | None = None
    summary: ReasoningSummary | None = None
    personality: Personality | None = None
    output_schema: object = None
    collaboration_mode: CollaborationMode | None = None
    multi_agent_mode: MultiAgentMode | None = None
    cyber_access_program: CyberAccessProgram | None = None


@frozen(kw_only=True)
class TurnStartResponse:
    """The turn has begun."""

    turn: Turn


@frozen(kw_only=True)
class TurnSteerParams:
    """Say something more to a turn that is under way."""

    thread_id: str
    client_user_message_id: str | None = None
    input: list[UserInput]
    responsesapi_client_metadata: dict[str, str] | None = None
    additional_context: dict[str, AdditionalContextEntry] | None = None
    expected_turn_id: str


@frozen(kw_only=True)
class TurnSteerResponse:
    """It will be said."""

    turn_id: str


@frozen(kw_only=True)
class TurnInterruptParams:
    """End a turn now."""

    thread_id: str
    turn_id: str


@frozen(kw_only=True)
class TurnInterruptResponse:
    """It has ended."""


@frozen(kw_only=True)
class TurnStartedNotification:
    """A turn has begun."""

    thread_id: str
    turn: Turn


@frozen(kw_only=True)
class TurnCompletedNotification:
    """A turn has ended, in one way or another."""

    thread_id: str
    turn: Turn


@frozen(kw_only=True)
class ErrorNotification:
    """Something has gone wrong in a turn, which ends, or is tried again."""

    error: TurnError
    will_retry: bool
    thread_id: str
    turn_id: str


TurnPlanStepStatus: TypeAlias = Literal["pending", "inProgress", "completed"]


@frozen(kw_only=True)
class TurnPlanStep:
    """One step of a plan."""

    step: str
    status: TurnPlanStepStatus


@frozen(kw_only=True)
class TurnPlanUpdatedNotification:
    """The plan of a turn has changed."""

    thread_id: str
    turn_id: str
    explanation: str | None = None
    plan: list[TurnPlanStep]


@frozen(kw_only=True)
class TurnDiffUpdatedNotification:
    """What a turn has changed in files, as one unified diff."""

    thread_id: str
    turn_id: str
    diff: str


@frozen(kw_only=True)
class ContextCompactedNotification:
    """The model knows a summary of what was said before."""

    thread_id: str
    turn_id: str


@frozen(kw_only=True)
class ModelReroutedNotification:
    """Another model answers than the one that was asked."""

    thread_id: str
    turn_id: str
    from_model: str
    to_model: str
    reason: Literal["highRiskCyberActivity"]


@frozen(kw_only=True)
class AuthRecoveryNotification:
    """The credentials were refused, and new ones are sought; or have been found."""

    thread_id: str
    turn_id: str
    provider: str
    message: str
