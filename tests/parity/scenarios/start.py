"""The command line and the environment: overrides, and servers that cannot start."""

from __future__ import annotations

from tests.parity.run import OPEN, Scenario
from tests.parity.scenarios.asking import LOGIN, READ

FORCED = "forced_login_method=chatgpt"
START = [
    Scenario(name="overrides behind the command", steps=[OPEN, LOGIN], after=["-c", FORCED]),
    Scenario(
        name="overrides before the command",
        steps=[OPEN, LOGIN],
        before=["--config", 'forced_login_method="chatgpt"'],
    ),
    Scenario(
        name="the last override counts",
        steps=[OPEN, LOGIN],
        after=["-c", "forced_login_method=api", "-c", FORCED],
    ),
    Scenario(
        name="overrides survive a broken file",
        steps=[OPEN, LOGIN],
        after=["-c", FORCED],
        files={"config.toml": "cli_auth_credentials_store = 5"},
    ),
    Scenario(
        name="a provider from overrides",
        steps=[OPEN, READ],
        after=["-c", 'model_providers.x={name="x"}', "-c", "model_provider=x"],
    ),
    Scenario(name="the transport by name", steps=[OPEN], after=["--listen", "stdio://"]),
    Scenario(name="the transport by flag", steps=[OPEN], after=["--stdio"]),
    *(
        Scenario(
            name=f"cannot start: {' '.join(flags) or environ}",
            after=flags,
            environ=environ,
            starts=False,
        )
        for flags, environ in [
            (["-c", "foo"], {}),
            (["-c", "=5"], {}),
            (["-c", "forced_login_method=zz"], {}),
            (["-c", "model_provider=nope"], {}),
            (["-c", "cli_auth_credentials_store=zz"], {}),
            (["--nope"], {}),
            (["zzz"], {}),
            (["--listen", "foo"], {}),
            (["--stdio", "--listen", "stdio://"], {}),
            ([], {"CODEX_HOME": "/nonexistent/x"}),
            ([], {"CODEX_HOME": "/etc/passwd"}),
        ]
    ),
]
