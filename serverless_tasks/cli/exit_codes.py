"""The exit codes of the command line, and the errors that lead to them."""

from __future__ import annotations

from enum import IntEnum

from serverless_tasks.errors import (
    AlreadyFinished,
    AlreadyRetried,
    AwsError,
    DeploymentFailed,
    InvokeFailed,
    KindNotFound,
    LetterNotFound,
    NotFinished,
    ServerlessTasksError,
    StackNotFound,
    SubmitFailed,
    SubmitUncertain,
    TaskFailed,
    TaskNotFound,
    WaitTimeout,
)


class Exit(IntEnum):
    """Exit codes; docs/cli.md lists them for users."""

    OK = 0
    FAILED = 1
    """The task failed or was cancelled; or the deployment failed."""
    USAGE = 2
    """Arguments, inputs or settings are invalid; nothing was done."""
    NOT_FOUND = 3
    """There is no such job, dead letter, kind of failure or stack."""
    FINISHED = 4
    """The job has ended (`cancel`), has not ended (`retry`, `delete`), or was retried before (`retry`)."""
    UNAVAILABLE = 5
    """AWS refused a call or could not be reached; nothing was submitted."""
    UNCERTAIN = 6
    """The outcome is unknown: the job may have been sent, or did not end in time."""
    INTERRUPTED = 130
    """Ctrl-C; the job continues."""


_CODES: tuple[tuple[type[ServerlessTasksError], Exit], ...] = (
    (TaskFailed, Exit.FAILED),
    (DeploymentFailed, Exit.FAILED),
    (TaskNotFound, Exit.NOT_FOUND),
    (LetterNotFound, Exit.NOT_FOUND),
    (KindNotFound, Exit.NOT_FOUND),
    (StackNotFound, Exit.NOT_FOUND),
    (AlreadyFinished, Exit.FINISHED),
    (AlreadyRetried, Exit.FINISHED),
    (NotFinished, Exit.FINISHED),
    (SubmitUncertain, Exit.UNCERTAIN),
    (WaitTimeout, Exit.UNCERTAIN),
    (SubmitFailed, Exit.UNAVAILABLE),
    (AwsError, Exit.UNAVAILABLE),
)
# Error types in a function's response to a direct invoke that are the caller's fault.
_REFUSED = ("InvalidInputs", "UnknownTask")


def exit_code(error: ServerlessTasksError) -> Exit:
    """The exit code of an error; what is not listed is a matter of arguments, inputs or settings."""
    if isinstance(error, InvokeFailed):
        return Exit.USAGE if error.type in _REFUSED else Exit.UNAVAILABLE
    return next((code for kind, code in _CODES if isinstance(error, kind)), Exit.USAGE)
