"""How long to wait before a failed task is run again."""

from __future__ import annotations

import math
import random

BASE = 2.0
CAP = 900


def backoff(failures: int, draw: random.Random | None = None) -> int:
    """Whole seconds until the next attempt: exponential with full jitter.

    Follows https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/

    Args:
        failures: how many attempts have failed so far, from 1.
        draw: the source of chance.
    """
    ceiling = min(CAP, BASE * 2 ** min(failures - 1, 30))
    return max(1, math.ceil((draw or random).uniform(0, ceiling)))
