"""What the stand-in is to do, and how it is told so in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import attrs
from attrs.validators import in_, instance_of, optional

from codex_trio.testing.devices import DeviceScript
from codex_trio.testing.faults import Fault
from codex_trio.testing.tokens import Account

if TYPE_CHECKING:
    from collections.abc import Iterator

User: TypeAlias = Literal[
    "ask", "approve", "deny", "wrong state", "wrong code", "no code", "never"
]
"""Who sits at the browser: ``ask`` shows a page to a person, ``never`` one that leads nowhere,
and all others are sent on at once."""

_TEXT: Final = instance_of(str)
_MAYBE_TEXT: Final[Any] = optional(_TEXT)  # as in tokens


@attrs.define(kw_only=True)
class Denial:
    """What a client is told when its user denies; a description of None is not said."""

    error: str = attrs.field(default="access_denied", validator=_TEXT)
    description: str | None = attrs.field(
        default="The user denied the request.", validator=_MAYBE_TEXT
    )


@attrs.define(kw_only=True)
class Script:
    """What can be told in advance, but for faults."""

    user: User = attrs.field(default="approve", validator=in_(get_args(User)))
    denial: Denial = attrs.field(factory=Denial, validator=instance_of(Denial))
    device: DeviceScript = attrs.field(
        factory=DeviceScript, validator=instance_of(DeviceScript)
    )
    account: Account = attrs.field(factory=Account, validator=instance_of(Account))

    def tell(self, words: dict[str, Any]) -> None:
        """Change what the words name, and leave the rest; all of it or nothing.

        Raises:
            TypeError: a name is unknown, or a value has the wrong type.
            ValueError: a value is none of those that there are.
        """
        told = dict(words)
        for name in {"denial", "device", "account"} & told.keys():
            told[name] = attrs.evolve(getattr(self, name), **told[name])
        Script(**{**_fields_of(self, Script), **told})  # nobody is told before all is right
        account = told.get("account", self.account)
        if account.account_id == self.account.account_id:
            for name, value in _fields_of(account, Account).items():
                setattr(self.account, name, value)
            told["account"] = self.account  # the same one, whose tokens are out there
        for name, value in told.items():
            setattr(self, name, value)


def _fields_of(value: Any, kind: type[attrs.AttrsInstance]) -> dict[str, Any]:
    return {name: getattr(value, name) for name in attrs.fields_dict(kind)}


def read_faults(words: Any) -> Iterator[tuple[str, Fault]]:
    """Read a list such as ``[{"path": "/oauth/token", "status": 503, "body": "busy"}]``.

    In the place of status and body there may be ``"drop": true``, ``"hang": true`` or
    ``"garbage": "text"``; ``"delay": 2`` goes alone or with a status. A path alone passes.

    Raises:
        TypeError: a name is unknown, or a value has the wrong type.
        ValueError: a value is none of those that there are.
    """
    for one in words:
        yield _read_fault(**one)


def _read_fault(
    path: str,
    *,
    status: int | None = None,
    body: Any = b"",
    delay: float = 0.0,
    drop: bool = False,
    hang: bool = False,
    garbage: str | None = None,
) -> tuple[str, Fault]:
    if not isinstance(path, str):
        raise TypeError("a path is text")
    fault = Fault.none()
    if status is not None:
        fault = Fault.status(status, body)
    elif drop:
        fault = Fault.drop()
    elif garbage is not None:
        fault = Fault.garbage(str(garbage).encode())
    elif hang:
        fault = Fault.hang()
    return path, attrs.evolve(fault, wait=fault.wait + delay)
