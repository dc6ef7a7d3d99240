"""Publishing groups and chains, following them, and retrying what failed of them."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from serverless_tasks.engine.definition.accepted import Compared
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.message import OPEN, Message
from serverless_tasks.engine.job.place import member_id
from serverless_tasks.engine.job.plan import Plan, Step
from serverless_tasks.engine.job.record import SUCCEEDED, Members
from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.store.groups import expires_after, status_of
from serverless_tasks.engine.store.payloads import check_size
from serverless_tasks.engine.submit.handle import Handle
from serverless_tasks.engine.submit.job_locks import unique_lock
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.publication import Publication
from serverless_tasks.engine.submit.publish import check_retry, made, publish_now
from serverless_tasks.engine.submit.reserve import Deduplication, reserve
from serverless_tasks.engine.worker.references import EarlierJobs
from serverless_tasks.errors import (
    AlreadyRunning,
    InputsUnavailable,
    InvalidInputs,
    NotFinished,
    TaskNotFound,
    UnknownOption,
    WorkflowError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from serverless_tasks.engine.services import Services
    from serverless_tasks.engine.store.group import Group
    from serverless_tasks.engine.store.locks import Lock

_QUEUE: Final = "default"
# Members whose jobs are read one after another; of more than that several at once.
_FEW: Final = 20
_AT_ONCE: Final = 8


class GroupHandle(Handle):
    """A group or a chain that was submitted. Its progress is the number of members that have ended."""

    @cached_property
    def services(self) -> Services:
        """The services that it was submitted with; those of this process in an unpickled handle."""
        return current_services()

    @property
    def members(self) -> Members:
        """The members as last read: ``total``, ``ended``, ``succeeded``, ``failed``, ``cancelled``."""
        return self.record.members or Members(total=0)

    def expect(self, total: int, *, earlier: int) -> None:
        """Say how many members there are before the group has been read; `publish_group` knows it.

        Args:
            total: how many.
            earlier: how many of them had succeeded in the group that this one retries.
        """
        if self._record.members is None:
            members = Members(total=total, succeeded=earlier)
            self._record = replace(self._record, members=members, progress=earlier, target=total)

    @property
    def continuation(self) -> Handle | None:
        """The job that follows the group, once it was sent; else None."""
        uuid = self.outputs.get("continuation")
        return None if uuid is None else handle_of(self.services, uuid)

    def results(self) -> Iterator[dict[str, Any] | None]:
        """Yield the outputs of the members in their order, None of one that has not succeeded (yet)."""
        return EarlierJobs(self.services.store, self.uuid).results()

    def retry_failed(self, *, new_uuid: str | None = None, again: bool = True) -> GroupHandle:
        """Submit a new group of the same members, in which those that have succeeded count already.

        Args:
            new_uuid: the new group's id, to repeat a retry that may have been sent already.
            again: whether to retry it also if it was retried before, under another id.

        Raises:
            NotFinished: it has not ended.
            AlreadyRetried: it was retried before, and ``again`` is False.
            WorkflowError: all members have succeeded.
            InputsUnavailable: the inputs of a member are not all kept.
        """
        return retry_failed(self.services, self.uuid, new_uuid=new_uuid, again=again)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name != "services"}


def handle_of(services: Services, uuid: str) -> Handle:
    """Return a handle of a job that was published before.

    Raises:
        TaskNotFound: nothing is known of it.
    """
    record = services.store.read(uuid)
    if record is None:
        raise TaskNotFound(uuid)
    publication = Publication(
        Message(uuid=uuid, task=record.task, owner=record.owner, created=record.created)
    )
    publication.settle(None)
    kind = Handle if record.members is None else GroupHandle
    handle = kind(publication, services.store, services.clock, services.cancel, services.browser_token)
    if isinstance(handle, GroupHandle):
        handle.services = services
    return handle.refresh()


def new_group(services: Services, name: str, deadline: int, options: Options) -> Message:
    """The message of a group that is submitted now.

    Args:
        services: the services to use.
        name: what its job is called.
        deadline: seconds after which it is seen to that every member has ended.
        options: how to submit it.
    """
    now = to_ms(services.clock.now())
    return Message(
        uuid=options.uuid or str(uuid4()),
        task=name,
        owner=options.owner,
        queue=options.queue or _QUEUE,
        created=now,
        expires=expires_after(now + deadline * 1000),
        workflow=OPEN,
        build=services.config.build,
    )


def publish_group(
    services: Services,
    message: Message,
    plan: Plan,
    options: Options,
    *,
    earlier: Collection[int] = (),
    sent: Callable[[int], object] | None = None,
) -> GroupHandle:
    """Open a group, or leave it to the open transaction's commit.

    Args:
        services: the services to use.
        message: the group's job.
        plan: its plan.
        options: how to submit it.
        earlier: see `Opening.open`.
        sent: see `Opening.open`.

    Raises:
        ServerlessTasksError: it could not be published.
    """
    if not services.backend_kind.runs_workflows:
        raise WorkflowError(
            f"{message.task!r} is a group or a chain, and this project's own backend is given jobs of tasks alone: use"
            " the backend sqs, threading or immediate."
        )
    _check_sending(services, message, plan)
    compared = {"plan": plan.fingerprint}
    deduplication = Deduplication(
        key=options.idempotency_key,
        key_ttl=options.idempotency_ttl,
        compared=[Compared(compared, compared)],
    )
    (publication,) = reserve(services, [message], deduplication)

    def send() -> None:
        opened = publication.message
        follows = _holders(services, opened, plan)
        services.workflows.open(opened, plan, earlier=earlier, follows=follows, sent=sent)

    if publication.earlier is not None and not publication.earlier.ended:
        send()  # whoever submitted it under this key may have died half way
    publication.send = send
    waits = options.on_commit and services.defer is not None
    if publication.unsent and not (waits and services.defer and services.defer(services, [publication])):
        publish_now(services, [publication])
    if (error := publication.original.error) is not None:
        raise error
    handle = GroupHandle(publication, services.store, services.clock, services.cancel, services.browser_token)
    handle.services = services
    handle.expect(plan.total, earlier=len(earlier))
    if services.backend_kind.synchronous and publication.published:
        handle.refresh()
    return handle


def retry_failed(
    services: Services,
    uuid: str,
    *,
    new_uuid: str | None = None,
    on_commit: bool = True,
    again: bool = True,
) -> GroupHandle:
    """Submit what has not succeeded of a group or a chain once more, under a new id; see `GroupHandle.retry_failed`.

    Args:
        services: the services to use.
        uuid: the group.
        new_uuid: the new group's id, to repeat a retry that may have been sent already.
        on_commit: inside a database transaction, publish on commit instead of at once.
        again: whether to retry it also if it was retried before, under another id.

    Raises:
        TaskNotFound: nothing is known of it.
        NotFinished: it has not ended.
        AlreadyRetried: it was retried before, and ``again`` is False.
        WorkflowError: it is no group, or all its members have succeeded.
        InputsUnavailable: the inputs of a member are not all kept.
        UnknownOption: the new id is no UUID, or the old one's.
    """
    new_uuid = Options.parse({"uuid": new_uuid}).uuid
    if new_uuid == uuid:
        raise UnknownOption(f"The new group's id is {uuid!r}, which is the old one's; pass another, or none.")
    group, job = services.store.groups.get(uuid), services.store.job(uuid)
    if group is None or job is None:
        if services.store.read(uuid, whole=False) is None:
            raise TaskNotFound(uuid)
        raise WorkflowError(f"Job {uuid} is no group and no chain: retry it by itself.")
    if not group.ended:
        raise NotFinished(uuid, group.status)
    if not again:
        check_retry(uuid, group.retried_as, new_uuid)
    shards = services.store.groups.shards(uuid, group.total)
    statuses = {
        index: status_of(shard, place.position)
        for index in range(group.total)
        if (place := group.member_place(index)).position in (shard := shards[place.shard]).ended
    }
    succeeded = {index for index, status in statuses.items() if status == SUCCEEDED}
    repeated = [index for index in range(group.total) if index not in succeeded]
    if not repeated:
        raise WorkflowError(f"All members of {uuid} have succeeded; there is nothing to retry.")
    if job.inputs_key is not None:
        raise InputsUnavailable(uuid, "the bucket no longer has its plan")
    plan = _plan_again(services, group, job, repeated)
    now = to_ms(services.clock.now())
    message = replace(
        job,
        uuid=new_uuid or str(uuid4()),
        inputs={},
        inputs_key=None,
        run_at=None,
        created=now,
        expires=expires_after(now + plan.deadline * 1000),
        member=None,
        workflow=OPEN,
        retry_of=uuid,
    )
    return publish_group(
        services, message, plan, Options(owner=job.owner, on_commit=on_commit), earlier=succeeded
    )


def _plan_again(services: Services, group: Group, job: Message, repeated: Sequence[int]) -> Plan:
    """Return the plan of a group whose members of some indices are submitted once more."""
    plan = Plan.of(job.inputs)
    members = [Step(task=job.task)] * group.total
    if group.chain:
        members = list(plan.members)
        if repeated[0] == 0:
            members[0] = _step_again(services, member_id(group.uuid, 0))
    else:
        for index, step in zip(repeated, _steps_again(services, group.uuid, repeated), strict=True):
            members[index] = step
    return replace(plan, members=tuple(members)).hashed()


def _steps_again(services: Services, group: str, again: Collection[int]) -> Iterable[Step]:
    """The steps of members that are submitted once more; of many, several are read at one time."""
    ids = [member_id(group, index) for index in again]
    if len(ids) < _FEW:
        return [_step_again(services, uuid) for uuid in ids]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="retry") as pool:
        return list(pool.map(lambda uuid: _step_again(services, uuid), ids))


def _step_again(services: Services, uuid: str) -> Step:
    """The step of a member that is submitted once more, of what is kept of its job."""
    job = services.store.job(uuid)
    if job is None:
        raise InputsUnavailable(uuid, "it was never sent")
    if job.inputs_key is not None:
        raise InputsUnavailable(uuid, "the bucket no longer has its inputs")
    if job.secrets:
        raise InputsUnavailable(uuid, f"secret inputs are not kept ({', '.join(job.secrets)})")
    if job.workflow is not None:
        return Step(task=job.task, queue=job.queue, plan=Plan.of(job.inputs))
    return Step(
        task=services.registry.present_name(job.task),
        inputs=job.inputs,
        references=job.references,
        queue=job.queue,
        options=job.options.encode(),
        compared=_compared_again(services, job),
    )


def _compared_again(services: Services, job: Message) -> Any:
    """By what the inputs of a unique task's job are compared; None where it takes no place."""
    if job.references or job.task not in services.registry:
        return None
    definition = services.registry.definition(job.task)
    if not definition.task.unique:
        return None
    try:
        return definition.compared(definition.accept_json(job.inputs)).made
    except InvalidInputs:  # the present code refuses them: the member ends so
        return None


def _holders(services: Services, message: Message, plan: Plan) -> dict[int, str]:
    """Take the places of members of unique tasks; return for those whose place is taken the job that has it."""
    now = to_ms(services.clock.now())
    follows: dict[int, str] = {}
    wanted: dict[str, int] = {}
    locks: dict[str, Lock] = {}
    for index, step in enumerate(plan.members):
        if step.compared is None:
            continue
        uuid = member_id(message.uuid, index)
        lock = unique_lock(replace(message, uuid=uuid, task=step.task), now, step.compared)
        if lock.id in wanted:  # the same inputs twice in one group
            follows[index] = member_id(message.uuid, wanted[lock.id])
        else:
            wanted[lock.id], locks[lock.id] = index, lock
    held = services.locks.only(list(locks.values())) if locks else []
    foreign = next((each for each in held if each.foreign), None)
    if foreign is not None:
        for each in held:
            if each.lock == locks[each.lock.id]:
                services.locks.free(each.lock)
        raise AlreadyRunning(plan.members[wanted[foreign.lock.id]].task)
    for each in held:
        index = wanted[each.lock.id]
        if each.lock.uuid != locks[each.lock.id].uuid:
            follows[index] = each.lock.uuid
    return follows


def _check_sending(services: Services, message: Message, plan: Plan) -> None:
    """See that all jobs of a workflow can be sent, those that are sent later among them.

    Raises:
        ConfigurationError: a queue has no URL, or a message is due later than this deployment can hold one back.
        PayloadTooLarge: the inputs of one are too large.
    """
    now = message.created
    ways = {(message.queue, plan.deadline)}
    for step in plan.steps():
        ways.add((step.queue, step.delay))
        if not services.store.any_size:
            check_size(step.task, step.inputs, services.blobs)
    made(lambda: services.backend).check_delays(
        [replace(message, queue=queue, run_at=now + delay * 1000) for queue, delay in sorted(ways)]
    )
