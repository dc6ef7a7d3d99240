"""The result of a task, read from what is stored of its job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django_integration.django_tasks.function import function_named
from django_integration.django_tasks.result import result_of
from serverless_tasks.engine.services import current_services

if TYPE_CHECKING:
    from django_integration.django_tasks.result import ServerlessResult


def read_result(uuid: str) -> ServerlessResult | None:
    """The result of a job, or None when nothing is known of it, or it is no task of Django's in this process.

    One query for the state and one read for the arguments. A job whose arguments were never kept (its second write
    failed) has none here; it ran with those in its message.
    """
    store = current_services().store
    record = store.read(uuid)
    function = None if record is None else function_named(record.task)
    if record is None or function is None:
        return None
    message = store.job(uuid)
    inputs = {} if message is None else message.inputs
    task = function.as_enqueued(inputs.get("using", {}))
    return result_of(task, record, inputs.get("args", []), inputs.get("kwargs", {}))
