"""Signatures, groups and chains: jobs and their order, before anything of them is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Self

from serverless_tasks.engine.definition.registry import definition_of
from serverless_tasks.engine.job.place import LARGEST_GROUP, SHARD_MEMBERS
from serverless_tasks.engine.job.plan import DEADLINE, END, SUCCESS, Plan, Step
from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.submit.groups import new_group, publish_group
from serverless_tasks.engine.submit.options import RULES, Options
from serverless_tasks.engine.submit.planning import Planner
from serverless_tasks.engine.submit.references import NOTHING, Earlier, Reference
from serverless_tasks.errors import TaskDefinitionError, WorkflowError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from serverless_tasks.engine.definition.base import BaseTask
    from serverless_tasks.engine.submit.groups import GroupHandle
    from serverless_tasks.engine.submit.handle import Handle

    type Part = Signature | Workflow

# A worker needs the plan and large inputs until the deadline, and the stack keeps them for PayloadRetentionDays, 90
# unless it says otherwise.
LONGEST_DEADLINE: Final = 55 * 86_400
# The steps of a chain are counted in one item.
LONGEST_CHAIN: Final = SHARD_MEMBERS
LONGEST_NAME: Final = 200
# Members that a group shows of itself.
_SHOWN: Final = 3
_QUEUE: Final = "default"
_OPTIONS: Final = ("owner", "uuid", "idempotency_key", "idempotency_ttl", "queue", "on_commit")


@dataclass(frozen=True, slots=True)
class Signature:
    """A task with inputs and options, to be submitted by itself, in a group or in a chain.

    Attributes:
        task: the task's class.
        inputs: the inputs by name, references among them.
        settings: how to submit.
        start: submits it by itself.
        inside: references within inputs, which have None in their places, by their pointers (``kwargs/to``).
    """

    task: type[BaseTask]
    inputs: Mapping[str, Any]
    settings: Options
    start: Callable[[dict[str, Any]], Handle] = field(repr=False, compare=False)
    inside: Mapping[str, Reference] = field(default_factory=dict)

    def submit(self) -> Handle:
        """Submit it as a job of its own.

        Raises:
            WorkflowError: an input is a reference, and nothing comes before it.
            InvalidInputs: the inputs do not fit; nothing was sent.
        """
        for name, value in (*self.inputs.items(), *self.inside.items()):
            if isinstance(value, Reference):
                raise WorkflowError(
                    f"Input {name!r} of task {self.task.name!r} is {value!r}, and nothing comes before it."
                )
        return self.start(dict(self.inputs))

    def then(self, following: Part) -> Chain:
        """Return a chain of this and what follows once it has succeeded."""
        return chain(self, following)

    def tasks(self) -> Iterator[type[BaseTask]]:
        """Yield the task."""
        yield self.task

    def step(self, planner: Planner, earlier: Earlier, *, sent_at_once: bool) -> Step:
        """Return it as a step; see `Planner.step`."""
        return planner.step(
            self.task,
            self.inputs,
            self.settings,
            earlier,
            sent_at_once=sent_at_once,
            inside=self.inside,
        )

    def before(self) -> Earlier:
        """Return it as what comes before a job."""
        return Earlier(tasks=(self.task,))

    def __repr__(self) -> str:
        return f"{self.task.name}({', '.join(self._shown())})"

    def _shown(self) -> Iterator[str]:
        try:
            definition = definition_of(self.task)
        except TaskDefinitionError:
            return  # nobody knows which inputs are secret
        for name, value in {**self.inputs, **self.inside}.items():
            yield f"{name}=***" if definition.is_secret(name) else f"{name}={value!r}"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Workflow:
    """A group or a chain; nothing of it is sent until it is submitted.

    Attributes:
        parts: its members, or its steps.
        name: what its job is called.
        deadline: seconds after which it is seen to that every member has ended.
        settings: how to submit it.
    """

    parts: tuple[Part, ...]
    name: str
    deadline: int = DEADLINE
    settings: Options = field(default_factory=Options)

    def options(self, **options: Any) -> Self:
        """Say how to submit it.

        Args:
            options: ``owner``, that of all members; ``uuid``; ``idempotency_key`` and ``idempotency_ttl``;
                ``queue``, the one in which workers see to the group itself; ``on_commit``. See `Options`.

        Raises:
            UnknownOption: a value does not fit, or a name is no option.
            WorkflowError: the option is one of a member's.
        """
        for name in options:
            if name in RULES and name not in _OPTIONS:
                raise WorkflowError(
                    f"{name!r} is an option of a member: Task.options({name}=...).signature(...). A group and a chain"
                    f" take {', '.join(_OPTIONS)}."
                )
        return replace(self, settings=Options.parse(options))

    def submit(self) -> GroupHandle:
        """Check all inputs, and send the whole; inside a transaction, when it commits.

        Raises:
            WorkflowError: it cannot be what it says.
            InvalidInputs: a member's inputs do not fit; nothing was sent.
            IdempotencyConflict: its id, or its key, was used with other members.
            SubmitFailed: it was certainly not sent.
            SubmitUncertain: it is not, or perhaps not, sent whole: submit it again with ``options(uuid=...)``.
        """
        services, options = current_services(), self.settings
        plan = self.plan(Planner(services), NOTHING, sent_at_once=True).hashed()
        message = new_group(services, self.name, self.deadline, options)
        return publish_group(services, message, plan, options)

    def then(self, following: Part) -> Workflow:
        """Return this and what follows once it has succeeded."""
        raise NotImplementedError

    def plan(self, planner: Planner, earlier: Earlier, *, sent_at_once: bool) -> Plan:
        """Return its plan."""
        raise NotImplementedError

    def step(self, planner: Planner, earlier: Earlier, *, sent_at_once: bool) -> Step:
        """Return it as a step of another workflow; a worker sends its members."""
        if self.settings != Options():
            raise WorkflowError(
                f"{self.name!r} is a part of another workflow, whose options hold; give it none of its own."
            )
        plan = self.plan(planner, earlier, sent_at_once=False)
        return Step(task=self.name, queue=self.settings.queue or _QUEUE, plan=plan)

    def __repr__(self) -> str:
        shown = [repr(part) for part in self.parts[:_SHOWN]]
        if len(self.parts) > _SHOWN:
            shown.append(f"... {len(self.parts) - _SHOWN} more")
        kind = type(self).__name__.lower()
        return f"{kind}({', '.join(shown)}{'' if self.name == kind else f', name={self.name!r}'})"

    def tasks(self) -> Iterator[type[BaseTask]]:
        """Yield the tasks of its members."""
        for part in self.parts:
            yield from part.tasks()

    def before(self) -> Earlier:
        """Return it as what comes before a job."""
        direct = [part.task for part in self.parts if isinstance(part, Signature)]
        return Earlier(tasks=tuple(dict.fromkeys(direct)), group=True, nested=len(direct) < len(self.parts))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Group(Workflow):
    """Jobs that run beside each other, and what follows when all have ended.

    Attributes:
        stops: whether the first member that does not succeed cancels those that have not begun.
        following: what follows, or None.
        on: ``success``: what follows is sent if all members succeeded; ``end``: in any case.
    """

    stops: bool = False
    following: Part | None = None
    on: str = SUCCESS

    def then(self, following: Part, *, on: str = SUCCESS) -> Group:
        """Return this group with what follows once all its members have ended.

        Args:
            following: a signature, a group or a chain; what follows already comes before it.
            on: ``success``: only if all members succeeded; ``end``: in any case, unless the group is cancelled.

        Raises:
            WorkflowError: ``on`` is neither.
        """
        if on not in (SUCCESS, END):
            raise WorkflowError(f"then(on={on!r}): expected 'success' or 'end'.")
        if self.following is None:
            return replace(self, following=_part(following), on=on)
        if on != SUCCESS:
            raise WorkflowError(
                "on='end' is for what follows the group itself; what follows that needs its success."
            )
        return replace(self, following=chain(self.following, following))

    def plan(self, planner: Planner, earlier: Earlier, *, sent_at_once: bool) -> Plan:
        """Return its plan."""
        members = tuple(part.step(planner, earlier, sent_at_once=sent_at_once) for part in self.parts)
        then = None
        if self.following is not None:
            then = self.following.step(planner, self.before(), sent_at_once=False)
        return Plan(
            total=len(members),
            members=members,
            stops=self.stops,
            then=then,
            on=self.on,
            deadline=self.deadline,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Chain(Workflow):
    """Jobs that run one after another, each once the one before it has succeeded."""

    def then(self, following: Part) -> Chain:
        """Return this chain with one more step."""
        return replace(self, parts=_steps((*self.parts, _part(following))))

    def plan(self, planner: Planner, earlier: Earlier, *, sent_at_once: bool) -> Plan:
        """Return its plan."""
        steps: list[Step] = []
        for part in self.parts:
            steps.append(part.step(planner, earlier, sent_at_once=sent_at_once and not steps))
            earlier = part.before()
        return Plan(total=len(steps), members=tuple(steps), chain=True, deadline=self.deadline)


def group(
    *members: Any,
    name: str = "group",
    deadline: float | timedelta = DEADLINE,
    cancel_on_failure: bool = False,
) -> Group:
    """Return a group of signatures, groups and chains.

    Args:
        members: its members, or one iterable of them.
        name: what its job is called in lists, in place of ``group``.
        deadline: seconds, or a timedelta, after which it is seen to that every member has ended: what was never sent
            has failed then, and so has what has not begun.
        cancel_on_failure: whether the first member that does not succeed cancels those that have not begun.

    Raises:
        WorkflowError: something is no member, there are too many, or the deadline is out of bounds.
    """
    parts = _parts(members)
    if len(parts) > LARGEST_GROUP:
        raise WorkflowError(
            f"A group has at most {LARGEST_GROUP} members; {len(parts)} were given. Nest groups."
        )
    return Group(parts=parts, name=_name(name), deadline=_seconds(deadline), stops=cancel_on_failure)


def chain(*steps: Any, name: str = "chain", deadline: float | timedelta = DEADLINE) -> Chain:
    """Return a chain of signatures, groups and chains, each of which begins once the one before it has succeeded.

    Args:
        steps: its steps, or one iterable of them.
        name: what its job is called in lists, in place of ``chain``.
        deadline: see `group`; it holds for the chain as a whole.

    Raises:
        WorkflowError: something is no step, there are too many, or the deadline is out of bounds.
    """
    return Chain(parts=_steps(_parts(steps)), name=_name(name), deadline=_seconds(deadline))


def _steps(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    if not 0 < len(parts) <= LONGEST_CHAIN:
        raise WorkflowError(f"A chain has 1 to {LONGEST_CHAIN} steps; {len(parts)} were given.")
    return parts


def _parts(given: tuple[Any, ...]) -> tuple[Part, ...]:
    if len(given) == 1 and not isinstance(given[0], Signature | Workflow):
        if not isinstance(given[0], Iterable):
            raise _no_part(given[0])
        given = tuple(given[0])
    return tuple(map(_part, given))


def _part(given: Any) -> Part:
    if not isinstance(given, Signature | Workflow):
        raise _no_part(given)
    return given


def _no_part(given: Any) -> WorkflowError:
    return WorkflowError(
        f"{given!r} is no part of a workflow: expected Task.signature(...), group(...) or chain(...)."
    )


def _name(name: Any) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
        raise WorkflowError(f"name={name!r}: expected a string of 1 to {LONGEST_NAME} characters.")
    return name


def _seconds(deadline: float | timedelta) -> int:
    seconds = deadline.total_seconds() if isinstance(deadline, timedelta) else deadline
    if (
        isinstance(seconds, bool)
        or not isinstance(seconds, int | float)
        or not 1 <= seconds <= LONGEST_DEADLINE
    ):
        raise WorkflowError(
            f"deadline={deadline!r}: expected seconds or a timedelta, from 1 second to"
            f" {LONGEST_DEADLINE // 86_400} days."
        )
    return round(seconds)
