"""How long is waited until the next attempt, so that many clients do not come at once."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST: Final = 0.2  # seconds; twice as many each time (observed on 0.163.0) …
_LONGEST: Final = 30.0  # … up to these (ours)
_JITTER: Final = 0.1  # of the seconds, more or less (observed)
_LONGEST_OFFLINE: Final = 60.0


def stream_backoff(attempt: int, *, chance: Callable[[], float] = random.random) -> float:
    """Say how many seconds are waited before an attempt to be answered.

    Args:
        attempt: which one it is; 1 is the first that repeats something.
        chance: a number from 0 to 1, another one each time.
    """
    # Compared before it is computed: there may be a hundred attempts.
    seconds = _FIRST * 2.0 ** min(attempt - 1, 32)
    return min(seconds, _LONGEST) * (1 + _JITTER * (2 * chance() - 1))


def offline_backoff(attempt: int) -> float:
    """Say how many seconds are waited before a host is tried again that cannot be reached.

    Five, ten and so on, as often as it takes (observed on 0.163.0; the end at a minute is ours).
    """
    return min(5.0 * 2.0 ** min(attempt - 1, 8), _LONGEST_OFFLINE)
