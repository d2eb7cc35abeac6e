"""Finding out why signing in or asking a model does not work here, and what to do about it."""

from __future__ import annotations

from codex_trio.doctor.examination import examine
from codex_trio.doctor.report import Finding, Report

__all__ = ["Finding", "Report", "examine"]
