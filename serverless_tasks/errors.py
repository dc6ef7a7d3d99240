"""Every error that Serverless Tasks raises, in one tree.

Each message says what was wrong, with which value, and what to do about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Sequence


class ServerlessTasksError(Exception):
    """The root of the tree: catch it to catch everything that this library raises."""

    def __reduce__(self) -> tuple[Any, ...]:
        # BaseException's own calls the class with the text alone, whatever arguments it takes.
        return (self._restored, self.args, self.__dict__)

    @classmethod
    def _restored(cls, *args: Any) -> Self:
        return cls.__new__(cls, *args)


# -- what a task raises, or is stopped with ----------------------------------------------------------------------


class TaskError(ServerlessTasksError):
    """A failure whose text is meant for the person who submitted the task.

    Raise it, or a subclass, from ``run``: the record serves its type and its text. Of any other exception a
    browser sees the type and a neutral sentence.
    """


class TaskCancelled(TaskError):
    """The task was asked to stop; raised inside ``run`` by progress calls and ``check_cancelled``."""


class TaskTimeout(TaskError):
    """The task ran longer than its ``timeout``; raised inside ``run`` so that it can clean up."""

    def __str__(self) -> str:
        # In a thread an exception can be raised from outside as a class alone, without its text.
        return super().__str__() or "The task exceeded its timeout."


class TaskStopped(BaseException):
    """The task went on after its `TaskTimeout`; raised inside ``run`` until it ends.

    No ``except Exception`` holds it. The record says `TaskTimeout`.
    """


class TaskRetry(ServerlessTasksError):
    """The task requested a retry; raised by ``self.retry()``, for the runner.

    Args:
        reason: why, for operators.
        after: seconds until then; None for the task's own backoff.
    """

    def __init__(self, reason: str = "", after: float | None = None) -> None:
        super().__init__(reason or "The task requested a retry.")
        self.reason = reason
        self.after = after


class RetriesExhausted(ServerlessTasksError):
    """The task requested a retry but has none left."""


# -- configuration -----------------------------------------------------------------------------------------------


class ConfigurationError(ServerlessTasksError):
    """A setting is missing or invalid; the message names it."""


class BucketMissing(ConfigurationError):
    """A job's payloads are stored in the bucket, and none is configured.

    Args:
        what: the payloads, such as ``The inputs of job 0b9f...``.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} are stored in the bucket, and SERVERLESS_TASKS_BUCKET is not set.")


class SecretUnavailable(ConfigurationError):
    """A secret that the environment refers to cannot be read.

    Args:
        name: the variable that it is for.
        reason: why; it has nothing of the value.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"The secret for the variable {name} cannot be read: {reason.strip().removesuffix('.')}."
            " Check its reference, and that SecretArns allows the functions to read it."
        )


class DuplicateTask(ConfigurationError):
    """Two task classes have the same name."""


class TaskDefinitionError(ConfigurationError, TypeError):
    """The declaration of a task class is inconsistent; raised when it is registered."""


# -- the way in --------------------------------------------------------------------------------------------------


class UnknownTask(ServerlessTasksError):
    """No registered task has this name.

    Args:
        name: the name that was asked for.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"No task is named {name!r}.")
        self.name = name


class UnknownSchedule(UnknownTask):
    """A message claims to be from a schedule that its task does not have.

    Args:
        task: the task's name.
        schedule: what the message calls the schedule.
    """

    def __init__(self, task: str, schedule: str) -> None:
        super().__init__(task)
        self.args = (f"No deployed task {task!r} has a schedule {schedule!r}.",)


@dataclass(frozen=True, slots=True)
class FieldError:
    """A rejected input: its dotted path, the reason, and the path as a tuple."""

    field: str
    message: str
    loc: tuple[str | int, ...] = ()
    type: str = "value_error"


class InvalidInputs(ServerlessTasksError, ValueError):
    """Inputs do not match the task's declaration; nothing was published.

    Args:
        task: the task's name.
        fields: what was wrong, one entry a field.
    """

    def __init__(self, task: str, fields: Sequence[FieldError]) -> None:
        text = "; ".join(f"{error.field or 'inputs'}: {error.message}" for error in fields)
        super().__init__(f"Inputs of task {task!r} are invalid: {text}")
        self.task = task
        self.fields = tuple(fields)


class ParameterNotValidError(ServerlessTasksError, ValueError):
    """A value does not match the parameter's type."""

    __module__ = "serverless_tasks.params"  # where Django Task API has it; failures are kept with this path


class InvalidEvent(ServerlessTasksError):
    """The event of a direct invoke is not a job."""


class PayloadTooLarge(ServerlessTasksError, ValueError):
    """A payload exceeds a hard limit.

    Args:
        what: the payload, in words.
        size: its size in bytes.
        limit: the limit in bytes.
    """

    def __init__(self, what: str, size: int, limit: int) -> None:
        super().__init__(f"The {what} have {size:,} bytes; the limit is {limit:,}. Send a reference instead.")
        self.size = size
        self.limit = limit


class UnknownOption(ServerlessTasksError, TypeError):
    """``options()`` was given an unknown name or an invalid value."""


class SubmitFailed(ServerlessTasksError):
    """The job was certainly not sent and has left nothing behind; submit it again."""


class SubmitUncertain(ServerlessTasksError):
    """The job may or may not have been sent; submitting again with the same uuid is safe.

    Args:
        uuid: the job's id, for ``options(uuid=...)``.
        reason: what AWS or the network said.
    """

    def __init__(self, uuid: str, reason: str) -> None:
        super().__init__(
            f"Job {uuid} may have been sent ({reason}). Submitting again with options(uuid={uuid!r}) is safe."
        )
        self.uuid = uuid


def unsent(uuid: str, reason: str, *, uncertain: bool) -> SubmitFailed | SubmitUncertain:
    """Return the error for a message that was not, or perhaps not, sent.

    Args:
        uuid: the job's id.
        reason: what AWS or the network said.
        uncertain: whether it may have been sent all the same.
    """
    return SubmitUncertain(uuid, reason) if uncertain else SubmitFailed(f"Job {uuid} was not sent: {reason}")


class WorkflowError(ServerlessTasksError, ValueError):
    """A group or a chain cannot be what it says; nothing was sent."""


class IdempotencyConflict(ServerlessTasksError):
    """An idempotency key was used before, for a job of the same task with other inputs; nothing was sent.

    Args:
        task: the task's name.
        key: the key.
    """

    def __init__(self, task: str, key: str) -> None:
        super().__init__(
            f"Idempotency key {key!r} was used for a job of task {task!r} with other inputs. Use a new key for a new"
            " job."
        )
        self.task = task
        self.key = key


class AlreadyRunning(ServerlessTasksError):
    """Another owner has a live job of a unique task with the same inputs; nothing was sent.

    Args:
        task: the task's name.
    """

    def __init__(self, task: str) -> None:
        super().__init__(
            f"A job of task {task!r} with these inputs is already waiting or running. Submit again when it has ended."
        )
        self.task = task


class NotPublished(ServerlessTasksError):
    """The transaction in which a job was submitted is still open, or was rolled back."""


# -- the way out -------------------------------------------------------------------------------------------------


class TaskNotFound(ServerlessTasksError):
    """There is no job with this uuid.

    Args:
        uuid: the id that was asked for.
    """

    def __init__(self, uuid: str) -> None:
        super().__init__(f"No job has the id {uuid}.")
        self.uuid = uuid


class InvalidCursor(ServerlessTasksError, ValueError):
    """A cursor was not returned by a listing."""


class InvalidToken(ServerlessTasksError):
    """A token of ours that cannot be accepted: it is incomplete, was changed, or its key is not known."""


class TokenExpired(InvalidToken):
    """A token of ours whose time is over."""


class InsufficientToken(ServerlessTasksError):
    """A token of ours does not allow what was asked with it."""


class AlreadyFinished(ServerlessTasksError):
    """A job that has ended cannot be cancelled.

    Args:
        uuid: the job's id.
        status: how it ended.
    """

    def __init__(self, uuid: str, status: str) -> None:
        super().__init__(f"Job {uuid} has already ended: {status}.")
        self.uuid = uuid
        self.status = status


class NotFinished(ServerlessTasksError):
    """A job that has not ended cannot be retried or deleted.

    Args:
        uuid: the job's id.
        status: ``pending`` or ``running``.
    """

    def __init__(self, uuid: str, status: str) -> None:
        super().__init__(f"Job {uuid} is {status}; cancel it, or wait until it has ended.")
        self.uuid = uuid
        self.status = status


class AlreadyRetried(ServerlessTasksError):
    """A job was retried before, and the caller asked not to retry it again (``again=False``).

    Args:
        uuid: the job's id.
        retried_as: the ids of the jobs that repeat it, oldest first.
    """

    def __init__(self, uuid: str, retried_as: Sequence[str]) -> None:
        super().__init__(f"Job {uuid} was retried already, as {retried_as[-1]}; look at that job first.")
        self.uuid = uuid
        self.retried_as = tuple(retried_as)


class InputsUnavailable(ServerlessTasksError):
    """A job cannot be retried, because not all of its inputs are stored; submit the task again.

    Args:
        uuid: the job's id.
        reason: why they are not there.
    """

    def __init__(self, uuid: str, reason: str) -> None:
        super().__init__(f"Job {uuid} cannot be retried: {reason}. Submit it again with its inputs.")
        self.uuid = uuid


class LetterNotFound(ServerlessTasksError):
    """No dead letter has this id.

    Args:
        id: the id that was asked for.
    """

    def __init__(self, id: str) -> None:
        super().__init__(
            f"No dead letter has the id {id}; list the ids with `serverless-tasks dead-letters list`."
        )


class KindNotFound(ServerlessTasksError):
    """No failure of a kind occurred in a time.

    Args:
        fingerprint: the kind's name.
        time: the time, such as ``since 2026-01-31T12:00:00.000Z``.
    """

    def __init__(self, fingerprint: str, time: str) -> None:
        super().__init__(f"No failure with the fingerprint {fingerprint} {time}.")


class TaskFailed(ServerlessTasksError):
    """An awaited job failed or was cancelled.

    Args:
        uuid: the job's id.
        status: ``failed`` or ``cancelled``.
        error: the record's ``error``: ``{"type", "message"}``, or None.
    """

    def __init__(self, uuid: str, status: str, error: dict[str, str] | None) -> None:
        reason = f"{error['type']}: {error['message']}" if error else "no reason was recorded"
        super().__init__(f"Job {uuid} {status}: {reason}")
        self.uuid = uuid
        self.status = status
        self.error = error


class InvalidOutputs(ServerlessTasksError):
    """The value of ``run`` does not match the declared outputs; the message quotes it, for operators only."""


class InvokeFailed(ServerlessTasksError):
    """A direct invoke returned an error instead of a record.

    Args:
        type: the error's type, as the function gave it.
        message: its text.
    """

    def __init__(self, type: str, message: str) -> None:
        super().__init__(f"{type}: {message}")
        self.type = type


class WaitTimeout(ServerlessTasksError, TimeoutError):
    """A job did not end within the time to wait; it continues."""


class AwsError(ServerlessTasksError):
    """AWS refused a call or could not be reached; the call may be repeated.

    Args:
        operation: what was asked, such as ``dynamodb.UpdateItem``.
        code: AWS's error code, or the name of the network error.
        reason: its text.
        applied: whether the call may have taken effect all the same.
    """

    def __init__(self, operation: str, code: str, reason: str, *, applied: bool) -> None:
        super().__init__(f"{operation} failed: {code}: {reason}")
        self.operation = operation
        self.code = code
        self.applied = applied

    @property
    def gone(self) -> bool:
        """Whether a payload is not there, so that no later try finds it: S3 refuses a missing one to those who may
        not list the whole bucket. An answer to HEAD has its status for a code.
        """
        return self.code in ("NoSuchKey", "NoSuchBucket", "AccessDenied", "404", "403")


class StackNotFound(AwsError):
    """No stack of this name is deployed in the account and region that were asked.

    Args:
        stack: the name.
        region: the region.
    """

    def __init__(self, stack: str, region: str) -> None:
        super().__init__("cloudformation.DescribeStacks", "ValidationError", "", applied=False)
        text = (
            f"There is no stack {stack} in {region}, in the account of these credentials. `aws cloudformation"
            f" describe-stacks --region {region} --query 'Stacks[].StackName'` lists those that are there, and"
            " `serverless-tasks deploy` makes those of samconfig.toml."
        )
        self.args = (text,)
        self.stack = stack
        self.region = region


class DeploymentFailed(ServerlessTasksError):
    """CloudFormation did not bring a stack to what was deployed, or did not delete it.

    Args:
        stack: the stack's name.
        status: the stack's status, such as ``UPDATE_ROLLBACK_COMPLETE``.
        reasons: what failed, resource by resource.
        of: the word for what did not succeed.
    """

    def __init__(self, stack: str, status: str, reasons: Sequence[str], *, of: str = "deployment") -> None:
        why = "; ".join(reasons) or "CloudFormation gives no reason; look at the events of the stack"
        super().__init__(f"The {of} of the stack {stack!r} ended as {status}: {why}")
        self.status = status


# -- messages and workers ----------------------------------------------------------------------------------------


class MessageError(ServerlessTasksError):
    """A queue message that cannot be run as it is."""


class MessageUndecodable(MessageError):
    """A message body that is not one of ours."""


class MessageTooNew(MessageError):
    """A message written by a newer version than the code that reads it."""


class NotDue(MessageError):
    """A message of a schedule that came before its time.

    Args:
        schedule: the schedule's name.
        seconds: how much too early it is.
    """

    def __init__(self, schedule: str, seconds: float) -> None:
        super().__init__(
            f"Schedule {schedule!r} fires {seconds:,.0f} seconds later; its message came too early."
        )
        self.seconds = seconds


class LeaseLost(ServerlessTasksError):
    """Another worker, a cancellation or the dead-letter handler has taken this job over; its result is void."""
