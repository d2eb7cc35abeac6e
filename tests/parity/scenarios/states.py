"""Who is said to be signed in, in every state of what is stored."""

from __future__ import annotations

from codex_trio.testing import Fault, make_jwt
from tests.parity.scenarios.asking import READ, STATUS
from tests.parity.scenarios.signing import AUTH, faulty
from tests.parity.scenarios.standing import (
    LIMITS,
    READ_ANEW,
    ROUTING,
    STATUS_ALONE,
    STATUS_ANEW,
    stands,
)
from tests.parity.stored import LEFT_OUT, Content, Stored
from tests.parity.world import asked, pause

ASKED = [READ, READ_ANEW, STATUS_ALONE, STATUS, STATUS_ANEW, LIMITS]


def served(**changes: object) -> Fault:
    """Say where the account is served from."""
    usual = {
        "id": "fake-account",
        "workspace_backend_origin": "https://chatgpt.com",
        "account_routing_override": "NO_CONSTRAINT",
    }
    return Fault.status(200, {"accounts": [{**usual, **changes}]})


def named(**claims: object) -> str:
    """An identity token that says this and no more of an account."""
    return make_jwt({"email": "a@b.c", AUTH: claims})


STATES: dict[str, Content] = {
    "nobody": None,
    "an API key": '{"auth_mode":"apikey","OPENAI_API_KEY":"sk-test"}',
    "an empty API key": '{"OPENAI_API_KEY":""}',
    "ChatGPT": Stored(),
    "no e-mail address": Stored(account={"email": None}),
    "no plan": Stored(account={"plan": None}),
    "no mode": Stored(fields={"auth_mode": LEFT_OUT}),
    "unknown fields": Stored(fields={"x": 1}, tokens={"y": 2}),
    "no time of the last refresh": Stored(days=None),
    "no account in the identity token": Stored(tokens={"id_token": named()}),
    "no refresh token": Stored(tokens={"refresh_token": ""}),
    "tokens of a host": Stored(fields={"auth_mode": "chatgptAuthTokens"}),
    "nothing": "{}",
    "no tokens": '{"auth_mode":"chatgpt"}',
    "a token for a person": (
        '{"auth_mode":"personalAccessToken","personal_access_token":"at-test"}'
    ),
    "garbage": "xx",
}

NO_ACCOUNT = Stored(tokens={"account_id": None})

ROUTES = {
    "everywhere": Fault.none(),
    "in one region": served(
        workspace_backend_origin="https://us.chatgpt.com:8443/", account_routing_override="us"
    ),
    "of another account": served(id="x"),
    "in a way unheard of": served(account_routing_override="x"),
    "at a path": served(workspace_backend_origin="https://chatgpt.com/x"),
    "without TLS": served(workspace_backend_origin="http://chatgpt.com"),
    "with a password": served(workspace_backend_origin="https://a:b@chatgpt.com"),
    "nowhere": served(workspace_backend_origin=None),
    "not told": Fault.status(500),
}

NAMELESS = {
    "no account in the file": NO_ACCOUNT,
    "no account anywhere": Stored(tokens={"id_token": named(), "account_id": None}),
}

STANDING = [
    *(stands(f"state: {name}", *ASKED, stored=stored) for name, stored in STATES.items()),
    *(
        stands(f"state: {name}", READ, STATUS, LIMITS, stored=stored)
        for name, stored in NAMELESS.items()
    ),
    stands("state: renewed, no account in the file", READ_ANEW, STATUS, stored=NO_ACCOUNT),
    *(
        stands(
            f"routing: {name}",
            READ,
            asked(ROUTING),
            pause(0.2),
            READ,
            stored=Stored(),
            network=faulty(ROUTING, *[fault] * 9),
        )
        for name, fault in ROUTES.items()
    ),
]
