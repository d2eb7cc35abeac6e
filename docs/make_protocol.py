"""Writes docs/protocol.md from the method table; ``--check`` fails when it is not current."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from codex_trio.protocol import methods
from codex_trio.protocol.words import Tagged, Untagged
from codex_trio.server import open_server
from codex_trio.settings import CONTRACT, Settings

if TYPE_CHECKING:
    from codex_trio.protocol.rows import Lane

PAGE = Path(__file__).with_name("protocol.md")

HEAD = f"""# The protocol

Every message is one JSON object. Over standard input and output it is one line, which ends with
`\\n`; the `jsonrpc` member of JSON-RPC 2.0 is not written, and is tolerated. The contract is
release {CONTRACT} of the original: its names, its texts, its order. This page is made from the
table in `codex_trio/protocol/methods.py` by `python docs/make_protocol.py`.

- **served**: answered. A known method that is not served yet is answered with `-32601` and
  "`X` is not served by codex-trio yet", so that nobody mistakes a gap for a typo.
- **experimental**: answered only when the client has set `capabilities.experimentalApi`.
- **lane**: requests in the same lane are answered one at a time, in the order they arrived,
  whichever connection they come from. A lane with a field in brackets is one lane for each value
  of that parameter. Requests that share a lane *as readers* run beside each other. A request
  without a lane waits for nobody.

| error code | meaning |
|---|---|
| -32600 | the client did something wrong: unknown method, wrong params, wrong moment |
| -32601 | the method is known, and not served yet |
| -32603 | something failed on our side |
| -32001 | too many requests of this connection are in flight; try again later |
| -32800 | the client has cancelled the request, see [policies](policies.md#cancelling-a-request) |
| -32802 | the server has: it took longer than it allows |

A line that is no message at all cannot be answered: it is logged on standard error, and the
connection goes on.
"""

BESIDE = """
## Requests beside the contract

`account/login/complete`, `account/status/read` and [`server/tasks/read`](seeing-inside.md) are ours. `thread/rollback` is of release
0.118.0, whose place `thread/revert` has taken. The others are the dialect of release 0.92.0, for clients of
that age; what they cause is told by `loginChatGptComplete` and `authStatusChange` to those who
have spoken it.
"""


def words(kind: Any) -> str:
    if kind is None:
        return ""
    if kind is type(None):
        return "none"
    marks = getattr(kind, "__metadata__", ())
    tags = [mark.name for mark in marks if isinstance(mark, Tagged | Untagged)]
    return f"`{tags[0] if tags else kind.__name__}`"


def lane(lane: Lane | None) -> str:
    if lane is None:
        return ""
    fields = f" ({' or '.join(lane.fields)})" if lane.fields else ""
    return f"{lane.name}{fields}{', as a reader' if lane.shared else ''}"


async def served() -> set[str]:
    """Ask a server what it has handlers for."""
    with tempfile.TemporaryDirectory() as home:
        async with open_server(Settings(codex_home=Path(home))) as server:
            return set(server.account.board.handlers)


def yes(value: object) -> str:
    return "yes" if value else ""


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page() -> str:
    handlers = trio.run(served)
    requests = [
        [
            f"`{row.name}`",
            yes(row.name in handlers),
            yes(row.experimental),
            lane(row.lane),
            words(row.params),
            words(row.result),
        ]
        for row in methods.CLIENT_REQUESTS
    ]
    beside = [
        [
            f"`{row.name}`",
            yes(row.experimental),
            lane(row.lane),
            words(row.params),
            words(row.result),
        ]
        for row in methods.SERVED_BESIDE
    ]
    questions = [
        [f"`{row.name}`", yes(row.experimental), words(row.params), words(row.result)]
        for row in methods.SERVER_REQUESTS
    ]
    news = [
        [f"`{row.name}`", yes(row.params), words(row.params)]
        for row in methods.SERVER_NOTIFICATIONS
    ]
    sections = [
        HEAD,
        "## Requests of the client\n",
        table(["method", "served", "experimental", "lane", "params", "result"], requests),
        BESIDE,
        table(["method", "experimental", "lane", "params", "result"], beside),
        "\n## Notifications of the client\n",
        table(
            ["method"],
            [
                [f"`{row.name}`"]
                for row in (*methods.CLIENT_NOTIFICATIONS, *methods.HEARD_BESIDE)
            ],
        ),
        "\n## Requests of the server\n\nNone of them is asked yet.\n",
        table(["method", "experimental", "params", "result"], questions),
        "\n## Notifications of the server\n",
        table(["method", "sent", "params"], news),
    ]
    return "\n".join(sections) + "\n"


if __name__ == "__main__":
    if "--check" not in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        sys.exit("docs/protocol.md is not current: run python docs/make_protocol.py")
