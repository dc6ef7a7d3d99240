"""``TASK_API_BACKEND``: a backend of a project's own, in the shape that Django Task API gave it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from inspect import iscoroutine
from typing import TYPE_CHECKING, Any

from django_integration import conf
from django_integration.django_tasks.coroutine import completed
from serverless_tasks.engine.backends.base import Backend
from serverless_tasks.engine.job.encoding import encode
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.record import Record
from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.store.payloads import offload_inputs
from serverless_tasks.engine.worker.outcome import Disposition, failure_of
from serverless_tasks.errors import (
    AwsError,
    ConfigurationError,
    ServerlessTasksError,
    SubmitFailed,
    SubmitUncertain,
    UnknownSchedule,
    UnknownTask,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serverless_tasks.engine.definition.base import BaseTask

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class TaskInfo:
    """A submitted job, as ``run_task`` is given it.

    Attributes:
        message: the whole job as JSON text: what to carry to another process, for `execute`.
        record: the job's record at this moment.
        inputs: the inputs as JSON text.
        delay: seconds that the job should be held back.
        queue: the name of the queue that it is meant for.
        backend_data: for the backend's own use while it has this object; it is not kept.
    """

    message: str
    record: Record
    inputs: str
    delay: int
    queue: str
    backend_data: str = ""

    @property
    def uuid(self) -> str:
        """The job's id."""
        return self.record.uuid

    @property
    def pk(self) -> str:
        """The job's id."""
        return self.record.uuid

    @property
    def task(self) -> str:
        """The task's name."""
        return self.record.task

    @property
    def status(self) -> str:
        """The job's status at this moment."""
        return self.record.status

    def execute(self) -> None:
        """Run the job in this thread, after its delay; how it ends is recorded, and nothing is raised for it."""
        if self.delay:
            current_services().clock.sleep(self.delay)
        execute(self.message)


class TaskBackend:
    """An optional base for backends. Any class with ``run_task`` serves; it is instantiated for each job."""

    def run_task(self, info: TaskInfo, task: str) -> None:
        """See to it that a job is run: here with ``info.execute()``, elsewhere with ``execute(info.message)``.

        It is called again, with the same job and a delay, for each retry.

        Args:
            info: the job.
            task: the dotted path of the task's class.
        """
        raise NotImplementedError(f"{type(self).__qualname__} does not define run_task().")

    def resolve_class(self, task: str) -> type[BaseTask]:
        """The registered task class of a dotted path.

        Raises:
            UnknownTask: no registered task has this path.
        """
        found = next((known for known in current_services().registry if _path(known) == task), None)
        if found is None:
            raise UnknownTask(task)
        return found


class OwnBackend(Backend):
    """Hands jobs to a backend class of the project's own.

    Args:
        backend: the class.
    """

    runs_workflows = False

    def __init__(self, backend: type[Any]) -> None:
        self._backend = backend

    def publish(self, messages: Sequence[Message]) -> list[ServerlessTasksError | None]:
        """See `Backend.publish`."""
        return [self._publish(message) for message in messages]

    def _publish(self, message: Message) -> ServerlessTasksError | None:
        def give() -> Any:
            task = current_services().registry.get(message.task)
            return self._backend().run_task(_info(message), _path(task))

        return hand_over(message, give, f"{self._backend.__qualname__}.run_task()")


def hand_over(message: Message, give: Callable[[], Any], name: str) -> ServerlessTasksError | None:
    """Give a job to a project's own code, then keep it.

    Args:
        message: the job.
        give: calls that code, which may be asynchronous.
        name: what the code is called, for the error.

    Returns:
        None, or why the job was not (or perhaps not) taken: see `Backend.publish`.
    """
    try:
        item = kept(message)
        given = give()
        if iscoroutine(given):
            completed(given)
        current_services().store.put_jobs([item])
    except AwsError as error:
        return SubmitUncertain(message.uuid, str(error))
    except ServerlessTasksError as error:
        return error
    except Exception as error:
        logger.exception("%s did not accept job %s", name, message.uuid)
        return SubmitFailed(f"Job {message.uuid} was not sent: {name} raised {type(error).__name__}: {error}")
    return None


def execute(message: str) -> None:
    """Run a job from the text that ``info.message`` carried; how it ends is recorded.

    A job that ended already, or that another worker runs at this moment, is left alone.

    Args:
        message: the text.

    Raises:
        MessageError: the text is no job, or one of a schedule whose time is still to come.
        UnknownSchedule: the text names a schedule that its task does not have.
        AwsError: the store could not be asked; run it again later.
    """
    job = Message.decode(message)
    try:
        outcome = current_services().runner.execute(job)
        if outcome.disposition is Disposition.WAITING:  # a retry, which is due in a moment
            current_services().clock.sleep(outcome.give_back or 0)
            outcome = current_services().runner.execute(job)
    except UnknownSchedule:  # the job of that schedule's time is none of this text's
        raise
    except UnknownTask as error:
        current_services().settle(job, failure_of(error))


def kept(message: Message) -> Message:
    """A job as the store can keep it: in a table, large inputs have no room and go to the bucket.

    Raises:
        PayloadTooLarge: they are too large even for that, or there is no bucket.
        AwsError: the bucket did not take them.
    """
    return offload_inputs(message, current_services().blobs) if current_services().config.table else message


def backend_class(entry: Any) -> type[Any]:
    """The class that ``TASK_API_BACKEND`` stands for.

    Raises:
        ConfigurationError: it cannot be imported, or is no class with ``run_task``.
    """
    imported = conf.imported("TASK_API_BACKEND", entry)
    if not isinstance(imported, type) or not callable(getattr(imported, "run_task", None)):
        raise ConfigurationError(
            f"TASK_API_BACKEND is {entry!r}, which is not a class with run_task(info, task); without it,"
            " SERVERLESS_TASKS['BACKEND'] selects the backend."
        )
    return imported


def record_of(message: Message) -> Record:
    """The record of a message's job; as it was submitted, where the store knows nothing of it yet."""
    return current_services().store.read(message.uuid) or Record.of(message)


def _info(message: Message) -> TaskInfo:
    return TaskInfo(
        message=message.encode(),
        record=record_of(message),
        inputs=encode(message.inputs),
        delay=message.delay(current_services().clock.now()),
        queue=message.queue,
    )


def _path(task: type[BaseTask]) -> str:
    return f"{task.__module__}.{task.__qualname__}"
