"""What a turn may do, and how it is to be done."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from attrs import field, frozen

from codex_trio.protocol.words import (
    AS_WRITTEN,
    AbsolutePath,
    ExternallyTagged,
    NotEmpty,
    Tagged,
)

SandboxMode: TypeAlias = Literal["read-only", "workspace-write", "danger-full-access"]


ApprovalsReviewer: TypeAlias = Annotated[
    Literal["user", "auto_review", "guardian_subagent"],
    ExternallyTagged("ApprovalsReviewer", older={"guardian_subagent": "auto_review"}),
]
"""Who is asked; the last name is an older one of the second, and is never said by us."""


Personality: TypeAlias = Literal["none", "friendly", "pragmatic"]


ReasoningSummary: TypeAlias = Literal["auto", "concise", "detailed", "none"]


ModeKind: TypeAlias = Annotated[
    Literal["plan", "default"],
    ExternallyTagged(
        "ModeKind",
        known=("plan", "code", "custom", "default", "execute", "pair_programming"),
        older=dict.fromkeys(("code", "custom", "execute", "pair_programming"), "default"),
    ),
]

ReasoningEffort: TypeAlias = Annotated[str, NotEmpty("reasoning_effort")]
"""How hard to think; every model has names of its own for that."""


NetworkAccess: TypeAlias = Literal["restricted", "enabled"]


@frozen(kw_only=True)
class Granular:
    """What is asked about; the rest is refused without a question."""

    sandbox_approval: bool = field(metadata=AS_WRITTEN)
    rules: bool
    skill_approval: bool = field(default=False, metadata=AS_WRITTEN)
    request_permissions: bool = field(default=False, metadata=AS_WRITTEN)
    mcp_elicitations: bool = field(metadata=AS_WRITTEN)


@frozen(kw_only=True)
class GranularAskForApproval:
    """Ask about some things."""

    granular: Granular


AskForApproval: TypeAlias = Annotated[
    Literal["untrusted", "on-request", "never"] | GranularAskForApproval,
    ExternallyTagged("AskForApproval", known=("untrusted", "on-request", "granular", "never")),
]


@frozen(kw_only=True)
class CustomMultiAgentMode:
    """As somebody has written it down."""

    custom: str


MultiAgentMode: TypeAlias = Annotated[
    CustomMultiAgentMode | Literal["explicitRequestOnly", "proactive"],
    ExternallyTagged(
        "MultiAgentMode",
        known=("none", "custom", "explicitRequestOnly", "proactive"),
        older={"none": "explicitRequestOnly"},
    ),
]


@frozen(kw_only=True)
class DangerFullAccessSandboxPolicy:
    """Nothing is withheld."""

    type: Literal["dangerFullAccess"] = "dangerFullAccess"


@frozen(kw_only=True)
class ReadOnlySandboxPolicy:
    """Files may be read."""

    type: Literal["readOnly"] = "readOnly"
    network_access: bool = False


@frozen(kw_only=True)
class ExternalSandboxSandboxPolicy:
    """Somebody else's sandbox is around everything."""

    type: Literal["externalSandbox"] = "externalSandbox"
    network_access: NetworkAccess = "restricted"


@frozen(kw_only=True)
class WorkspaceWriteSandboxPolicy:
    """Files may be written in the workspace and in some other places."""

    type: Literal["workspaceWrite"] = "workspaceWrite"
    writable_roots: list[AbsolutePath] = field(factory=list)
    network_access: bool = False
    exclude_tmpdir_env_var: bool = False
    exclude_slash_tmp: bool = False


SandboxPolicy: TypeAlias = Annotated[
    DangerFullAccessSandboxPolicy
    | ReadOnlySandboxPolicy
    | ExternalSandboxSandboxPolicy
    | WorkspaceWriteSandboxPolicy,
    Tagged("SandboxPolicy", spoken="SandboxPolicyDeserialize"),
]


@frozen(kw_only=True)
class ActivePermissionProfile:
    """The named set of permissions that is in force."""

    id: str
    extends: str | None = None


@frozen(kw_only=True)
class Settings:
    """What a way of collaborating sets; null keeps what is set."""

    model: str
    reasoning_effort: ReasoningEffort | None = field(default=None, metadata=AS_WRITTEN)
    developer_instructions: str | None = field(default=None, metadata=AS_WRITTEN)


@frozen(kw_only=True)
class CollaborationMode:
    """A way of collaborating with what it sets."""

    mode: ModeKind
    settings: Settings
