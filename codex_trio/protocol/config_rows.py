"""Rows of the configuration, of models, and of what can be had; their words are imported late."""

from __future__ import annotations

from typing import Final

from codex_trio import protocol as words
from codex_trio.protocol.lanes import (
    ACCOUNT,
    CONFIG,
    CONFIG_SHARED,
    MCP_REGISTRY,
    REMOTE_CONTROL_SHARED,
)
from codex_trio.protocol.rows import ClientRequest, ServerNotification

SKILLS_LIST: Final = ClientRequest(
    "skills/list",
    words=lambda: (words.catalogue.SkillsListParams, words.catalogue.SkillsListResponse),
    lane=CONFIG_SHARED,
)
HOOKS_LIST: Final = ClientRequest(
    "hooks/list",
    words=lambda: (words.catalogue.HooksListParams, words.catalogue.HooksListResponse),
    lane=CONFIG_SHARED,
)
PLUGIN_LIST: Final = ClientRequest(
    "plugin/list",
    words=lambda: (words.catalogue.PluginListParams, words.catalogue.PluginListResponse),
)
PLUGIN_INSTALLED: Final = ClientRequest(
    "plugin/installed",
    words=lambda: (
        words.catalogue.PluginInstalledParams,
        words.catalogue.PluginInstalledResponse,
    ),
)
APP_LIST: Final = ClientRequest(
    "app/list",
    words=lambda: (words.catalogue.AppsListParams, words.catalogue.AppsListResponse),
)
APP_INSTALLED: Final = ClientRequest(
    "app/installed",
    words=lambda: (words.catalogue.AppsInstalledParams, words.catalogue.AppsInstalledResponse),
)
BEDROCK_CHECK_GOV_CLOUD: Final = ClientRequest(
    "account/bedrock/checkGovCloudRequirements",
    words=lambda: (
        words.catalogue.BedrockCheckGovCloudRequirementsParams,
        words.catalogue.BedrockCheckGovCloudRequirementsResponse,
    ),
    lane=ACCOUNT,
    experimental=True,
)
MODEL_LIST: Final = ClientRequest(
    "model/list",
    words=lambda: (words.models.ModelListParams, words.models.ModelListResponse),
)
PROVIDER_CAPABILITIES_READ: Final = ClientRequest(
    "modelProvider/capabilities/read",
    words=lambda: (
        words.models.ModelProviderCapabilitiesReadParams,
        words.models.ModelProviderCapabilitiesReadResponse,
    ),
)
EXPERIMENTAL_FEATURE_LIST: Final = ClientRequest(
    "experimentalFeature/list",
    words=lambda: (
        words.configuration.ExperimentalFeatureListParams,
        words.configuration.ExperimentalFeatureListResponse,
    ),
    lane=CONFIG,
)
PERMISSION_PROFILE_LIST: Final = ClientRequest(
    "permissionProfile/list",
    words=lambda: (
        words.configuration.PermissionProfileListParams,
        words.configuration.PermissionProfileListResponse,
    ),
    lane=CONFIG_SHARED,
)
REMOTE_CONTROL_STATUS_READ: Final = ClientRequest(
    "remoteControl/status/read",
    words=lambda: (type(None), words.catalogue.RemoteControlStatusReadResponse),
    lane=REMOTE_CONTROL_SHARED,
    experimental=True,
)
COLLABORATION_MODE_LIST: Final = ClientRequest(
    "collaborationMode/list",
    words=lambda: (
        words.catalogue.CollaborationModeListParams,
        words.catalogue.CollaborationModeListResponse,
    ),
    experimental=True,
)
CONFIG_MCP_RELOAD: Final = ClientRequest(
    "config/mcpServer/reload",
    words=lambda: (type(None), words.catalogue.McpServerRefreshResponse),
    lane=MCP_REGISTRY,
)
MCP_SERVER_STATUS_LIST: Final = ClientRequest(
    "mcpServerStatus/list",
    words=lambda: (
        words.catalogue.ListMcpServerStatusParams,
        words.catalogue.ListMcpServerStatusResponse,
    ),
    lane=MCP_REGISTRY,
)
CONFIG_READ: Final = ClientRequest(
    "config/read",
    words=lambda: (
        words.configuration.ConfigReadParams,
        words.configuration.ConfigReadResponse,
    ),
    lane=CONFIG_SHARED,
)
CONFIG_VALUE_WRITE: Final = ClientRequest(
    "config/value/write",
    words=lambda: (
        words.configuration.ConfigValueWriteParams,
        words.configuration.ConfigWriteResponse,
    ),
    lane=CONFIG,
)
CONFIG_BATCH_WRITE: Final = ClientRequest(
    "config/batchWrite",
    words=lambda: (
        words.configuration.ConfigBatchWriteParams,
        words.configuration.ConfigWriteResponse,
    ),
    lane=CONFIG,
)
CONFIG_REQUIREMENTS_READ: Final = ClientRequest(
    "configRequirements/read",
    words=lambda: (type(None), words.configuration.ConfigRequirementsReadResponse),
    lane=CONFIG,
)

SKILLS_CHANGED: Final = ServerNotification(
    "skills/changed", words=lambda: words.catalogue.SkillsChangedNotification
)
REMOTE_CONTROL_STATUS_CHANGED: Final = ServerNotification(
    "remoteControl/status/changed",
    words=lambda: words.catalogue.RemoteControlStatusChangedNotification,
)
