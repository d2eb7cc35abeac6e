"""What leads a server to the stand-in: settings, environment, configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from codex_trio.settings import Settings
from codex_trio.testing.replies import merged

if TYPE_CHECKING:
    from pathlib import Path

PROVIDER: Final = "stand_in"
"""What the stand-in is called as a provider of models."""


def settings_to(url: str, home: Path, more: dict[str, Any]) -> Settings:
    """Make settings of a server that signs in, and finds its models, at a URL."""
    here: dict[str, Any] = {
        "issuer": url,
        "refresh_url": f"{url}/oauth/token",
        "revoke_url": f"{url}/oauth/revoke",
        "chatgpt_base_url": f"{url}/backend-api",
        "login_callback_ports": (0,),
    }
    config = merged(_model_provider(url), more.pop("config", {}))
    return Settings(codex_home=home, **{**here, **more, "config": config})


def environ_to(url: str) -> dict[str, str]:
    """Make the environment of a server that signs in at a URL."""
    return {
        "CODEX_APP_SERVER_LOGIN_ISSUER": url,
        "CODEX_REFRESH_TOKEN_URL_OVERRIDE": f"{url}/oauth/token",
        "CODEX_REVOKE_TOKEN_URL_OVERRIDE": f"{url}/oauth/revoke",
    }


def config_to(url: str) -> str:
    """Write the configuration of a server that finds everything else at a URL.

    All of it is above the first table, so that more may follow.
    """
    config = {"chatgpt_base_url": f"{url}/backend-api", **_model_provider(url)}
    return "".join(_lines(config, ""))


def _model_provider(url: str) -> dict[str, Any]:
    provider = {
        "name": "Stand-in",
        "base_url": f"{url}/v1",
        "wire_api": "responses",
        "requires_openai_auth": True,
        "supports_websockets": False,
    }
    return {"model_provider": PROVIDER, "model_providers": {PROVIDER: provider}}


def _lines(table: dict[str, Any], prefix: str) -> list[str]:
    lines = []
    for name, value in table.items():
        if isinstance(value, dict):
            lines += _lines(value, f"{prefix}{name}.")
        else:  # text and flags are written in JSON as they are in TOML
            lines.append(f"{prefix}{name} = {orjson.dumps(value).decode()}\n")
    return lines
