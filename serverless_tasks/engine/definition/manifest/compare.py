"""The jobs that a deployment would break: the tasks of this code beside those that the manifest of the stack has."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from serverless_tasks.engine.definition.manifest.entry import find_task
from serverless_tasks.engine.definition.manifest.wider import kinds_of, schemas_fit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from serverless_tasks.engine.definition.manifest.entry import DeployedTask

    type Tasks = Mapping[str, DeployedTask]


class Order(StrEnum):
    """The way round in which a change can be deployed without failing a job.

    Attributes:
        WORKER_FIRST: the worker, then the site.
        SITE_FIRST: the site, and the worker when the jobs that were submitted before have ended.
        NEITHER: only in two steps.
    """

    WORKER_FIRST = "worker first"
    SITE_FIRST = "site first"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskChange:
    """A task that this code and the stack have differently, so that jobs of it would fail.

    Attributes:
        task: its name in this code, or in the stack where this code does not have it.
        site_first: why jobs that this code submits would fail in the deployed worker.
        worker_first: why jobs that wait, or that the site of before still submits, would fail in this code.
    """

    task: str
    site_first: tuple[str, ...] = ()
    worker_first: tuple[str, ...] = ()

    @property
    def order(self) -> Order:
        """The way round that fails no job."""
        if not self.worker_first:
            return Order.WORKER_FIRST
        return Order.NEITHER if self.site_first else Order.SITE_FIRST

    @property
    def text(self) -> str:
        """The jobs that would fail, in sentences."""
        parts = [
            f"{words} {'; '.join(reasons)}."
            for words, reasons in (
                ("If the site goes first, its jobs fail or wait:", self.site_first),
                ("If the worker goes first, jobs submitted before fail or wait:", self.worker_first),
            )
            if reasons
        ]
        return f"Task {self.task!r} differs from the deployed one. {' '.join(parts)}"

    @property
    def advice(self) -> str:
        """The advice, in sentences."""
        return _ADVICE[self.order]

    def to_json(self) -> dict[str, object]:
        """Return it as JSON."""
        return {
            "task": self.task,
            "order": str(self.order),
            "site_first": list(self.site_first),
            "worker_first": list(self.worker_first),
        }


_ADVICE = {
    Order.WORKER_FIRST: "Deploy the worker before the site.",
    Order.SITE_FIRST: (
        "Deploy the site first, and the worker when the jobs that were submitted before have ended; if the task was"
        " renamed, give its class `aliases` with the name that it had, and deploy the worker first."
    ),
    Order.NEITHER: "Neither can go first: make the change in two deployments, as docs/upgrading.md says.",
}


def compare(here: Tasks, deployed: Tasks) -> list[TaskChange]:
    """Return the tasks of which jobs would fail during a deployment, by name.

    Args:
        here: the tasks of this code.
        deployed: those of the stack's manifest.
    """
    site_first: dict[str, list[str]] = {}
    worker_first: dict[str, list[str]] = {}
    for task in here.values():
        site_first.setdefault(task.name, []).extend(_failing(task, task.name, deployed))
    for task in deployed.values():
        present = find_task(here, task.name)
        for name in (task.name, *task.aliases):
            reasons = _failing(task, name, here)
            worker_first.setdefault(task.name if present is None else present.name, []).extend(reasons)
    changes = (
        TaskChange(
            task=name,
            site_first=tuple(dict.fromkeys(site_first.get(name, ()))),
            worker_first=tuple(dict.fromkeys(worker_first.get(name, ()))),
        )
        for name in sorted({*site_first, *worker_first})
    )
    return [change for change in changes if change.site_first or change.worker_first]


def _failing(sender: DeployedTask, name: str, workers: Tasks) -> Iterator[str]:
    """Yield why jobs fail that are submitted under a name, with a sender's inputs, and run by other code."""
    worker = find_task(workers, name)
    if worker is not None:
        yield from _failing_inputs(sender, worker)
        return
    before = next((workers[alias].name for alias in sender.aliases if alias in workers), None)
    yield f"there is no task {name!r}" if before is None else f"there it is still {before!r}"


def _failing_inputs(sender: DeployedTask, worker: DeployedTask) -> Iterator[str]:
    if sender.schema_hash == worker.schema_hash:
        return
    if not sender.schema or not worker.schema:
        yield "the inputs differ, and the manifest was too large to say how"
        return
    sent, taken = sender.schema.get("properties", {}), worker.schema.get("properties", {})
    always = {*sender.schema.get("required", ()), *sender.defaults}
    for name in worker.schema.get("required", ()):
        if name not in sent:
            yield f"input {name!r} is required, and is not sent"
        elif name not in always:
            yield f"input {name!r} is required, and may be left out where it is submitted"
    for name, part in sent.items():
        if name in taken:
            if not schemas_fit(part, taken[name], sender.schema, worker.schema):
                yield _unfit(name, kinds_of(part, sender.schema), kinds_of(taken[name], worker.schema))
        elif worker.schema.get("additionalProperties") is False:
            yield f"input {name!r} is not one of its inputs"


def _unfit(name: str, sent: str, taken: str) -> str:
    if sent == taken:
        return f"input {name!r} ({taken}) takes fewer values than are sent"
    return f"input {name!r} is sent as {sent}, and taken as {taken}"
