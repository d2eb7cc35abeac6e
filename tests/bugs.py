"""What is known to be wrong."""

from __future__ import annotations

import pytest


def bug(reason: str) -> pytest.MarkDecorator:
    """Mark what is wrong at present; the test fails when it is not any more."""
    return pytest.mark.xfail(reason=f"BUG: {reason}")
