"""Asking a model once, however often its response breaks off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import attrs
import trio

from codex_trio.protocol import thread_rows as rows
from codex_trio.protocol import turns as words
from codex_trio.responses import events
from codex_trio.responses.backoff import offline_backoff, stream_backoff
from codex_trio.responses.failures import ResponseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from codex_trio.responses.prompt import Prompt
    from codex_trio.responses.sampling import Responses, ResponseStream
    from codex_trio.threads.context import Item
    from codex_trio.threads.turn import Turn


_AT_ONCE: Final = 64  # events, half of what an outbox holds before pieces are joined


class Listener(Protocol):
    """Takes what comes of one response; nothing in it waits."""

    def add_text(self, delta: str) -> None:
        """Take the next piece of a message."""

    def take(self, event: events.Event) -> None:
        """Take what comes less often, but for items that are complete."""

    def keep(self, item: Item) -> bool:
        """Take an item that is complete; says whether it calls a tool."""


@attrs.define(eq=False)
class Asking:
    """Asks the model on behalf of one turn.

    Args:
        prompt: makes what is sent, from what is known at that moment.
        listen: makes what takes a response; one that breaks off is asked for anew, behind the
            items of it that are complete (observed).
        steerable: whether it ends early when the user says something more.
    """

    _turn: Turn
    _responses: Responses
    _prompt: Callable[[], Prompt]
    _listen: Callable[[], Listener]
    _steerable: bool = attrs.field(default=True, kw_only=True)
    _rerouted: bool = attrs.field(default=False, init=False)

    async def ask(self) -> bool:
        """Let the model respond once; says whether it wants to go on.

        A response that breaks off is asked for again, as often as the provider's settings say,
        and followers are told each time. One that is cut by steering wants to go on. A
        cancelled call closes the connection to the host. A host that cannot be reached is waited
        for, as in the original, until the turn is interrupted: that is no fault of its own.

        Raises:
            ResponseError: the model does not respond, and trying again is no use.
        """
        most = self._turn.terms.provider.stream_max_retries
        attempt = lost = 0
        while True:
            outcome = await self._attempt()
            if not isinstance(outcome, ResponseError):
                return outcome
            if outcome.unreachable:
                lost += 1
                self._tell_unreachable(outcome)
                pause = offline_backoff(lost)
            else:
                lost = 0
                if not outcome.retry or attempt >= most:
                    self._note_full(outcome)
                    raise outcome
                attempt += 1
                self._tell_retry(outcome, attempt, most)
                pause = stream_backoff(attempt) if outcome.delay is None else outcome.delay
            if await self._wait(pause):
                return True

    async def _wait(self, seconds: float) -> bool:
        """Wait until the next attempt; says whether the user has said something more."""
        with trio.move_on_after(seconds) as pause:
            self._expose(pause)
            await trio.sleep_forever()
        self._turn.response = None
        return self._steerable and bool(self._turn.said)

    def _expose(self, scope: trio.CancelScope) -> None:
        """Let what is waited for within a scope be cut by steering."""
        if self._steerable:
            self._turn.response = scope

    async def _attempt(self) -> bool | ResponseError:
        turn = self._turn
        with trio.CancelScope() as response:  # noqa: ASYNC912 - the model is waited for
            self._expose(response)
            try:
                async with self._responses.open(
                    turn.terms.provider, self._prompt(), turn.agent, self._tell_recovery
                ) as stream:
                    turn.headers = stream.headers
                    self._tell_rerouted(stream.headers.get("openai-model"))
                    wants_more = await self._receive(stream, self._listen())
                    turn.headers = None
                    return wants_more
            except ResponseError as error:
                self._tell_usage(error.headers)
                return error
            finally:
                turn.response = None
        self._tell_usage(None)
        turn.assembly = None
        return True  # steered: the response to what was said before is dropped

    async def _receive(self, stream: ResponseStream, listener: Listener) -> bool:
        called, heard = False, 0
        while True:
            for event in await stream.receive():
                heard += 1
                if heard % _AT_ONCE == 0:
                    # What has arrived already is received without a wait; but those who send it
                    # on, and other turns, want to run as well.
                    await trio.lowlevel.checkpoint()
                if isinstance(event, events.TextDelta):  # first, for there are thousands
                    listener.add_text(event.delta)
                elif isinstance(event, events.ItemDone):
                    called |= listener.keep(event.item)
                elif isinstance(event, events.Created):
                    self._tell_rerouted(event.model)
                elif isinstance(event, events.Completed):
                    self._complete(event, stream.headers)
                    return called or event.end_turn is False
                else:
                    listener.take(event)

    def _tell_usage(self, headers: Mapping[str, str] | None) -> None:
        """Tell what is known after a response that has come to nothing, if one had begun."""
        told = self._turn.headers or headers
        self._turn.headers = None
        if told is not None:
            self._turn.thread.tell_usage(self._turn.id, told)

    def _complete(self, completed: events.Completed, headers: Mapping[str, str]) -> None:
        turn = self._turn
        if completed.usage is not None:
            turn.thread.chronicle.note_usage(turn, completed.usage)
        turn.thread.tell_usage(turn.id, headers)

    # --- what followers are told meanwhile ---

    def _tell_retry(self, error: ResponseError, attempt: int, most: int) -> None:
        """Tell that the model is asked again, after a while."""
        self._tell_reconnecting(f"{attempt}/{most}", error.status, error.message)

    def _tell_unreachable(self, error: ResponseError) -> None:
        """Tell that the model's host cannot be reached, and is waited for."""
        self._tell_reconnecting("waiting for network", None, error.message)

    def _tell_reconnecting(self, how: str, status: int | None, why: str) -> None:
        turn = self._turn
        told = words.TurnError(
            message=f"Reconnecting... {how}",
            codex_error_info={"responseStreamDisconnected": {"httpStatusCode": status}},
            additional_details=why,
        )
        turn.thread.tell(
            rows.ERROR,
            words.ErrorNotification(
                error=told, will_retry=True, thread_id=turn.thread.id, turn_id=turn.id
            ),
        )

    def _tell_recovery(self, message: str, *, completed: bool) -> None:
        """Tell that the credentials were refused, and that others are sought or found."""
        turn = self._turn
        turn.thread.tell(
            rows.AUTH_RECOVERY_COMPLETED if completed else rows.AUTH_RECOVERY_STARTED,
            words.AuthRecoveryNotification(
                thread_id=turn.thread.id,
                turn_id=turn.id,
                provider=turn.terms.provider.id,
                message=message,
            ),
        )

    def _tell_rerouted(self, model: str | None) -> None:
        """Tell if another model responds than the one that was asked."""
        turn = self._turn
        asked = turn.terms.model
        if model and model.lower() != asked.lower() and not self._rerouted:
            self._rerouted = True
            turn.thread.tell(
                rows.MODEL_REROUTED,
                words.ModelReroutedNotification(
                    thread_id=turn.thread.id,
                    turn_id=turn.id,
                    from_model=asked,
                    to_model=model,
                    reason="highRiskCyberActivity",
                ),
            )
            turn.thread.warn(
                f"The host has answered with {model} instead of {asked}, because it takes this"
                " account's requests for a risk. See"
                " https://developers.openai.com/codex/concepts/cyber-safety"
            )

    def _note_full(self, error: ResponseError) -> None:
        """Note that the model can take no more, so that the next turn makes a summary first."""
        if error.info == "contextWindowExceeded":
            self._turn.thread.chronicle.note_full(self._turn)
