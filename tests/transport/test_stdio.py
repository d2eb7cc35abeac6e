"""The server over real pipes, files, sockets and a terminal, and its ends."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

from codex_trio.errors import ClientGoneError
from codex_trio.testing import WireClient, open_client
from codex_trio.transport import stdio
from tests.processes import INITIALIZE, OURS, read_rest, start, wire_of
from tests.schema import SchemaWatch, genuine_environment

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

READ = b'{"id":"r","method":"account/read","params":{}}'
LOGIN = b'{"id":"l","method":"account/login/start","params":{"type":"apiKey","apiKey":"k"}}'
SCRIPT = b"\n".join([INITIALIZE, READ, LOGIN]) + b"\n"
SIGNED_IN = ["i", "r", "l", None, None]


@asynccontextmanager
async def connected(process: trio.Process) -> AsyncGenerator[WireClient]:
    async with open_client(wire_of(process), SchemaWatch()) as client:
        await client.initialize()
        yield client


def answered(output: bytes) -> list[object]:
    """The ids of what was answered to ``SCRIPT``; everything is checked against the schema."""
    watch = SchemaWatch()
    for line in SCRIPT.splitlines():
        watch("-->", line)
    for line in output.splitlines():
        watch("<--", line)
    return [message.get("id") for arrow, message in watch.seen if arrow == "<--"]


async def test_end_of_input_answers_what_is_in_flight_and_exits_at_once(home: Path) -> None:
    async with start(home) as process:
        assert process.stdin is not None
        await process.stdin.send_all(SCRIPT.removesuffix(b"\n"))  # the last line has no end
        await process.stdin.aclose()
        output = await read_rest(process.stdout)
        assert await process.wait() == 0
    assert answered(output) == SIGNED_IN
    assert json.loads((home / "auth.json").read_bytes())["OPENAI_API_KEY"] == "k"


async def test_a_file_can_be_the_input_and_the_output(home: Path, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(SCRIPT)
    with (tmp_path / "in").open("rb") as given, (tmp_path / "out").open("wb") as taken:
        async with start(home, stdin=given, stdout=taken) as process:
            assert await process.wait() == 0
    assert answered((tmp_path / "out").read_bytes()) == SIGNED_IN


async def test_nothing_can_be_the_input(home: Path) -> None:
    async with start(home, stdin=subprocess.DEVNULL) as process:
        assert await read_rest(process.stdout) == b""
        assert await process.wait() == 0


async def test_a_socket_can_be_both(home: Path) -> None:
    ours, theirs = socket.socketpair()
    async with start(home, stdin=theirs, stdout=theirs) as process:
        theirs.close()
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        await stream.send_all(SCRIPT)
        await stream.send_eof()
        output = await read_rest(stream)
        assert await process.wait() == 0
        await stream.aclose()
    assert answered(output) == SIGNED_IN


async def test_a_terminal_can_be_both_and_is_left_blocking(home: Path) -> None:
    ours, theirs = pty.openpty()
    async with start(home, stdin=theirs, stdout=theirs) as process:
        os.write(ours, SCRIPT)
        output = b""
        while b"account/updated" not in output:
            output += await trio.to_thread.run_sync(os.read, ours, 4096, abandon_on_cancel=True)
        assert os.get_blocking(theirs)
        os.write(ours, b"\x04")
        assert await process.wait() == 0
    os.close(theirs)
    os.close(ours)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_server_well(home: Path, number: signal.Signals) -> None:
    async with start(home) as process, connected(process) as client:
        await client.call("account/read", {})
        process.send_signal(number)
        assert await process.wait() == 0


async def test_a_terminal_that_vanishes_ends_the_server(home: Path) -> None:
    ours, theirs = pty.openpty()
    async with start(home, stdin=theirs) as process:
        os.close(theirs)
        os.write(ours, INITIALIZE + b"\n")
        assert process.stdout is not None
        await process.stdout.receive_some()
        os.close(ours)
        assert await process.wait() == 0


@pytest.mark.parametrize("missing", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_server_can_be_started_without_standard_streams(home: Path, missing: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {missing}', "sh", *OURS, "app-server"],
        input=SCRIPT,
        capture_output=True,
        check=False,
        env=genuine_environment(home),
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")


async def test_a_signal_ends_a_server_that_waits_in_a_thread(home: Path) -> None:
    ours, theirs = pty.openpty()
    async with start(home, stdin=theirs) as process:
        os.write(ours, INITIALIZE + b"\n")
        assert process.stdout is not None
        await process.stdout.receive_some()
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    os.close(theirs)
    os.close(ours)


STUCK = """
import trio
from codex_trio.protocol import methods
from codex_trio.account.reading import ReadingMethods
async def stuck(self, call):
    await trio.sleep_forever()
stuck.serves = methods.ACCOUNT_READ
ReadingMethods.read = stuck
import codex_trio.__main__, codex_trio.lifetime
codex_trio.lifetime.STOP_GRACE = 600
codex_trio.__main__.main()
"""


async def test_a_second_signal_does_not_wait_for_what_is_in_flight(home: Path) -> None:
    command = (sys.executable, "-c", STUCK)
    async with start(home, command=command) as process, open_client(wire_of(process)) as client:
        await client.initialize()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(expect_no_answer, client)
            await client.call("getAuthStatus", {})  # so the other one has been taken
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 0


async def expect_no_answer(client: WireClient) -> None:
    with pytest.raises(ClientGoneError):
        await client.call("account/read", {})


async def test_a_client_that_stops_reading_ends_the_server(home: Path) -> None:
    async with start(home) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        await process.stdout.aclose()
        await process.stdin.send_all(SCRIPT)
        assert await process.wait() == 0


def test_a_server_whose_client_is_killed_ends(home: Path) -> None:
    """The client's process dies with the server's input in its hands."""
    client = (
        "import subprocess, time;"
        f"server = subprocess.Popen({[*OURS, 'app-server']!r}, stdin=subprocess.PIPE);"
        f"server.stdin.write({INITIALIZE!r} + b'\\n'); server.stdin.flush(); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", client], stdout=subprocess.PIPE, env=genuine_environment(home)
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline().startswith(b'{"id":"i","result"')
        parent.kill()
        # The server has the same output, which ends when both of them have.
        assert parent.stdout.read() == b""


INTRUDER = """
import os, subprocess, sys
from codex_trio.protocol import methods
from codex_trio.account.reading import ReadingMethods
read = ReadingMethods.read
def intrude(self, call):
    print("printed")
    os.write(1, b"written\\n")
    subprocess.run(["echo", "from a child"])
    assert sys.stdin.read() == ""
    return read(self, call)
intrude.serves = methods.ACCOUNT_READ
ReadingMethods.read = intrude
from codex_trio.__main__ import main
main()
"""


async def test_nothing_else_gets_onto_the_wire(home: Path) -> None:
    command = (sys.executable, "-c", INTRUDER)
    async with start(home, command=command, stderr=subprocess.PIPE) as process:
        async with connected(process) as client:
            assert await client.call("account/read", {})
        stray = await read_rest(process.stderr)
    assert {b"printed", b"written", b"from a child"} <= set(stray.splitlines())


async def test_bad_input_is_survived(home: Path) -> None:
    async with start(home, stderr=subprocess.DEVNULL) as process, connected(process) as client:
        for line in (
            b"garbage",
            b"\x00\x00",
            b"\xff\xfe",
            b"[" * 100_000 + b"]" * 100_000,
            b'{"id":1e400,"method":"account/read"}',
            b'{"id":"\\ud800","method":"account/read"}',
            b'{"id":77,"result":{}}',
        ):
            await client.send(line)
        assert (await client.call("account/read", {}))["account"] is None


async def test_a_huge_line_is_refused_and_not_held(home: Path) -> None:
    async with start(home, stderr=subprocess.DEVNULL) as process, connected(process) as client:
        await client.send(
            b'{"id":"huge","method":"account/read","params":{"a":"' + b"x" * 100_000_000
        )
        assert (await client.call("account/read", {}))["account"] is None
        if sys.platform == "linux":
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
            (peak,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
            assert int(peak.split()[1]) < 200 * 1024


async def test_a_flood_that_nobody_reads_is_survived_and_answered(home: Path) -> None:
    count = 100_000
    async with start(home) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        await process.stdin.send_all(INITIALIZE + b"\n")
        await process.stdout.receive_some()
        for first in range(0, count, 1000):
            lines = (
                b'{"id":%d,"method":"account/read","params":{}}\n' % n
                for n in range(first, first + 1000)
            )
            await process.stdin.send_all(b"".join(lines))
        await process.stdin.aclose()
        output = await read_rest(process.stdout)
        assert await process.wait() == 0
    ids = [json.loads(line)["id"] for line in output.splitlines()]
    assert len(ids) == count
    assert set(ids) == set(range(count))


# --- streams that wait in threads ---


async def test_a_thread_stream_can_be_cancelled_and_closed() -> None:
    reading, writing = os.pipe()
    stream = stdio.ThreadReceiveStream(reading)
    with trio.move_on_after(0.01) as scope:
        await stream.receive_some()
    assert scope.cancelled_caught
    os.close(writing)
    # The abandoned thread still waits there, so the descriptor stays.
    await stream.aclose()
    await stream.aclose()
    os.fstat(reading)
    with pytest.raises(trio.ClosedResourceError):
        await stream.receive_some()


async def test_a_thread_stream_that_was_not_cancelled_closes_its_descriptor() -> None:
    reading, writing = os.pipe()
    os.close(writing)
    stream = stdio.ThreadReceiveStream(reading)
    assert await stream.receive_some() == b""
    await stream.aclose()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reading)


async def test_a_thread_stream_that_cannot_be_read_is_broken() -> None:
    reading, writing = os.pipe()
    stream = stdio.ThreadReceiveStream(writing)
    with pytest.raises(trio.BrokenResourceError):
        await stream.receive_some()
    await stream.aclose()
    assert os.read(reading, 1) == b""  # its other end is closed, then
    os.close(reading)


async def test_a_thread_stream_writes_all_and_notices_a_reader_that_left() -> None:
    reading, writing = os.pipe()
    stream = stdio.ThreadSendStream(writing)
    await stream.wait_send_all_might_not_block()
    received = bytearray()

    async def read() -> None:
        while len(received) < 300_000:
            received.extend(await trio.to_thread.run_sync(os.read, reading, 65536))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await stream.send_all(b"x" * 300_000)
    assert bytes(received) == b"x" * 300_000
    os.close(reading)
    with pytest.raises(trio.BrokenResourceError):
        await stream.send_all(b"y")
    await stream.aclose()
    with pytest.raises(trio.ClosedResourceError):
        await stream.send_all(b"z")


def test_standard_streams_can_be_served_from_a_library(home: Path) -> None:
    script = "import codex_trio, trio; trio.run(codex_trio.serve_stdio); print('after')"
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=SCRIPT,
        capture_output=True,
        check=True,
        env=genuine_environment(home),
    )
    *lines, last = done.stdout.splitlines()
    assert answered(b"\n".join(lines)) == SIGNED_IN
    assert last == b"after"


def test_the_standard_streams_are_given_back() -> None:
    script = (
        "import os, trio\n"
        "from codex_trio.transport.stdio import open_stdio\n"
        "async def main():\n"
        "    async with open_stdio() as wire:\n"
        "        print('hidden')\n"
        "        await wire.send(await wire.receive())\n"
        "trio.run(main)\n"
        "print('given back', os.get_blocking(0), os.get_blocking(1))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=b"line\n", capture_output=True, check=True
    )
    assert done.stdout == b"line\ngiven back True True\n"
    assert done.stderr == b"hidden\n"
