"""config.toml, right and wrong."""

from __future__ import annotations

from tests.parity.run import OPEN, Scenario
from tests.parity.scenarios.asking import LOGIN, LOGOUT, READ, STATUS

CONFIG = [
    *(
        Scenario(
            name=f"config: {config!r}",
            steps=[OPEN, LOGIN, READ, STATUS],
            files={"config.toml": config},
        )
        for config in [
            'forced_login_method = "chatgpt"\n',
            'forced_login_method = "api"\n',
            "forced_login_method = 5\n",
            '# c\n  forced_login_method = "x"\n',
            'cli_auth_credentials_store = "ephemeral"\n',
            'forced_chatgpt_workspace_id = "a,b"\n',
            "forced_chatgpt_workspace_id = 5\n",
            'cli_auth_credentials_store = "zz"\n',
            "cli_auth_credentials_store = 5\n",
            'model_provider = "nope"\n',
            'model_provider = "ollama"\n',
            "model_provider = true\n",
            "model_providers = 5\n",
            'model_provider = "x"\n[model_providers.x]\nname = "x"\n',
            'model_provider = "x"\n[model_providers.x]\nname = "x"\nrequires_openai_auth = true\n',
            '[model_providers.x]\nname = "x"\nrequires_openai_auth = "yes"\n',
            'profile = "nope"\n',
        ]
    ),
    Scenario(
        name="config: broken syntax",
        steps=[OPEN, READ],
        files={"config.toml": 'forced_login_method = "api"\nfoo = = 3\n'},
    ),
    Scenario(
        name="config: an unknown key", steps=[OPEN, READ], files={"config.toml": "zzz = 1\n"}
    ),
    Scenario(name="config: a directory", steps=[OPEN, READ], files={"config.toml": None}),
    Scenario(
        name="config: no keyring",
        steps=[OPEN, LOGIN, READ, LOGOUT],
        files={"config.toml": 'cli_auth_credentials_store = "keyring"\n'},
    ),
    Scenario(
        name="config: auto without a keyring",
        steps=[OPEN, LOGIN, READ, LOGOUT, READ],
        files={"config.toml": 'cli_auth_credentials_store = "auto"\n'},
    ),
    *(
        Scenario(
            name=f"hidden by forced_login_method = {forced!r}",
            steps=[OPEN, READ, STATUS],
            files={
                "config.toml": f'forced_login_method = "{forced}"\n',
                "auth.json": '{"OPENAI_API_KEY":"k"}',
            },
        )
        for forced in ["chatgpt", "api"]
    ),
]
