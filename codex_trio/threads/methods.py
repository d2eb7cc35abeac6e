"""thread/start and what else begins, ends and changes conversations: the handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import trio

from codex_trio.account.agents import agent_of
from codex_trio.errors import RpcError
from codex_trio.protocol import older_threads, turns, upkeep
from codex_trio.protocol import thread_news as news
from codex_trio.protocol import thread_rows as rows
from codex_trio.protocol import threads as words
from codex_trio.rpc.calls import Call, serves
from codex_trio.threads import rollout_lines as lines
from codex_trio.threads.context import with_id
from codex_trio.threads.ids import check_id
from codex_trio.threads.items_taken import is_known, is_taken
from codex_trio.threads.turn_pages import cursors_at_end, turns_page

if TYPE_CHECKING:
    from codex_trio.rpc.client import Client
    from codex_trio.threads.beginnings import Beginnings
    from codex_trio.threads.desk import Threads
    from codex_trio.threads.thread import Thread


@attrs.define(eq=False)
class ThreadMethods:
    """Answers for the conversations of one account scope."""

    _threads: Threads
    _beginnings: Beginnings

    @serves(rows.THREAD_START)
    async def start(self, call: Call[words.ThreadStartParams]) -> None:
        """Begin a conversation; it is on disk once something is said in it."""
        thread = await self._beginnings.start(call.params, call.client)
        thread.followers.add(call.client)
        call.reply(words.ThreadStartResponse(**_result(thread, [])))
        thread.announce(
            rows.THREAD_STARTED, news.ThreadStartedNotification(thread=thread.thread())
        )

    @serves(rows.THREAD_RESUME)
    async def resume(self, call: Call[words.ThreadResumeParams]) -> None:
        """Go on with a conversation that is loaded or on disk, and follow it.

        What it has been set to counts; what the params set counts if it is not loaded.
        """
        params = call.params
        thread, loaded = await self._beginnings.resume(params, call.client)
        is_new = call.client not in thread.followers
        thread.followers.add(call.client)
        past = [] if params.exclude_turns else thread.turns
        if not params.exclude_turns and params.history is None and thread.is_paginated:
            _deprecate_hydration(call.client)
        if loaded:
            self._threads.warn_of_switch(thread)
        if loaded:
            thread.announce_status()
        call.reply(
            words.ThreadResumeResponse(
                **_result(thread, past),
                collaboration_mode=thread.terms.mode,
                **_places_in(thread, params.initial_turns_page),
            )
        )
        if loaded or past:
            thread.tell_last_usage(call.client)
        call.client.tell(
            rows.THREAD_GOAL_CLEARED, news.ThreadGoalClearedNotification(thread_id=thread.id)
        )
        if is_new and thread.turn is not None and thread.turn.assembly is not None:
            thread.turn.assembly.tell_begun(call.client)

    @serves(rows.THREAD_FORK)
    async def fork(self, call: Call[words.ThreadForkParams]) -> None:
        """Begin a conversation with the past of another one, or with a part of it."""
        params = call.params
        thread = await self._beginnings.fork(params, call.client)
        thread.followers.add(call.client)
        past = [] if params.exclude_turns else thread.turns
        if not params.exclude_turns and thread.is_paginated:
            _deprecate_hydration(call.client)
        call.reply(words.ThreadForkResponse(**_result(thread, past)))
        if past:
            thread.tell_last_usage(call.client)
        thread.announce(
            rows.THREAD_STARTED, news.ThreadStartedNotification(thread=thread.thread())
        )

    @serves(rows.THREAD_UNSUBSCRIBE)
    def unsubscribe(
        self, call: Call[upkeep.ThreadUnsubscribeParams]
    ) -> upkeep.ThreadUnsubscribeResponse:
        """Hear nothing more of a conversation; it stays loaded for a while."""
        thread = self._threads.loaded.get(check_id(call.params.thread_id))
        if thread is None:
            return upkeep.ThreadUnsubscribeResponse(status="notLoaded")
        followed = thread.followers.remove(call.client)
        return upkeep.ThreadUnsubscribeResponse(
            status="unsubscribed" if followed else "notSubscribed"
        )

    @serves(rows.THREAD_SETTINGS_UPDATE)
    def settings_update(
        self, call: Call[words.ThreadSettingsUpdateParams]
    ) -> words.ThreadSettingsUpdateResponse | None:
        """Set what holds from the next turn on."""
        thread = self._threads.expect(call.params.thread_id)
        terms = thread.terms.changed(call.params)
        call.reply(words.ThreadSettingsUpdateResponse())
        thread.set_terms(terms)
        return None

    @serves(rows.THREAD_COMPACT_START)
    async def compact_start(self, call: Call[upkeep.ThreadCompactStartParams]) -> None:
        """Make a summary of a conversation, with which it goes on; in a turn of its own."""
        thread = self._threads.expect(call.params.thread_id)
        call.reply(upkeep.ThreadCompactStartResponse())
        # What has been promised is done, also for a client that has left meanwhile: the turn
        # before it ends at once, so it does not take long.
        with trio.CancelScope(shield=True):
            await self._threads.compact(thread, agent_of(call.client))

    @serves(rows.THREAD_INJECT_ITEMS)
    async def inject_items(
        self, call: Call[upkeep.ThreadInjectItemsParams]
    ) -> upkeep.ThreadInjectItemsResponse:
        """Put items into the history that the model will be sent."""
        thread = self._threads.expect(call.params.thread_id)
        if not call.params.items:
            raise RpcError.invalid_request("items must not be empty")
        items = []
        for index, item in enumerate(call.params.items):
            if not isinstance(item, dict):
                raise RpcError.invalid_request(
                    f"items[{index}] is not a valid response item: expected internally tagged"
                    " enum ResponseItem"
                )
            if not isinstance(item.get("type"), str):
                raise RpcError.invalid_request(f"items[{index}] is not a valid response item")
            if is_taken(item):
                items.append(with_id(item))
            elif is_known(item):  # of others, no host is told (observed)
                raise RpcError.invalid_request(f"items[{index}] is not a valid response item")
        thread.write(*(lines.response_item(item, turn_id=None) for item in items))
        await thread.flush()
        return upkeep.ThreadInjectItemsResponse()

    @serves(rows.THREAD_REVERT)
    async def revert(self, call: Call[upkeep.ThreadRevertParams]) -> None:
        """Take back a turn and all that came after it; one that is under way ends first."""
        thread = self._threads.expect(call.params.thread_id)
        await self._beginnings.revert(thread, call.params.before_turn_id)
        call.reply(upkeep.ThreadRevertResponse(thread=thread.thread(), **_places_in(thread)))
        thread.announce(
            rows.THREAD_REVERTED, news.ThreadRevertedNotification(thread_id=thread.id)
        )

    @serves(rows.THREAD_GOAL_GET)
    def goal_get(self, call: Call[upkeep.ThreadGoalGetParams]) -> upkeep.ThreadGoalGetResponse:
        """Say that a conversation has no goal: nothing can give it one yet."""
        self._threads.expect(call.params.thread_id)
        return upkeep.ThreadGoalGetResponse(goal=None)

    @serves(rows.THREAD_BACKGROUND_TERMINALS_LIST)
    def background_terminals_list(
        self, call: Call[upkeep.ThreadBackgroundTerminalsListParams]
    ) -> upkeep.ThreadBackgroundTerminalsListResponse:
        """Say that a conversation has left nothing running: nothing can be run yet."""
        self._threads.expect(call.params.thread_id)
        return upkeep.ThreadBackgroundTerminalsListResponse(data=[])

    @serves(rows.THREAD_ROLLBACK)
    async def rollback(
        self, call: Call[older_threads.ThreadRollbackParams]
    ) -> older_threads.ThreadRollbackResponse:
        """Take back the last turns, as clients of 0.118 do."""
        thread = self._threads.expect(call.params.thread_id)
        if not call.params.num_turns:
            raise RpcError.invalid_request("numTurns must be >= 1")
        if thread.turn is not None:
            raise RpcError.invalid_request("a turn is under way; it must end first")
        await self._roll_back(thread, min(call.params.num_turns, len(thread.turns)))
        return older_threads.ThreadRollbackResponse(thread=thread.thread(thread.turns))

    async def _roll_back(self, thread: Thread, turns: int) -> None:
        thread.write(lines.thread_rolled_back(turns))
        await thread.flush()


def _result(thread: Thread, past: list[turns.Turn]) -> dict[str, Any]:
    terms = thread.terms
    return {
        "thread": thread.thread(past),
        "model": terms.model,
        "model_provider": terms.provider.id,
        "service_tier": terms.service_tier,
        "disabled_plugin_ids": list(terms.disabled_plugin_ids),
        "cwd": terms.cwd,
        "runtime_workspace_roots": list(terms.workspace_roots),
        "instruction_sources": list(terms.instruction_sources),
        "approval_policy": terms.approval_policy,
        "approvals_reviewer": terms.approvals_reviewer,
        "sandbox": terms.sandbox,
        "active_permission_profile": terms.profile,
        "reasoning_effort": terms.effort,
        "multi_agent_mode": terms.multi_agent_mode,
    }


def _places_in(
    thread: Thread, wanted: words.ThreadResumeInitialTurnsPageParams | None = None
) -> dict[str, Any]:
    """Say where the past of a thread can be read from its end, and give a first page of it."""
    places: dict[str, Any] = {}
    if thread.is_paginated:
        before = cursors_at_end(thread.id, thread.fold)
        places["turns_backwards_cursor"], places["items_backwards_cursor"] = before
    if wanted is not None:
        data, following, back = turns_page(
            thread.id,
            thread.fold,
            limit=wanted.limit,
            descending=wanted.sort_direction != "asc",
            view=wanted.items_view or "summary",
        )
        places["initial_turns_page"] = words.TurnsPage(
            data=data, next_cursor=following, backwards_cursor=back
        )
    return places


def _deprecate_hydration(client: Client) -> None:
    """Tell a client that a whole past is better read by the page (observed)."""
    client.tell(
        rows.DEPRECATION_NOTICE,
        news.DeprecationNoticeNotification(
            summary=(
                "Full-history hydration is deprecated for paginated threads; use `excludeTurns:"
                " true`, then page with `thread/turns/list` and `thread/items/list`."
            ),
        ),
    )
