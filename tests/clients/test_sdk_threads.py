"""The official Python SDK keeps threads: lists, reads, names, forks, archives, resumes them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from openai_codex import Codex, Thread, TurnResult
from openai_codex.errors import InternalRpcError, InvalidRequestError
from openai_codex.types import TurnStatus

from tests.clients.sdk import spoken_in, texts_of
from tests.clients.servers import MODEL, SDK_MARKS, only_ours
from tests.conftest import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from openai_codex import CodexConfig

    from codex_trio.testing import StandInProcess

pytestmark = SDK_MARKS


def ids_of(listed: object) -> list[str]:
    return [thread.id for thread in listed.data]  # type: ignore[attr-defined]  # any of its lists


def test_threads_are_listed_read_and_named(sdk_config: CodexConfig, work: Path) -> None:
    with Codex(config=sdk_config) as codex:
        first = codex.thread_start()
        first.run("Count the birds.")
        second = codex.thread_start()
        second.run("Feed the cat.")
        passing = codex.thread_start(ephemeral=True)
        passing.run("Forget this.")
        assert set(ids_of(codex.thread_list())) == {first.id, second.id}

        assert ids_of(codex.thread_list(search_term="birds")) == [first.id]

        first.set_name("Birds")
        thread = first.read(include_turns=True).thread
        assert (thread.id, thread.name) == (first.id, "Birds")
        assert thread.preview == "Count the birds."
        assert thread.cwd.root == str(work)
        (turn,) = thread.turns
        assert turn.status is TurnStatus.completed
        assert [item.root.type for item in turn.items] == ["userMessage", "agentMessage"]
        assert first.read().thread.turns == []


@only_ours  # the original's cursor is a time in seconds, and passes over threads of the same one
def test_threads_are_listed_a_page_at_a_time(sdk_config: CodexConfig) -> None:
    with Codex(config=sdk_config) as codex:
        threads = [codex.thread_start() for _ in range(5)]
        for thread in threads:
            thread.run("Hello")
        pages = [codex.thread_list(limit=2)]
        while pages[-1].next_cursor is not None:
            pages.append(codex.thread_list(limit=2, cursor=pages[-1].next_cursor))
        listed = [ids_of(page) for page in pages]
        assert [len(ids) for ids in listed] == [2, 2, 1]
        assert {one for ids in listed for one in ids} == {thread.id for thread in threads}


def test_a_thread_is_resumed_by_another_process(
    sdk_config: CodexConfig, stand_in_process: StandInProcess
) -> None:
    stand_in_process.answer("Nice to meet you.", "You are Ada.")
    with Codex(config=sdk_config) as codex:
        thread = codex.thread_start()
        thread.run("I am Ada.")
    with Codex(config=sdk_config) as codex:
        assert ids_of(codex.thread_list()) == [thread.id]
        again = codex.thread_resume(thread.id)
        assert again.id == thread.id
        assert again.run("Who am I?").final_response == "You are Ada."
        assert len(again.read(include_turns=True).thread.turns) == 2
    said = texts_of(stand_in_process.response_requests()[-1], "user", "assistant")
    spoken = ["I am Ada.", "Nice to meet you.", "Who am I?"]
    assert [text for text in said if text in spoken] == spoken


def test_a_thread_is_forked(sdk_config: CodexConfig, stand_in_process: StandInProcess) -> None:
    stand_in_process.answer("Nice to meet you.", "You are Ada.", "And I am Bob.")
    with Codex(config=sdk_config) as codex:
        thread = codex.thread_start()
        thread.run("I am Ada.")
        fork = codex.thread_fork(thread.id)
        assert fork.id != thread.id
        assert fork.read().thread.forked_from_id == thread.id
        assert fork.run("Who am I?").final_response == "You are Ada."
        thread.run("Who are you?")
        assert len(thread.read(include_turns=True).thread.turns) == 2
    forked, went_on = stand_in_process.response_requests()[1:]
    assert "I am Ada." in texts_of(forked, "user")
    assert "Who am I?" not in texts_of(went_on, "user")


def test_a_thread_is_archived_and_brought_back(sdk_config: CodexConfig) -> None:
    with Codex(config=sdk_config) as codex:
        thread = codex.thread_start()
        thread.run("Remember this.")
        codex.thread_archive(thread.id)
        assert ids_of(codex.thread_list()) == []
        assert ids_of(codex.thread_list(archived=True)) == [thread.id]
        assert codex.thread_unarchive(thread.id).id == thread.id
        assert ids_of(codex.thread_list()) == [thread.id]
        again = codex.thread_resume(thread.id)
        assert again.run("Do you?").status is TurnStatus.completed


def run_after_compaction(thread: Thread, text: str) -> TurnResult:
    """Run a turn as soon as it may run: the SDK does not say when a compaction is done."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return thread.run(text)
        except InternalRpcError as error:
            if "ActiveTurnNotSteerable" not in error.message or time.monotonic() > deadline:
                raise


def test_a_thread_is_compacted(
    sdk_config: CodexConfig, stand_in_process: StandInProcess
) -> None:
    stand_in_process.answer("A long tale of birds.", "They spoke of birds.", "Of birds.")
    with Codex(config=sdk_config) as codex:
        thread = codex.thread_start()
        thread.run("Tell me of birds.")
        thread.compact()
        stand_in_process.wait_response_request(2)
        done = run_after_compaction(thread, "What was it about?")
        assert done.final_response == "Of birds."
        turns = thread.read(include_turns=True).thread.turns
        assert [item.root.type for item in turns[1].items] == ["contextCompaction"]
    said = spoken_in(stand_in_process.response_requests()[-1])
    assert "A long tale of birds." not in said
    assert said[-1] == "What was it about?"
    assert "They spoke of birds." in said[-2]


def test_a_thread_that_is_not_there(sdk_config: CodexConfig) -> None:
    nobody = "01a1fe46-9ebb-7a30-8f57-000000000000"
    with Codex(config=sdk_config) as codex:
        for use in (codex.thread_resume, codex.thread_fork, codex.thread_archive):
            with pytest.raises(InvalidRequestError):
                use(nobody)
            with pytest.raises(InvalidRequestError, match=r"invalid (thread|session) id"):
                use("nobody")
        assert codex.thread_start().run("Hello").status is TurnStatus.completed


def test_models_are_listed(sdk_config: CodexConfig) -> None:
    with Codex(config=sdk_config) as codex:
        listed = codex.models().data
        known = {model.id: model for model in listed}
        assert [model.id for model in listed if model.is_default] == [listed[0].id]
        efforts = known[MODEL].supported_reasoning_efforts
        assert "high" in {one.reasoning_effort.value for one in efforts}
        assert len(codex.models(include_hidden=True).data) > len(listed)
