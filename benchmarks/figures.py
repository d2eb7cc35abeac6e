"""What is measured, in what unit, what we aim at; and what the rounds have brought."""

from __future__ import annotations

from collections import defaultdict
from statistics import mean, median
from typing import Final

import attrs

_MICROSECONDS: Final = "\N{MICRO SIGN}s"


@attrs.frozen
class Figure:
    """One line of the table."""

    key: str
    group: str
    title: str
    unit: str
    target: float | None = None
    """What we aim at, as a ratio ours/genuine."""
    more_is_better: bool = False
    compared: bool = True
    """Without, there is no ratio, and no line as long as nothing but zeros was measured."""
    limit: float | None = None
    """What we aim at for ours alone; with it, there is a line whatever was measured."""
    every_round_counts: bool = False
    """Whether the mean of the rounds stands in the table, instead of the middle one."""


FIGURES: Final = (
    Figure("spawn", "spawn", "start to first answer, files in memory", "ms", 2.0),
    Figure("cold", "cold", "start to first answer, files on disk", "ms", 0.8),
    Figure("cold_read", "cold", "read from disk until then", "MiB"),
    Figure("eof_early", "ends", "end of input at once, until gone", "ms"),
    Figure("eof", "ends", "end of input later, until gone", "ms"),
    Figure("sigterm", "ends", "SIGTERM, until gone", "ms"),
    Figure("pss", "memory", "memory, shared pages in part (PSS)", "MiB", 0.4),
    Figure("rss", "memory", "memory, shared pages in full (RSS)", "MiB"),
    Figure("p50", "roundtrip", "account/read, one after the other, median", _MICROSECONDS, 0.2),
    Figure("p99", "roundtrip", "account/read, one after the other, 99 %", _MICROSECONDS, 0.2),
    Figure("flight_1", "pipelined", "account/read, 1 in flight", "/s", None, True),
    Figure("refused_1", "pipelined", "refused, 1 in flight", "%", compared=False),
    Figure("flight_16", "pipelined", "account/read, 16 in flight", "/s", None, True),
    Figure("refused_16", "pipelined", "refused, 16 in flight", "%", compared=False),
    Figure("flight_256", "pipelined", "account/read, 256 in flight", "/s", 20.0, True),
    Figure("refused_256", "pipelined", "refused, 256 in flight", "%", compared=False),
    Figure("login", "login", "API key login and logout, on disk", "/s", 4.0, True),
    Figure("refresh", "refresh", "one refresh, with its reply stored", "ms"),
    Figure("refresh_read", "refresh", "account/read while a refresh hangs, longest", "ms"),
    Figure(
        "refresh_exchanges",
        "refresh",
        "400 who want new tokens at once: exchanges",
        "",
        compared=False,
        limit=1,
        every_round_counts=True,
    ),
    Figure(
        "refresh_losers",
        "refresh",
        "… and of 8 processes, signed out then",
        "",
        compared=False,
        limit=0,
        every_round_counts=True,
    ),
    Figure("cancel_reply_p50", "cancel", "cancel, until the reply, median", _MICROSECONDS, 1.0),
    Figure("cancel_reply_p99", "cancel", "cancel, until the reply, 99 %", _MICROSECONDS),
    Figure(
        "cancel_completed_p50", "cancel", "cancel, until it is completed, median", _MICROSECONDS
    ),
    Figure(
        "cancel_completed_p99", "cancel", "cancel, until it is completed, 99 %", _MICROSECONDS
    ),
    Figure(
        "cancel_port_p50", "cancel", "cancel, until the port is free, median", _MICROSECONDS
    ),
    Figure("cancel_port_p99", "cancel", "cancel, until the port is free, 99 %", _MICROSECONDS),
    Figure(
        "cancel_held",
        "cancel",
        "cancel, port not free at the reply",
        "%",
        compared=False,
        limit=0.0,
        every_round_counts=True,
    ),
    Figure(
        "cycles_free", "cycles", "start and cancel, until the port is free", "/s", None, True
    ),
    Figure("cycles", "cycles", "start and cancel, until completed", "/s", 1.5, True),
    Figure(
        "cycles_threads", "cycles", "threads after 200 of them", "", compared=False, limit=0
    ),
    Figure("cycles_files", "cycles", "files after 200 of them", "", compared=False),
    Figure("cycles_memory", "cycles", "memory after 200 of them", "MiB", compared=False),
    Figure(
        "endurance_threads", "cycles", "threads after many more", "", compared=False, limit=0
    ),
    Figure("endurance_files", "cycles", "files after many more", "", compared=False, limit=0),
    Figure(
        "endurance_memory", "cycles", "memory after many more", "MiB", compared=False, limit=1
    ),
    Figure(
        "many_memory", "many", "one of many logins, memory", "KiB", compared=False, limit=12
    ),
    Figure("many_cancel", "many", "many logins, all cancelled", "s", compared=False, limit=2.5),
    Figure("many_delay", "many", "others wait meanwhile", "ms", compared=False, limit=100),
    Figure("thread_memory", "loaded", "memory with one thread (PSS)", "MiB", 0.3),
    Figure("thread_each", "loaded", "memory for each further thread", "KiB"),
    Figure("turn_first_p50", "turns", "turn, until its first delta, median", "ms", 0.15),
    Figure("turn_first_p99", "turns", "turn, until its first delta, 99 %", "ms"),
    Figure("turn_p50", "turns", "turn, until it is completed, median", "ms", 0.15),
    Figure("turn_p99", "turns", "turn, until it is completed, 99 %", "ms"),
    Figure("turn_healed_p50", "healed", "turn with a 401 and a refresh, median", "ms", 0.15),
    Figure("deltas", "deltas", "deltas of one answer", "/s", 3.0, True),
    Figure("deltas_told", "deltas", "notifications for 5,000 of them", "", compared=False),
    Figure("deltas_many", "deltas", "deltas of 32 answers at once", "/s", 3.0, True),
    Figure("delta_cpu", "deltas", "processor time of a delta", _MICROSECONDS, 0.2),
    Figure(
        "delta_cpu_paced", "deltas", "processor time of a delta, 500 a second", _MICROSECONDS
    ),
    Figure(
        "interrupt_reply", "interrupts", "interrupt within an answer, until the reply", "ms"
    ),
    Figure(
        "interrupt_completed",
        "interrupts",
        "interrupt within an answer, until completed",
        "ms",
        limit=50,
    ),
    Figure(
        "interrupt_silent_reply",
        "interrupts",
        "interrupt before an answer, until the reply",
        "ms",
    ),
    Figure(
        "interrupt_silent_completed",
        "interrupts",
        "interrupt before an answer, until completed",
        "ms",
        limit=50,
    ),
    Figure("list_first", "listing", "first page of 10,000 threads, at first", "ms", limit=100),
    Figure("list_again", "listing", "first page of 10,000 threads, again", "ms", limit=100),
    Figure("held_1", "held", "memory with 1 connection (PSS)", "MiB"),
    Figure("held_100", "held", "memory with 100 connections", "MiB"),
    Figure("held_1000", "held", "memory with 1,000 connections", "MiB"),
    Figure("held_each", "held", "memory of one of 1,000 that are idle", "KiB", 0.15),
    Figure("held_asked", "held", "memory of one of 1,000 that have asked", "KiB"),
    Figure("held_kept", "held", "memory kept when they have closed", "MiB"),
    Figure(
        "held_again",
        "held",
        "… and more of it when others have, too",
        "MiB",
        compared=False,
        limit=4,
    ),
    Figure("held_threads", "held", "threads kept then", "", compared=False, limit=0),
    Figure("held_files", "held", "files kept then", "", compared=False, limit=0),
    Figure("opened", "held", "connections opened, with initialize", "/s", 0.5, True),
    Figure("upgraded", "held", "connections opened, without it", "/s", None, True),
    Figure("answers_1", "held", "account/read of 1 connection", "/s", None, True),
    Figure("answers_100", "held", "account/read of 100 connections", "/s", None, True),
    Figure("answers_1000", "held", "account/read of 1,000 connections", "/s", 3.0, True),
    Figure("answers_refused_1000", "held", "refused of 1,000", "%", compared=False, limit=0),
    Figure("answers_lost_1000", "held", "not answered of 1,000", "%", compared=False, limit=0),
    Figure(
        "websocket_1",
        "websocket",
        "account/read over one websocket, 1 in flight",
        "/s",
        None,
        True,
    ),
    Figure(
        "websocket_16",
        "websocket",
        "account/read over one websocket, 16 in flight",
        "/s",
        None,
        True,
    ),
    Figure(
        "websocket_256",
        "websocket",
        "account/read over one websocket, 256 in flight",
        "/s",
        None,
        True,
    ),
    Figure(
        "websocket_refused_256",
        "websocket",
        "refused, 256 in flight over a websocket",
        "%",
        compared=False,
    ),
    Figure(
        "websocket_cycles",
        "websocket",
        "start and cancel over a websocket, until completed",
        "/s",
        None,
        True,
    ),
    Figure("beside_alone_p50", "beside", "account/read now and then, median", "ms"),
    Figure("beside_alone_p99", "beside", "account/read now and then, 99 %", "ms"),
    Figure("beside_deaf_p50", "beside", "… beside one who reads nothing, median", "ms"),
    Figure("beside_deaf_p99", "beside", "… beside one who reads nothing, 99 %", "ms"),
    Figure(
        "beside_deaf_refused",
        "beside",
        "refused beside one who reads nothing",
        "%",
        compared=False,
        limit=0,
    ),
    Figure("beside_greedy_p50", "beside", "… beside one with 100 in flight, median", "ms"),
    Figure("beside_greedy_p99", "beside", "… beside one with 100 in flight, 99 %", "ms"),
    Figure(
        "beside_greedy_refused",
        "beside",
        "refused beside one with 100 in flight",
        "%",
        compared=False,
        limit=0,
    ),
    Figure(
        "inside_raw",
        "inside",
        "account/read within the process (genuine: stdio)",
        _MICROSECONDS,
    ),
    Figure("inside_typed", "inside", "… with typed calls (genuine: stdio)", _MICROSECONDS),
    Figure("inside_asyncio", "inside", "… of asyncio (genuine: stdio)", _MICROSECONDS),
)

GROUPS: Final = tuple(dict.fromkeys(figure.group for figure in FIGURES))


@attrs.frozen
class Row:
    """A figure with what came out."""

    figure: Figure
    ours: float
    genuine: float | None
    """None when it cannot do this."""
    ratios: tuple[float, ...]
    """Ours/genuine, round by round."""

    @property
    def ratio(self) -> float | None:
        """The middle one of the ratios of the rounds."""
        return median(self.ratios) if self.ratios else None


@attrs.define(eq=False)
class Results:
    """Everything that was measured."""

    samples: dict[str, dict[str, list[float]]] = attrs.field(
        factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    """By figure, then by program, one value a round."""
    skipped: list[str] = attrs.field(factory=list)
    """What could not be measured, and why."""

    def add(self, figure: str, program: str, value: float) -> None:
        """Keep one value; those of one round have the same position in their lists."""
        self.samples[figure][program].append(value)

    def median(self, figure: str, program: str) -> float | None:
        """The middle one of the values of all rounds."""
        values = self.samples.get(figure, {}).get(program)
        return median(values) if values else None

    def ratios(self, figure: str, above: str, below: str) -> tuple[float, ...]:
        """How two programs compare, round by round."""
        sides = self.samples.get(figure, {})
        pairs = zip(sides.get(above, ()), sides.get(below, ()), strict=True)
        return tuple(one / other for one, other in pairs if other)

    def rows(self) -> list[Row]:
        """The table."""
        rows = []
        for figure in FIGURES:
            ours, genuine = (self._summary(figure, name) for name in ("ours", "genuine"))
            if ours is None:
                continue
            if figure.compared:
                ratios = self.ratios(figure.key, "ours", "genuine")
                rows.append(Row(figure, ours, genuine, ratios))
            elif ours or genuine or figure.limit is not None:
                rows.append(Row(figure, ours, genuine, ()))
        return rows

    def _summary(self, figure: Figure, program: str) -> float | None:
        values = self.samples.get(figure.key, {}).get(program)
        if not values:
            return None
        return mean(values) if figure.every_round_counts else median(values)
