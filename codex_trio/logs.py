"""Log lines on standard error, as text or as JSON; configured by the command line alone."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from codex_trio.occasion import CURRENT

if TYPE_CHECKING:
    from collections.abc import Mapping

_LEVELS: Final = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "off": logging.CRITICAL + 1,
}


def configure_logging(environ: Mapping[str, str]) -> None:
    """Send log lines to standard error, as the environment says.

    ``CODEX_TRIO_LOG`` is a level, or several directives such as
    ``warn,codex_trio.rpc=debug``; only errors are logged by default. ``LOG_FORMAT=json``
    writes one JSON object a line.
    """
    handler = logging.StreamHandler(sys.stderr)
    as_json = environ.get("LOG_FORMAT", "").strip().lower() == "json"
    handler.setFormatter(_JsonFormatter() if as_json else _TextFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.ERROR)
    for library in ("httpx", "httpcore"):  # which log whole URLs, queries included
        logging.getLogger(library).setLevel(logging.WARNING)
    for directive in filter(None, environ.get("CODEX_TRIO_LOG", "").split(",")):
        target, _, level = directive.strip().rpartition("=")
        if level.lower() in _LEVELS:
            logging.getLogger(target or None).setLevel(_LEVELS[level.lower()])
        else:
            print(f"ignoring `{directive}`: invalid log directive", file=sys.stderr)


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        occasion = CURRENT.get()
        names = "" if occasion is None else _spelled(occasion.names)
        return f"{_time(record)} {record.levelname} {names}{record.name}: {record.getMessage()}"


def _spelled(names: Mapping[str, str | int]) -> str:
    """Write names like ``client{connection=3 request=7 method="account/read"}: ``."""
    return f"client{{{' '.join(f'{name}={json.dumps(value)}' for name, value in names.items())}}}: "


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "timestamp": _time(record),
            "level": record.levelname,
            "fields": {"message": record.getMessage()},
            "target": record.name,
        }
        if (occasion := CURRENT.get()) is not None:
            line["span"] = occasion.names
        return json.dumps(line)
