"""A stand-in for OpenAI's hosts: a local HTTP server at which accounts sign in.

::

    async with open_stand_in() as stand_in:
        async with open_memory_client(stand_in.settings(home)) as client:
            await client.initialize()
            login = await client.call("account/login/start", {"type": "chatgpt"})
            await stand_in.visit(login["authUrl"])
            print(await client.next_notification("account/login/completed"))

It does what it was told, fails where its ``faults`` say so, and remembers what it was asked.
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
from codex_trio.httpd import Answer, HttpRequest, serve_http
from codex_trio.settings import Settings
from codex_trio.testing import browser, control
from codex_trio.testing.faults import Faults, lose
from codex_trio.testing.recording import Recorded
from codex_trio.testing.routes import Hosts
from codex_trio.testing.script import Script, User

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Mapping

    from codex_trio.testing.families import Ending, Exchange, Families
    from codex_trio.testing.tokens import Account, Tokens

CLIENT_ID: Final = str(attrs.fields(Settings).client_id.default)
"""What the issuer knows a server by, unless it is told otherwise."""


@attrs.define(eq=False, kw_only=True)
class StandIn(Script):
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
        faults: what goes wrong.
        requests: what arrived, in its order, but for ``/stand-in/…``.
    """

    url: str
    faults: Faults = attrs.field(factory=Faults, init=False)
    requests: list[Recorded] = attrs.field(factory=list, init=False)
    _hosts: Hosts = attrs.field(init=False)
    _first_user: User = attrs.field(init=False)
    _held: dict[str, trio.Event] = attrs.field(factory=dict, init=False)
    _arrived: trio.lowlevel.ParkingLot = attrs.field(
        factory=trio.lowlevel.ParkingLot, init=False
    )

    def __attrs_post_init__(self) -> None:
        self._first_user = self.user
        self._hosts = Hosts(self.url, self)

    def settings(self, home: Path | str, **more: Any) -> Settings:
        """Make settings of a server that signs in here; a free port is its callback's."""
        here: dict[str, Any] = {
            "issuer": self.url,
            "refresh_url": f"{self.url}/oauth/token",
            "revoke_url": f"{self.url}/oauth/revoke",
            "chatgpt_base_url": f"{self.url}/backend-api",
            "login_callback_ports": (0,),
        }
        return Settings(codex_home=Path(home), **{**here, **more})

    @property
    def environ(self) -> dict[str, str]:
        """What leads another process here, the genuine server too."""
        return {
            "CODEX_APP_SERVER_LOGIN_ISSUER": self.url,
            "CODEX_REFRESH_TOKEN_URL_OVERRIDE": f"{self.url}/oauth/token",
            "CODEX_REVOKE_TOKEN_URL_OVERRIDE": f"{self.url}/oauth/revoke",
        }

    @property
    def config(self) -> str:
        """What another process needs in its ``config.toml`` besides."""
        return f'chatgpt_base_url = "{self.url}/backend-api"\n'

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

    async def wait_request(self, path: str, number: int = 1) -> Recorded:
        """Return the first request to a path, or the one with this number, waiting for it."""
        await trio.lowlevel.checkpoint()
        while len(found := [one for one in self.requests if one.path == path]) < number:
            await self._arrived.park()
        return found[number - 1]

    def hold(self, path: str) -> None:
        """Let requests to a path arrive, and wait; nothing is done, until ``release``."""
        self._held.setdefault(path, trio.Event())

    def release(self, path: str) -> None:
        """Go on with the requests to a path that wait, and with later ones."""
        if (held := self._held.pop(path, None)) is not None:
            held.set()

    def reset(self) -> None:
        """Forget everything: what was told, asked, granted and still to go wrong."""
        for name, value in attrs.asdict(Script(user=self._first_user), recurse=False).items():
            setattr(self, name, value)
        self.requests.clear()
        self.faults.clear()
        for path in list(self._held):
            self.release(path)
        self._hosts = Hosts(self.url, self)

    @property
    def _families(self) -> Families:
        return self._hosts.issuer.families

    async def _serve(self, stream: trio.abc.Stream) -> None:
        await serve_http(partial(self._answer, stream), stream)

    async def _answer(self, stream: trio.abc.Stream, request: HttpRequest) -> Answer:
        recorded = Recorded.of(request)
        if recorded.path.startswith(control.PREFIX):
            return control.answer_control(self, recorded)
        self.requests.append(recorded)
        self._arrived.unpark_all()
        if (held := self._held.get(recorded.path)) is not None:
            await held.wait()
        fault = self.faults.take(recorded.path)
        if fault.loss is None:
            await trio.sleep(fault.wait)
            return self._hosts.answer(recorded) if fault.answer is None else fault.answer
        done = self._hosts.answer(recorded)
        await trio.sleep(fault.wait)
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
