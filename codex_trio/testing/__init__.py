"""Clients in memory, and a stand-in for OpenAI, for our tests and an embedder's.

``open_memory_client`` runs a server and connects to it, ``open_stand_in`` runs what the server
signs in at and finds its models at, and ``pytest_plugins = ["codex_trio.testing"]`` has both as fixtures of pytest.

The servers are real ones; only the wire is in memory. The same client speaks over any other
wire, to us and to the genuine server. (PYTEST_DONT_REWRITE: this may be imported before pytest
is told of it.)
"""

from __future__ import annotations

from codex_trio.leaks import LeakError, no_leaks
from codex_trio.testing.browser import Page
from codex_trio.testing.client import (
    Json,
    Question,
    Watcher,
    WireClient,
    connect,
    open_client,
    open_memory_client,
)
from codex_trio.testing.devices import DeviceScript
from codex_trio.testing.events import (
    Completed,
    Cut,
    End,
    Failed,
    Hold,
    Incomplete,
    Pause,
    Repeat,
)
from codex_trio.testing.families import Ending, Exchange, Outcome
from codex_trio.testing.faults import Fault, Faults
from codex_trio.testing.metering import RateLimits, Usage
from codex_trio.testing.model import ResponseRequest
from codex_trio.testing.output import CustomToolCall, FunctionCall, Item, Reasoning, Text
from codex_trio.testing.process import StandInProcess, spawn_stand_in
from codex_trio.testing.recording import Recorded
from codex_trio.testing.responses import ModelResponse, Part
from codex_trio.testing.script import Denial, User
from codex_trio.testing.stand_in import StandIn, open_stand_in
from codex_trio.testing.tokens import Account, Tokens, make_jwt

__all__ = [
    "Account",
    "Completed",
    "CustomToolCall",
    "Cut",
    "Denial",
    "DeviceScript",
    "End",
    "Ending",
    "Exchange",
    "Failed",
    "Fault",
    "Faults",
    "FunctionCall",
    "Hold",
    "Incomplete",
    "Item",
    "Json",
    "LeakError",
    "ModelResponse",
    "Outcome",
    "Page",
    "Part",
    "Pause",
    "Question",
    "RateLimits",
    "Reasoning",
    "Recorded",
    "Repeat",
    "ResponseRequest",
    "StandIn",
    "StandInProcess",
    "Text",
    "Tokens",
    "Usage",
    "User",
    "Watcher",
    "WireClient",
    "connect",
    "make_jwt",
    "no_leaks",
    "open_client",
    "open_memory_client",
    "open_stand_in",
    "spawn_stand_in",
]

pytest_plugins = ("codex_trio.testing.fixtures",)
