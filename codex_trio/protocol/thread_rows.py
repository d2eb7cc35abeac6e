"""Rows of thread/*, turn/*, and of what is told about them; their words are imported late."""

from __future__ import annotations

from typing import Final

from codex_trio import protocol as words
from codex_trio.protocol.lanes import SECTIONS_SHARED, THREAD, THREAD_OR_PATH
from codex_trio.protocol.reserved import experimental_members
from codex_trio.protocol.rows import ClientRequest, ServerNotification

THREAD_START: Final = ClientRequest(
    "thread/start",
    begins_work=True,
    words=lambda: (words.threads.ThreadStartParams, words.threads.ThreadStartResponse),
    experimental_part=experimental_members(
        "allow_provider_model_fallback",
        "runtime_workspace_roots",
        "approval_policy",
        "permissions",
        "multi_agent_mode",
        "history_mode",
        "project_id",
        "daybreak_enabled",
        "environments",
        "dynamic_tools",
        "selected_capability_roots",
        "mock_experimental_field",
        "experimental_raw_events",
    ),
)
THREAD_RESUME: Final = ClientRequest(
    "thread/resume",
    begins_work=True,
    words=lambda: (words.threads.ThreadResumeParams, words.threads.ThreadResumeResponse),
    lane=THREAD_OR_PATH,
    experimental_part=experimental_members(
        "history",
        "path",
        "runtime_workspace_roots",
        "approval_policy",
        "permissions",
        "initial_turns_page",
    ),
)
THREAD_FORK: Final = ClientRequest(
    "thread/fork",
    begins_work=True,
    words=lambda: (words.threads.ThreadForkParams, words.threads.ThreadForkResponse),
    lane=THREAD_OR_PATH,
    experimental_part=experimental_members(
        "experimental_prediction_mode",
        "before_turn_id",
        "path",
        "runtime_workspace_roots",
        "approval_policy",
        "permissions",
        "defer_goal_continuation",
    ),
)
THREAD_ARCHIVE: Final = ClientRequest(
    "thread/archive",
    words=lambda: (words.upkeep.ThreadArchiveParams, words.upkeep.ThreadArchiveResponse),
    lane=THREAD,
)
THREAD_DELETE: Final = ClientRequest(
    "thread/delete",
    words=lambda: (words.upkeep.ThreadDeleteParams, words.upkeep.ThreadDeleteResponse),
    lane=THREAD,
)
THREAD_UNSUBSCRIBE: Final = ClientRequest(
    "thread/unsubscribe",
    words=lambda: (
        words.upkeep.ThreadUnsubscribeParams,
        words.upkeep.ThreadUnsubscribeResponse,
    ),
    lane=THREAD,
)
THREAD_NAME_SET: Final = ClientRequest(
    "thread/name/set",
    words=lambda: (words.upkeep.ThreadSetNameParams, words.upkeep.ThreadSetNameResponse),
    lane=THREAD,
)
THREAD_GOAL_GET: Final = ClientRequest(
    "thread/goal/get",
    words=lambda: (words.upkeep.ThreadGoalGetParams, words.upkeep.ThreadGoalGetResponse),
    lane=THREAD,
)
THREAD_METADATA_UPDATE: Final = ClientRequest(
    "thread/metadata/update",
    words=lambda: (
        words.upkeep.ThreadMetadataUpdateParams,
        words.upkeep.ThreadMetadataUpdateResponse,
    ),
    lane=THREAD,
    experimental_part=experimental_members(
        "project_id",
        "daybreak_enabled",
    ),
)
THREAD_SETTINGS_UPDATE: Final = ClientRequest(
    "thread/settings/update",
    words=lambda: (
        words.threads.ThreadSettingsUpdateParams,
        words.threads.ThreadSettingsUpdateResponse,
    ),
    lane=THREAD,
    experimental=True,
)
THREAD_UNARCHIVE: Final = ClientRequest(
    "thread/unarchive",
    words=lambda: (words.upkeep.ThreadUnarchiveParams, words.upkeep.ThreadUnarchiveResponse),
    lane=THREAD,
)
THREAD_COMPACT_START: Final = ClientRequest(
    "thread/compact/start",
    begins_work=True,
    words=lambda: (
        words.upkeep.ThreadCompactStartParams,
        words.upkeep.ThreadCompactStartResponse,
    ),
    lane=THREAD,
)
THREAD_BACKGROUND_TERMINALS_LIST: Final = ClientRequest(
    "thread/backgroundTerminals/list",
    words=lambda: (
        words.upkeep.ThreadBackgroundTerminalsListParams,
        words.upkeep.ThreadBackgroundTerminalsListResponse,
    ),
    lane=THREAD,
    experimental=True,
)
THREAD_REVERT: Final = ClientRequest(
    "thread/revert",
    words=lambda: (words.upkeep.ThreadRevertParams, words.upkeep.ThreadRevertResponse),
    lane=THREAD,
)
THREAD_LIST: Final = ClientRequest(
    "thread/list",
    words=lambda: (words.listing.ThreadListParams, words.listing.ThreadListResponse),
    experimental_part=experimental_members(
        "project_id",
        "parent_thread_id",
        "ancestor_thread_id",
    ),
)
THREAD_SECTION_LIST: Final = ClientRequest(
    "threadSection/list",
    words=lambda: (
        words.listing.ThreadSectionListParams,
        words.listing.ThreadSectionListResponse,
    ),
    lane=SECTIONS_SHARED,
)
THREAD_LOADED_LIST: Final = ClientRequest(
    "thread/loaded/list",
    words=lambda: (
        words.listing.ThreadLoadedListParams,
        words.listing.ThreadLoadedListResponse,
    ),
)
THREAD_READ: Final = ClientRequest(
    "thread/read",
    words=lambda: (words.listing.ThreadReadParams, words.listing.ThreadReadResponse),
    lane=THREAD,
)
THREAD_TURNS_LIST: Final = ClientRequest(
    "thread/turns/list",
    words=lambda: (words.listing.ThreadTurnsListParams, words.listing.ThreadTurnsListResponse),
)
THREAD_ITEMS_LIST: Final = ClientRequest(
    "thread/items/list",
    words=lambda: (words.listing.ThreadItemsListParams, words.listing.ThreadItemsListResponse),
)
THREAD_INJECT_ITEMS: Final = ClientRequest(
    "thread/inject_items",
    words=lambda: (
        words.upkeep.ThreadInjectItemsParams,
        words.upkeep.ThreadInjectItemsResponse,
    ),
    lane=THREAD,
)
TURN_START: Final = ClientRequest(
    "turn/start",
    begins_work=True,
    words=lambda: (words.turns.TurnStartParams, words.turns.TurnStartResponse),
    lane=THREAD,
    experimental_part=experimental_members(
        "responsesapi_client_metadata",
        "additional_context",
        "environments",
        "runtime_workspace_roots",
        "approval_policy",
        "permissions",
        "collaboration_mode",
        "multi_agent_mode",
        "cyber_access_program",
    ),
)
TURN_STEER: Final = ClientRequest(
    "turn/steer",
    begins_work=True,
    words=lambda: (words.turns.TurnSteerParams, words.turns.TurnSteerResponse),
    lane=THREAD,
    experimental_part=experimental_members(
        "responsesapi_client_metadata",
        "additional_context",
    ),
)
TURN_INTERRUPT: Final = ClientRequest(
    "turn/interrupt",
    words=lambda: (words.turns.TurnInterruptParams, words.turns.TurnInterruptResponse),
)  # in no lane: what it ends, or a slow disk, must not be able to delay it
GET_CONVERSATION_SUMMARY: Final = ClientRequest(
    "getConversationSummary",
    words=lambda: (
        words.older_threads.GetConversationSummaryParams,
        words.older_threads.GetConversationSummaryResponse,
    ),
)
THREAD_ROLLBACK: Final = ClientRequest(
    "thread/rollback",
    words=lambda: (
        words.older_threads.ThreadRollbackParams,
        words.older_threads.ThreadRollbackResponse,
    ),
    lane=THREAD,
    listed=False,
)

ERROR: Final = ServerNotification("error", words=lambda: words.turns.ErrorNotification)
THREAD_STARTED: Final = ServerNotification(
    "thread/started", words=lambda: words.thread_news.ThreadStartedNotification
)
THREAD_STATUS_CHANGED: Final = ServerNotification(
    "thread/status/changed", words=lambda: words.thread_news.ThreadStatusChangedNotification
)
THREAD_READ_STATE_CHANGED: Final = ServerNotification(
    "thread/readState/changed",
    words=lambda: words.thread_news.ThreadReadStateChangedNotification,
    experimental=True,
)
THREAD_GOAL_CLEARED: Final = ServerNotification(
    "thread/goal/cleared", words=lambda: words.thread_news.ThreadGoalClearedNotification
)
THREAD_ARCHIVED: Final = ServerNotification(
    "thread/archived", words=lambda: words.thread_news.ThreadArchivedNotification
)
THREAD_DELETED: Final = ServerNotification(
    "thread/deleted", words=lambda: words.thread_news.ThreadDeletedNotification
)
THREAD_UNARCHIVED: Final = ServerNotification(
    "thread/unarchived", words=lambda: words.thread_news.ThreadUnarchivedNotification
)
THREAD_CLOSED: Final = ServerNotification(
    "thread/closed", words=lambda: words.thread_news.ThreadClosedNotification
)
THREAD_REVERTED: Final = ServerNotification(
    "thread/reverted", words=lambda: words.thread_news.ThreadRevertedNotification
)
THREAD_NAME_UPDATED: Final = ServerNotification(
    "thread/name/updated", words=lambda: words.thread_news.ThreadNameUpdatedNotification
)
THREAD_SETTINGS_UPDATED: Final = ServerNotification(
    "thread/settings/updated", words=lambda: words.thread_news.ThreadSettingsUpdatedNotification
)
THREAD_TOKEN_USAGE_UPDATED: Final = ServerNotification(
    "thread/tokenUsage/updated",
    words=lambda: words.thread_news.ThreadTokenUsageUpdatedNotification,
)
TURN_STARTED: Final = ServerNotification(
    "turn/started", words=lambda: words.turns.TurnStartedNotification
)
TURN_COMPLETED: Final = ServerNotification(
    "turn/completed", words=lambda: words.turns.TurnCompletedNotification
)
TURN_DIFF_UPDATED: Final = ServerNotification(
    "turn/diff/updated", words=lambda: words.turns.TurnDiffUpdatedNotification
)
TURN_PLAN_UPDATED: Final = ServerNotification(
    "turn/plan/updated", words=lambda: words.turns.TurnPlanUpdatedNotification
)
ITEM_STARTED: Final = ServerNotification(
    "item/started", words=lambda: words.items.ItemStartedNotification
)
ITEM_COMPLETED: Final = ServerNotification(
    "item/completed", words=lambda: words.items.ItemCompletedNotification
)
AGENT_MESSAGE_DELTA: Final = ServerNotification(
    "item/agentMessage/delta", words=lambda: words.items.AgentMessageDeltaNotification
)
PLAN_DELTA: Final = ServerNotification(
    "item/plan/delta", words=lambda: words.items.PlanDeltaNotification
)
REASONING_SUMMARY_TEXT_DELTA: Final = ServerNotification(
    "item/reasoning/summaryTextDelta",
    words=lambda: words.items.ReasoningSummaryTextDeltaNotification,
)
REASONING_SUMMARY_PART_ADDED: Final = ServerNotification(
    "item/reasoning/summaryPartAdded",
    words=lambda: words.items.ReasoningSummaryPartAddedNotification,
)
REASONING_TEXT_DELTA: Final = ServerNotification(
    "item/reasoning/textDelta", words=lambda: words.items.ReasoningTextDeltaNotification
)
THREAD_COMPACTED: Final = ServerNotification(
    "thread/compacted", words=lambda: words.turns.ContextCompactedNotification
)
MODEL_REROUTED: Final = ServerNotification(
    "model/rerouted", words=lambda: words.turns.ModelReroutedNotification
)
AUTH_RECOVERY_STARTED: Final = ServerNotification(
    "modelProvider/authRecoveryStarted", words=lambda: words.turns.AuthRecoveryNotification
)
AUTH_RECOVERY_COMPLETED: Final = ServerNotification(
    "modelProvider/authRecoveryCompleted", words=lambda: words.turns.AuthRecoveryNotification
)
SERVER_REQUEST_RESOLVED: Final = ServerNotification(
    "serverRequest/resolved", words=lambda: words.thread_news.ServerRequestResolvedNotification
)
WARNING: Final = ServerNotification(
    "warning", words=lambda: words.thread_news.WarningNotification
)
DEPRECATION_NOTICE: Final = ServerNotification(
    "deprecationNotice", words=lambda: words.thread_news.DeprecationNoticeNotification
)
