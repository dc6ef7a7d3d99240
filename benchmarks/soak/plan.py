"""What a run is made of."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property

# Killed and doubled jobs wait for leases of a minute. They are among the first, so that the others run meanwhile.
EARLY = 0.5


@dataclass(frozen=True)
class Plan:
    """What a run is made of.

    Attributes:
        jobs: how many are submitted.
        duplicates: the share of the jobs whose message is sent twice.
        kills: the share of the jobs during whose first attempt the worker process is killed.
        throttles: the share of the AWS calls that are answered with a throttling error.
        workers: worker processes.
        threads: tasks that a worker runs at the same time.
        seed: of every random choice.
        limit: seconds after which what is not done counts as left open.
    """

    jobs: int = 10_000
    duplicates: float = 0.05
    kills: float = 0.02
    throttles: float = 0.05
    workers: int = 8
    threads: int = 2
    seed: int = 1
    limit: float = 900

    @cached_property
    def doomed(self) -> frozenset[int]:
        """The numbers of the jobs during whose first attempt the worker is killed."""
        return self._some(self.kills, "kills")

    @cached_property
    def doubled(self) -> frozenset[int]:
        """The numbers of the jobs whose message is sent twice."""
        return self._some(self.duplicates, "duplicates")

    def _some(self, share: float, what: str) -> frozenset[int]:
        wanted = round(self.jobs * share)
        early = range(min(self.jobs, max(wanted, round(self.jobs * EARLY))))
        return frozenset(random.Random(f"{what} {self.seed}").sample(early, wanted))
