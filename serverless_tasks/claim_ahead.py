"""The next job of a batch is claimed while the end of the one before it is recorded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING

from serverless_tasks.errors import AwsError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from serverless_tasks.message import Message
    from serverless_tasks.runner import Runner
    from serverless_tasks.store import Claim


class ClaimAhead:
    """Makes the claim of one message on another thread, for the caller to take when it comes to that message.

    Both this call and the one that the caller makes meanwhile have been answered before a task begins. A task that
    kills its process therefore takes no other job's end with it, and no task runs beside another.

    Args:
        runner: runs the batch's messages.
        deadline: when this process is ended, seconds since the epoch, or None.
        request_id: Lambda's.
    """

    def __init__(self, runner: Runner, *, deadline: float | None, request_id: str) -> None:
        self._runner = runner
        self._deadline = deadline
        self._request_id = request_id
        self._begun: tuple[Message, Future[Claim]] | None = None

    def begin(self, message: Message) -> None:
        """Claim this message's job; it must not have expired."""
        claim = _threads().submit(
            self._runner.claim, message, deadline=self._deadline, request_id=self._request_id
        )
        self._begun = message, claim

    def take(self, message: Message) -> Claim | None:
        """The answer to the claim that was begun for this message; None when none was.

        Raises:
            AwsError: the store could not be asked; the message must come back.
        """
        if self._begun is None or self._begun[0] is not message:
            return None
        (_, claim), self._begun = self._begun, None
        return claim.result()

    def release(self) -> None:
        """Give back the job that was claimed and not taken."""
        if self._begun is None:
            return
        (message, begun), self._begun = self._begun, None
        try:
            claim = begun.result()
        except AwsError:  # then this process does not hold it
            return
        if claim.answer == "claimed":
            self._runner.release(message, claim.token)


@cache
def _threads() -> ThreadPoolExecutor:
    """A thread for each batch that is being handled: one in Lambda, some in a container's worker."""
    return ThreadPoolExecutor(thread_name_prefix="claim-ahead")
