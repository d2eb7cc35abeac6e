"""Homes with an account that is signed in at a stand-in."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import attrs

from benchmarks.peers import running
from codex_trio.testing import spawn_stand_in

if TYPE_CHECKING:
    from collections.abc import Generator

    from benchmarks.peers import Peer, Program
    from codex_trio.testing import StandInProcess, Tokens


@attrs.frozen
class Home:
    """A home with an account that is signed in, and a stand-in at which it is."""

    path: Path
    issuer: StandInProcess

    @contextmanager
    def running(self, program: Program) -> Generator[Peer]:
        """Start a program in it, and introduce ourselves."""
        program = attrs.evolve(program, environ={**program.environ, **self.issuer.environ})
        with running(program, self.path) as peer:
            peer.open()
            yield peer

    def sign_in(self) -> None:
        """Store new tokens, as another process would."""
        stored = _stored(self.issuer.issue_tokens())
        draft = self.path / "draft"
        draft.write_text(json.dumps(stored), encoding="utf-8")
        draft.chmod(0o600)
        draft.replace(self.path / "auth.json")

    def token(self) -> str:
        """Read the access token that is stored."""
        text = (self.path / "auth.json").read_text(encoding="utf-8")
        token: str = json.loads(text)["tokens"]["access_token"]
        return token


@contextmanager
def signed_in_home(config: str = "") -> Generator[Home]:
    """Make a home; ``config`` is what its ``config.toml`` has besides, in tables."""
    with spawn_stand_in() as issuer, TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        # One level down: the genuine server does not accept the temporary directory itself.
        home = Home(Path(folder, "home"), issuer)
        home.path.mkdir()
        (home.path / "config.toml").write_text(issuer.config + config, encoding="utf-8")
        home.sign_in()
        yield home


def _stored(tokens: Tokens) -> dict[str, Any]:
    return {
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": None,
        "tokens": {**attrs.asdict(tokens), "account_id": "fake-account"},
        "last_refresh": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
