"""Signing in through a browser: where it is sent, what it is shown, what is said and stored."""

from __future__ import annotations

from typing import Any

from codex_trio.testing import Fault, make_jwt
from tests.parity.run import OPEN, Scenario
from tests.parity.scenarios.asking import LOGOUT, READ, STATUS, able, ask, info
from tests.parity.scenarios.signing import (
    BROWSER,
    CODE,
    COMPLETED,
    TOKEN,
    UPDATED,
    gives,
    now,
    reachable,
    rounds,
    signed_in_as,
    through_browser,
)
from tests.parity.steps import Hear, Step
from tests.parity.world import browse, get, stored, tell

DENIED = "/auth/callback?state={state}&error=access_denied"
SIGNED_IN: list[Step] = [browse(), COMPLETED, UPDATED]
SOON = Hear("account/login/completed", patience=1.0)


WISHES: list[dict[str, Any]] = [
    {"appBrand": None},
    {"appBrand": "chatgpt"},
    {"codexStreamlinedLogin": True},
    {"useHostedLoginSuccessPage": True},
    {"useHostedLoginSuccessPage": True, "appBrand": "chatgpt"},
    {"useHostedLoginSuccessPage": True, "codexStreamlinedLogin": True},
]

ACCOUNTS: list[dict[str, Any]] = [
    {"email": None},
    {"email": "a@b.c", "plan": None},
    {"plan": "k12"},
    {"plan": "team"},
    {"plan": "pro", "api_key": False},
    {"is_org_owner": True, "completed_platform_onboarding": False},
    {"organization_id": None, "project_id": None},
    {"is_org_owner": False},
    {"account_id": "another", "user_id": "another"},
]


def start(**wishes: Any) -> Step:
    return ask("account/login/start", {"type": "chatgpt", **wishes}, 2)


AUTH_URLS = [
    Scenario(
        name="browser: wishes",
        steps=[
            OPEN,
            *rounds([start(**wishes), *SIGNED_IN] for wishes in WISHES),
        ],
        network=reachable,
        alone=True,
    ),
    *(
        Scenario(
            name=f"browser: as {name!r} with {environ}",
            steps=[ask("initialize", info(name=name), "i"), BROWSER],
            network=reachable,
            alone=True,
            environ=environ,
        )
        for name, environ in [
            ("a/ b&c+", {"CODEX_APP_SERVER_LOGIN_CLIENT_ID": " "}),
            ("probe", {"CODEX_INTERNAL_ORIGINATOR_OVERRIDE": "over_ride"}),
            ("probe", {"CODEX_APP_SERVER_LOGIN_CLIENT_ID": "another"}),
            ("probe", {"CODEX_APP_SERVER_LOGIN_ISSUER": "http://127.0.0.1:9/x"}),
            ("probe", {"CODEX_APP_SERVER_LOGIN_ISSUER": " "}),
        ]
    ),
    *(
        through_browser(f"with {config}", config=f"{config}\n")
        for config in [
            'forced_chatgpt_workspace_id = " a "',
            'forced_chatgpt_workspace_id = [" a ", "b", "a"]',
            'forced_chatgpt_workspace_id = " "',
            'forced_chatgpt_workspace_id = ["", "a"]',
            "forced_chatgpt_workspace_id = []",
            "forced_chatgpt_workspace_id = 5",
            'forced_login_method = "api"',
            'forced_login_method = "chatgpt"',
        ]
    ),
]

SUCCESSES = [
    through_browser(
        "signed in, and out", *SIGNED_IN, READ, STATUS, LOGOUT, READ, get("/success")
    ),
    through_browser(
        "the last page is never fetched", browse(hops=2), SOON, READ, BROWSER, SOON
    ),
    through_browser("redirected twice", browse(hops=2), get(CODE), COMPLETED, READ),
    through_browser(
        "accounts",
        *SIGNED_IN,
        *rounds(
            [
                tell(f"another account: {account}", signed_in_as(**account)),
                BROWSER,
                *SIGNED_IN,
                READ,
                stored(),
            ]
            for account in ACCOUNTS
        ),
        files={"auth.json": '{"OPENAI_API_KEY":"k"}'},
    ),
    through_browser(
        "an API key that is not given",
        *SIGNED_IN,
        *rounds(
            [now(TOKEN, Fault.none(), fault), BROWSER, *SIGNED_IN, stored()]
            for fault in [
                Fault.status(500),
                Fault.drop(),
                Fault.status(200, "x"),
                Fault.status(200, {}),
                Fault.status(200, {"access_token": 5}),
            ]
        ),
    ),
    *(
        through_browser(f"allowed: {config}", *SIGNED_IN, READ, config=f"{config}\n")
        for config in [
            'forced_chatgpt_workspace_id = "fake-account"',
            'forced_chatgpt_workspace_id = ["x", " fake-account "]',
        ]
    ),
    *(
        through_browser(
            f"forbidden: {config}",
            browse(),
            COMPLETED,
            READ,
            gives(id_token=make_jwt({})),
            BROWSER,
            get(CODE),
            COMPLETED,
            READ,
            config=f"{config}\n",
        )
        for config in [
            'forced_chatgpt_workspace_id = "a"',
            'forced_chatgpt_workspace_id = ["a", " b"]',
        ]
    ),
    through_browser(
        "a directory in the file's place", browse(), COMPLETED, READ, files={"auth.json": None}
    ),
    through_browser(
        "kept in memory",
        *SIGNED_IN,
        READ,
        LOGOUT,
        config='cli_auth_credentials_store = "ephemeral"\n',
    ),
    Scenario(
        name="browser: not told",
        steps=[
            able(optOutNotificationMethods=["account/login/completed"]),
            BROWSER,
            browse(),
            UPDATED,
        ],
        network=reachable,
        alone=True,
    ),
]

PLACES = [
    through_browser(
        "what is not there",
        *(get(path) for path in ["/", "/x", "/auth/callback/", "/AUTH/callback", "/auth"]),
        *(get(path) for path in ["//", "//[", "/%zz", "http://elsewhere/x", "http://[/x", "*"]),
        get("/x", "POST"),
        get("/x", "HEAD"),
        get(CODE.replace("{state}", "wrong")),
        get("/auth/callback"),
        get("/auth/callback?state="),
        get("/auth/callback?state={state}&state=wrong"),
        get("/auth/callback?code=c&error=x"),
        get("/auth/callback?state=wrong", "POST"),
        READ,
    ),
    through_browser("success before anything", get("/success"), SOON, READ),
    through_browser(
        "cancelled at the callback",
        get("/cancel?x"),
        COMPLETED,
        READ,
        BROWSER,
        get("/cancel", "POST"),
        COMPLETED,
    ),
    through_browser("another name of the host", get("/x", host="elsewhere"), READ),
    through_browser(
        "cancelled by a page", get("/cancel", origin="https://elsewhere"), SOON, READ
    ),
    through_browser(
        "cancelled by a link", get("/cancel", sec_fetch_site="cross-site"), SOON, READ
    ),
]

REDIRECTS = [
    Scenario(
        name="browser: redirected with an error",
        steps=[
            OPEN,
            *rounds(
                [BROWSER, get(target), COMPLETED]
                for target in [
                    "/auth/callback?state={state}",
                    "/auth/callback?state={state}&code=",
                    CODE + "&error=",
                    DENIED,
                    DENIED + "&error_description=+",
                    DENIED + "&error_description=No+%3Cb%3E%26%22%27",
                    DENIED + "&error_description=Sorry:+Missing_Codex_Entitlement",
                    DENIED.replace("access_", "")
                    + "&error_description=missing_codex_entitlement",
                    DENIED + "%0A&error_description=%ff%C3%A9",
                ]
            ),
            READ,
        ],
        network=reachable,
        alone=True,
    ),
    Scenario(
        name="browser: redirected with a code",
        steps=[
            OPEN,
            *rounds(
                [BROWSER, redirect, COMPLETED]
                for redirect in [
                    get(CODE.replace("?", "?state=wrong&")),
                    get(CODE + "&code=another-code"),
                    get(CODE + "+%2B"),
                    get(CODE, "POST"),
                    get(CODE, "HEAD"),
                ]
            ),
            READ,
        ],
        network=reachable,
        alone=True,
    ),
    through_browser(
        "denied", browse(), COMPLETED, READ, network=lambda s: s.tell({"user": "deny"})
    ),
]

BROWSING = [*AUTH_URLS, *SUCCESSES, *PLACES, *REDIRECTS]
