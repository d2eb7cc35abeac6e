"""Words of account/*, and of the older getAuthStatus."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from attrs import field, frozen

from codex_trio.protocol.words import OURS, Tagged

AuthMode: TypeAlias = Literal["apikey", "chatgpt", "chatgptAuthTokens"]

PlanType: TypeAlias = Literal[
    "free",
    "go",
    "plus",
    "pro",
    "prolite",
    "promax",
    "team",
    "self_serve_business_prolite",
    "self_serve_business_usage_based",
    "business",
    "ent26",
    "enterprise_cbp_automation",
    "enterprise_cbp_usage_based",
    "enterprise",
    "edu",
    "edu_plus",
    "edu_pro",
    "unknown",
]


# --- account/read ---


@frozen(kw_only=True)
class GetAccountParams:
    """Whose account is it, and should its token be renewed first?"""

    refresh_token: bool = False


@frozen(kw_only=True)
class ApiKeyAccount:
    """Signed in with an API key."""

    type: Literal["apiKey"] = "apiKey"


@frozen(kw_only=True)
class ChatgptAccount:
    """Signed in with ChatGPT."""

    type: Literal["chatgpt"] = "chatgpt"
    email: str | None
    plan_type: PlanType


Account: TypeAlias = Annotated[ApiKeyAccount | ChatgptAccount, Tagged("Account")]


@frozen(kw_only=True)
class WorkspaceRouting:
    """Where the requests of a workspace go."""

    chatgpt_account_id: str
    backend_origin: str
    account_routing_override: Literal["NO_CONSTRAINT", "us", "us_cr"]


@frozen(kw_only=True)
class GetAccountResponse:
    """The account, if anybody is signed in, and whether somebody should be."""

    account: Account | None
    requires_openai_auth: bool
    workspace_routing: WorkspaceRouting | None = None


# --- account/login/start ---


@frozen(kw_only=True)
class ApiKeyLoginAccountParams:
    """Sign in with an API key, stored as it is given."""

    type: Literal["apiKey"] = "apiKey"
    api_key: str = field(repr=False)


@frozen(kw_only=True)
class ChatgptLoginAccountParams:
    """Sign in through a browser and a callback on loopback."""

    type: Literal["chatgpt"] = "chatgpt"
    codex_streamlined_login: bool = False
    use_hosted_login_success_page: bool = False
    app_brand: Literal["codex", "chatgpt"] | None = None


@frozen(kw_only=True)
class ChatgptDeviceCodeLoginAccountParams:
    """Sign in with a code that is typed elsewhere."""

    type: Literal["chatgptDeviceCode"] = "chatgptDeviceCode"


@frozen(kw_only=True)
class ChatgptAuthTokensLoginAccountParams:
    """Sign in with tokens that the host application owns and renews."""

    type: Literal["chatgptAuthTokens"] = "chatgptAuthTokens"
    access_token: str = field(repr=False)
    chatgpt_account_id: str
    chatgpt_plan_type: str | None = None


@frozen(kw_only=True)
class AmazonBedrockLoginAccountParams:
    """Sign in to Amazon Bedrock with an API key."""

    type: Literal["amazonBedrock"] = "amazonBedrock"
    api_key: str = field(repr=False)
    region: str


@frozen(kw_only=True)
class AmazonBedrockAccessKeysLoginAccountParams:
    """Sign in to Amazon Bedrock with access keys."""

    type: Literal["amazonBedrockAccessKeys"] = "amazonBedrockAccessKeys"
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    region: str


LoginAccountParams: TypeAlias = Annotated[
    ApiKeyLoginAccountParams
    | ChatgptLoginAccountParams
    | ChatgptDeviceCodeLoginAccountParams
    | ChatgptAuthTokensLoginAccountParams
    | AmazonBedrockLoginAccountParams
    | AmazonBedrockAccessKeysLoginAccountParams,
    Tagged("LoginAccountParams"),
]


def experimental_login(params: LoginAccountParams) -> str | None:
    """Name the way to sign in that is reserved for ``experimentalApi``, if it is this one."""
    return params.type if isinstance(params, ChatgptAuthTokensLoginAccountParams) else None


@frozen(kw_only=True)
class ApiKeyLoginAccountResponse:
    """The API key is stored; the account is signed in."""

    type: Literal["apiKey"] = "apiKey"


@frozen(kw_only=True)
class ChatgptLoginAccountResponse:
    """The callback is waiting; somebody has to open the URL in a browser."""

    type: Literal["chatgpt"] = "chatgpt"
    login_id: str
    auth_url: str = field(repr=False)


@frozen(kw_only=True)
class ChatgptDeviceCodeLoginAccountResponse:
    """The code has to be typed at the URL.

    Clients with ``experimentalApi`` are told more than the original tells: until when, in
    seconds of Unix time, and how many seconds are between two questions whether it has been.
    """

    type: Literal["chatgptDeviceCode"] = "chatgptDeviceCode"
    login_id: str
    verification_url: str
    user_code: str = field(repr=False)
    expires_at: int | None = field(default=None, metadata=OURS)
    interval: int | None = field(default=None, metadata=OURS)


@frozen(kw_only=True)
class ChatgptAuthTokensLoginAccountResponse:
    """The host's tokens are in force."""

    type: Literal["chatgptAuthTokens"] = "chatgptAuthTokens"


LoginAccountResponse: TypeAlias = Annotated[
    ApiKeyLoginAccountResponse
    | ChatgptLoginAccountResponse
    | ChatgptDeviceCodeLoginAccountResponse
    | ChatgptAuthTokensLoginAccountResponse,
    Tagged("LoginAccountResponse"),
]


@frozen(kw_only=True)
class AccountLoginCompletedNotification:
    """A sign-in has ended, one way or the other; the id is null where there was none."""

    login_id: str | None
    success: bool
    error: str | None
    onboarding_entrypoint: Literal["life_sciences"] | None = None


# --- account/login/cancel, and account/login/complete, which is ours ---


@frozen(kw_only=True)
class CancelLoginAccountParams:
    """Which sign-in is to be given up?"""

    login_id: str


@frozen(kw_only=True)
class CancelLoginAccountResponse:
    """It is, and nothing of it is left; or there is none to be."""

    status: Literal["canceled", "notFound"]


@frozen(kw_only=True)
class CompleteLoginAccountParams:
    """The URL to which a browser elsewhere was redirected, and the sign-in it belongs to."""

    login_id: str
    redirect_url: str = field(repr=False)


@frozen(kw_only=True)
class CompleteLoginAccountResponse:
    """The sign-in is complete: the credentials are stored."""


# --- account/logout ---


@frozen(kw_only=True)
class LogoutAccountResponse:
    """Nobody is signed in any more."""


# --- what may happen at any time ---


@frozen(kw_only=True)
class AccountUpdatedNotification:
    """Another identity is in force from now on."""

    auth_mode: AuthMode | None
    plan_type: PlanType | None


@frozen(kw_only=True)
class ChatgptAuthTokensRefreshParams:
    """Asks the host for new tokens, because the present ones were refused."""

    reason: Literal["unauthorized"]
    previous_account_id: str | None


@frozen(kw_only=True)
class ChatgptAuthTokensRefreshResponse:
    """The host's new tokens."""

    access_token: str = field(repr=False)
    chatgpt_account_id: str
    chatgpt_plan_type: str | None = None


# --- account/status/read, which is ours ---


@frozen(kw_only=True)
class AccountFailure:
    """What has gone wrong last, in words; ``permanent`` if it will again."""

    message: str
    permanent: bool


@frozen(kw_only=True)
class WorkspacePolicyStatus:
    """Where the policy of the workspace is known from, since when, and why not better.

    ``none``: there is none; ``backend``: it was told; ``cache``: it was told before the server
    started; ``unknown``: there may be one.
    """

    source: Literal["none", "backend", "cache", "unknown"]
    told_at: int | None
    failure: str | None


@frozen(kw_only=True)
class AccountStatusReadResponse:
    """How things really stand with the account; times are in seconds of Unix time.

    Args:
        source: whether the credentials are out of the store or the host's; null for none.
        store: what sort of store it is.
        auth_mode: the way in which one is signed in.
        saved: whether the credentials will be there when the server comes back.
        standing: whether a host has ``verified`` them, has ``refused`` them, or they are just
            ``present``.
        checked_at: when that host has been asked.
        last_refresh: when the tokens were new.
        expires_at: when the access token ends.
        hidden: whether something is stored that may not be used here.
        failure: why they cannot be read, stored or renewed.
        policy: how it is known what the workspace wants.
    """

    source: Literal["store", "host"] | None
    store: str
    auth_mode: AuthMode | None
    saved: bool
    standing: Literal["verified", "present", "refused"] | None
    checked_at: int | None
    last_refresh: int | None
    expires_at: int | None
    hidden: bool
    failure: AccountFailure | None
    policy: WorkspacePolicyStatus


# --- getAuthStatus: older than account/read, and in no schema ---


@frozen(kw_only=True)
class GetAuthStatusParams:
    """Which way is signed in, and with what token?"""

    include_token: bool | None = None
    refresh_token: bool | None = None


@frozen(kw_only=True)
class GetAuthStatusResponse:
    """The way and, if asked for, the token."""

    auth_method: AuthMode | None
    auth_token: str | None = field(repr=False)
    requires_openai_auth: bool
