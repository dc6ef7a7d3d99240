"""A group of one task, of which each member's inputs are a line of a file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.engine.job.place import LARGEST_GROUP
from serverless_tasks.engine.job.plan import SUCCESS, Plan, Step
from serverless_tasks.engine.submit.groups import new_group, publish_group
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.planning import Planner
from serverless_tasks.engine.submit.references import NOTHING, Earlier
from serverless_tasks.errors import FieldError, InvalidInputs, WorkflowError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from serverless_tasks.engine.definition.base import BaseTask
    from serverless_tasks.engine.services import Services
    from serverless_tasks.engine.submit.groups import GroupHandle
    from serverless_tasks.engine.submit.workflow import Group

# Lines that an error names.
NAMED: Final = 20
_OF_THE_GROUP: Final = ("owner", "uuid", "idempotency_key", "idempotency_ttl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """The job that follows the group.

    Attributes:
        task: its task, or the name of one whose code this process does not have.
        inputs: its inputs in JSON, references among them.
        on: ``success`` or ``end``; see `Group.then`.
    """

    task: type[BaseTask] | str
    inputs: dict[str, Any] = field(default_factory=dict)
    on: str = SUCCESS


def submit_each(
    services: Services,
    task: type[BaseTask] | str,
    lines: Sequence[tuple[int, dict[str, Any]]],
    options: Options,
    *,
    empty: Group,
    then: Continuation | None = None,
    sent: Callable[[int], object] | None = None,
) -> GroupHandle:
    """Submit one job for each line, as a group.

    Args:
        services: the services to use.
        task: their task, or the name of one whose code this process does not have.
        lines: the number of each line, and its inputs in JSON.
        options: how to submit: the owner, the id and the key are the group's, all else is each member's.
        empty: the group without its members: its name and its deadline.
        then: what follows.
        sent: is told how many members were sent since it was told last.

    Raises:
        WorkflowError: it cannot be a group.
        InvalidInputs: the inputs of lines do not fit; nothing was sent.
        IdempotencyConflict: its id, or its key, was used with other members.
        SubmitFailed: it was certainly not sent.
        SubmitUncertain: it is not, or perhaps not, sent whole: submit it again with its id.
    """
    if len(lines) > LARGEST_GROUP:
        raise WorkflowError(
            f"A group has at most {LARGEST_GROUP} members, and there are {len(lines)} lines: submit several groups."
        )
    planner = Planner(services)
    following = None
    if then is not None:
        earlier = Earlier(tasks=() if isinstance(task, str) else (task,), group=True)
        following = planner.step(then.task, then.inputs, Options(), earlier, sent_at_once=False, as_json=True)
    plan = Plan(
        total=len(lines),
        members=_members(planner, task, lines, options),
        then=following,
        on=SUCCESS if then is None else then.on,
        deadline=empty.deadline,
    ).hashed()
    own = Options(**{name: getattr(options, name) for name in _OF_THE_GROUP})
    message = new_group(services, empty.name, empty.deadline, own)
    return publish_group(services, message, plan, own, sent=sent)


def _members(
    planner: Planner,
    task: type[BaseTask] | str,
    lines: Iterable[tuple[int, dict[str, Any]]],
    options: Options,
) -> tuple[Step, ...]:
    unset = Options()
    options = replace(options, **{name: getattr(unset, name) for name in _OF_THE_GROUP})
    members: list[Step] = []
    refused: dict[int, Sequence[FieldError]] = {}
    for number, inputs in lines:
        try:
            members.append(planner.step(task, inputs, options, NOTHING, sent_at_once=True, as_json=True))
        except InvalidInputs as error:
            refused[number] = error.fields
    if refused:
        raise refused_lines(task if isinstance(task, str) else task.name, refused)
    return tuple(members)


def refused_lines(task: str, refused: dict[int, Sequence[FieldError]]) -> InvalidInputs:
    """Return the error that names lines, and why the inputs of each are refused."""
    fields = [
        replace(error, field=f"line {number}, {error.field}" if error.field else f"line {number}")
        for number in list(refused)[:NAMED]
        for error in refused[number]
    ]
    if (left := len(refused) - NAMED) > 0:
        fields.append(FieldError("further lines", f"{left} more are refused"))
    return InvalidInputs(task, fields)
