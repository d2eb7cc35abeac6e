"""The older dialect of signing in and out, as observed on release 0.92.0: words and rows.

The contract's release does not know it any more. We answer it for clients of that age, and
leave it out where we list what we know.
"""

from __future__ import annotations

from typing import Any, Final

from attrs import field, frozen

from codex_trio.protocol.account import AuthMode
from codex_trio.protocol.lanes import ACCOUNT
from codex_trio.protocol.rows import ClientRequest, ServerNotification


@frozen(kw_only=True)
class LoginApiKeyParams:
    """Sign in with an API key, stored as it is given."""

    api_key: str = field(repr=False)


@frozen(kw_only=True)
class LoginApiKeyResponse:
    """The API key is stored."""


@frozen(kw_only=True)
class LoginChatGptResponse:
    """The callback is waiting; somebody has to open the URL in a browser."""

    login_id: str
    auth_url: str = field(repr=False)


@frozen(kw_only=True)
class CancelLoginChatGptParams:
    """Which sign-in is to be given up?"""

    login_id: str


@frozen(kw_only=True)
class CancelLoginChatGptResponse:
    """It is, and nothing of it is left."""


@frozen(kw_only=True)
class LogoutChatGptResponse:
    """Nobody is signed in any more."""


@frozen(kw_only=True)
class LoginChatGptCompleteNotification:
    """A sign-in that was started in this dialect has ended, one way or the other."""

    login_id: str
    success: bool
    error: str | None


@frozen(kw_only=True)
class AuthStatusChangeNotification:
    """Another identity is in force from now on."""

    auth_method: AuthMode | None


LOGIN_API_KEY: Final = ClientRequest(
    "loginApiKey", LoginApiKeyParams, LoginApiKeyResponse, lane=ACCOUNT, listed=False
)
LOGIN_CHATGPT: Final = ClientRequest(
    "loginChatGpt", type(None), LoginChatGptResponse, lane=ACCOUNT, listed=False
)
CANCEL_LOGIN_CHATGPT: Final = ClientRequest(
    "cancelLoginChatGpt", CancelLoginChatGptParams, CancelLoginChatGptResponse, listed=False
)
LOGOUT_CHATGPT: Final = ClientRequest(
    "logoutChatGpt", type(None), LogoutChatGptResponse, lane=ACCOUNT, listed=False
)

LOGIN_CHATGPT_COMPLETE: Final = ServerNotification(
    "loginChatGptComplete", LoginChatGptCompleteNotification
)
AUTH_STATUS_CHANGE: Final = ServerNotification("authStatusChange", AuthStatusChangeNotification)

REQUESTS: Final[tuple[ClientRequest[Any, Any], ...]] = (
    LOGIN_API_KEY,
    LOGIN_CHATGPT,
    CANCEL_LOGIN_CHATGPT,
    LOGOUT_CHATGPT,
)
NOTIFICATIONS: Final[tuple[ServerNotification[Any], ...]] = (
    LOGIN_CHATGPT_COMPLETE,
    AUTH_STATUS_CHANGE,
)
