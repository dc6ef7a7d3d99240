"""Tries of calls that boto3 must not repeat by itself: whether one may have been applied has to be known."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serverless_tasks.engine.job.clock import Clock

TRIES: Final = 3


def tries(clock: Clock) -> Iterator[int]:
    """Yield the number of each try, from 0, after a pause that grows and is drawn by lot."""
    for number in range(TRIES):
        if number:
            clock.sleep(random.uniform(0, 0.1 * 2**number))  # noqa: S311 - jitter
        yield number
