"""The actions of the admin on jobs, one by one, and their messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext, gettext_lazy

from serverless_tasks.client.operations.bulk.submission import BULK
from serverless_tasks.client.resubmit import resubmit
from serverless_tasks.client.task_client import TaskClient
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import ServerlessTasksError, WorkflowError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.utils.functional import _StrPromise

# Seconds that a person waits for running jobs to stop before an owner's deletion says which are left.
OWNER_WAIT = 5.0


@dataclass(frozen=True, slots=True)
class Done:
    """The result of an action on one job.

    Attributes:
        uuid: the job.
        said: a sentence about it; ``{successor}`` stands for the job that was submitted in its place.
        failed: whether it could not be done.
        successor: the job that was submitted in its place, or "".
        gone: whether nothing is left of it.
    """

    uuid: str
    said: str
    failed: bool = False
    successor: str = ""
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """A button.

    Attributes:
        label: what stands on it in the list of actions.
        title: the heading of the question before it.
        permission: ``change`` or ``delete``.
        run: does it to one job.
    """

    label: _StrPromise
    title: _StrPromise
    permission: str
    run: Callable[[str], Done]


def cancel(uuid: str) -> Done:
    """Cancel a job: a waiting one never starts, a running one is asked to stop."""
    record = TaskClient().cancel(uuid)
    if record.members is not None:
        return Done(uuid, gettext("The group was cancelled: members that have not begun will not begin."))
    if record.ended:
        return Done(uuid, gettext("The job was cancelled."))
    return Done(uuid, gettext("The job was asked to stop."))


def retry(uuid: str) -> Done:
    """Submit an ended job again, under a new uuid; of a group, the members that did not succeed.

    Raises:
        WorkflowError: it is an action on many jobs, which may delete: who may retry may not do that.
        ServerlessTasksError: it could not be submitted.
    """
    services = current_services()
    record = services.store.read(uuid, whole=False)
    if record is not None and record.task == BULK:
        raise WorkflowError(gettext("An action on many jobs is not retried: select the jobs once more."))
    if record is not None and record.members is not None:
        return retry_failed(uuid)
    handle = resubmit(services, uuid, on_commit=False)
    return Done(uuid, gettext("The job was submitted again as {successor}."), successor=handle.uuid)


def retry_failed(uuid: str) -> Done:
    """Submit the members of a group that did not succeed again, in a new group.

    Raises:
        ServerlessTasksError: they could not be submitted.
    """
    from serverless_tasks.engine.submit import groups  # most sites have none

    handle = groups.retry_failed(current_services(), uuid, on_commit=False)
    said = gettext("The members that did not succeed were submitted again in group {successor}.")
    return Done(uuid, said, successor=handle.uuid)


def delete(uuid: str) -> Done:
    """Delete an ended job: its inputs, outputs and messages, wherever they lie."""
    TaskClient().delete(uuid)
    return Done(uuid, gettext("The job was deleted."), gone=True)


ACTIONS: Final = {
    "cancel": Action(gettext_lazy("Cancel selected jobs"), gettext_lazy("Cancel jobs"), "change", cancel),
    "retry": Action(gettext_lazy("Retry selected jobs"), gettext_lazy("Retry jobs"), "change", retry),
    "delete": Action(gettext_lazy("Delete selected jobs"), gettext_lazy("Delete jobs"), "delete", delete),
}


def run(action: Action, uuids: Sequence[str]) -> list[Done]:
    """Do something to several jobs; one that refuses does not keep the others from it."""
    done = []
    for uuid in uuids:
        try:
            done.append(action.run(uuid))
        except ServerlessTasksError as error:
            done.append(Done(uuid, str(error), failed=True))
    return done


def delete_owner(owner: str) -> tuple[int, list[str]]:
    """Delete all that is kept of an owner's jobs; those that run are asked to stop, and waited for a short while.

    Returns:
        How many are deleted, and the ids of those that still run.

    Raises:
        AwsError: it was cut short; doing it again goes on.
    """
    outcome = TaskClient().delete_owner(owner, wait=OWNER_WAIT)
    return outcome.deleted, list(outcome.live)
