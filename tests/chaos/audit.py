"""What must hold of every job after every write, and at the end: the invariants of the store, watched from outside."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from serverless_tasks.engine.aws.dynamodb import manifest
from serverless_tasks.engine.aws.dynamodb.expressions import from_dynamodb
from serverless_tasks.engine.job.clock import Clock, to_ms
from serverless_tasks.engine.job.record import ENDED, RUNNING
from tests.chaos.dynamodb import WATCHING, Table

type Item = dict[str, Any]


class Violation(AssertionError):
    """An invariant was broken."""


@dataclass
class Run:
    """One run of a task's code.

    Attributes:
        uuid: the job.
        number: which run of this job it is, from 1, lost ones among them.
        attempt: the attempt's number, as the task sees it.
        told: the messages that it gave.
    """

    uuid: str
    number: int
    attempt: int
    told: list[str] = field(default_factory=list)


@dataclass
class Audit:
    """Watches one table.

    Args:
        table: the table.
        clock: the time.
    """

    table: Table
    clock: Clock
    runs: dict[str, list[Run]] = field(default_factory=lambda: defaultdict(list))
    states: dict[str, Item] = field(default_factory=dict)
    jobs: dict[str, Item] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    claims: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    releases: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def applied(self, operation: str, body: dict[str, Any]) -> None:
        """Look at what a call has changed."""
        if operation in ("GetItem", "Query", "BatchGetItem", "DescribeTable"):
            return
        found = body.get("Key") or body.get("Item")
        changed = [found["pk"]["S"]] if found else self.uuids()
        for uuid in changed:
            self._look(uuid)

    def uuids(self) -> list[str]:
        """The partition keys of the table, but for those of what is no job's."""
        return [pk for pk in self.table.partitions() if pk != manifest.PK and not pk.startswith(WATCHING)]

    def items(self, uuid: str) -> dict[str, Item]:
        """What the table holds under a key, by sort key."""
        return {sort: from_dynamodb(item) for sort, item in self.table.partition(uuid).items()}

    def begin(self, uuid: str, attempt: int, now: int) -> Run:
        """Note that a task's code begins."""
        run = Run(uuid, len(self.runs[uuid]) + 1, attempt)
        self.runs[uuid].append(run)
        state = self.items(uuid).get("s#state", {})
        if state.get("status") != RUNNING:
            self._complain(uuid, f"run {run.number} begins although the state is {state.get('status')}")
        if state.get("attempt") != attempt:
            self._complain(
                uuid, f"run {run.number} thinks it is attempt {attempt}; the state: {state.get('attempt')}"
            )
        if state.get("lease", 0) < now:
            self._complain(uuid, f"run {run.number} begins without a live lease")
        return run

    def complain(self, uuid: str, text: str) -> None:
        """Note that something did not hold."""
        self._complain(uuid, text)

    def verify(self) -> None:
        """Fail when an invariant was broken on the way.

        Raises:
            Violation: one was.
        """
        if self.broken:
            raise Violation("\n".join(self.broken))

    def _look(self, uuid: str) -> None:
        items = self.items(uuid)
        self._look_at_job(uuid, items.get("job"))
        before, after = self.states.get(uuid), items.get("s#state")
        if after is None:
            if before is not None:
                self._complain(uuid, f"the state is gone; it was {before['status']}")
            return
        if before != after:
            self._compare(uuid, before or {}, after)
            self.states[uuid] = after

    def _look_at_job(self, uuid: str, job: Item | None) -> None:
        known = self.jobs.get(uuid)
        if job is None and known is None:
            return
        if job is None and self.states.get(uuid, {}).get("deleted"):
            return
        # Of what may not have been sent, the job is kept once more when it was, and says so no longer.
        if known is not None and job is not None:
            known = {name: value for name, value in known.items() if name != "uncertain" or name in job}
        if known is not None and job != known:
            self._complain(uuid, f"the job item was changed: {known} -> {job}")
        if job is not None:
            self.jobs[uuid] = job

    def _compare(self, uuid: str, before: Item, after: Item) -> None:
        if before.get("status") in ENDED:
            if not after.get("deleted"):
                self._complain(uuid, f"a terminal state was changed: {before} -> {after}")
            return
        if before.get("token", "") != after.get("token", ""):
            self.claims[uuid] += 1
            if before.get("not_before", 0) > to_ms(self.clock.now()):
                self._complain(uuid, f"it was claimed before it was due, at {before['not_before']}")
            if after.get("attempt", 0) != before.get("attempt", 0) + 1:
                self._complain(uuid, f"a claim counted {before.get('attempt', 0)} -> {after.get('attempt')}")
        elif before.get("status") == RUNNING:
            self._compare_attempt(uuid, before, after)
        if before.get("cancel") and not after.get("cancel") and after["status"] not in ENDED:
            self._complain(uuid, "a request to stop was forgotten")
        if after.get("failures", 0) < before.get("failures", 0):
            self._complain(uuid, "failures were forgotten")

    def _compare_attempt(self, uuid: str, before: Item, after: Item) -> None:
        if after.get("progress", 0) < before.get("progress", 0):
            self._complain(uuid, f"progress went back: {before['progress']} -> {after['progress']}")
        if after.get("messages", 0) < before.get("messages", 0):
            self._complain(uuid, "messages went away within an attempt")
        if after.get("attempt", 0) < before.get("attempt", 0):
            self.releases[uuid] += 1

    def _complain(self, uuid: str, text: str) -> None:
        self.broken.append(f"{uuid}: {text}")
