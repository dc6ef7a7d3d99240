"""Seeing to dead letters: which there are, sending them again, throwing them away."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import batched
from typing import TYPE_CHECKING, Literal
from uuid import UUID, uuid5

from serverless_tasks.client.resubmit import accept_again, submit_again
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.dead_letter import DeadLetter, job_letter
from serverless_tasks.engine.job.job_id import job_id
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.store.payloads import load_inputs
from serverless_tasks.errors import (
    AlreadyRunning,
    AwsError,
    ConfigurationError,
    InputsUnavailable,
    InvalidInputs,
    LetterNotFound,
    MessageError,
    PayloadTooLarge,
    SubmitFailed,
    SubmitUncertain,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from serverless_tasks.engine.services import Services

AT_ONCE = 8
BATCH = 100
# On these errors the dead letter stays, with the reason reported, and the others are still sent.
_REFUSALS = (
    AlreadyRunning,
    ConfigurationError,
    InputsUnavailable,
    InvalidInputs,
    MessageError,
    PayloadTooLarge,
    SubmitFailed,
    SubmitUncertain,
)


@dataclass(frozen=True, slots=True)
class Resent:
    """The result of sending a dead letter again.

    Attributes:
        letter: the letter.
        outcome: ``resubmitted``: as a new job; ``sent``: to its queue as it is; ``refused``: it stays where it is.
        uuid: the job that is on its way now, or would be.
        reason: why it was refused.
    """

    letter: DeadLetter
    outcome: Literal["resubmitted", "sent", "refused"]
    uuid: str = ""
    reason: str = ""


class DeadLetters:
    """The dead letters of a stack; `TaskClient.dead_letters` gives it.

    Args:
        services: the services to use.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    def __repr__(self) -> str:
        return f"<DeadLetters bucket={self._services.config.bucket!r}>"

    def all(self, *, before: int | None = None) -> Iterator[DeadLetter]:
        """The letters, or those that were kept before a moment, milliseconds since the epoch.

        Raises:
            AwsError: the bucket could not be asked.
        """
        return self._services.dead_letter_store.all(before=before)

    def page(self, limit: int, after: str = "") -> tuple[list[DeadLetter], str]:
        """Up to ``limit`` letters in the order of their ids, and the id to go on after, or "".

        Args:
            limit: how many at most, up to 1,000.
            after: the id after which to begin, or "".

        Raises:
            AwsError: the bucket could not be asked.
        """
        return self._services.dead_letter_store.page(limit, after)

    def body(self, letter: DeadLetter) -> str:
        """Return a letter's body as it was in the queue, its secret inputs in clear text.

        Raises:
            AwsError: the bucket could not be asked.
        """
        return self._services.dead_letter_store.body(letter.id)

    def named(self, ids: Sequence[str]) -> list[DeadLetter]:
        """Letters by their ids; a bare uuid names a job's.

        Raises:
            LetterNotFound: there is none of that id.
        """
        found = []
        for given in ids:
            try:
                letter = self._services.dead_letter_store.find(
                    given if "/" in given else job_letter(job_id(given))
                )
            except AwsError as error:
                if not error.gone:
                    raise
                raise LetterNotFound(given) from error
            if letter is None:
                raise LetterNotFound(given)
            found.append(letter)
        return found

    def retry(self, letters: Iterable[DeadLetter], *, dry_run: bool = False) -> Iterator[Resent]:
        """Send letters again, each on its own; those that were sent are removed.

        A settled job is submitted once more: a new job whose id follows from the old one's, so that doing it twice
        makes one job. A body that could not be decoded goes to its queue as it is, if the code here can read it by
        now.

        Args:
            letters: the letters.
            dry_run: see what would become of each, and do nothing.

        Raises:
            AwsError: the bucket could not be asked.
        """
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="letters") as pool:
            for some in batched(letters, BATCH):
                yield from pool.map(lambda letter: self._retry(letter, dry_run), some)

    def purge(self, letters: Iterable[DeadLetter]) -> Iterator[DeadLetter]:
        """Throw letters away; yields each that is gone.

        Raises:
            AwsError: the bucket could not be asked.
        """
        for some in batched(letters, BATCH):
            self._services.dead_letter_store.remove([letter.id for letter in some])
            yield from some

    def _retry(self, letter: DeadLetter, dry_run: bool) -> Resent:
        try:
            resent = self._send(letter, dry_run)
        except _REFUSALS as error:
            return Resent(letter, "refused", reason=str(error))
        if not dry_run:
            self._services.dead_letter_store.remove([letter.id])
        return resent

    def _send(self, letter: DeadLetter, dry_run: bool) -> Resent:
        body = self._services.dead_letter_store.body(letter.id)
        message = Message.decode(body)
        # An expired message would be settled again instead of run.
        if letter.is_job or to_ms(self._services.clock.now()) > message.expires:
            uuid = str(uuid5(UUID(message.uuid), "dead letter"))
            job = self._whole(message)
            if dry_run:
                accept_again(self._services, job)
            else:
                uuid = submit_again(self._services, job, new_uuid=uuid, on_commit=False).uuid
            return Resent(letter, "resubmitted", uuid)
        if not dry_run:
            self._services.queue.resend(message, body)
        return Resent(letter, "sent", message.uuid)

    def _whole(self, message: Message) -> Message:
        """The message with its inputs, which may lie in the bucket.

        Raises:
            InputsUnavailable: they did, and are gone.
        """
        try:
            inputs = load_inputs(message, self._services.blobs)
        except AwsError as error:
            if not error.gone:
                raise
            raise InputsUnavailable(message.uuid, "the bucket no longer has its inputs") from None
        return replace(message, inputs=inputs, inputs_key=None)
