"""`python -m benchmarks.crashes SIDE GROUPS SIZE CRASHES SEED`: run it, and tell in JSON what became of the groups.

A side is ``ours``, ``celery`` (messages are deleted after their tasks: ``task_acks_late``) or ``celery-early`` (before
them, its default).
"""

from __future__ import annotations

import json
import random
import sys
from typing import TYPE_CHECKING

from benchmarks.crashes.world import World, told

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.crashes.world import Fate

# Groups from which it is learned how many moments a member has.
_FEW = 5


def main(side: str, groups: int, size: int, crashes: int, seed: int) -> None:
    """Print it.

    Args:
        side: whose groups.
        groups: how many.
        size: their members.
        crashes: how many processes die.
        seed: of the choice at which moments, and of the order of the messages.
    """
    run = _runs(side)
    deaths: frozenset[int] = frozenset()
    if crashes:
        few = World()
        run(few, _FEW, size, seed)
        among = round(few.moments / _FEW * groups)
        deaths = frozenset(random.Random(f"crashes {seed}").sample(range(among), crashes))
    world = World(deaths)
    fates = run(world, groups, size, seed)
    print(json.dumps(told(world, fates)), flush=True)


def _runs(side: str) -> Callable[[World, int, int, int], list[Fate]]:
    if side == "ours":
        from benchmarks.crashes.groups import run_groups

        return run_groups
    from benchmarks.crashes.chords import run_chords

    return lambda *given: run_chords(*given, acks_late=side == "celery")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
