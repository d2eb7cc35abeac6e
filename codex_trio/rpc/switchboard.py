"""What connections are served with."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs

from codex_trio.rpc.lanes import Lanes
from codex_trio.rpc.router import Router
from codex_trio.rpc.work import Work

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_trio.protocol.rows import ClientRequest
    from codex_trio.rpc.calls import Handler
    from codex_trio.rpc.client import Client


@attrs.define(eq=False)
class Switchboard:
    """What a connection is served with: the table, its handlers, their lanes, the router."""

    table: Mapping[str, ClientRequest[Any, Any]]
    handlers: Mapping[str, Handler]
    grace: float
    """Seconds that requests in flight have for their answers after a client's last line."""
    router: Router = attrs.field(factory=Router)
    lanes: Lanes = attrs.field(factory=Lanes)
    work: Work = attrs.field(factory=Work)
    connections: set[Client] = attrs.field(factory=set, init=False)
    """Those that have not ended, also such as only take what is left for them."""
    draining: bool = False
    """Set when no more work is to be begun."""
    closing: bool = False
    """Set when no client is to be listened to any more, also not one that comes now."""
    request_deadline: float = math.inf
    """Seconds that a request has for its answer, from its arrival."""

    def hang_up(self, grace: float) -> None:
        """Listen to no client any more; what is in flight has ``grace`` seconds at most."""
        self.closing = True
        self.grace = grace
        for client in self.connections:
            client.part(grace)
