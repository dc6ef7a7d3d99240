"""The pause before a failed job is run again."""

from __future__ import annotations

import math
import random
from typing import Final

BASE: Final = 2.0
CAP: Final = 900.0
# Two weeks, in seconds: what is tried again later than that is a schedule's business.
LONGEST_WAIT: Final = 1_209_600
# A retry's message may come this much before its time, in milliseconds: the queue's clock is not ours.
EARLY: Final = 500


def backoff(failures: int, base: float = BASE, cap: float = CAP, draw: random.Random | None = None) -> int:
    """Whole seconds until the next attempt: exponential with full jitter.

    Follows https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/

    Args:
        failures: how many attempts have failed so far, from 1.
        base: the longest first wait, in seconds; it doubles with every failure. With 0 nothing is waited.
        cap: the longest wait of all, in seconds.
        draw: the source of chance.
    """
    ceiling = min(cap, base * 2 ** min(failures - 1, 30))
    if ceiling <= 0:
        return 0
    return max(1, math.ceil((draw or random).uniform(0, ceiling)))
