"""What the stand-in is to do, and how it is told so in JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import attrs
from attrs.validators import deep_iterable, in_, instance_of, is_callable, optional

from codex_trio.testing.devices import DeviceScript
from codex_trio.testing.faults import Fault
from codex_trio.testing.model_script import read_response, read_responses
from codex_trio.testing.responses import ModelResponse, Part, be_friendly
from codex_trio.testing.tokens import Account

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codex_trio.testing.model import ResponseRequest

User: TypeAlias = Literal[
    "ask", "approve", "deny", "wrong state", "wrong code", "no code", "never"
]
"""Who sits at the browser: ``ask`` shows a page to a person, ``never`` one that leads nowhere,
and all others are sent on at once."""

Responder: TypeAlias = Callable[["ResponseRequest"], ModelResponse | Part]
"""Says what is answered to a request for which nothing else is waiting."""

_TEXT: Final = instance_of(str)
_MAYBE_TEXT: Final[Any] = optional(_TEXT)  # as in tokens
_KEYS: Final[Any] = optional(deep_iterable(_TEXT, instance_of((list, set, tuple, frozenset))))


@attrs.define(kw_only=True)
class Denial:
    """What a client is told when its user denies; a description of None is not said."""

    error: str = attrs.field(default="access_denied", validator=_TEXT)
    description: str | None = attrs.field(
        default="The user denied the request.", validator=_MAYBE_TEXT
    )


@attrs.define(kw_only=True)
class Script:
    """What can be told in advance, but for faults; ``StandIn`` says what it is."""

    user: User = attrs.field(default="approve", validator=in_(get_args(User)))
    denial: Denial = attrs.field(factory=Denial, validator=instance_of(Denial))
    device: DeviceScript = attrs.field(
        factory=DeviceScript, validator=instance_of(DeviceScript)
    )
    account: Account = attrs.field(factory=Account, validator=instance_of(Account))
    refresh_reply: dict[str, Any] = attrs.field(factory=dict, validator=instance_of(dict))
    usage: dict[str, Any] = attrs.field(factory=dict, validator=instance_of(dict))
    requirements: str | None = attrs.field(default=None, validator=_MAYBE_TEXT)
    responses: list[ModelResponse | Part] = attrs.field(
        factory=list, validator=instance_of(list)
    )
    respond: Responder = attrs.field(default=be_friendly, validator=is_callable())
    api_keys: Collection[str] | None = attrs.field(default=None, validator=_KEYS)
    models: list[dict[str, Any]] | None = attrs.field(
        default=None, validator=optional(deep_iterable(instance_of(dict), instance_of(list)))
    )

    def tell(self, words: dict[str, Any]) -> None:
        """Change what the words name, and leave the rest; all of it or nothing.

        Responses come behind those that are waiting.

        Raises:
            TypeError: a name is unknown, or a value has the wrong type.
            ValueError: a value is none of those that there are.
        """
        told = dict(words)
        for name in {"denial", "device", "account"} & told.keys():
            told[name] = attrs.evolve(getattr(self, name), **told[name])
        if "responses" in told:
            told["responses"] = [*self.responses, *read_responses(told["responses"])]
        if "respond" in told:
            told["respond"] = _responder(told["respond"])
        Script(**{**_fields_of(self, Script), **told})  # nobody is told before all is right
        account = told.get("account", self.account)
        if account.account_id == self.account.account_id:
            for name, value in _fields_of(account, Account).items():
                setattr(self.account, name, value)
            told["account"] = self.account  # the same one, whose tokens are out there
        for name, value in told.items():
            setattr(self, name, value)


def _responder(words: Any) -> Responder:
    read_response(words)  # wrong ones are told now
    return lambda _: read_response(words)  # with ids of its own each time


def _fields_of(value: Any, kind: type[attrs.AttrsInstance]) -> dict[str, Any]:
    return {name: getattr(value, name) for name in attrs.fields_dict(kind)}


def read_faults(words: Any) -> Iterator[tuple[str, Fault]]:
    """Read a list such as ``[{"path": "/oauth/token", "status": 503, "body": "busy"}]``.

    In the place of status and body there may be ``"redirect": "https://…"``, ``"drop": true``,
    ``"garbage": "text"``, ``"lose": true``, ``"cut": true`` or ``"trickle": true``. With any of
    them or alone may go ``"delay": 2`` or ``"hang": true``. A path alone passes.

    Raises:
        TypeError: a name is unknown, or a value has the wrong type.
        ValueError: a value is none of those that there are, or two do not go together.
    """
    for one in words:
        yield _read_fault(**one)


def _read_fault(
    path: str, *, body: Any = b"", delay: float = 0.0, hang: bool = False, **kind: Any
) -> tuple[str, Fault]:
    if not isinstance(path, str):
        raise TypeError("a path is text")
    if unknown := kind.keys() - _KINDS.keys():
        raise TypeError(f"a fault has no {', '.join(sorted(unknown))}")
    if len(kind) > 1:
        raise ValueError(f"{' and '.join(sorted(kind))} do not go together")
    fault = Fault.none()
    for name, value in kind.items():
        if value is not None and value is not False:
            fault = _KINDS[name](value, body)
    wait = math.inf if hang else fault.wait + delay
    return path, attrs.evolve(fault, wait=wait)


_KINDS: Final[dict[str, Callable[[Any, Any], Fault]]] = {
    "status": Fault.status,
    "redirect": lambda location, _: Fault.redirect(str(location)),
    "drop": lambda *_: Fault.drop(),
    "garbage": lambda text, _: Fault.garbage(str(text).encode()),
    "lose": lambda *_: Fault.lose(),
    "cut": lambda *_: Fault.cut(),
    "trickle": lambda *_: Fault.trickle(),
}
