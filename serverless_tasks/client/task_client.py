"""Jobs from scripts: direct invocation, bulk submission, and waiting."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from serverless_tasks.client.resubmit import resubmit
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.definition.registry import definition_of
from serverless_tasks.engine.definition.schema import check_json
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.job_id import job_id
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.record import Record
from serverless_tasks.engine.services import Services, current_services
from serverless_tasks.engine.submit.by_name import submit_by_name
from serverless_tasks.engine.submit.handle import Handle
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.publication import Publication
from serverless_tasks.engine.submit.submission import Submission, off_loop
from serverless_tasks.errors import TaskNotFound

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from serverless_tasks.client.dead_letters import DeadLetters
    from serverless_tasks.client.owner_deletion import JobDeletion, OwnerDeletion
    from serverless_tasks.engine.definition.base import BaseTask
    from serverless_tasks.engine.submit.groups import GroupHandle

    # Inside the class, `list` is its method.
    type Handles = list[Handle]

MEMBERS_PAGE = 100


class TaskClient:
    """Tasks from a script. A task is named by its class, or by its name when this process does not have its code.

    Args:
        function: the Lambda function of direct invokes; ``SERVERLESS_TASKS_INVOKE_FUNCTION`` unless given.
        services: the services to use; the process's own unless given.
    """

    def __init__(self, function: str | None = None, *, services: Services | None = None) -> None:
        self.services = self._services = services or current_services()
        self._function = function

    @classmethod
    def from_stack(cls, stack: str) -> TaskClient:
        """A client of a deployed stack, configured by the stack's outputs, and ``COMPRESS_INPUTS`` of this process.

        Args:
            stack: the CloudFormation stack's name.

        Raises:
            AwsError: there is no such stack, or it may not be read.
            ConfigurationError: it is a stack of something else, or a setting of this process cannot be read.
        """
        from serverless_tasks.engine.aws.stacks import stack_outputs

        config = Config.from_outputs(stack, stack_outputs(stack))
        # No output says that: the stack's manifest does, or whoever submits.
        config = replace(config, compress_inputs=current_services().config.compress_inputs)
        return cls(services=Services(config))

    def run(self, task: str | type[BaseTask], /, **inputs: Any) -> dict[str, Any]:
        """Run a task in Lambda, wait for it, and return its outputs. It is invoked once, whatever happens.

        Args:
            task: the task's class or name.
            inputs: the inputs by name.

        Raises:
            TaskFailed: it failed.
            InvalidInputs: the inputs do not fit, here or where the task's code is.
            InvokeFailed: the function refused: unknown task, or a fault of its own.
            AwsError: it could not be invoked, or its answer did not come; the task may have run.
        """
        return self._invoke(*self._named(task, inputs))

    async def arun(self, task: str | type[BaseTask], /, **inputs: Any) -> dict[str, Any]:
        """As `run`, in a coroutine. One that is cancelled waits no longer; the task runs on in Lambda."""
        from serverless_tasks.engine.backends.off_loop import in_own_thread

        return await in_own_thread(partial(self.run, task, **inputs))

    def run_json(self, task: str | type[BaseTask], inputs: dict[str, Any]) -> dict[str, Any]:
        """As `run`, with inputs that came as JSON."""
        if isinstance(task, str):
            check_json(task, inputs)
            return self._invoke(task, inputs)
        return self._invoke(task.name, definition_of(task).accept_json(inputs).sent)

    def submit(self, task: str | type[BaseTask], /, **inputs: Any) -> Handle:
        """Publish a job.

        Of a named task whose code is not here, the manifest of the deployed build says its queue, whether it is unique,
        which inputs are secret and which it takes. It is read once a process.

        Raises:
            InvalidInputs: the inputs do not fit; nothing was published.
            SubmitFailed: it was certainly not sent.
            SubmitUncertain: it may have been sent.
        """
        (handle,) = self.submit_many(task, [inputs])
        return handle

    def submit_many(
        self, task: str | type[BaseTask], /, inputs: Iterable[dict[str, Any]], **options: Any
    ) -> Handles:
        """Publish one job for each dictionary of inputs, in batches.

        Args:
            task: the task's class or name.
            inputs: one dictionary for each job.
            options: the attributes of `Options`, for all of them.
        """
        chosen = Options.parse(options)
        if isinstance(task, str) and task in self._services.registry:
            task = self._services.registry.get(task)
        if isinstance(task, str):
            return submit_by_name(self._services, task, list(inputs), chosen)
        return Submission(task, chosen, self._services).submit_many(inputs)

    async def asubmit(self, task: str | type[BaseTask], /, **inputs: Any) -> Handle:
        """As `submit`, in a coroutine."""
        (handle,) = await self.asubmit_many(task, [inputs])
        return handle

    async def asubmit_many(
        self, task: str | type[BaseTask], /, inputs: Iterable[dict[str, Any]], **options: Any
    ) -> Handles:
        """As `submit_many`, in a coroutine."""
        submit = partial(self.submit_many, task, list(inputs), **options)
        return await off_loop(self._services, Options.parse(options), submit)

    def submit_json(self, task: str | type[BaseTask], inputs: dict[str, Any], **options: Any) -> Handle:
        """As `submit_many`, of one job whose inputs came as JSON."""
        if isinstance(task, str):
            (handle,) = self.submit_many(task, [inputs], **options)
            return handle
        return Submission(task, Options.parse(options), self._services).start_json(inputs)

    def map(self, task: str | type[BaseTask], /, inputs: Iterable[dict[str, Any]]) -> Iterator[Record]:
        """Publish many jobs and yield their records as they end, in the order of their ends.

        Raises:
            ServerlessTasksError: a job could not be published.
        """
        handles = self.submit_many(task, inputs)
        for handle in handles:
            if handle.publication_error is not None:
                raise handle.publication_error
        yield from self.as_ended([handle.uuid for handle in handles])

    def as_ended(self, uuids: Sequence[str | UUID], timeout: float | None = None) -> Iterator[Record]:
        """Yield the records of jobs as they end.

        Args:
            uuids: the jobs.
            timeout: seconds to wait at most for all of them.

        Raises:
            TaskNotFound: nothing is known of one of them.
            WaitTimeout: some had not ended in time.
        """
        from serverless_tasks.client.completed import Rounds

        left = dict.fromkeys(map(job_id, uuids))
        yield from Rounds(self._services.store, self._services.clock, left, timeout)

    def get(self, uuid: str | UUID) -> Record:
        """A job's record.

        Raises:
            TaskNotFound: nothing is known of it.
        """
        known = job_id(uuid)
        record = self._services.store.read(known)
        if record is None:
            raise TaskNotFound(known)
        return record

    async def aget(self, uuid: str | UUID) -> Record:
        """As `get`, in a coroutine."""
        from serverless_tasks.engine.backends.off_loop import in_thread

        return await in_thread(partial(self.get, uuid))

    def list(self, *, limit: int | None = None, **filters: Any) -> Iterator[Record]:
        """Yield the records of jobs, newest first, page by page; those of a status by when they came to have it.

        They are told from their states alone, without messages and without large outputs; `get` reads one whole.
        Without a task, an owner, a group or a status that has an index, the tasks that are known here are searched.

        Args:
            limit: how many at most; all that match unless given, as far back as listings go.
            filters: ``task`` or ``tasks``: classes or names; ``status``, ``owner``, ``tenant``, ``queue``,
                ``error_type``, ``group``, ``since`` and ``until`` (datetimes with a time zone), ``time``,
                ``longer_than``, ``fingerprint``, ``id_prefix``; see `JobFilter`.

        Raises:
            ConfigurationError: a filter, or its value, is none that there is.
            TaskNotFound: nothing is known of the filter's group.
            AwsError: the store could not be asked.
        """
        from serverless_tasks.client.listing import list_jobs

        return list_jobs(self._services, filters, limit)

    def wait(self, uuid: str | UUID, timeout: float | None = None) -> dict[str, Any]:
        """Wait until a job has ended and return its outputs; see `Handle.wait`."""
        return self._handle(job_id(uuid)).wait(timeout)

    async def awaiting(self, uuid: str | UUID, timeout: float | None = None) -> dict[str, Any]:  # noqa: ASYNC109 - as `wait`
        """As `wait`, in a coroutine; see `Handle.awaiting`."""
        from serverless_tasks.engine.backends.off_loop import in_thread

        handle = await in_thread(partial(self._handle, job_id(uuid)))
        return await handle.awaiting(timeout)

    def cancel(self, uuid: str | UUID) -> Record:
        """Cancel a job; of a group, no member begins any more, and those that run are asked to stop.

        Raises:
            TaskNotFound: nothing is known of it.
            AlreadyFinished: it has ended.
        """
        return self._services.cancel(job_id(uuid))

    async def acancel(self, uuid: str | UUID) -> Record:
        """As `cancel`, in a coroutine."""
        from serverless_tasks.engine.backends.off_loop import in_thread

        return await in_thread(partial(self.cancel, uuid))

    def retry(self, uuid: str | UUID, *, new_uuid: str | None = None, again: bool = True) -> Handle:
        """Submit an ended job once more, under a new id; see `serverless_tasks.client.resubmit.resubmit`.

        Args:
            uuid: the ended job.
            new_uuid: the new job's id, to repeat a retry that may have been sent already.
            again: whether to retry it also if it was retried before; with False that raises `AlreadyRetried`.
        """
        return resubmit(self._services, job_id(uuid), new_uuid=new_uuid, again=again)

    def members(self, uuid: str | UUID, *, status: str | None = None) -> Iterator[Record]:
        """Yield the members of a group or a chain in their order; those of which nothing is known are left out.

        Args:
            uuid: the group.
            status: ``succeeded``, ``failed`` or ``cancelled``; all members unless given.

        Raises:
            TaskNotFound: nothing is known of the group.
            WorkflowError: the job is no group and no chain.
            ConfigurationError: members are not told apart by this status.
        """
        from serverless_tasks.client.members import members_page

        cursor = None
        while True:
            page = members_page(self._services.store, uuid, status=status, cursor=cursor, limit=MEMBERS_PAGE)
            yield from page.records
            if (cursor := page.cursor) is None:
                return

    def retry_failed(
        self, uuid: str | UUID, *, new_uuid: str | None = None, again: bool = True
    ) -> GroupHandle:
        """Submit what has not succeeded of a group or a chain in a new one; see `GroupHandle.retry_failed`."""
        from serverless_tasks.engine.submit.groups import retry_failed

        return retry_failed(self._services, job_id(uuid), new_uuid=new_uuid, again=again)

    def delete(self, uuid: str | UUID) -> None:
        """Delete what is kept of an ended job: inputs, outputs, messages, errors.

        Raises:
            TaskNotFound: nothing is known of it, or it has been deleted.
            NotFinished: it has not ended.
        """
        self._services.delete(job_id(uuid))

    def delete_owner(self, owner: str, *, wait: float = 60.0, dry_run: bool = False) -> OwnerDeletion:
        """Delete everything of one owner that their listing knows, live jobs cancelled first.

        What was cut short is finished by calling it again.

        Args:
            owner: whose jobs.
            wait: seconds to wait at most for running jobs to stop.
            dry_run: count, and do nothing.

        Raises:
            AwsError: the store or the bucket could not be asked.
        """
        from serverless_tasks.client.owner_deletion import delete_owner

        return delete_owner(self._services, owner, wait=wait, dry_run=dry_run)

    def delete_finished(
        self,
        before: datetime,
        *,
        tasks: Sequence[str] = (),
        statuses: Collection[str] = (),
        dry_run: bool = False,
    ) -> Iterator[JobDeletion]:
        """Delete jobs of the last 30 days that ended before a time, and yield each.

        Args:
            before: the time, with a time zone.
            tasks: names of tasks; none means those that this process knows.
            statuses: ``succeeded``, ``failed``, ``cancelled``; none means all three.
            dry_run: delete nothing.

        Raises:
            ConfigurationError: no task is named or known, or a status is none of an ended job.
            AwsError: the store or the bucket could not be asked.
        """
        from serverless_tasks.client.finished import delete_finished

        until = to_ms(before.timestamp())
        return delete_finished(self._services, until, tasks=tasks, statuses=statuses, dry_run=dry_run)

    @property
    def dead_letters(self) -> DeadLetters:
        """The dead letters, to list, retry and purge."""
        from serverless_tasks.client.dead_letters import DeadLetters

        return DeadLetters(self._services)

    def erasing(self, owner: str, *, wait: float = 60.0) -> Iterator[JobDeletion]:
        """As `delete_owner`, job by job, for a caller that shows how far it is."""
        from serverless_tasks.client.owner_deletion import delete_each

        return delete_each(self._services, owner, wait=wait)

    def __repr__(self) -> str:
        return f"<TaskClient table={self._services.config.table!r}>"

    def _handle(self, uuid: str) -> Handle:
        record = self.get(uuid)
        if record.members is not None:
            from serverless_tasks.engine.submit.groups import handle_of

            return handle_of(self._services, uuid)
        publication = Publication(
            Message(uuid=uuid, task=record.task, owner=record.owner, created=record.created)
        )
        publication.settle(None)
        return Handle(
            publication,
            self._services.store,
            self._services.clock,
            self._services.cancel,
            self._services.browser_token,
        )

    def _invoke(self, task: str, inputs: dict[str, Any]) -> dict[str, Any]:
        from serverless_tasks.engine.aws.functions import run_once

        function = self._function or self._services.config.require("invoke_function")
        if (spans := self._services.spans) is None:
            return run_once(function, task, inputs)
        return spans.invoke(function, task, lambda trace: run_once(function, task, inputs, trace))

    def _named(self, task: str | type[BaseTask], inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        if isinstance(task, str) and task in self._services.registry:
            task = self._services.registry.get(task)
        if isinstance(task, str):
            check_json(task, inputs)
            return task, inputs
        return task.name, Submission(task, Options(), self._services).to_json(inputs)
