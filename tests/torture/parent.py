"""A program: the parent of a server, which says something to it, and waits to be killed.

Its arguments are the stage that it comes to, and the command line of the server. As soon as it is
there, it prints the id of another child that it has left, or 0.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

INITIALIZE = {"method": "initialize", "params": {"clientInfo": {"name": "p", "version": "1"}}}


def main(stage: str, *command: str) -> None:
    theirs, ours = os.pipe()
    server = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE)
    sibling = 0
    if stage == "with a sibling":  # who has our end of the pipe, too, so that it will not end
        nothing = subprocess.DEVNULL
        sibling = subprocess.Popen(
            ["sleep", "60"], stdout=nothing, pass_fds=[ours], start_new_session=True
        ).pid

    def ask(request_id: int, request: dict[str, Any]) -> Any:
        assert server.stdout is not None
        os.write(ours, json.dumps({"id": request_id, **request}).encode() + b"\n")
        while (answer := json.loads(server.stdout.readline())).get("id") != request_id:
            pass
        return answer["result"]

    if stage != "starting":
        ask(1, INITIALIZE)
    if stage == "signing in":
        login = {"type": "chatgptDeviceCode"}
        ask(2, {"method": "account/login/start", "params": login})
    if stage == "in a turn":
        key = {"type": "apiKey", "apiKey": "sk-torture"}
        ask(4, {"method": "account/login/start", "params": key})
        thread = ask(2, {"method": "thread/start", "params": {}})["thread"]["id"]
        said = {"threadId": thread, "input": [{"type": "text", "text": "hi"}]}
        ask(3, {"method": "turn/start", "params": said})
    os.write(1, b"%d\n" % sibling)
    server.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
