"""A stand-in for OpenAI's hosts: a local HTTP server at which accounts sign in.

::

    async with open_stand_in() as stand_in:
        async with open_memory_client(stand_in.settings(home)) as client:
            await client.initialize()
            login = await client.call("account/login/start", {"type": "chatgpt"})
            await stand_in.visit(login["authUrl"])
            print(await client.next_notification("account/login/completed"))

It does what it was told, models included, fails where its ``faults`` say so, and remembers what
it was asked.
Other processes reach it with ``environ`` and ``config``.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from codex_trio.groups import out_of_groups
from codex_trio.httpd import Answer, HttpRequest, HttpStream, serve_http
from codex_trio.settings import Settings
from codex_trio.testing import browser, control, directions
from codex_trio.testing.faults import Faults, lose
from codex_trio.testing.holds import Holds
from codex_trio.testing.memory import Memory
from codex_trio.testing.model import record
from codex_trio.testing.responses import ModelResponse
from codex_trio.testing.routes import Hosts
from codex_trio.testing.script import Script, User

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Mapping

    from codex_trio.testing.families import Ending, Exchange, Families
    from codex_trio.testing.responses import Part
    from codex_trio.testing.tokens import Account, Tokens

CLIENT_ID: Final = str(attrs.fields(Settings).client_id.default)
"""What the issuer knows a server by, unless it is told otherwise."""

MAX_BODY: Final = 64 * 2**20
"""Bytes that a request may have: a conversation, with its pictures."""


@attrs.define(eq=False, kw_only=True)
class StandIn(Memory):
    """A stand-in that is running; made by ``open_stand_in``.

    Its attributes may be set at any time, and count from the next request on.

    Args:
        url: where it is, without a slash at the end.
        user: who sits at the browser.
        denial: what a client is told when its user denies.
        device: how signing in with a device code goes.
        account: who signs in.
        refresh_reply: what differs in the reply to a refresh, as RFC 7396 says it: a member of
            None is left out.
        usage: what differs in what is told of limits, in the same way.
        requirements: what the workspace requires, in TOML; None for one that says nothing.
        responses: what models answer to the next requests, one after the other; see ``answer``.
        respond: what they answer when there is nothing left of that.
        api_keys: those that may ask them; None for any, and for nobody in particular. Access
            tokens count as they do everywhere.
        models: what a host of models lists; None for one that has no list.
        faults: what goes wrong.
        requests: what arrived, in its order, but for ``/stand-in/…``.
    """

    url: str
    faults: Faults = attrs.field(factory=Faults, init=False)
    _hosts: Hosts = attrs.field(init=False)
    _first_user: User = attrs.field(init=False)
    _holds: Holds = attrs.field(
        default=attrs.Factory(lambda self: Holds(self._news), takes_self=True), init=False
    )

    def __attrs_post_init__(self) -> None:
        self._first_user = self.user
        self._hosts = Hosts(self.url, self, self._holds, self._news)

    def settings(self, home: Path | str, **more: Any) -> Settings:
        """Make settings of a server that signs in here; a free port is its callback's.

        The stand-in is its provider of models, too. A ``config`` among the rest is merged into
        what says so, as RFC 7396 has it.
        """
        return directions.settings_to(self.url, Path(home), more)

    @property
    def environ(self) -> dict[str, str]:
        """What leads another process here, the genuine server too."""
        return directions.environ_to(self.url)

    @property
    def config(self) -> str:
        """What another process needs in its ``config.toml`` besides, before anything else."""
        return directions.config_to(self.url)

    async def visit(
        self, url: str, *, follow: bool = True, form: Mapping[str, str] | None = None
    ) -> browser.Page:
        """Do what the user's browser does with a URL of this machine, or with a form of it.

        Raises:
            ValueError: the URL leads off this machine.
            OSError: nobody is there, or what is there does not speak HTTP.
        """
        return await browser.visit(url, follow=follow, form=form)

    def approve_device(self, user_code: str) -> None:
        """Be the user who types the code of a device.

        Raises:
            KeyError: no device waits with this code.
        """
        self._hosts.devices.approve(user_code, self.account)

    def issue_tokens(
        self, client_id: str = CLIENT_ID, account: Account | None = None
    ) -> Tokens:
        """Give tokens of the account to a test that needs no sign-in to have them."""
        return self._families.issue(account or self.account, client_id)

    def issue_access_token(self, account: Account | None = None) -> str:
        """Give an access token alone, as hosts have it that own their users' tokens."""
        return self._families.issue_access_token(account or self.account)

    def expire_access_tokens(self) -> None:
        """Refuse every access token that there is, whatever it says; refreshing still works."""
        self._families.expire_access_tokens()

    def end_refresh_tokens(self, ending: Ending) -> None:
        """Refuse every refresh token that there is; access tokens still count.

        Raises:
            ValueError: there is no such ending.
        """
        self._families.end_refresh_tokens(ending)

    def revoke_all(self) -> None:
        """Refuse every token that there is."""
        self._families.revoke_all()

    @property
    def exchanges(self) -> list[Exchange]:
        """Every refresh that the issuer was asked for, in its order, and what became of it."""
        return self._families.exchanges

    def live_refresh_tokens(self, account: Account | None = None) -> list[str]:
        """List the refresh tokens of the account that would be taken now."""
        return self._families.live_refresh_tokens((account or self.account).account_id)

    def answer(self, said: ModelResponse | Part, *more: Part) -> None:
        """Let models answer the next request so, after what was told before.

        What is said is one response, or the parts of one: ``answer("Hello")``.

        Raises:
            TypeError: something else is among the parts.
        """
        if isinstance(said, ModelResponse):
            if more:
                raise TypeError("a whole response has no parts beside it")
            self.responses.append(said)
        else:
            self.responses.append(ModelResponse.of(said, *more))

    def hold(self, name: str) -> None:
        """Let requests to a path arrive, and wait; nothing is done, until ``release``."""
        self._holds.hold(name)

    def release(self, name: str) -> None:
        """Go on with who waits at a path or at a ``Hold``, and with who comes there later."""
        self._holds.release(name)

    async def wait_held(self, name: str, number: int = 1) -> None:
        """Return as soon as somebody waits at a path or at a ``Hold``, or as many as this."""
        await self._holds.wait_held(name, number)

    def reset(self) -> None:
        """Forget everything: what was told, asked, granted and still to go wrong."""
        for name, value in attrs.asdict(Script(user=self._first_user), recurse=False).items():
            setattr(self, name, value)
        self.requests.clear()
        self.faults.clear()
        self._holds.clear()
        self._hosts = Hosts(self.url, self, self._holds, self._news)

    @property
    def _families(self) -> Families:
        return self._hosts.issuer.families

    async def _serve(self, stream: trio.abc.Stream) -> None:
        await serve_http(partial(self._answer, stream), stream, max_body=MAX_BODY)

    async def _answer(self, stream: trio.abc.Stream, request: HttpRequest) -> Answer:
        recorded = record(request)
        if recorded.path.startswith(control.PREFIX):
            return await control.answer_control(self, recorded)
        self.requests.append(recorded)
        self._news.tell()
        await self._holds.pass_held(recorded.path)
        fault = self.faults.take(recorded.path)
        if fault.loss is None:
            await trio.sleep(fault.wait)
            return self._hosts.answer(recorded) if fault.answer is None else fault.answer
        done = self._hosts.answer(recorded)
        await trio.sleep(fault.wait)
        if isinstance(done, HttpStream):
            return b""  # a model's response has a script of its own for the rest
        with suppress(trio.BrokenResourceError):  # nobody waits for the rest of it
            return await lose(done, fault.loss, stream)
        return b""


@asynccontextmanager
async def open_stand_in(
    port: int = 0, *, tls: ssl.SSLContext | None = None, user: User = "approve"
) -> AsyncGenerator[StandIn]:
    """Run a stand-in on 127.0.0.1 within the block; with ``tls``, a server's context, on HTTPS.

    Leaving the block closes its connections, whoever waits for an answer.
    """
    (listener,) = await trio.open_tcp_listeners(port, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    stand_in = StandIn(url=f"{'https' if tls else 'http'}://127.0.0.1:{port}", user=user)
    door: trio.abc.Listener[trio.abc.Stream] = (
        trio.SSLListener(listener, tls, https_compatible=True) if tls else listener
    )
    with out_of_groups(1):
        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, stand_in._serve, [door])
            yield stand_in
            nursery.cancel_scope.cancel(reason="the stand-in is not needed any more")
