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

from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from codex_trio.groups import out_of_groups
from codex_trio.httpd import Answer, HttpRequest, serve_http
from codex_trio.settings import Settings
from codex_trio.testing import browser, control
from codex_trio.testing.faults import Faults
from codex_trio.testing.recording import Recorded
from codex_trio.testing.routes import Hosts
from codex_trio.testing.script import Script, User

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Mapping

    from codex_trio.testing.tokens import Tokens

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
        faults: what goes wrong.
        requests: what arrived, in its order, but for ``/stand-in/…``.
    """

    url: str
    faults: Faults = attrs.field(factory=Faults, init=False)
    requests: list[Recorded] = attrs.field(factory=list, init=False)
    _hosts: Hosts = attrs.field(init=False)
    _first_user: User = attrs.field(init=False)
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
            "revoke_url": f"{self.url}/oauth/revoke",
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

    def issue_tokens(self, client_id: str = CLIENT_ID) -> Tokens:
        """Give tokens of the account to a test that needs no sign-in to have them."""
        return self._hosts.issuer.issue(self.account, client_id)

    async def wait_request(self, path: str, number: int = 1) -> Recorded:
        """Return the first request to a path, or the one with this number, waiting for it."""
        await trio.lowlevel.checkpoint()
        while len(found := [one for one in self.requests if one.path == path]) < number:
            await self._arrived.park()
        return found[number - 1]

    def reset(self) -> None:
        """Forget everything: what was told, asked, granted and still to go wrong."""
        for name, value in attrs.asdict(Script(user=self._first_user), recurse=False).items():
            setattr(self, name, value)
        self.requests.clear()
        self.faults.clear()
        self._hosts = Hosts(self.url, self)

    async def _answer(self, request: HttpRequest) -> Answer:
        recorded = Recorded.of(request)
        if recorded.path.startswith(control.PREFIX):
            return control.answer_control(self, recorded)
        self.requests.append(recorded)
        self._arrived.unpark_all()
        fault = self.faults.take(recorded.path)
        await trio.sleep(fault.wait)
        return self._hosts.answer(recorded) if fault.answer is None else fault.answer


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
            serve = partial(serve_http, stand_in._answer)
            await nursery.start(trio.serve_listeners, serve, [door])
            yield stand_in
            nursery.cancel_scope.cancel(reason="the stand-in is not needed any more")
