"""What is under way in a server: read off what there is, and kept nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
import trio

from codex_trio.protocol import methods
from codex_trio.protocol.seeing import (
    AccountTasks,
    ConnectionTask,
    LoginTask,
    RenewalTask,
    RequestTask,
    TurnTask,
)
from codex_trio.rpc.calls import Call, serves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from codex_trio.rpc.client import Client
    from codex_trio.scope import AccountScope

_TOLD_ELSEWHERE: Final = ("turn ", "renew tokens", "ask the host for tokens")
"""How tasks are called that are told of with their age."""


@attrs.frozen
class ServerTasks:
    """What is under way in a server; ``str`` draws it as a tree."""

    accounts: tuple[AccountTasks, ...]

    def __str__(self) -> str:
        """Draw it, a line for each task."""
        return "\n".join(["server", *_branches([_account(one) for one in self.accounts])])


def see(scope: AccountScope) -> AccountTasks:
    """Look what is under way in the name of an account. Never waits."""
    now = trio.current_time()
    nurseries = scope.nurseries
    return AccountTasks(
        connections=[_connection(client, now) for client in scope.board.router.clients],
        logins=[
            LoginTask(
                type=None
                if attempt.login is None
                else ("deviceCode" if attempt.login.port is None else "browser"),
                age=now - attempt.since,
                state=attempt.state,
            )
            for attempt in scope.desk.attempts
        ],
        renewals=[
            *(RenewalTask(by="issuer", age=now - at) for at in scope.refresher.since),
            *(RenewalTask(by="host", age=now - at) for at in scope.host_tokens.since),
        ],
        turns=[
            TurnTask(
                thread_id=turn.thread.id,
                turn_id=turn.id,
                kind=turn.kind,
                age=now - since,
                state="running" if turn.takes_more else "ending",
            )
            for turn, since in scope.board.work.things.items()
            if not isinstance(turn, Call)  # which is told of with its connection
        ],
        background=sorted(
            task.name
            for nursery in (nurseries.renewals, nurseries.records, nurseries.conversations)
            for task in nursery.child_tasks
            if not task.name.startswith(_TOLD_ELSEWHERE)
        ),
    )


def _connection(client: Client, now: float) -> ConnectionTask:
    return ConnectionTask(
        id=client.id,
        wire=client.wire,
        age=now - client.since,
        queued_bytes=client.queued_bytes,
        in_flight=len(client.calls),
        client=client.name or None,
        requests=[
            RequestTask(id=call.id, method=call.row.name, age=now - since, state=call.state)
            for call, since in client.calls.items()
        ],
    )


@attrs.define(eq=False)
class SeeingMethods:
    """Tells the clients of an account what is under way in its name."""

    _see: Callable[[], AccountTasks]

    @serves(methods.TASKS_READ)
    def tasks_read(self, call: Call[None]) -> AccountTasks:
        """Tell it; of other connections no more than that they are there, and how busy."""
        seen = self._see()
        return attrs.evolve(
            seen,
            connections=[
                one
                if one.id == call.client.id
                else attrs.evolve(one, client=None, requests=None)
                for one in seen.connections
            ],
        )


# --- drawing ---

_Branch = tuple[str, "Sequence[_Branch]"]


def _account(tasks: AccountTasks) -> _Branch:
    others = ((text, ()) for text in _others(tasks))
    return "account", [*(_drawn(one) for one in tasks.connections), *others]


def _others(tasks: AccountTasks) -> Iterator[str]:
    for login in tasks.logins:
        yield f"login ({login.type or 'no way yet'}): {login.state}, {login.age:.1f} s"
    for renewal in tasks.renewals:
        yield f"renewal of tokens by the {renewal.by}, {renewal.age:.1f} s"
    for turn in tasks.turns:
        name = f"turn {turn.turn_id} of thread {turn.thread_id} ({turn.kind})"
        yield f"{name}: {turn.state}, {turn.age:.1f} s"
    yield from tasks.background


def _drawn(one: ConnectionTask) -> _Branch:
    who = f"{one.client or 'unnamed'}, {one.wire}"
    text = f"connection {one.id} ({who}): {one.queued_bytes} bytes queued, {one.age:.1f} s"
    return text, [
        (f"request {request.id!r} {request.method}: {request.state}, {request.age:.1f} s", ())
        for request in one.requests or ()
    ]


def _branches(branches: Sequence[_Branch]) -> Iterator[str]:
    for index, (text, below) in enumerate(branches):
        last = index == len(branches) - 1
        yield f"{'└─' if last else '├─'} {text}"
        for line in _branches(below):
            yield f"{'  ' if last else '│ '} {line}"
