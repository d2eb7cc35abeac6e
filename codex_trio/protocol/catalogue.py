"""Words of what can be had: skills, hooks, MCP servers, apps, plugins, Bedrock."""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import field, frozen

from codex_trio.protocol.as_it_came import (
    AppInfo,
    HookMetadata,
    MarketplaceLoadErrorInfo,
    McpServerInfo,
    PluginMarketplaceEntry,
    Resource,
    ResourceTemplate,
    Tool,
)
from codex_trio.protocol.permissions import ModeKind
from codex_trio.protocol.words import AS_WRITTEN, LEFT_OUT, U32, AbsolutePath, PathText

SkillScope: TypeAlias = Literal["user", "repo", "system", "admin"]


@frozen(kw_only=True)
class SkillsListParams:
    """Which skills are there in these folders, and should they be read again?"""

    cwds: list[PathText] = field(factory=list)
    force_reload: bool = False


@frozen(kw_only=True)
class SkillInterface:
    """How a skill is shown."""

    display_name: str | None = field(default=None, metadata=LEFT_OUT)
    short_description: str | None = field(default=None, metadata=LEFT_OUT)
    icon_small: str | None = field(default=None, metadata=LEFT_OUT)
    icon_large: str | None = field(default=None, metadata=LEFT_OUT)
    icon_small_url: str | None = None
    icon_large_url: str | None = None
    brand_color: str | None = field(default=None, metadata=LEFT_OUT)
    default_prompt: str | None = field(default=None, metadata=LEFT_OUT)


@frozen(kw_only=True)
class SkillToolDependency:
    """A tool that a skill needs."""

    type: str
    value: str
    description: str | None = field(default=None, metadata=LEFT_OUT)
    transport: str | None = field(default=None, metadata=LEFT_OUT)
    command: str | None = field(default=None, metadata=LEFT_OUT)
    url: str | None = field(default=None, metadata=LEFT_OUT)


@frozen(kw_only=True)
class SkillDependencies:
    """What a skill needs."""

    tools: list[SkillToolDependency]


@frozen(kw_only=True)
class SkillMetadata:
    """A skill."""

    name: str
    description: str
    short_description: str | None = field(default=None, metadata=LEFT_OUT)
    interface: SkillInterface | None = field(default=None, metadata=LEFT_OUT)
    dependencies: SkillDependencies | None = field(default=None, metadata=LEFT_OUT)
    path: str
    scope: SkillScope
    enabled: bool
    plugin_id: str | None = None


@frozen(kw_only=True)
class SkillErrorInfo:
    """A skill that cannot be read."""

    path: str
    message: str


@frozen(kw_only=True)
class SkillsListEntry:
    """The skills of one folder."""

    cwd: str
    skills: list[SkillMetadata]
    errors: list[SkillErrorInfo]


@frozen(kw_only=True)
class SkillsListResponse:
    """The skills, folder by folder."""

    data: list[SkillsListEntry]


@frozen(kw_only=True)
class SkillsChangedNotification:
    """There are other skills than before."""


@frozen(kw_only=True)
class HooksListParams:
    """Which hooks are there in these folders?"""

    cwds: list[PathText] = field(factory=list)


@frozen(kw_only=True)
class HookErrorInfo:
    """A hook that cannot be read."""

    path: str
    message: str


@frozen(kw_only=True)
class HooksListEntry:
    """The hooks of one folder."""

    cwd: str
    hooks: list[HookMetadata]
    warnings: list[str]
    errors: list[HookErrorInfo]


@frozen(kw_only=True)
class HooksListResponse:
    """The hooks, folder by folder."""

    data: list[HooksListEntry]


McpServerStatusDetail: TypeAlias = Literal["full", "toolsAndAuthOnly"]


McpServerConnectionStatus: TypeAlias = Literal[
    "notStarted",
    "starting",
    "connected",
    "authenticationRequired",
    "failed",
    "cancelled",
    "disabled",
]


McpAuthStatus: TypeAlias = Literal[
    "unknown", "unsupported", "notLoggedIn", "bearerToken", "oAuth"
]


@frozen(kw_only=True)
class ListMcpServerStatusParams:
    """Which page of the MCP servers, with how much of what they offer."""

    cursor: str | None = None
    limit: U32 | None = None
    detail: McpServerStatusDetail | None = None
    thread_id: str | None = None
    server_name: str | None = None


@frozen(kw_only=True)
class McpServerStatus:
    """An MCP server and what it offers."""

    name: str
    runtime_status: McpServerConnectionStatus | None = None
    plugin_id: str | None = None
    http_origin: str | None = None
    server_info: McpServerInfo | None = None
    server_capabilities: object = None
    tools: dict[str, Tool]
    tools_error: str | None = None
    resources: list[Resource]
    resource_templates: list[ResourceTemplate]
    auth_status: McpAuthStatus


@frozen(kw_only=True)
class ListMcpServerStatusResponse:
    """Some MCP servers."""

    data: list[McpServerStatus]
    next_cursor: str | None = None


@frozen(kw_only=True)
class McpServerRefreshResponse:
    """They will be started anew."""


@frozen(kw_only=True)
class CollaborationModeListParams:
    """Which ways of collaborating are there?"""


@frozen(kw_only=True)
class CollaborationModeMask:
    """A way of collaborating, with what it sets; what is left out is kept."""

    name: str
    mode: ModeKind | None = None
    model: str | None = None
    reasoning_effort: str | None = field(default=None, metadata=AS_WRITTEN)


@frozen(kw_only=True)
class CollaborationModeListResponse:
    """They."""

    data: list[CollaborationModeMask]


@frozen(kw_only=True)
class AppsListParams:
    """Which page of the apps."""

    cursor: str | None = None
    limit: U32 | None = None
    thread_id: str | None = None
    force_refetch: bool = False


@frozen(kw_only=True)
class AppsListResponse:
    """Some apps."""

    data: list[AppInfo]
    next_cursor: str | None = None


@frozen(kw_only=True)
class AppsInstalledParams:
    """Which apps are installed?"""

    thread_id: str | None = None
    force_refresh: bool = False


@frozen(kw_only=True)
class InstalledApp:
    """An app that is installed."""

    id: str
    enabled: bool
    callable: bool
    runtime_name: str | None = None


@frozen(kw_only=True)
class AppsInstalledResponse:
    """They."""

    apps: list[InstalledApp]


@frozen(kw_only=True)
class BedrockCheckGovCloudRequirementsParams:
    """Does what AWS asks of users of GovCloud have to be thought of?"""


@frozen(kw_only=True)
class BedrockCheckGovCloudRequirementsResponse:
    """Whether models are AWS's, in GovCloud, and whether something is amiss there."""

    is_gov_cloud: bool
    should_warn: bool


PluginListMarketplaceKind: TypeAlias = Literal[
    "local", "vertical", "workspace-directory", "shared-with-me", "created-by-me-remote"
]


@frozen(kw_only=True)
class PluginListParams:
    """Which plugins can be had?"""

    cwds: list[AbsolutePath] | None = None
    marketplace_kinds: list[PluginListMarketplaceKind] | None = None
    force_refetch: bool = False


@frozen(kw_only=True)
class PluginListResponse:
    """They, marketplace by marketplace."""

    marketplaces: list[PluginMarketplaceEntry]
    marketplace_load_errors: list[MarketplaceLoadErrorInfo] = field(factory=list)
    featured_plugin_ids: list[str] = field(factory=list)


@frozen(kw_only=True)
class PluginInstalledParams:
    """Which plugins are installed?"""

    cwds: list[AbsolutePath] | None = None
    install_suggestion_plugin_names: list[str] | None = None


@frozen(kw_only=True)
class PluginInstalledResponse:
    """They, marketplace by marketplace."""

    marketplaces: list[PluginMarketplaceEntry]
    marketplace_load_errors: list[MarketplaceLoadErrorInfo] = field(factory=list)


RemoteControlConnectionStatus: TypeAlias = Literal[
    "disabled", "connecting", "connected", "errored"
]


@frozen(kw_only=True)
class RemoteControlStatusReadResponse:
    """Whether the server can be reached from afar."""

    status: RemoteControlConnectionStatus
    server_name: str
    installation_id: str
    environment_id: str | None = None


@frozen(kw_only=True)
class RemoteControlStatusChangedNotification:
    """That has changed."""

    status: RemoteControlConnectionStatus
    server_name: str
    installation_id: str
    environment_id: str | None = None
