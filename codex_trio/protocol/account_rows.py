"""Rows of account/*, of the older getAuthStatus, and of what is under way for an account."""

from __future__ import annotations

from typing import Final

from codex_trio.protocol import account, limits, seeing
from codex_trio.protocol.lanes import ACCOUNT, ACCOUNT_SHARED
from codex_trio.protocol.rows import ClientRequest, ServerNotification, ServerRequest

LOGIN_START: Final[ClientRequest[account.LoginAccountParams, account.LoginAccountResponse]] = (
    ClientRequest(
        "account/login/start",
        account.LoginAccountParams,
        account.LoginAccountResponse,
        lane=ACCOUNT,
        experimental_part=account.experimental_login,
    )
)
LOGIN_CANCEL: Final = ClientRequest(
    "account/login/cancel",
    account.CancelLoginAccountParams,
    account.CancelLoginAccountResponse,
)  # in no lane: what it ends must not be able to delay it
LOGIN_COMPLETE: Final = ClientRequest(
    "account/login/complete",
    account.CompleteLoginAccountParams,
    account.CompleteLoginAccountResponse,
    experimental=True,
    listed=False,
)
STATUS_READ: Final = ClientRequest(
    "account/status/read",
    type(None),
    account.AccountStatusReadResponse,
    experimental=True,
    listed=False,
)
TASKS_READ: Final = ClientRequest(
    "server/tasks/read",
    type(None),
    seeing.AccountTasks,
    experimental=True,
    listed=False,
)
LOGOUT: Final = ClientRequest(
    "account/logout", type(None), account.LogoutAccountResponse, lane=ACCOUNT
)
ACCOUNT_READ: Final = ClientRequest(
    "account/read", account.GetAccountParams, account.GetAccountResponse, lane=ACCOUNT_SHARED
)
RATE_LIMITS_READ: Final = ClientRequest(
    "account/rateLimits/read",
    limits.GetAccountRateLimitsParams,
    limits.GetAccountRateLimitsResponse,
    optional=True,
)  # in no lane: it waits for a host that may be slow
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
RATE_LIMITS_UPDATED: Final = ServerNotification(
    "account/rateLimits/updated", limits.AccountRateLimitsUpdatedNotification
)
LOGIN_COMPLETED: Final = ServerNotification(
    "account/login/completed", account.AccountLoginCompletedNotification
)
