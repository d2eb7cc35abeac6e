"""Who is connected, what all of them are told, and the questions that are still open."""

from __future__ import annotations

import itertools
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import attrs
import trio

from codex_trio.errors import AnswerError, ClientGoneError, InvalidParamsError, RpcError
from codex_trio.protocol import codec

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator

    from codex_trio.protocol.codec import RequestId
    from codex_trio.protocol.rows import ServerNotification, ServerRequest
    from codex_trio.rpc.client import Client

P = TypeVar("P")
R = TypeVar("R")

Outcome: TypeAlias = Any
"""What a question comes to: a decoded result, or the RpcError that the client answered with."""

log = logging.getLogger(__name__)


@attrs.define(eq=False)
class _Question:
    slot: trio.MemorySendChannel[Outcome]
    asked: set[Client]


@attrs.define(eq=False)
class Router:
    """Matches the answers that come in with the questions that went out.

    A question is a one-slot channel. That makes all of its endings ordinary: an answer is an
    item; an asker that gives up leaves its ``with`` block, and a late answer finds nothing;
    the last client that could have answered hangs up, and the channel ends; a second answer
    finds nothing either. Ids count from 0 and are never used again.
    """

    _ids: itertools.count[int] = attrs.field(factory=itertools.count, init=False)
    _open: dict[RequestId, _Question] = attrs.field(factory=dict, init=False)
    _clients: dict[Client, None] = attrs.field(factory=dict, init=False)  # in order of arrival
    _listened_to: set[Client] = attrs.field(factory=set, init=False)  # who can still answer

    @property
    def clients(self) -> list[Client]:
        """The clients that are connected, in order of arrival."""
        return list(self._clients)

    @property
    def questions(self) -> int:
        """How many questions are open."""
        return len(self._open)

    @contextmanager
    def joined(self, client: Client) -> Generator[None]:
        """Count a client among those that are told things, for as long as it can hear."""
        self._clients[client] = None
        self._listened_to.add(client)
        try:
            yield
        finally:
            del self._clients[client]
            client.gone = True
            self.hang_up(client)

    def broadcast(
        self,
        row: ServerNotification[P],
        params: P,
        to: Callable[[Client], bool] = lambda _: True,
    ) -> None:
        """Tell every client whose connection is open, or those of them whom it is meant for.

        It never waits, so that neither a client that does not read nor a cancellation keeps
        news from the others. A client that lets too much of it pile up is cut off.
        """
        message = codec.encode_notification(row, params)
        for client in self._clients:
            if client.initialized and client.hears(row) and to(client):
                client.say(message)
                client.cut_if_too_slow()

    async def ask(self, clients: Collection[Client], row: ServerRequest[P, R], params: P) -> R:
        """Ask some clients the same question and return the first answer.

        The caller brings the patience, as in ``with trio.fail_after(10)``. A cancelled call
        takes the question back; an answer that comes later is dropped.

        Raises:
            AnswerError: the client answered with an error, or not in the words of the question.
            ClientGoneError: nobody is left who could answer.
        """
        with self._question(clients) as (request_id, asked, answer):
            message = codec.encode_request(row, request_id, params)
            for client in asked:
                client.say(message)
            try:
                outcome = await answer.receive()
            except trio.EndOfChannel:
                raise ClientGoneError(f"{row.name}: nobody is left to answer") from None
        if isinstance(outcome, RpcError):
            raise AnswerError(f"{row.name}: the client answered with an error", outcome)
        try:
            return codec.decode_result(row, outcome)
        except InvalidParamsError as error:
            raise AnswerError(
                f"{row.name}: the client's answer cannot be read", error
            ) from None

    @contextmanager
    def _question(
        self, clients: Collection[Client]
    ) -> Generator[tuple[int, set[Client], trio.MemoryReceiveChannel[Outcome]]]:
        slot, answer = trio.open_memory_channel[Outcome](1)
        request_id = next(self._ids)
        asked = self._listened_to.intersection(clients)
        with slot, answer:
            if asked:
                self._open[request_id] = _Question(slot, asked)
            else:
                slot.close()
            try:
                yield request_id, asked, answer
            finally:
                self._open.pop(request_id, None)

    def answer(self, client: Client, request_id: RequestId, outcome: Outcome) -> None:
        """Hand in an answer. Never waits, so the reader may call it.

        Only who was asked can answer: ids are easy to guess, and a connection may belong to
        somebody else.
        """
        question = self._open.get(request_id)
        if question is None or client not in question.asked:
            log.warning("dropped an answer to no open question, id %.40r", request_id)
            return
        del self._open[request_id]
        question.slot.send_nowait(outcome)

    def hang_up(self, client: Client) -> None:
        """Wake those who wait for this client alone: it will not answer any more."""
        self._listened_to.discard(client)
        for question in self._open.values():
            question.asked.discard(client)
            if not question.asked:
                question.slot.close()
