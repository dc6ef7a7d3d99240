"""The jobs of a workflow as steps of its plan: all inputs are checked before anything is sent."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.engine.definition.registry import definition_of
from serverless_tasks.engine.definition.schema import check_json
from serverless_tasks.engine.job.plan import Step
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.references import Earlier, Reference
from serverless_tasks.engine.submit.routing import check_reach, deployed_task, queue_of
from serverless_tasks.engine.worker.references import PREVIOUS, RESULTS, pointer
from serverless_tasks.errors import WorkflowError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from serverless_tasks.engine.definition.base import BaseTask
    from serverless_tasks.engine.definition.manifest.entry import DeployedTask
    from serverless_tasks.engine.definition.schema import Definition
    from serverless_tasks.engine.services import Services

# What a job of a workflow cannot be given: its workflow has it, or takes it from its place.
_OF_THE_WORKFLOW: Final = ("owner", "uuid", "idempotency_key", "idempotency_ttl", "on_commit", "run_at")
# The output of a group that says which job follows it.
CONTINUATION: Final = "continuation"
_DEFAULTS: Final = {each.name: each.default for each in fields(Options)}


class Planner:
    """Makes steps of tasks with inputs and options.

    Args:
        services: the services to submit with.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    def step(
        self,
        task: type[BaseTask] | str,
        inputs: Mapping[str, Any],
        options: Options,
        earlier: Earlier,
        *,
        sent_at_once: bool,
        as_json: bool = False,
        inside: Mapping[str, Reference] | None = None,
    ) -> Step:
        """Return a job as a step.

        Args:
            task: its task; the name of one whose code this process does not have.
            inputs: its inputs, references among them.
            options: how to submit it.
            earlier: what comes before it.
            sent_at_once: whether it is sent when the workflow is submitted; else it is made of its plan.
            as_json: whether the inputs came as JSON.
            inside: references within inputs, by their pointers; see `Signature.inside`.

        Raises:
            WorkflowError: it cannot be a part of a workflow.
            InvalidInputs: its inputs do not fit.
        """
        name = task if isinstance(task, str) else task.name
        _check_options(name, options)
        check_reach(self._services, name)
        whole = {field: value for field, value in inputs.items() if isinstance(value, Reference)}
        given = {field: value for field, value in inputs.items() if field not in whole}
        references = {pointer((field,)): value for field, value in whole.items()} | dict(inside or {})
        for field, reference in references.items():
            self._check_reference(name, field, reference, earlier)
        declared = self._declared(task, given, whole.keys())
        unique = declared.unique if options.unique is None else options.unique
        if unique and references:
            raise WorkflowError(
                f"Jobs of task {name!r} are unique, which is told by their inputs: {next(iter(references))!r} is"
                " not known yet. Give options(unique=False)."
            )
        sent, compared, secrets = self._accepted(
            declared, given, whole.keys(), unique=unique, as_json=as_json
        )
        if secrets and not sent_at_once:
            raise WorkflowError(
                f"Input {secrets[0]!r} of task {name!r} is secret, and the job is sent later, of a plan that is"
                " stored: read the secret in the task."
            )
        return Step(
            task=name,
            inputs=sent,
            references={name: reference.path for name, reference in references.items()},
            queue=queue_of(options, declared.queue, declared.priority),
            secrets=secrets,
            options=options.travelling.encode(),
            delay=options.delay,
            compared=compared,
        )

    def _declared(
        self, task: type[BaseTask] | str, given: dict[str, Any], missing: Collection[str]
    ) -> type[BaseTask] | DeployedTask:
        """What says how a job of a task is sent: its class, or what the deployed build says of it."""
        if isinstance(task, str):
            check_json(task, given)
            return deployed_task(self._services, task, [given], missing)
        if self._services.backend_kind.in_process:
            self._services.registry.add(task)
        return task

    def _accepted(
        self,
        declared: type[BaseTask] | DeployedTask,
        given: dict[str, Any],
        missing: Collection[str],
        *,
        unique: bool,
        as_json: bool,
    ) -> tuple[dict[str, Any], Any, tuple[str, ...]]:
        """Return inputs as they travel, by what those of unique jobs are compared, and the names of secret ones."""
        if not isinstance(declared, type):
            return given, declared.compared(given).made if unique else None, declared.secrets_in(given)
        definition = self._definition(declared)
        if missing:
            sent = definition.accept_partial(given, missing, as_json=as_json)
            return sent, None, definition.secrets_in(sent)
        accepted = definition.accept_json(given) if as_json else definition.accept(given)
        compared = definition.compared(accepted).made if unique else None
        return accepted.sent, compared, definition.secrets_in(accepted.sent)

    def _definition(self, task: type[BaseTask]) -> Definition:
        registry = self._services.registry
        if task.name in registry and registry.get(task.name) is task:
            return registry.definition(task.name)
        return definition_of(task)

    def _check_reference(self, task: str, name: str, reference: Reference, earlier: Earlier) -> None:
        where = f"Input {name!r} of task {task!r} is {reference!r}"
        kind, *path = reference.path
        if not path:
            raise WorkflowError(f"{where}: name the output, as in {kind}['...'].")
        if kind == RESULTS and not earlier.group:
            raise WorkflowError(
                f"{where}, and no group comes before it; of one job it is previous[{path[0]!r}]."
            )
        if kind == PREVIOUS and (earlier.group or not earlier.tasks):
            raise WorkflowError(
                f"{where}, and a group comes before it: take results[{path[0]!r}]."
                if earlier.group
                else f"{where}, and nothing comes before it."
            )
        if earlier.nested and path[0] != CONTINUATION:
            raise WorkflowError(
                f"{where}, and a group or a chain has no such output: let it be followed by a task that gives it."
            )
        for before in earlier.tasks:
            outputs = self._outputs(before)
            if outputs is not None and path[0] not in outputs:
                known = ", ".join(map(repr, sorted(outputs))) or "none"
                raise WorkflowError(f"{where}, and task {before.name!r} has no such output; it has {known}.")

    def _outputs(self, task: type[BaseTask]) -> frozenset[str] | None:
        """The names of a task's outputs; None where they cannot be told."""
        schema = self._definition(task).output_schema()
        properties = schema.get("properties")
        return None if properties is None else frozenset(properties)


def _check_options(task: str, options: Options) -> None:
    for name in _OF_THE_WORKFLOW:
        if getattr(options, name) != _DEFAULTS[name]:
            hint = (
                "a delay" if name == "run_at" else f"{name} to the workflow: group(...).options({name}=...)"
            )
            raise WorkflowError(
                f"A job of a workflow takes no option {name}, as task {task!r} does; give {hint}."
            )
    if not options.track:
        raise WorkflowError(f"A job of a workflow is tracked; give task {task!r} no track=False.")
