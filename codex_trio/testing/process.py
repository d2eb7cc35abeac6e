"""A stand-in in a process of its own, for tests that know nothing of Trio."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

import attrs

from codex_trio.testing.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Generator

    from codex_trio.testing.families import Ending

_PATIENCE: Final = 30.0


@attrs.frozen
class StandInProcess:
    """A stand-in that is running; made by ``spawn_stand_in``. Its methods block.

    Args:
        url: where it is, without a slash at the end.
        environ: what leads a server there, the genuine one too.
        config: what such a server needs in its ``config.toml`` besides.
    """

    url: str
    environ: dict[str, str]
    config: str

    def requests(self) -> list[dict[str, Any]]:
        """List what arrived: method, path, query, headers, body, at, and the body's fields."""
        requests: list[dict[str, Any]] = self._ask("requests")["requests"]
        return requests

    def script(self, words: dict[str, Any]) -> None:
        """Tell it what to do; what is not named stays as it is.

        The names are those of ``StandIn``: ``user``, ``denial``, ``device``, ``account``,
        ``refresh_reply``, ``usage``, ``requirements``, ``api_keys``, ``models``, ``responses``
        and ``respond``. Besides, ``faults`` is a list such as ``[{"path": "/oauth/token",
        "status": 503}]``. A response is ``{"text": "Hi"}`` or more, as the manual has it.

        Raises:
            ValueError: it does not understand that, and nothing has changed.
        """
        self._ask("script", words)

    def answer(self, *responses: Any) -> None:
        """Let models answer the next requests so; each as in ``script``, or a text alone.

        Raises:
            ValueError: it does not understand that, and nothing has changed.
        """
        self.script({"responses": responses})

    def response_requests(self) -> list[dict[str, Any]]:
        """List what models were asked for, as ``requests`` does; ``course`` is what came of it."""
        requests: list[dict[str, Any]] = self._ask("response-requests")["requests"]
        return requests

    def open_responses(self) -> int:
        """Say how many responses of models are under way."""
        number: int = self._ask("open-responses")["number"]
        return number

    def wait_request(self, path: str, number: int = 1) -> dict[str, Any]:
        """Return the first request to a path, or the one with this number, waiting for it.

        Raises:
            ValueError: it does not come.
        """
        return self._wait("request", number, path=path)

    def wait_response_request(self, number: int = 1) -> dict[str, Any]:
        """Return what a model was asked first, or with this number; as ``wait_request``."""
        return self._wait("response-request", number)

    def wait_closed(self, number: int = 1) -> dict[str, Any]:
        """Return a request whose response its client has closed; as ``wait_request``."""
        return self._wait("closed", number)

    def wait_held(self, name: str, number: int = 1) -> None:
        """Return as soon as somebody waits at a path or in a response; as ``wait_request``."""
        self._wait("held", number, name=name)

    def approve_device(self, user_code: str) -> None:
        """Be the user who types the code of a device.

        Raises:
            ValueError: no device waits with this code.
        """
        self._ask("approve-device", {"user_code": user_code})

    def exchanges(self) -> list[dict[str, Any]]:
        """List every refresh that the issuer was asked for: outcome and account_id."""
        exchanges: list[dict[str, Any]] = self._ask("exchanges")["exchanges"]
        return exchanges

    def live_refresh_tokens(self, account_id: str | None = None) -> list[str]:
        """List the refresh tokens of an account, or of the present one, that count now."""
        query = "" if account_id is None else f"?account_id={quote(account_id)}"
        tokens: list[str] = self._ask(f"live-refresh-tokens{query}")["refresh_tokens"]
        return tokens

    def issue_tokens(self, **account: Any) -> Tokens:
        """Give tokens of the account, or of one that differs from it.

        Raises:
            ValueError: there can be no such account.
        """
        return Tokens(**self._ask("issue-tokens", _differing(account)))

    def issue_access_token(self, **account: Any) -> str:
        """Give an access token alone; as ``issue_tokens``."""
        token: str = self._ask("issue-access-token", _differing(account))["access_token"]
        return token

    def expire_access_tokens(self) -> None:
        """Refuse every access token that there is; refreshing still works."""
        self._ask("expire-access-tokens", {})

    def end_refresh_tokens(self, ending: Ending) -> None:
        """Refuse every refresh token that there is; access tokens still count.

        Raises:
            ValueError: there is no such ending.
        """
        self._ask("end-refresh-tokens", {"ending": ending})

    def revoke_all(self) -> None:
        """Refuse every token that there is."""
        self._ask("revoke-all", {})

    def hold(self, path: str) -> None:
        """Let requests to a path arrive, and wait; nothing is done, until ``release``."""
        self._ask("hold", {"path": path})

    def release(self, path: str) -> None:
        """Go on with who waits at a path or in a response, and with who comes there later."""
        self._ask("release", {"path": path})

    def reset(self) -> None:
        """Let it forget everything: what was told, asked, granted and still to go wrong."""
        self._ask("reset", {})

    def _wait(self, what: str, number: int, **words: str) -> dict[str, Any]:
        query = urlencode({**words, "number": number})
        request: dict[str, Any] = self._ask(f"wait-{what}?{query}").get("request", {})
        return request

    def _ask(self, what: str, words: dict[str, Any] | None = None) -> dict[str, Any]:
        from urllib import error, request  # few need this, and it takes long to load

        data = None if words is None else json.dumps(words).encode()
        asked = request.Request(
            f"{self.url}/stand-in/{what}", data, {"Content-Type": "application/json"}
        )
        direct = request.build_opener(request.ProxyHandler({}))
        try:
            with direct.open(asked, timeout=_PATIENCE) as response:
                answer: dict[str, Any] = json.load(response)
        except error.HTTPError as refusal:
            with refusal:
                raise ValueError(json.load(refusal)["detail"]) from None
        return answer


def _differing(account: dict[str, Any]) -> dict[str, Any]:
    return {"account": account} if account else {}


@contextmanager
def spawn_stand_in() -> Generator[StandInProcess]:
    """Run a stand-in as a child within the block; it does not outlive us, however we end.

    Its user approves until it is told otherwise.

    Raises:
        OSError: it does not start; standard error says why.
    """
    command = [sys.executable, "-m", "codex_trio", "stand-in", "--until-eof"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, bufsize=0) as child:
        try:
            assert child.stdout is not None
            line = child.stdout.readline()
            if not line:
                raise ChildProcessError("the stand-in does not start")
            stand_in = StandInProcess(**json.loads(line))
            stand_in.script({"user": "approve"})
            yield stand_in
        finally:
            child.terminate()
