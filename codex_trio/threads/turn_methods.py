"""turn/*: the handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from codex_trio.account.agents import agent_of
from codex_trio.errors import INVALID_REQUEST, RpcError
from codex_trio.protocol import thread_rows as rows
from codex_trio.protocol import turns as words
from codex_trio.rpc.calls import Call, serves
from codex_trio.threads.inputs import check_inputs
from codex_trio.threads.turn import Said

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from codex_trio.threads.desk import Threads
    from codex_trio.threads.thread import Thread
    from codex_trio.threads.turn import Turn


@attrs.define(eq=False)
class TurnMethods:
    """Answers for the conversations of one account scope; nothing here waits but an interrupt."""

    _threads: Threads

    @serves(rows.TURN_START)
    def start(self, call: Call[words.TurnStartParams]) -> Awaitable[None] | None:
        """Begin a turn, or say something more in the one that is under way.

        The answer comes before anything is told of the turn; what the turn sets, and what is to
        be warned of, is told before it (observed).
        """
        params = call.params
        thread = self._threads.expect(params.thread_id)
        check_inputs(params.input)
        if (turn := thread.turn) is not None and not turn.takes_more:
            return self._start_behind(turn, call)
        self._start(thread, call)
        return None

    async def _start_behind(self, turn: Turn, call: Call[words.TurnStartParams]) -> None:
        """Wait for the end of a turn that is only being stored, then begin the next one."""
        await turn.ended.wait()
        self._start(self._threads.expect(call.params.thread_id), call)

    def _start(self, thread: Thread, call: Call[words.TurnStartParams]) -> None:
        params = call.params
        said = Said(inputs=params.input, client_id=params.client_user_message_id)
        terms = thread.terms.changed(params)
        if (turn := thread.turn) is not None:
            if turn.kind == "compact":
                raise RpcError.internal(
                    "failed to submit turn input: ActiveTurnNotSteerable { turn_kind: Compact }"
                )
            call.reply(words.TurnStartResponse(turn=turn.words()))
            thread.set_terms(terms)
            turn.steer(said)
            return
        thread.set_terms(terms)
        self._threads.warn_of_model(thread)
        turn = self._threads.make_turn(thread, agent_of(call.client), params.output_schema)
        turn.said.append(said)
        call.reply(words.TurnStartResponse(turn=turn.words()))
        self._threads.begin(turn)

    @serves(rows.TURN_STEER)
    def steer(self, call: Call[words.TurnSteerParams]) -> words.TurnSteerResponse:
        """Say something more in the turn that is under way."""
        params = call.params
        thread = self._threads.expect(params.thread_id)
        if not params.expected_turn_id:
            raise RpcError.invalid_request("expectedTurnId must not be empty")
        if (turn := thread.turn) is None or not turn.takes_more:
            raise RpcError.invalid_request("no active turn to steer")
        if params.expected_turn_id != turn.id:
            raise RpcError.invalid_request(
                f"expected active turn id `{params.expected_turn_id}` but found `{turn.id}`"
            )
        self._expect_steerable(turn)
        if not params.input:
            raise RpcError.invalid_request("input must not be empty")
        check_inputs(params.input)
        turn.steer(Said(inputs=params.input, client_id=params.client_user_message_id))
        return words.TurnSteerResponse(turn_id=turn.id)

    @serves(rows.TURN_INTERRUPT)
    async def interrupt(self, call: Call[words.TurnInterruptParams]) -> None:
        """End a turn now; the answer comes when it has ended, and what is told of that behind it.

        However stuck the model's host is, that takes no time: its connection is closed.
        """
        params = call.params
        thread = self._threads.expect(params.thread_id)
        if (turn := thread.turn) is None:
            if not params.turn_id:  # whichever there is: none
                call.reply(words.TurnInterruptResponse())
                return
            raise RpcError.invalid_request("no active turn to interrupt")
        if params.turn_id not in ("", turn.id):
            raise RpcError.invalid_request(
                f"expected active turn id {params.turn_id} but found {turn.id}"
            )
        turn.interrupt(call)
        await turn.ended.wait()

    def _expect_steerable(self, turn: Turn) -> None:
        if turn.kind == "compact":
            raise RpcError(
                INVALID_REQUEST,
                "cannot steer a compact turn",
                {
                    "message": "cannot steer a compact turn",
                    "codexErrorInfo": {"activeTurnNotSteerable": {"turnKind": "compact"}},
                    "additionalDetails": None,
                    "misalignment": None,
                },
            )
