"""The jobs and the groups of a run: jobs in bulk, groups between them, and some messages twice."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import batched
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from benchmarks.soak.tasks import Collect, Soak
from serverless_tasks.engine.job.place import continuation_id, member_id
from serverless_tasks.engine.services import use
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.submission import message_for
from serverless_tasks.errors import SubmitFailed, SubmitUncertain
from serverless_tasks.workflow import group, results

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.soak.plan import Plan
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.services import Services

CHUNK: Final = 100


@dataclass(frozen=True, slots=True)
class Submitted:
    """What was submitted.

    Attributes:
        jobs: the uuids of the jobs by themselves.
        groups: those of the groups.
        members: how many each group has.
    """

    jobs: list[str]
    groups: list[str]
    members: int

    def members_of(self, group: str) -> list[str]:
        """The uuids of a group's members."""
        return [member_id(group, index) for index in range(self.members)]

    @property
    def tasks(self) -> list[str]:
        """The uuids of all jobs that run a task."""
        of_groups = [[*self.members_of(group), continuation_id(group)] for group in self.groups]
        return [*self.jobs, *(uuid for uuids in of_groups for uuid in uuids)]


def submit(plan: Plan, services: Services) -> Submitted:
    """Submit every job and every group of the plan.

    A doubled job's copy follows at once, so that two workers may hold both at the same time.
    """
    messages = [
        message_for(services, Soak, {"number": number, "doomed": number in plan.doomed}, Options())
        for number in range(plan.jobs)
    ]
    groups: list[str] = []
    for numbers in batched(range(plan.jobs), CHUNK):
        while len(groups) < plan.submitted_before(numbers[0]):
            groups.append(_submit_group(plan, services, len(groups)))
        doubled = [messages[number] for number in numbers if number in plan.doubled]
        single = [messages[number] for number in numbers if number not in plan.doubled]
        _publish(services, single + doubled)
        _send(services, doubled)
    while len(groups) < plan.groups:
        groups.append(_submit_group(plan, services, len(groups)))
    return Submitted([message.uuid for message in messages], groups, plan.members)


def _submit_group(plan: Plan, services: Services, number: int) -> str:
    """Submit one group, and again with the same uuid while it is refused; then the copies of its doubled members."""
    uuid, numbers = str(uuid4()), plan.numbers(number)
    members = (Soak.signature(number=each, doomed=each in plan.doomed) for each in numbers)
    whole = group(members, name="soak-group").then(Collect.signature(numbers=results["number"]))
    submitted = False
    while not submitted:
        try:
            with use(services):
                whole.options(uuid=uuid).submit()
            submitted = True
        except (SubmitFailed, SubmitUncertain):
            continue
    doubled = [member_id(uuid, index) for index, each in enumerate(numbers) if each in plan.doubled]
    _send(services, [job for job in map(services.store.job, doubled) if job is not None])
    return uuid


def _publish(services: Services, messages: Sequence[Message]) -> None:
    """Publish as `submit_many` does, and again with the same uuid what was refused: what a caller does."""
    left = list(messages)
    while left:
        errors = services.backend.publish(left)
        for error in errors:
            if error is not None and not isinstance(error, (SubmitFailed, SubmitUncertain)):
                raise error
        left = [message for message, error in zip(left, errors, strict=True) if error is not None]


def _send(services: Services, messages: Sequence[Message]) -> None:
    left = list(messages)
    while left:
        unsent = services.queue.send(left)
        left = [message for message, found in zip(left, unsent, strict=True) if found is not None]
