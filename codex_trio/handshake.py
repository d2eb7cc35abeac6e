"""initialize: who connects, and what it is told first."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import attrs

from codex_trio.errors import RpcError
from codex_trio.protocol import handshake as words
from codex_trio.protocol import methods
from codex_trio.rpc.calls import Call, serves
from codex_trio.user_agent import choose_originator, is_header_value, platform_names, user_agent

if TYPE_CHECKING:
    from codex_trio.settings import ConfigWarning, Settings


@attrs.define(eq=False)
class Handshake:
    """Opens connections."""

    _settings: Settings

    @serves(methods.INITIALIZE)
    def initialize(self, call: Call[words.InitializeParams]) -> None:
        """Open the connection; warnings about the configuration follow the answer."""
        info = call.params.client_info
        if not is_header_value(info.name):
            raise RpcError.invalid_request(
                f"Invalid clientInfo.name: '{info.name}'. Must be a valid HTTP header value."
            )
        client = call.client
        if (wishes := call.params.capabilities) is not None:
            client.experimental = wishes.experimental_api
            client.opted_out = frozenset(wishes.opt_out_notification_methods or ())
        client.name, client.version = info.name, info.version
        client.originator = choose_originator(self._settings.originator, info.name)
        client.user_agent = user_agent(
            client.originator,
            self._settings.version,
            f"{info.name}; {info.version}",
            os.environ,
        )
        call.reply(self._introduction(client.user_agent))
        for warning in self._settings.warnings:
            client.tell(methods.CONFIG_WARNING, _as_words(warning))
        client.initialized = True  # from here on it hears what everybody hears

    def _introduction(self, agent: str) -> words.InitializeResponse:
        family, system = platform_names()
        # A home whose name is no UTF-8 cannot be written on the wire as it is.
        home = os.fsencode(self._settings.codex_home).decode(errors="replace")
        return words.InitializeResponse(
            user_agent=agent,
            codex_home=home,
            platform_family=family,
            platform_os=system,
        )


def _as_words(warning: ConfigWarning) -> words.ConfigWarningNotification:
    text_range = None
    if warning.start is not None and warning.end is not None:
        text_range = words.TextRange(
            start=words.TextPosition(line=warning.start[0], column=warning.start[1]),
            end=words.TextPosition(line=warning.end[0], column=warning.end[1]),
        )
    return words.ConfigWarningNotification(
        summary=warning.summary, details=warning.details, path=warning.path, range=text_range
    )
