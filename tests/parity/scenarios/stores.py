"""Where credentials are kept, and what others make of them meanwhile."""

from __future__ import annotations

from tests.parity.scenarios.asking import LOGIN, LOGOUT, READ, STATUS
from tests.parity.scenarios.refresh import REFUSED
from tests.parity.scenarios.restrictions import KEY
from tests.parity.scenarios.signing import TOKEN, UPDATED
from tests.parity.scenarios.standing import READ_ANEW, STATUS_ALONE, answers, hosted, stands
from tests.parity.stored import Content, Stored
from tests.parity.world import pause, store

NEWER = Stored(account={"email": "b@example.com"})
OTHER = Stored(account={"email": "b@example.com", "account_id": "other", "user_id": "other"})
OTHER_KEY = KEY.replace("test", "other")

SEEN = pause(1.2)
"""Until a server has looked that looks once a second, where nobody is signed in."""

EDITS: dict[str, tuple[Content, Content]] = {
    "other tokens of the account": (Stored(), NEWER),
    "another account": (Stored(), OTHER),
    "an API key for an account": (Stored(), KEY),
    "nothing for an account": (Stored(), None),
    "garbage for an account": (Stored(), "xx"),
    "another API key": (KEY, OTHER_KEY),
    "an account for an API key": (KEY, Stored()),
    "nothing for an API key": (KEY, None),
    "an API key for nothing": (None, KEY),
    "an account for nothing": (None, Stored()),
}

STORES = [
    *(
        stands(
            f"store: {kind}, {name}",
            READ,
            LOGIN,
            READ,
            STATUS,
            LOGOUT,
            READ,
            stored=stored,
            config=f'cli_auth_credentials_store = "{kind}"\n',
        )
        for kind in ["file", "ephemeral", "auto", "keyring"]
        for name, stored in {"empty": None, "with an account in the file": Stored()}.items()
    ),
    stands(
        "store: auto, with tokens of a host",
        hosted(),
        UPDATED,
        READ,
        LOGOUT,
        READ,
        config='cli_auth_credentials_store = "auto"\n',
    ),
    *(
        stands(
            f"outside: {name}",
            READ,
            store(name, after),
            *([] if before else [SEEN]),
            READ,
            STATUS,
            stored=before,
        )
        for name, (before, after) in EDITS.items()
    ),
    *(
        stands(
            f"outside: {name}, when the former tokens were refused",
            answers(TOKEN, "that they have expired", REFUSED["expired"]),
            READ_ANEW,
            store(name, after),
            READ,
            STATUS_ALONE,
            stored=Stored(),
        )
        for name, after in {"other tokens": NEWER, "another account": OTHER}.items()
    ),
]
