"""Requests of all families, cancelled at any moment: each is answered once, and nothing is left."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import trio

from codex_trio.server import open_server
from codex_trio.testing import connect, no_leaks, open_stand_in

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = 60
PATIENCE = 60.0

KEY = {"type": "apiKey", "apiKey": "sk-x"}
WRITE = {"keyPath": "model", "value": "m", "mergeStrategy": "replace"}

REQUESTS: list[tuple[str, Any]] = [
    ("account/login/start", {"type": "chatgpt"}),
    ("account/login/start", {"type": "chatgptDeviceCode"}),
    ("account/login/start", KEY),
    ("account/logout", None),
    ("account/read", {"refreshToken": True}),
    ("account/rateLimits/read", None),
    ("account/status/read", None),
    ("config/read", {}),
    ("config/value/write", WRITE),
    ("model/list", {}),
    ("server/tasks/read", None),
    ("thread/list", {}),
    ("thread/start", {"cwd": "/"}),
]


@pytest.mark.parametrize("seed", range(4))
async def test_each_is_answered_once_and_nothing_is_left(home: Path, seed: int) -> None:
    chance = random.Random(seed)
    answers: Counter[str] = Counter()
    codes: Counter[int] = Counter()

    def watch(arrow: str, line: bytes) -> None:
        message = orjson.loads(line)
        if arrow == "<--" and "method" not in message and message["id"] != 0:
            answers[message["id"]] += 1
            if "error" in message:
                codes[message["error"]["code"]] += 1

    with trio.fail_after(PATIENCE):
        async with no_leaks(), open_stand_in() as stand_in:
            stand_in.device.approve_after = 0
            async with open_server(stand_in.settings(home)) as server:
                async with connect(server, watch) as client:
                    await client.initialize(experimental=True)
                    for number in range(ROUNDS):
                        method, params = chance.choice(REQUESTS)
                        request: dict[str, Any] = {"id": f"n{number}", "method": method}
                        if params is not None:
                            request["params"] = params
                        await client.send(request)
                        for _ in range(chance.randrange(8)):
                            await trio.lowlevel.checkpoint()
                        if chance.random() < 0.3:
                            await trio.sleep(0.002)
                        if chance.random() < 0.7:
                            cut = f"n{chance.randrange(max(0, number - 5), number + 1)}"
                            await client.notify("$/cancelRequest", {"id": cut})
                    while len(answers) < ROUNDS:  # noqa: ASYNC110 - answers have no event
                        await trio.sleep(0.005)
                    assert (await client.call("account/read", {}))["requiresOpenaiAuth"]
                    (account,) = server.tasks().accounts
                    assert account.connections[0].requests == []
                assert len(server.account.board.lanes) == 0
    assert set(answers) >= {f"n{number}" for number in range(ROUNDS)}
    assert set(answers.values()) == {1}
    assert codes[-32800]
    assert codes[-32603] == 0
