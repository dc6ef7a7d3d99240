"""The next job of a batch is claimed while the end of the one before it is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serverless_tasks.engine.store.base import ClaimAnswer
from serverless_tasks.errors import AwsError

if TYPE_CHECKING:
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.store.base import Claim, ClaimAnswer
    from serverless_tasks.engine.worker.runner import Runner


class ClaimAhead:
    """Keeps the answer to the claim of one message, for the caller to take when it comes to that message.

    The claim is made while another call is on its way (`overlapping`), and both have been answered before a task
    begins. A task that kills its process therefore takes no other job's end with it, and no task runs beside another.

    Args:
        runner: runs the batch's messages.
        deadline: when this process is ended, seconds since the epoch, or None.
        request_id: Lambda's.
    """

    def __init__(self, runner: Runner, *, deadline: float | None, request_id: str) -> None:
        self._runner = runner
        self._deadline = deadline
        self._request_id = request_id
        self._kept: tuple[Message, Claim | AwsError] | None = None

    def claim(self, message: Message) -> None:
        """Claim this message's job, which must not have expired; what AWS answers is told when it is taken."""
        answer: Claim | AwsError
        try:
            answer = self._runner.claim(message, deadline=self._deadline, request_id=self._request_id)
        except AwsError as error:
            answer = error
        self._kept = message, answer

    def take(self, message: Message) -> Claim | None:
        """The answer to this message's claim; None when none was made.

        Raises:
            AwsError: the store could not be asked; the message must come back.
        """
        if self._kept is None or self._kept[0] is not message:
            return None
        (_, answer), self._kept = self._kept, None
        if isinstance(answer, AwsError):
            raise answer
        return answer

    def release(self) -> None:
        """Give back the job that was claimed and not taken."""
        if self._kept is None:
            return
        (message, answer), self._kept = self._kept, None
        if not isinstance(answer, AwsError) and answer.answer == ClaimAnswer.CLAIMED:
            self._runner.release(message, answer.token)
