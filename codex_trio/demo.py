"""A client and the server, and what passes between them while people sign in and out."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

import attrs
import orjson
import trio

from codex_trio.terminal import BOLD, CYAN, DIM, GREEN, RED, Screen
from codex_trio.testing import Page, StandIn, WireClient, open_client, open_stand_in
from codex_trio.transport.lines import LineWire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_trio.testing import Json

_WIDTH: Final = 84
_PATIENCE: Final = 60.0
_SERVER: Final = (sys.executable, "-m", "codex_trio", "app-server", "--listen", "stdio://")
_ANY_PORT: Final = ("-c", "login_callback_ports=[0]")  # beside a Codex that is signing in


async def run_demo(no_colour: bool) -> int:
    """Start a server as a client would, do all that it can, and print the wire.

    A stand-in in this process takes the place of OpenAI; nobody else is asked.

    Returns:
        The exit code: 130 after Ctrl-C, otherwise 0.
    """
    show = _Show(Screen.of(sys.stdout, os.environ, colour=not no_colour))
    code = 0
    try:
        await _perform(show)
    except* KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except* BrokenPipeError:
        # Whoever watched has seen enough, and the interpreter must not flush at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


async def _perform(show: _Show) -> None:
    with tempfile.TemporaryDirectory(prefix="codex-trio-demo-") as home:
        show.title("A client starts the server and speaks to it over pipes.")
        with trio.fail_after(_PATIENCE):
            async with open_stand_in(user="ask") as stand_in, trio.open_nursery() as nursery:
                await trio.Path(home, "config.toml").write_text(stand_in.config)
                here = {"CODEX_HOME": home, "NO_PROXY": "127.0.0.1", **stand_in.environ}
                process: trio.Process = await nursery.start(
                    partial(
                        trio.run_process,
                        [*_SERVER, *_ANY_PORT],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        start_new_session=True,  # Ctrl-C is for us
                        env={**os.environ, **here},
                    )
                )
                assert process.stdin is not None
                assert process.stdout is not None
                wire = LineWire(trio.StapledStream(process.stdin, process.stdout))
                async with open_client(wire, show.message) as client:
                    await _Play(client, stand_in, show).perform()
                show.title("It hangs up, and the server ends.")
    show.title(f"Done: exit code {process.returncode}.")


@attrs.frozen
class _Play:
    """What the client does, with a person at its side who has a browser."""

    _client: WireClient
    _stand_in: StandIn
    _show: _Show

    async def perform(self) -> None:
        self._show.title("Who are you?")
        await self._client.initialize("codex_trio_demo", experimental=True)
        await self._api_key()
        await self._browser()
        await self._denial()
        await self._cancel()
        await self._device_code()
        await self._renew()
        await self._turn()
        await self._log_out()
        await self._host_tokens()

    async def _api_key(self) -> None:
        self._show.title("Sign in with an API key. The answer comes first, then the news.")
        await self._client.call("account/login/start", {"type": "apiKey", "apiKey": "sk-demo"})
        await self._wait_signed_in()
        self._show.title("Who is signed in now?")
        await self._client.call("account/read", {})

    async def _browser(self) -> None:
        self._show.title("Sign in through a browser: the server listens for its return.")
        login = await self._client.call("account/login/start", {"type": "chatgpt"})
        self._show.title("The person opens the URL, and approves.")
        await self._visit(login["authUrl"], "approve")
        await self._wait_signed_in()
        self._show.title("Somebody else is signed in now.")
        await self._client.call("account/read", {})

    async def _denial(self) -> None:
        self._show.title("Once more, and the person denies.")
        login = await self._client.call("account/login/start", {"type": "chatgpt"})
        await self._visit(login["authUrl"], "deny")
        await self._client.next_notification("account/login/completed")

    async def _cancel(self) -> None:
        self._show.title("Once more, and the client cancels.")
        login = await self._client.call("account/login/start", {"type": "chatgpt"})
        redirect_uri = parse_qs(urlsplit(login["authUrl"]).query)["redirect_uri"][0]
        await self._client.call("account/login/cancel", {"loginId": login["loginId"]})
        port = urlsplit(redirect_uri).port
        assert port is not None
        (listener,) = await trio.open_tcp_listeners(port, host="127.0.0.1")
        self._show.note(f"With the answer, port {port} was free: it has just been bound.")
        await listener.aclose()
        await self._client.next_notification("account/login/completed")

    async def _device_code(self) -> None:
        self._show.title("Sign in with a code that the person types in a browser elsewhere.")
        login = await self._client.call("account/login/start", {"type": "chatgptDeviceCode"})
        await self._request(login["verificationUrl"])
        form = {"user_code": login["userCode"]}
        await self._request(login["verificationUrl"], form)
        await self._wait_signed_in()

    async def _log_out(self) -> None:
        self._show.title("Sign out. The server has the tokens revoked, too.")
        await self._client.call("account/logout")
        await self._client.next_notification("account/updated")
        revoked = await self._stand_in.wait_request("/oauth/revoke")
        hint = revoked.fields["token_type_hint"]
        self._show.note(f"OpenAI's place was asked: {revoked.method} {revoked.path} ({hint})")
        await self._client.call("account/read", {})

    async def _renew(self) -> None:
        self._show.title("Three requests want a new token at the same time.")
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(self._client.call, "account/read", {"refreshToken": True})
        count = len(self._stand_in.exchanges)
        self._show.note(f"OpenAI's place was asked for new tokens: {count} time(s)")
        self._show.title("How does the account really stand, and how much of it is used?")
        await self._client.call("account/status/read")
        await self._client.call("account/rateLimits/read")

    async def _turn(self) -> None:
        self._show.title("Ask the model. The token has just ended: that is healed on the way.")
        self._stand_in.expire_access_tokens()
        self._stand_in.answer("Hello! Nobody has noticed.")
        started = await self._client.call("thread/start", {"ephemeral": True})
        said = {"type": "text", "text": "Hello, model"}
        turn = {"threadId": started["thread"]["id"], "input": [said]}
        await self._client.call("turn/start", turn)
        await self._client.next_notification("turn/completed")
        count = len(self._stand_in.response_requests)
        self._show.note(f"OpenAI's place was asked {count} times: refused, then answered")

    async def _host_tokens(self) -> None:
        self._show.title("Sign in with a token that the client owns.")
        token = self._stand_in.issue_access_token()
        answer = {"accessToken": token, "chatgptAccountId": self._stand_in.account.account_id}
        await self._client.call("account/login/start", {"type": "chatgptAuthTokens", **answer})
        await self._wait_signed_in()
        self._show.title("The token is refused. The client is asked for another.")
        self._stand_in.expire_access_tokens()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._client.call, "account/rateLimits/read")
            question = await self._client.next_question()
            answer["accessToken"] = self._stand_in.issue_access_token()
            await self._client.answer(question, answer)
        await self._client.call("account/logout")

    async def _wait_signed_in(self) -> None:
        await self._client.next_notification("account/login/completed")
        await self._client.next_notification("account/updated")

    async def _visit(self, url: str, decision: str) -> None:
        """Do what a browser does from the URL on, with the person's decision in the middle."""
        page = await self._request(url)
        ticket = re.search(r'name="request" value="([^"]+)"', page.text)
        assert ticket is not None, "the stand-in asks for consent"
        consent = f"{self._stand_in.url}/oauth/consent"
        page = await self._request(consent, {"decision": decision, "request": ticket[1]})
        while "location" in page.headers:
            page = await self._request(page.headers["location"])

    async def _request(self, url: str, form: Mapping[str, str] | None = None) -> Page:
        self._show.asked("GET" if form is None else "POST", url, form or {})
        page = await self._stand_in.visit(url, follow=False, form=form)
        self._show.answered(page)
        return page


@attrs.frozen
class _Show:
    """Prints what happens."""

    _screen: Screen

    def title(self, text: str) -> None:
        self._screen.write_line(f"\n{self._screen.styled(text, BOLD)}")

    def note(self, text: str) -> None:
        self._screen.write_line(f"  {self._screen.styled(text, DIM)}")

    def message(self, arrow: str, data: bytes) -> None:
        message: Json = orjson.loads(data)
        style = CYAN if arrow == "-->" else RED if "error" in message else GREEN
        side = "client" if arrow == "-->" else "server"
        for number, line in enumerate(_fold(data.decode())):
            margin = f"{side} {arrow} " if number == 0 else " " * (len(side) + 5)
            self._line(margin, line, style)

    def asked(self, method: str, url: str, form: Mapping[str, str]) -> None:
        """Print a request of the browser; of what it sends, only what the person has typed."""
        typed = "".join(f"  {name}={form[name]}" for name in form if name != "request")
        self._line("browser --> ", f"{method} {_shorten(url)}{typed}", CYAN)

    def answered(self, page: Page) -> None:
        """Print what the browser shows, or where it is sent."""
        title = re.search(r"<title>(.*?)</title>", page.text)
        seen = f'"{title[1]}"' if title else f"to {_shorten(page.headers['location'])}"
        self._line("browser <-- ", f"{page.status} {seen}", GREEN)

    def _line(self, margin: str, text: str, style: str) -> None:
        self._screen.write_line(
            f"  {self._screen.styled(margin, DIM)}{self._screen.styled(text, style)}"
        )


def _shorten(url: str) -> str:
    path, has_query, _ = url.partition("?")
    return f"{path}?..." if has_query else path


def _fold(text: str) -> list[str]:
    """Fold a long line of JSON where it can be read: behind a comma, or a part of a URL."""
    lines = [""]
    for part in re.split(r"(?<=,)(?=\")|(?<=[?&])", text):
        if lines[-1] and len(lines[-1]) + len(part) > _WIDTH:
            lines.append("")
        lines[-1] += part
    return lines
