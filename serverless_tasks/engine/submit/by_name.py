"""Submitting a task by its name, where its code is not at hand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.definition.base import LONGEST_NAME
from serverless_tasks.engine.definition.schema import check_json
from serverless_tasks.engine.job.encoding import is_json
from serverless_tasks.engine.submit.publish import publish
from serverless_tasks.engine.submit.routing import check_reach, deployed_task, queue_of
from serverless_tasks.engine.submit.submission import check_options, deduplication_of, new_message
from serverless_tasks.errors import UnknownTask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serverless_tasks.engine.services import Services
    from serverless_tasks.engine.submit.handle import Handle
    from serverless_tasks.engine.submit.options import Options


def submit_by_name(services: Services, task: str, inputs: Sequence[Any], options: Options) -> list[Handle]:
    """Submit jobs of a task whose code this process does not have, by what the deployed build's manifest says of it.

    Where it says nothing, the job is one of a task that is not unique and has no secrets, and only the worker validates
    the inputs; a warning says so.

    Raises:
        UnknownTask: no task can have that name.
        InvalidInputs: inputs are not an object, or not the deployed task's.
    """
    if not 0 < len(task) <= LONGEST_NAME or not is_json(task):
        raise UnknownTask(task)
    check_reach(services, task)
    for given in inputs:
        check_json(task, given)
    deployed = deployed_task(services, task, inputs)
    check_options(options, task, len(inputs), unique=deployed.unique)
    messages = [
        new_message(
            services,
            deployed.name,
            given,
            options,
            queue_of(options, deployed.queue, deployed.priority),
            deployed.secrets_in(given),
        )
        for given in inputs
    ]
    deduplication = deduplication_of(options, unique=deployed.unique)
    if deduplication.compares:
        deduplication = replace(deduplication, compared=[deployed.compared(given) for given in inputs])
    return publish(services, messages, on_commit=options.on_commit, deduplication=deduplication)
