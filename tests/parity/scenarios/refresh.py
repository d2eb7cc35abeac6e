"""Renewing tokens: when, with what, and what the issuer may answer instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codex_trio.testing import Fault, make_jwt
from tests.parity.scenarios.asking import LOGIN, LOGOUT, READ, STATUS
from tests.parity.scenarios.signing import TOKEN, rounds
from tests.parity.scenarios.standing import (
    LIMITS,
    READ_ANEW,
    STATUS_ALONE,
    STATUS_ANEW,
    answers,
    stands,
)
from tests.parity.stored import Stored
from tests.parity.world import tell

if TYPE_CHECKING:
    from tests.parity.steps import Act

OPAQUE = make_jwt({"aud": ["https://api.openai.com/v1"]})
"""An access token that does not say when it ends; nobody has issued it."""

WHEN = {
    "past its end": Stored(lifetime=0),
    "near its end": Stored(lifetime=280),
    "not so near its end": Stored(lifetime=340),
    "of nine days": Stored(days=9, tokens={"access_token": OPAQUE}),
}

REFUSED = {
    "expired": Fault.status(401, {"error": {"code": "refresh_token_expired"}}),
    "reused": Fault.status(401, {"error": {"code": "refresh_token_reused"}}),
    "invalidated": Fault.status(401, {"error": "refresh_token_invalidated"}),
    "a code in capitals": Fault.status(400, {"code": "REFRESH_TOKEN_EXPIRED"}),
    "another code": Fault.status(401, {"error": {"code": "x"}}),
    "no code": Fault.status(401, "x"),
    "expired, with 403": Fault.status(403, {"error": {"code": "refresh_token_expired"}}),
    "invalidated, with 500": Fault.status(
        500, {"error": {"code": "refresh_token_invalidated"}}
    ),
    "a grant that is invalid": Fault.status(400, {"error": "invalid_grant"}),
    "a grant whose code is": Fault.status(400, {"error": {"code": "invalid_grant"}}),
}

FAILED = {
    "400": Fault.status(400, {"error": "invalid_request"}),
    "403": Fault.status(403, {"error": "invalid_grant"}),
    "404": Fault.status(404),
    "429": Fault.status(429, {"error": {"message": "x"}}),
    "500": Fault.status(500, {"error": {"message": "x"}}),
    "503": Fault.status(503, "<html>x</html>"),
}

UNKNOWN = {
    "a bad gateway": Fault.status(502),
    "a late gateway": Fault.status(504),
    "a redirect": Fault.redirect("/elsewhere"),
    "a dropped connection": Fault.drop(),
    "no HTTP": Fault.garbage(),
    "nothing": Fault.status(200),
    "nothing with 204": Fault.status(204),
    "no JSON": Fault.status(200, "x"),
    "a list": Fault.status(200, []),
    "an access token that is none": Fault.status(200, {"access_token": 5}),
    "a lost reply": Fault.lose(),
    "half a reply": Fault.cut(),
}

RENEWED: dict[str, Any] = {
    "everything": {},
    "another e-mail address and plan": None,
    "no refresh token": {"refresh_token": None},
    "no identity token": {"id_token": None},
    "no access token": {"access_token": None},
    "no token": {"id_token": None, "access_token": None, "refresh_token": None},
    "an access token that says nothing": {"access_token": "x"},
    "an identity token that is none": {"id_token": "x"},
    "a refresh token of another type": {"refresh_token": 5},
    "empty tokens": {"access_token": "", "refresh_token": ""},
}


def replies(name: str, patch: dict[str, Any] | None) -> Act:
    """Let the issuer reply otherwise; or of an account that has changed, if there is no patch."""
    if patch is None:
        account = {"email": "b@example.com", "plan": "team"}
        return tell(f"the issuer gives {name}", lambda it: it.tell({"account": account}))
    return tell(f"the issuer gives {name}", lambda it: it.tell({"refresh_reply": patch}))


REFRESHING = [
    *(
        stands(f"refresh: a token {name}", STATUS_ALONE, STATUS, READ, stored=stored)
        for name, stored in WHEN.items()
    ),
    *(
        stands(
            f"refresh: refused, {name}",
            READ,
            answers(TOKEN, name, fault),
            READ_ANEW,
            STATUS,
            STATUS_ANEW,
            READ_ANEW,
            READ,
            LIMITS,
            LOGOUT,
            stored=Stored(),
        )
        for name, fault in REFUSED.items()
    ),
    stands(
        "refresh: failed",
        *rounds(
            [answers(TOKEN, name, fault), READ_ANEW, STATUS] for name, fault in FAILED.items()
        ),
        STATUS_ANEW,
        stored=Stored(),
    ),
    *(
        stands(
            f"refresh: it comes to {name}",
            answers(TOKEN, name, fault),
            READ_ANEW,
            READ_ANEW,
            STATUS,
            stored=Stored(),
        )
        for name, fault in UNKNOWN.items()
    ),
    *(
        stands(
            f"refresh: the issuer gives {name}",
            replies(name, patch),
            READ_ANEW,
            STATUS,
            READ,
            stored=Stored(),
        )
        for name, patch in RENEWED.items()
    ),
    stands(
        "refresh: and then an API key",
        READ_ANEW,
        LOGIN,
        READ_ANEW,
        stored=Stored(),
    ),
    stands(
        "refresh: refused, and then an API key",
        answers(TOKEN, "no", REFUSED["expired"]),
        READ_ANEW,
        LOGIN,
        READ_ANEW,
        stored=Stored(),
    ),
]
