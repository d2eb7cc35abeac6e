"""Words of server/tasks/read: what is under way in a server. Ours.

Ages are in seconds. There is nothing secret in it, and nothing of what is said: no params, no results.
"""

from __future__ import annotations

from typing import Any, Literal

from attrs import frozen


@frozen(kw_only=True)
class RequestTask:
    """A request that has become a task; what is answered on the spot never does.

    Args:
        id: what the client calls it, a string or a number.
        method: what is asked.
        age: since it arrived.
        state: whether it waits for its lane, is being answered, or is answered and goes on.
    """

    id: Any
    method: str
    age: float
    state: Literal["waiting", "running", "answered"]


@frozen(kw_only=True)
class ConnectionTask:
    """A client that is connected.

    Args:
        id: a number that no other connection of the process has.
        wire: the kind of wire: ``line``, ``memory``, ``websocket``.
        age: since it connected.
        queued_bytes: what it has not read yet.
        in_flight: how many requests of it are.
        client: what it calls itself; null over the wire, if it is another one than who asks.
        requests: those in flight; likewise.
    """

    id: int
    wire: str
    age: float
    queued_bytes: int
    in_flight: int
    client: str | None
    requests: list[RequestTask] | None


@frozen(kw_only=True)
class LoginTask:
    """A sign-in.

    Args:
        type: ``browser`` or ``deviceCode``; null until it has begun.
        age: since it was asked for.
        state: ``beginning``, ``open``, ``storing`` credentials, or ``settled``: then a browser
            has a moment to fetch its last page.
    """

    type: Literal["browser", "deviceCode"] | None
    age: float
    state: Literal["beginning", "open", "storing", "settled"]


@frozen(kw_only=True)
class RenewalTask:
    """A renewal of tokens, by the issuer or by the host that owns them."""

    by: Literal["issuer", "host"]
    age: float


@frozen(kw_only=True)
class TurnTask:
    """A turn; one that is ending is being cut, or recorded."""

    thread_id: str
    turn_id: str
    kind: Literal["answer", "compact"]
    age: float
    state: Literal["running", "ending"]


@frozen(kw_only=True)
class AccountTasks:
    """What is under way in the name of one account; the answer to server/tasks/read."""

    connections: list[ConnectionTask]
    logins: list[LoginTask]
    renewals: list[RenewalTask]
    turns: list[TurnTask]
    background: list[str]
    """What runs besides, by name."""
