"""What scripts are made of in which somebody talks with a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codex_trio.testing import ModelResponse, StandIn, Text
from tests.parity.scenarios.asking import ask
from tests.parity.scenarios.standing import stands, usual
from tests.parity.steps import Act, Await, Hear, Send, Step
from tests.parity.world import tell

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_trio.testing import Part
    from tests.parity.run import Scenario
    from tests.parity.world import World

DONE = Hear("turn/completed")
DELTA = Hear("item/agentMessage/delta")

HELD = "the rest of a response"


def thread(world: World, number: int = -1) -> str:
    """The id of the last conversation that was begun, or of the one with this number."""
    begun = [result["thread"]["id"] for result in world.results if "thread" in result]
    return str(begun[number])


def turn(world: World) -> str:
    """The id of the last turn that was begun."""
    return str([one["turn"]["id"] for one in world.results if "turn" in one][-1])


def begin(**params: Any) -> tuple[Step, ...]:
    """Begin a conversation, in a folder of the home."""

    def make(world: World) -> Any:
        return ask("thread/start", {"cwd": str(world.home / "project"), **params}, 3)

    return Send(make, patient=False), Await(3), Hear("thread/started")


def text(said: str) -> dict[str, Any]:
    """What a user types."""
    return {"type": "text", "text": said}


def of_thread(method: str, message_id: int, **params: Any) -> Send:
    """Ask something of the last conversation; what can be called is given the world."""

    def make(world: World) -> Any:
        made = {name: one(world) if callable(one) else one for name, one in params.items()}
        return ask(method, {"threadId": thread(world), **made}, message_id)

    return Send(make, patient=False)


def say(*said: str | dict[str, Any], message_id: int = 4, **params: Any) -> Send:
    """Say something to the model, and do not wait for what it says."""
    inputs = [text(one) if isinstance(one, str) else one for one in said]
    return of_thread("turn/start", message_id, input=inputs, **params)


def talk(*said: str | dict[str, Any], **params: Any) -> tuple[Step, ...]:
    """Say something to the model, and hear it out."""
    return say(*said, **params), Await(4), DONE


def steer(said: str, message_id: int = 5, **params: Any) -> Send:
    """Say something more in the last turn."""
    usual = {"expectedTurnId": turn, "input": [text(said)] if said else []}
    return of_thread("turn/steer", message_id, **{**usual, **params})


def interrupt(message_id: int = 6, turn_id: Any = turn) -> Send:
    """End the last turn."""
    return of_thread("turn/interrupt", message_id, turnId=turn_id)


def model(name: str, *responses: ModelResponse | Part) -> Act:
    """Let the model answer the next requests so."""

    def do(stand_in: StandIn) -> None:
        for response in responses:
            stand_in.answer(response)

    return tell(f"the model is to answer: {name}", do)


def hears_nothing_more(number: int = 1) -> Act:
    """Wait until a server has left so many responses before their end."""

    async def do(world: World) -> None:
        await world.stand_in.wait_closed(number)

    return Act("the server has closed a response", do)


def release(name: str = HELD) -> Act:
    """Let the model go on."""
    return tell(f"the model goes on: {name}", lambda stand_in: stand_in.release(name))


def model_asked(number: int) -> Act:
    """Wait until the model has been asked so often."""

    async def do(world: World) -> None:
        await world.stand_in.wait_response_request(number)

    return Act(f"the model has been asked {number} times", do)


def opening(*deltas: str, item_id: str = "msg_1") -> list[dict[str, Any]]:
    """Events with which a message begins, and does not end."""
    item = {"type": "message", "id": item_id, "role": "assistant", "content": []}
    return [
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        *(
            {"type": "response.output_text.delta", "item_id": item_id, "delta": delta}
            for delta in deltas
        ),
    ]


def talkative(stand_in: StandIn) -> None:
    """A model that always says the same."""
    usual(stand_in)
    stand_in.respond = lambda _: Text("Hello", item_id="msg_hello")


def converses(
    name: str,
    *steps: Step,
    config: str = "",
    model_name: str = "gpt-5.5",
    retries: tuple[int, int] = (0, 0),
    network: Callable[[StandIn], object] = talkative,
    stored: Any = None,
    files: dict[str, str | None] | None = None,
) -> Scenario:
    """A script of a client that may use everything.

    Args:
        name: what it is about.
        steps: what happens.
        config: what is in config.toml besides.
        model_name: the model that is asked.
        retries: how often a request is repeated, and how often a stream is.
        network: tells the stand-in what to do.
        stored: who is signed in; a key if it is not said.
        files: what is in the home besides.
    """
    requests, streams = retries
    provider = "model_providers.stand_in"
    lines = [
        f'model = "{model_name}"',
        f"{provider}.request_max_retries = {requests}",
        f"{provider}.stream_max_retries = {streams}",
        config,
    ]
    scenario = stands(
        f"turn: {name}",
        *steps,
        stored='{"OPENAI_API_KEY":"sk-test"}' if stored is None else stored,
        network=network,
        config="\n".join(lines),
    )
    scenario.files.update({"project": None, **(files or {})})
    return scenario
