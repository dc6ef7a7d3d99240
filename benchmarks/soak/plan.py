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
        jobs: how many are submitted by themselves.
        groups: how many groups are submitted among them.
        members: how many jobs each of these has, beside the job that follows it.
        duplicates: the share of the jobs, members among them, whose message is sent twice.
        kills: the share of them during whose first attempt the worker process is killed.
        counting_kills: the share of the counts of a group's members before or after which the worker is killed.
        closing_kills: the same of what is written once a shard is full, and once the group is.
        throttles: the share of the AWS calls that are answered with a throttling error.
        workers: worker processes.
        threads: tasks that a worker runs at the same time.
        seed: of every random choice.
        limit: seconds after which what is not done counts as left open.
    """

    jobs: int = 10_000
    groups: int = 10
    members: int = 1_000
    duplicates: float = 0.05
    kills: float = 0.02
    counting_kills: float = 0.005
    closing_kills: float = 0.1
    throttles: float = 0.05
    workers: int = 8
    threads: int = 2
    seed: int = 1
    limit: float = 900

    @property
    def tasks(self) -> int:
        """How many jobs run a task: those by themselves, the members, and what follows the groups."""
        return self.jobs + self.groups * (self.members + 1)

    @cached_property
    def doomed(self) -> frozenset[int]:
        """The numbers of the jobs during whose first attempt the worker is killed; a member's follow all others."""
        return self._some(self.kills, "kills")

    @cached_property
    def doubled(self) -> frozenset[int]:
        """The numbers of the jobs whose message is sent twice."""
        return self._some(self.duplicates, "duplicates")

    def numbers(self, group: int) -> range:
        """The numbers of a group's members, by their indices."""
        first = self.jobs + group * self.members
        return range(first, first + self.members)

    def submitted_before(self, job: int) -> int:
        """How many groups are submitted before the job of this number: they are spread over the early jobs."""
        early = max(1, round(self.jobs * EARLY))
        return min(self.groups, -(-self.groups * (job + 1) // early))

    def _some(self, share: float, what: str) -> frozenset[int]:
        wanted = round(self.jobs * share)
        early = range(min(self.jobs, max(wanted, round(self.jobs * EARLY))))
        members = range(self.jobs, self.jobs + self.groups * self.members)
        chance = random.Random(f"{what} {self.seed}")
        return frozenset(
            [*chance.sample(early, wanted), *chance.sample(members, round(len(members) * share))]
        )
