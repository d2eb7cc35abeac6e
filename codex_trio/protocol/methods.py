"""The table of everything that may be said, and in which direction.

It names every method of release 0.163.0, in the order in which that release lists them; a row
with words is one that we speak. Dispatch, types, tests and ``docs/protocol.md`` read it, and a
test compares it with the schema that the pinned binary generates. Which requests share a lane
follows the original, whose lanes span connections as well. One thing is ours: those that only
read the account do not wait for one another, only for those that change it.
"""

from __future__ import annotations

from typing import Any, Final

from codex_trio.protocol import account, handshake
from codex_trio.protocol.rows import (
    ClientNotification,
    ClientRequest,
    Lane,
    ServerNotification,
    ServerRequest,
)

ACCOUNT: Final = Lane("account-auth")
ACCOUNT_SHARED: Final = Lane("account-auth", shared=True)
COMMAND: Final = Lane("command", ("process_id",))
CONFIG: Final = Lane("config")
CONFIG_SHARED: Final = Lane("config", shared=True)
ENVIRONMENT: Final = Lane("environment")
ENVIRONMENT_SHARED: Final = Lane("environment", shared=True)
FS_WATCH: Final = Lane("fs-watch", ("watch_id",))
FUZZY_SEARCH: Final = Lane("fuzzy-search", ("session_id",))
MCP_OAUTH: Final = Lane("mcp-oauth", ("name",))
MCP_REGISTRY: Final = Lane("mcp-registry")
MEMORY: Final = Lane("memory")
MEMORY_SHARED: Final = Lane("memory", shared=True)
PAIRING: Final = Lane("remote-control-pairing")
PAIRING_SHARED: Final = Lane("remote-control-pairing", shared=True)
PROCESS: Final = Lane("process", ("process_handle",))
PROJECTS: Final = Lane("projects")
PROJECTS_SHARED: Final = Lane("projects", shared=True)
REMOTE_CLIENTS: Final = Lane("remote-control-clients")
REMOTE_CLIENTS_SHARED: Final = Lane("remote-control-clients", shared=True)
REMOTE_CONTROL: Final = Lane("remote-control")
REMOTE_CONTROL_SHARED: Final = Lane("remote-control", shared=True)
SECTIONS: Final = Lane("thread-sections")
SECTIONS_SHARED: Final = Lane("thread-sections", shared=True)
THREAD: Final = Lane("thread", ("thread_id",))
THREAD_OR_PATH: Final = Lane("thread", ("thread_id", "path"))
WINDOWS_SANDBOX: Final = Lane("windows-sandbox-setup")

INITIALIZE: Final = ClientRequest(
    "initialize", handshake.InitializeParams, handshake.InitializeResponse, handshake=True
)
LOGIN_START: Final = ClientRequest(
    "account/login/start",
    account.LoginAccountParams,
    account.LoginAccountResponse,
    lane=ACCOUNT,
    experimental_part=account.experimental_login,
)
LOGOUT: Final = ClientRequest(
    "account/logout", type(None), account.LogoutAccountResponse, lane=ACCOUNT
)
ACCOUNT_READ: Final = ClientRequest(
    "account/read", account.GetAccountParams, account.GetAccountResponse, lane=ACCOUNT_SHARED
)
GET_AUTH_STATUS: Final = ClientRequest(
    "getAuthStatus",
    account.GetAuthStatusParams,
    account.GetAuthStatusResponse,
    lane=ACCOUNT_SHARED,
)

AUTH_TOKENS_REFRESH: Final = ServerRequest(
    "account/chatgptAuthTokens/refresh",
    account.ChatgptAuthTokensRefreshParams,
    account.ChatgptAuthTokensRefreshResponse,
)

ACCOUNT_UPDATED: Final = ServerNotification(
    "account/updated", account.AccountUpdatedNotification
)
CONFIG_WARNING: Final = ServerNotification("configWarning", handshake.ConfigWarningNotification)
LOGIN_COMPLETED: Final = ServerNotification(
    "account/login/completed", account.AccountLoginCompletedNotification
)

CLIENT_REQUESTS: Final[tuple[ClientRequest[Any, Any], ...]] = (
    INITIALIZE,
    ClientRequest("server/diagnostics", experimental=True),
    ClientRequest("userVerification/status", experimental=True),
    ClientRequest("userVerification/enroll", experimental=True),
    ClientRequest("userVerification/delete", experimental=True),
    ClientRequest("userVerification/verify", experimental=True),
    ClientRequest("userVerification/cancel", experimental=True),
    ClientRequest("thread/start"),
    ClientRequest("thread/resume", lane=THREAD_OR_PATH),
    ClientRequest("thread/fork", lane=THREAD_OR_PATH),
    ClientRequest("thread/archive", lane=THREAD),
    ClientRequest("thread/delete", lane=THREAD),
    ClientRequest("thread/unsubscribe", lane=THREAD),
    ClientRequest("thread/increment_elicitation", lane=THREAD, experimental=True),
    ClientRequest("thread/decrement_elicitation", lane=THREAD, experimental=True),
    ClientRequest("thread/name/set", lane=THREAD),
    ClientRequest("thread/prediction/request", lane=THREAD, experimental=True),
    ClientRequest("thread/goal/set", lane=THREAD),
    ClientRequest("thread/goal/get", lane=THREAD),
    ClientRequest("thread/goal/clear", lane=THREAD),
    ClientRequest("thread/queue/add", lane=THREAD, experimental=True),
    ClientRequest("thread/queue/list", lane=THREAD, experimental=True),
    ClientRequest("thread/queue/update", lane=THREAD, experimental=True),
    ClientRequest("thread/queue/delete", lane=THREAD, experimental=True),
    ClientRequest("thread/queue/reorder", lane=THREAD, experimental=True),
    ClientRequest("thread/queue/start", lane=THREAD, experimental=True),
    ClientRequest("thread/metadata/update", lane=THREAD),
    ClientRequest("thread/attachment/add", lane=THREAD),
    ClientRequest("thread/attachment/list", lane=THREAD),
    ClientRequest("thread/attachmentOwner/list", lane=THREAD),
    ClientRequest("thread/attachment/remove", lane=THREAD),
    ClientRequest("thread/section/move", lane=THREAD),
    ClientRequest("thread/settings/update", lane=THREAD, experimental=True),
    ClientRequest("thread/memoryMode/set", lane=THREAD, experimental=True),
    ClientRequest("memory/status", lane=MEMORY_SHARED, experimental=True),
    ClientRequest("memory/reset", lane=MEMORY, experimental=True),
    ClientRequest("rollout/compress", experimental=True),
    ClientRequest("thread/unarchive", lane=THREAD),
    ClientRequest("thread/compact/start", lane=THREAD),
    ClientRequest("thread/shellCommand", lane=THREAD),
    ClientRequest("thread/approveGuardianDeniedAction", lane=THREAD),
    ClientRequest("thread/backgroundTerminals/clean", lane=THREAD, experimental=True),
    ClientRequest("thread/backgroundTerminals/list", lane=THREAD, experimental=True),
    ClientRequest("thread/backgroundTerminals/terminate", lane=THREAD, experimental=True),
    ClientRequest("thread/revert", lane=THREAD),
    ClientRequest("thread/list"),
    ClientRequest("project/list", lane=PROJECTS_SHARED, experimental=True),
    ClientRequest("project/read", lane=PROJECTS_SHARED, experimental=True),
    ClientRequest("project/create", lane=PROJECTS, experimental=True),
    ClientRequest("project/import", lane=PROJECTS, experimental=True),
    ClientRequest("project/update", lane=PROJECTS, experimental=True),
    ClientRequest("project/move", lane=PROJECTS, experimental=True),
    ClientRequest("project/delete", lane=PROJECTS, experimental=True),
    ClientRequest("threadSection/list", lane=SECTIONS_SHARED),
    ClientRequest("threadSection/create", lane=SECTIONS),
    ClientRequest("threadSection/update", lane=SECTIONS),
    ClientRequest("threadSection/delete", lane=SECTIONS),
    ClientRequest("thread/search", experimental=True),
    ClientRequest("thread/searchOccurrences", experimental=True),
    ClientRequest("thread/loaded/list"),
    ClientRequest("thread/read", lane=THREAD),
    ClientRequest("thread/readState/update", lane=THREAD, experimental=True),
    ClientRequest("thread/turns/list"),
    ClientRequest("thread/items/list"),
    ClientRequest("thread/items/read", experimental=True),
    ClientRequest("thread/inject_items", lane=THREAD),
    ClientRequest("skills/list", lane=CONFIG_SHARED),
    ClientRequest("skills/extraRoots/set", lane=CONFIG),
    ClientRequest("hooks/list", lane=CONFIG_SHARED),
    ClientRequest("marketplace/add", lane=CONFIG),
    ClientRequest("marketplace/remove", lane=CONFIG),
    ClientRequest("marketplace/upgrade", lane=CONFIG),
    ClientRequest("plugin/list"),
    ClientRequest("plugin/search", experimental=True),
    ClientRequest("plugin/installed"),
    ClientRequest("plugin/reconcile"),
    ClientRequest("plugin/read"),
    ClientRequest("plugin/skill/read", lane=CONFIG),
    ClientRequest("plugin/share/save", lane=CONFIG),
    ClientRequest("plugin/share/updateTargets", lane=CONFIG),
    ClientRequest("plugin/share/list", lane=CONFIG),
    ClientRequest("plugin/share/checkout", lane=CONFIG),
    ClientRequest("plugin/share/delete", lane=CONFIG),
    ClientRequest("app/read"),
    ClientRequest("app/list"),
    ClientRequest("app/installed"),
    ClientRequest("fs/readFile"),
    ClientRequest("fs/writeFile"),
    ClientRequest("fs/createDirectory"),
    ClientRequest("fs/getMetadata"),
    ClientRequest("fs/readDirectory"),
    ClientRequest("fs/remove"),
    ClientRequest("fs/copy"),
    ClientRequest("fs/watch", lane=FS_WATCH),
    ClientRequest("fs/unwatch", lane=FS_WATCH),
    ClientRequest("skills/config/write", lane=CONFIG),
    ClientRequest("plugin/install", lane=CONFIG),
    ClientRequest("plugin/uninstall", lane=CONFIG),
    ClientRequest("turn/start", lane=THREAD),
    ClientRequest("turn/settings/update", lane=THREAD, experimental=True),
    ClientRequest("turn/steer", lane=THREAD),
    ClientRequest("turn/interrupt", lane=THREAD),
    ClientRequest("thread/realtime/start", lane=THREAD, experimental=True),
    ClientRequest("thread/realtime/appendAudio", lane=THREAD, experimental=True),
    ClientRequest("thread/realtime/appendText", lane=THREAD, experimental=True),
    ClientRequest("thread/realtime/appendSpeech", lane=THREAD, experimental=True),
    ClientRequest("thread/realtime/stop", lane=THREAD, experimental=True),
    ClientRequest("thread/timeline/list", lane=THREAD, experimental=True),
    ClientRequest("thread/realtime/listVoices", experimental=True),
    ClientRequest("review/start", lane=THREAD),
    ClientRequest("model/list"),
    ClientRequest("account/gatewayOAuth/read", lane=ACCOUNT_SHARED),
    ClientRequest("account/gatewayOAuth/login", lane=ACCOUNT),
    ClientRequest("account/gatewayOAuth/cancel", lane=ACCOUNT),
    ClientRequest("modelProvider/capabilities/read"),
    ClientRequest("experimentalFeature/list", lane=CONFIG),
    ClientRequest("permissionProfile/list", lane=CONFIG_SHARED),
    ClientRequest("experimentalFeature/enablement/set", lane=CONFIG),
    ClientRequest("remoteControl/enable", lane=REMOTE_CONTROL, experimental=True),
    ClientRequest("remoteControl/disable", lane=REMOTE_CONTROL, experimental=True),
    ClientRequest("remoteControl/status/read", lane=REMOTE_CONTROL_SHARED, experimental=True),
    ClientRequest("remoteControl/pairing/start", lane=PAIRING, experimental=True),
    ClientRequest("remoteControl/pairing/status", lane=PAIRING_SHARED, experimental=True),
    ClientRequest("remoteControl/client/list", lane=REMOTE_CLIENTS_SHARED, experimental=True),
    ClientRequest("remoteControl/client/revoke", lane=REMOTE_CLIENTS, experimental=True),
    ClientRequest("collaborationMode/list", experimental=True),
    ClientRequest("mock/experimentalMethod", experimental=True),
    ClientRequest("environment/add", lane=ENVIRONMENT, experimental=True),
    ClientRequest("environment/info", lane=ENVIRONMENT_SHARED, experimental=True),
    ClientRequest("environment/status", lane=ENVIRONMENT_SHARED, experimental=True),
    ClientRequest("mcpServer/oauth/login", lane=MCP_OAUTH),
    ClientRequest("config/mcpServer/reload", lane=MCP_REGISTRY),
    ClientRequest("mcpServerStatus/list", lane=MCP_REGISTRY),
    ClientRequest("mcpServer/resource/read", lane=THREAD),
    ClientRequest("mcpServer/event/stream/start", experimental=True),
    ClientRequest("mcpServer/event/stream/stop", experimental=True),
    ClientRequest("mcpServer/tool/call", lane=THREAD),
    ClientRequest("windowsSandbox/setupStart", lane=WINDOWS_SANDBOX),
    ClientRequest("windowsSandbox/readiness", lane=CONFIG),
    LOGIN_START,
    ClientRequest("account/bedrock/discover", lane=ACCOUNT_SHARED, experimental=True),
    ClientRequest("account/bedrock/setup", lane=ACCOUNT, experimental=True),
    ClientRequest("account/bedrock/checkGovCloudRequirements", lane=ACCOUNT, experimental=True),
    ClientRequest("account/login/cancel", lane=ACCOUNT),
    LOGOUT,
    ClientRequest("account/rateLimits/read"),
    ClientRequest("account/rateLimitResetCredit/consume", lane=ACCOUNT),
    ClientRequest("account/usage/read"),
    ClientRequest("account/workspaceMessages/read"),
    ClientRequest("account/sendAddCreditsNudgeEmail", lane=ACCOUNT),
    ClientRequest("feedback/upload"),
    ClientRequest("command/exec", lane=COMMAND),
    ClientRequest("command/exec/write", lane=COMMAND),
    ClientRequest("command/exec/terminate", lane=COMMAND),
    ClientRequest("command/exec/resize", lane=COMMAND),
    ClientRequest("process/spawn", lane=PROCESS, experimental=True),
    ClientRequest("process/writeStdin", lane=PROCESS, experimental=True),
    ClientRequest("process/kill", lane=PROCESS, experimental=True),
    ClientRequest("process/resizePty", lane=PROCESS, experimental=True),
    ClientRequest("config/read", lane=CONFIG_SHARED),
    ClientRequest("externalAgentConfig/detect", lane=CONFIG),
    ClientRequest("externalAgentConfig/import", lane=CONFIG),
    ClientRequest("externalAgentConfig/import/recordHistory", lane=CONFIG),
    ClientRequest("externalAgentConfig/import/readHistories", lane=CONFIG_SHARED),
    ClientRequest("config/value/write", lane=CONFIG),
    ClientRequest("config/batchWrite", lane=CONFIG),
    ClientRequest("configRequirements/read", lane=CONFIG),
    ACCOUNT_READ,
    ClientRequest("getConversationSummary"),
    ClientRequest("gitDiffToRemote"),
    GET_AUTH_STATUS,
    ClientRequest("fuzzyFileSearch"),
    ClientRequest("fuzzyFileSearch/sessionStart", lane=FUZZY_SEARCH, experimental=True),
    ClientRequest("fuzzyFileSearch/sessionUpdate", lane=FUZZY_SEARCH, experimental=True),
    ClientRequest("fuzzyFileSearch/sessionStop", lane=FUZZY_SEARCH, experimental=True),
)

CLIENT_NOTIFICATIONS: Final = (ClientNotification("initialized"),)

SERVER_REQUESTS: Final[tuple[ServerRequest[Any, Any], ...]] = (
    ServerRequest("item/commandExecution/requestApproval"),
    ServerRequest("item/fileChange/requestApproval"),
    ServerRequest("item/tool/requestUserInput"),
    ServerRequest("mcpServer/elicitation/request"),
    ServerRequest("item/permissions/requestApproval"),
    ServerRequest("item/tool/call"),
    AUTH_TOKENS_REFRESH,
    ServerRequest("attestation/generate"),
    ServerRequest("currentTime/read", experimental=True),
    ServerRequest("applyPatchApproval"),
    ServerRequest("execCommandApproval"),
)

SERVER_NOTIFICATIONS: Final[tuple[ServerNotification[Any], ...]] = (
    ServerNotification("error"),
    ServerNotification("thread/started"),
    ServerNotification("thread/status/changed"),
    ServerNotification("thread/readState/changed"),
    ServerNotification("thread/archived"),
    ServerNotification("thread/deleted"),
    ServerNotification("thread/unarchived"),
    ServerNotification("thread/closed"),
    ServerNotification("thread/reverted"),
    ServerNotification("skills/changed"),
    ServerNotification("thread/name/updated"),
    ServerNotification("thread/attachment/updated"),
    ServerNotification("thread/goal/updated"),
    ServerNotification("thread/prediction/updated"),
    ServerNotification("thread/goal/cleared"),
    ServerNotification("thread/queue/changed"),
    ServerNotification("project/changed"),
    ServerNotification("thread/project/updated"),
    ServerNotification("thread/environment/connected"),
    ServerNotification("thread/environment/disconnected"),
    ServerNotification("thread/settings/updated"),
    ServerNotification("thread/tokenUsage/updated"),
    ServerNotification("turn/started"),
    ServerNotification("hook/started"),
    ServerNotification("turn/completed"),
    ServerNotification("hook/completed"),
    ServerNotification("turn/diff/updated"),
    ServerNotification("turn/plan/updated"),
    ServerNotification("item/started"),
    ServerNotification("item/autoApprovalReview/started"),
    ServerNotification("item/autoApprovalReview/completed"),
    ServerNotification("autoApprovalReview/strictReviewRequired"),
    ServerNotification("item/completed"),
    ServerNotification("item/agentMessage/delta"),
    ServerNotification("item/plan/delta"),
    ServerNotification("command/exec/outputDelta"),
    ServerNotification("process/outputDelta"),
    ServerNotification("process/exited"),
    ServerNotification("item/commandExecution/outputDelta"),
    ServerNotification("item/commandExecution/terminalInteraction"),
    ServerNotification("item/fileChange/outputDelta"),
    ServerNotification("item/fileChange/patchUpdated"),
    ServerNotification("serverRequest/resolved"),
    ServerNotification("item/mcpToolCall/progress"),
    ServerNotification("mcpServer/oauthLogin/completed"),
    ServerNotification("mcpServer/startupStatus/updated"),
    ServerNotification("mcpServer/event/stream/notification"),
    ACCOUNT_UPDATED,
    ServerNotification("account/gatewayOAuth/changed"),
    ServerNotification("account/rateLimits/updated"),
    ServerNotification("app/list/updated"),
    ServerNotification("remoteControl/status/changed"),
    ServerNotification("externalAgentConfig/import/progress"),
    ServerNotification("externalAgentConfig/import/completed"),
    ServerNotification("fs/changed"),
    ServerNotification("item/reasoning/summaryTextDelta"),
    ServerNotification("item/reasoning/summaryPartAdded"),
    ServerNotification("item/reasoning/textDelta"),
    ServerNotification("thread/compacted"),
    ServerNotification("model/rerouted"),
    ServerNotification("model/verification"),
    ServerNotification("modelProvider/authRecoveryStarted"),
    ServerNotification("modelProvider/authRecoveryCompleted"),
    ServerNotification("turn/moderationMetadata"),
    ServerNotification("model/safetyBuffering/updated"),
    ServerNotification("warning"),
    ServerNotification("guardianWarning"),
    ServerNotification("deprecationNotice"),
    CONFIG_WARNING,
    ServerNotification("fuzzyFileSearch/sessionUpdated"),
    ServerNotification("fuzzyFileSearch/sessionCompleted"),
    ServerNotification("thread/realtime/started"),
    ServerNotification("thread/realtime/itemAdded"),
    ServerNotification("thread/realtime/item/started"),
    ServerNotification("thread/realtime/item/transcript/delta"),
    ServerNotification("thread/realtime/item/completed"),
    ServerNotification("thread/realtime/transcript/delta"),
    ServerNotification("thread/realtime/transcript/done"),
    ServerNotification("thread/realtime/outputAudio/delta"),
    ServerNotification("thread/realtime/sdp"),
    ServerNotification("thread/realtime/error"),
    ServerNotification("thread/realtime/closed"),
    ServerNotification("windows/worldWritableWarning"),
    ServerNotification("windowsSandbox/setupCompleted"),
    LOGIN_COMPLETED,
)
