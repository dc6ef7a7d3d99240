"""The plan of a group or a chain: what its members are, and what follows them. It is the inputs of the group's job."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.engine.job.encoding import encode
from serverless_tasks.engine.job.masking import masked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SUCCESS: Final = "success"
END: Final = "end"
# Seconds until it is seen to that every member has ended, unless the group says otherwise.
DEADLINE: Final = 4 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A job that a workflow sends: a member of a group, a step of a chain, or what follows them.

    Attributes:
        task: the task's name; of a group or a chain its own.
        inputs: the inputs as they travel, but for those that are references.
        references: see `Message.references`.
        queue: the queue.
        secrets: the names of the inputs that hold a secret.
        options: the options that travel, as `JobOptions.encode` gives them.
        delay: seconds for which it is held back.
        plan: of a group or a chain, its plan.
        compared: of a unique task, what its inputs are compared by, for who submits it; it does not travel.
    """

    task: str
    inputs: dict[str, Any] = field(default_factory=dict, repr=False)
    references: Mapping[str, tuple[str | int, ...]] = field(default_factory=dict)
    queue: str = "default"
    secrets: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    delay: int = 0
    plan: Plan | None = None
    compared: Any = field(default=None, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return the step as JSON."""
        step: dict[str, Any] = {"task": self.task, "queue": self.queue}
        if self.plan is not None:
            return step | {"plan": self.plan.to_json()}
        step["inputs"] = self.inputs
        if self.references:
            step["references"] = {name: list(path) for name, path in self.references.items()}
        if self.secrets:
            step["secrets"] = list(self.secrets)
        if self.options:
            step["options"] = dict(self.options)
        if self.delay:
            step["delay"] = self.delay
        return step

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Step:
        """Read what `to_json` has written."""
        plan = given.get("plan")
        return cls(
            task=given["task"],
            inputs=given.get("inputs", {}),
            references={name: tuple(path) for name, path in given.get("references", {}).items()},
            queue=given["queue"],
            secrets=tuple(given.get("secrets", ())),
            options=given.get("options", {}),
            delay=given.get("delay", 0),
            plan=None if plan is None else Plan.of(plan),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The plan of a group or a chain.

    Attributes:
        total: how many members there are.
        members: the members, where they are still to be sent: of a group that was submitted by itself they were.
        chain: whether the members run one after another.
        stops: whether the first member that does not succeed cancels those that have not begun.
        then: what follows once all members have ended, or None.
        on: whether that is done if all members succeeded (``success``), or in any case (``end``).
        deadline: seconds after which it is seen to that every member has ended.
        fingerprint: the hash of the whole, members and all.
    """

    total: int
    members: tuple[Step, ...] = ()
    chain: bool = False
    stops: bool = False
    then: Step | None = None
    on: str = SUCCESS
    deadline: int = DEADLINE
    fingerprint: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON."""
        plan: dict[str, Any] = {"total": self.total, "deadline": self.deadline}
        if self.members:
            plan["members"] = [step.to_json() for step in self.members]
        if self.chain:
            plan["chain"] = True
        if self.stops:
            plan["stops"] = True
        if self.then is not None:
            plan |= {"then": self.then.to_json(), "on": self.on}
        if self.fingerprint:
            plan["fingerprint"] = self.fingerprint
        return plan

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Plan:
        """Read what `to_json` has written."""
        then = given.get("then")
        return cls(
            total=given["total"],
            members=tuple(Step.of(step) for step in given.get("members", ())),
            chain=given.get("chain", False),
            stops=given.get("stops", False),
            then=None if then is None else Step.of(then),
            on=given.get("on", SUCCESS),
            deadline=given["deadline"],
            fingerprint=given.get("fingerprint", ""),
        )

    def steps(self) -> Iterator[Step]:
        """Yield all steps that are jobs of tasks, those of plans within this one among them."""
        for step in self.members if self.then is None else (*self.members, self.then):
            if step.plan is None:
                yield step
            else:
                yield from step.plan.steps()

    def hashed(self) -> Plan:
        """Return the plan with its fingerprint, which says nothing of secret inputs."""
        masked_members = tuple(
            replace(step, inputs=masked(step.inputs, step.secrets)) for step in self.members
        )
        text = encode(replace(self, fingerprint="", members=masked_members).to_json())
        return replace(self, fingerprint=hashlib.sha256(text.encode()).hexdigest()[:32])

    def kept(self) -> Plan:
        """Return the plan as it is kept once its members were sent; of a chain the first one was."""
        if not self.chain:
            return replace(self, members=())
        first, *others = self.members
        return replace(self, members=(replace(first, inputs={}, secrets=()), *others))
