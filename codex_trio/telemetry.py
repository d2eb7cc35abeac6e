"""Spans of OpenTelemetry, where they are wanted; imports opentelemetry-api only then.

::

    span                       kind      its parent
    METHOD                     server    the ``trace`` of the request, if it has one
    ├─ login                   internal  the request that has begun it, also when that is answered
    ├─ renew tokens            internal  the first request that needs it
    ├─ turn                    internal  the request that has begun it
    └─ GET, POST               client    whatever asks

What is in force is OpenTelemetry's own: its context is a context variable, which tasks inherit. It is one for
the process, as its providers are: one server that wants spans has them for all. A span has names, ids
and status codes; no params, no results, no texts of errors, which might quote a secret.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from urllib.parse import urlsplit

import attrs

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from opentelemetry.context import Context
    from opentelemetry.trace import Span as OtelSpan
    from opentelemetry.trace import Tracer

Value: TypeAlias = str | int | bool

_VARIABLES: Final = (
    "OTEL_TRACES_EXPORTER",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
)

log = logging.getLogger(__name__)

_tracer: Tracer | None = None


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Say whether the environment asks for spans.

    ``CODEX_TRIO_OTEL`` says so, ``1`` or ``0``; without it, the variables of OpenTelemetry that say where
    spans go.
    """
    if (given := environ.get("CODEX_TRIO_OTEL", "").strip().lower()) != "":
        return given not in ("0", "false", "no", "off")
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    return any(environ.get(name, "").strip() not in ("", "none") for name in _VARIABLES)


def enable() -> None:
    """Make spans from now on; where opentelemetry-api is missing, that is logged instead."""
    global _tracer
    if _tracer is not None:
        return
    try:
        from opentelemetry import trace
    except ImportError:
        log.warning("spans are asked for, and opentelemetry-api is not installed")
        return
    _tracer = trace.get_tracer("codex_trio")


def is_enabled() -> bool:
    """Say whether spans are made."""
    return _tracer is not None


@attrs.define(eq=False)
class Span:
    """One span; nothing is done with it where there are none."""

    _span: OtelSpan | None = None

    def note(self, **values: Value) -> None:
        """Note something about it; underscores stand for dots, two of them for one."""
        if self._span is not None:
            for name, value in values.items():
                self._span.set_attribute(_dotted(name), value)

    def fail(self, **values: Value) -> None:
        """Note that what it is about has failed."""
        if self._span is not None:
            from opentelemetry.trace import StatusCode

            self._span.set_status(StatusCode.ERROR)
            self.note(**values)

    def end(self) -> None:
        """End it, if it has not been entered as a block that does."""
        if self._span is not None:
            self._span.end()


NO_SPAN: Final = Span()


@contextmanager
def span(
    name: str, kind: Literal["internal", "client"] = "internal", **values: Value
) -> Generator[Span]:
    """Make a span of a block, below the one that is current; an exception marks it as failed.

    What it raises is told by its type alone.
    """
    if _tracer is None:
        yield NO_SPAN
        return
    from opentelemetry.trace import SpanKind, use_span

    started = _tracer.start_span(
        name, kind=SpanKind[kind.upper()], attributes={_dotted(n): v for n, v in values.items()}
    )
    made = Span(started)
    with use_span(
        started, end_on_exit=True, record_exception=False, set_status_on_exception=False
    ):
        try:
            yield made
        except BaseException as error:
            made.fail(error_type=type(error).__name__)
            raise


@contextmanager
def request_span(method: str, trace: object, **values: Value) -> Generator[Span]:
    """Make a span of a request, which is current within the block and goes on behind it.

    Args:
        method: what is asked.
        trace: where it comes from, as the client says it: ``{"traceparent": …, "tracestate": …}``.
        values: what is noted about it.
    """
    assert _tracer is not None  # who asks has looked
    from opentelemetry.trace import SpanKind, use_span

    started = _tracer.start_span(
        method,
        context=_parent(trace),
        kind=SpanKind.SERVER,
        attributes={
            "rpc.system": "jsonrpc",
            "rpc.method": method,
            **{_dotted(name): value for name, value in values.items()},
        },
    )
    with use_span(started, record_exception=False, set_status_on_exception=False):
        yield Span(started)


def note_failure(code: int) -> None:
    """Note that the request that is current is answered with an error."""
    if _tracer is not None:
        from opentelemetry.trace import get_current_span

        Span(get_current_span()).fail(rpc_jsonrpc_error__code=code)


@contextmanager
def client_span(method: str, url: str) -> Generator[Span]:
    """Make a span of a request of ours; of the URL it has neither user nor query."""
    if _tracer is None:
        yield NO_SPAN
        return
    with span(method, "client", http_request_method=method, **_place(url)) as made:
        yield made


def _place(url: str) -> dict[str, Value]:
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return {}  # it will be told that this is no URL
    return {"server_address": parts.hostname or "", "server_port": port, "url_path": parts.path}


def _parent(trace: object) -> Context | None:
    """Read where a request comes from (W3C Trace Context); what cannot be read is nowhere."""
    if not isinstance(trace, dict):
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier = {
        name: value
        for name in ("traceparent", "tracestate")
        if isinstance(value := trace.get(name), str)
    }
    return TraceContextTextMapPropagator().extract(carrier) if carrier else None


def _dotted(name: str) -> str:
    return name.replace("__", "\0").replace("_", ".").replace("\0", "_")
