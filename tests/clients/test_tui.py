"""The genuine terminal client signs in, converses and interrupts through our server."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
import trio

from codex_trio.client import connect
from codex_trio.protocol import account, listing, methods, thread_rows
from codex_trio.testing import Hold, ModelResponse, ResponseRequest, StandIn, Text
from codex_trio.testing.responses import be_friendly
from tests.clients.servers import only_ours
from tests.clients.tui import DOWN, ENTER, ESC, Listening, open_listening, open_tui, url_in
from tests.terminals import CTRL_C

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

pytestmark = pytest.mark.clients

WAYS = "Press enter to continue"
COMPOSER = "Ask Codex to do anything"
DONE = "Worked for"
CODE = "Enter this one-time code"

# A model for which the client knows no better one, and a port that nobody else wants.
CONFIG = 'model = "gpt-6.1-sol"\nlogin_callback_ports = [0]\n'


@pytest.fixture
def signed_in(home: Path) -> None:
    (home / "auth.json").write_text(json.dumps({"OPENAI_API_KEY": "sk-tui"}), encoding="utf-8")


@pytest.fixture
async def server(home: Path, work: Path, stand_in: StandIn) -> AsyncGenerator[Listening]:
    """A server that finds everything at the stand-in."""
    (home / "config.toml").write_text(CONFIG + stand_in.config, encoding="utf-8")
    async with open_listening(home, work, stand_in) as server:
        yield server


def let_say(stand_in: StandIn, **answers: ModelResponse) -> None:
    """Let the model answer what a person says; the client has questions of its own, too."""

    def respond(request: ResponseRequest) -> ModelResponse:
        said = request.input_texts("user")[-1]
        return answers.get(said) or be_friendly(request)

    stand_in.respond = respond


async def test_a_person_signs_in_through_a_browser_and_converses(
    server: Listening, work: Path, stand_in: StandIn
) -> None:
    let_say(stand_in, Hi=ModelResponse.of("First this.", Hold("on"), "Then that."))
    async with open_tui(work, server.url) as tui:
        await tui.wait_page(WAYS)
        tui.press(ENTER)
        await stand_in.visit(url_in(await tui.wait_text("/oauth/authorize")))
        await tui.wait_text("Signed in with your ChatGPT account")
        tui.press(ENTER)
        await tui.wait_page(COMPOSER)
        await tui.say("Hi")
        assert "Then that." not in await tui.wait_text("First this.")
        stand_in.release("on")
        await tui.wait_text("Then that.")
        await tui.wait_text(DONE)
        await tui.say("/quit")
        assert await tui.wait_end() == 0
    async with connect(server.url) as other:
        found = await other.call(methods.ACCOUNT_READ, account.GetAccountParams())
        assert found.account == account.ChatgptAccount(
            email="ada@example.com", plan_type="plus"
        )


async def test_a_person_signs_in_with_a_device_code(
    server: Listening, work: Path, stand_in: StandIn
) -> None:
    async with open_tui(work, server.url) as tui:
        await tui.wait_page(WAYS)
        tui.press(DOWN, ENTER)
        shown = re.search(r"\b[A-Z]{4}-[A-Z]{4}\b", await tui.wait_text(CODE))
        assert shown is not None
        stand_in.approve_device(shown[0])
        await tui.wait_text("Signed in with your ChatGPT account")


async def test_a_person_signs_in_with_an_api_key(
    server: Listening, home: Path, work: Path
) -> None:
    async with open_tui(work, server.url) as tui:
        await tui.wait_page(WAYS)
        tui.press(DOWN, DOWN, ENTER)
        await tui.wait_text("Paste or type your API key below")
        await tui.say("sk-typed")
        await tui.wait_page(COMPOSER)
    assert json.loads((home / "auth.json").read_text())["OPENAI_API_KEY"] == "sk-typed"


async def test_esc_gives_up_a_sign_in(server: Listening, work: Path, stand_in: StandIn) -> None:
    async with (
        connect(server.url) as other,
        other.notifications(methods.LOGIN_COMPLETED) as outcomes,
    ):
        async with open_tui(work, server.url) as tui:
            await tui.wait_page(WAYS)
            tui.press(ENTER)
            await tui.wait_text("/oauth/authorize")
            tui.press(ESC)
            await tui.wait_text(WAYS)
            assert not (await anext(outcomes)).success
            tui.press(DOWN, ENTER)
            await tui.wait_text(CODE)
            tui.press(ESC)
            await tui.wait_text(WAYS)
            assert not (await anext(outcomes)).success
            asked = len(stand_in.requests)
            tui.press(CTRL_C)
            assert await tui.wait_end() == 0
        found = await other.call(methods.ACCOUNT_READ, account.GetAccountParams())
        assert found.account is None
        assert len(stand_in.requests) == asked


@only_ours  # the genuine one says that it is over, and then lets go of the port
async def test_esc_frees_the_port_of_a_sign_in(server: Listening, work: Path) -> None:
    async with (
        connect(server.url) as other,
        other.notifications(methods.LOGIN_COMPLETED) as outcomes,
    ):
        async with open_tui(work, server.url) as tui:
            await tui.wait_page(WAYS)
            tui.press(ENTER)
            shown = url_in(await tui.wait_text("/oauth/authorize"))
            (redirect,) = parse_qs(urlsplit(shown).query)["redirect_uri"]
            port = urlsplit(redirect).port
            assert port is not None
            await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
            tui.press(ESC)
            await anext(outcomes)
            with pytest.raises(OSError, match="all attempts to connect"):
                await trio.open_tcp_stream("127.0.0.1", port)


@pytest.mark.usefixtures("signed_in")
async def test_esc_interrupts_a_turn_and_another_terminal_goes_on(
    server: Listening, work: Path, stand_in: StandIn
) -> None:
    pieces = ["Once upon a time.\n\n", "There was a king."]
    let_say(stand_in, Story=ModelResponse.of(Text("".join(pieces), deltas=pieces, every=3600)))
    async with open_tui(work, server.url) as tui:
        await tui.wait_page(COMPOSER)
        await tui.say("Story")
        await tui.wait_text("Once upon a time.")
        tui.press(ESC)
        assert "king" not in await tui.wait_text("Conversation interrupted")
        await tui.say("Go on")
        await tui.wait_text(DONE)
        tui.press(CTRL_C)
        assert await tui.wait_end() == 0
    async with open_tui(work, server.url, "resume", "--last") as tui:
        seen = await tui.wait_page(COMPOSER)
        assert "Conversation interrupted" in seen
        assert "I only stand in for one." in seen
        await tui.say("/quit")
        assert await tui.wait_end() == 0
    async with connect(server.url) as other:
        found = await other.call(thread_rows.THREAD_LIST, listing.ThreadListParams())
        assert [thread.preview for thread in found.data] == ["Story"]


@pytest.mark.usefixtures("signed_in")
async def test_a_turn_goes_on_without_its_terminal(
    server: Listening, work: Path, stand_in: StandIn
) -> None:
    let_say(stand_in, Hi=ModelResponse.of("First this.", Hold("on"), "Then that."))
    async with open_tui(work, server.url) as tui:
        await tui.wait_page(COMPOSER)
        await tui.say("Hi")
        await tui.wait_text("First this.")
        await tui.say("/quit")
        assert await tui.wait_end() == 0
    async with open_tui(work, server.url, "resume", "--last") as tui:
        assert "Then that." not in await tui.wait_text("First this.")
        stand_in.release("on")
        await tui.wait_text("Then that.")
        await tui.wait_text(DONE)


@pytest.mark.usefixtures("signed_in")
async def test_a_terminal_comes_back_to_a_server_that_was_killed(
    server: Listening, home: Path, work: Path, stand_in: StandIn
) -> None:
    async with open_tui(work, server.url) as tui:
        await tui.wait_page(COMPOSER)
        await tui.say("Hello")
        await tui.wait_text(DONE)
        server.process.kill()
        await tui.wait_text("Reconnecting to server")
        async with open_listening(home, work, stand_in, url=server.url):
            await tui.wait_gone("Reconnecting to server")
            let_say(stand_in, Again=ModelResponse.of("Here I am."))
            await tui.say("Again")
            await tui.wait_text("Here I am.")
    asked = [one for one in stand_in.requests if isinstance(one, ResponseRequest)]
    assert ["Hello", "Again"] in [one.input_texts("user")[-2:] for one in asked]


@pytest.mark.usefixtures("signed_in")
async def test_a_terminal_is_let_in_with_a_token(
    home: Path, work: Path, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "config.toml").write_text(CONFIG + stand_in.config, encoding="utf-8")
    token = home / "token"
    token.write_text("only-for-this-terminal", encoding="utf-8")
    token.chmod(0o600)
    flags = ("--ws-auth", "capability-token", "--ws-token-file", str(token))
    async with open_listening(home, work, stand_in, *flags) as server:
        async with open_tui(work, server.url) as tui:
            await tui.wait_text("failed to connect to remote app server")
        monkeypatch.setenv("TERMINAL_TOKEN", token.read_text(encoding="utf-8"))
        by_token = ("--remote-auth-token-env", "TERMINAL_TOKEN")
        async with open_tui(work, server.url, *by_token) as tui:
            await tui.wait_page(COMPOSER)
            tui.press(CTRL_C)
            assert await tui.wait_end() == 0
