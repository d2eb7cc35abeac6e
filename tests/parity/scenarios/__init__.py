"""The scripts; a new one is a few lines in the module of its family."""

from __future__ import annotations

from tests.parity.scenarios import (
    account,
    browser,
    config,
    device,
    ending,
    exchange,
    external,
    handshake,
    limits,
    params,
    ports,
    refresh,
    restrictions,
    start,
    states,
    stores,
    wire,
)

SCENARIOS = [
    *wire.WIRE,
    *handshake.HANDSHAKE,
    *params.PARAMS,
    *account.ACCOUNT,
    *config.CONFIG,
    *start.START,
    *browser.BROWSING,
    *exchange.EXCHANGES,
    *device.DEVICES,
    *ending.ENDING,
    *ports.PORTS,
    *external.HOSTED,
    *limits.LIMITED,
    *refresh.REFRESHING,
    *restrictions.RESTRICTED,
    *states.STANDING,
    *stores.STORES,
]
