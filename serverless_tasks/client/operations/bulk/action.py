"""The task behind an action on all jobs that match a filter. It runs as a job, with its own progress and summary.

The registry resolves it when a message names it, and nothing else imports this module. It does what it does to one
page of a search after another, for a part of a minute; then it ends its attempt, and says in the reason where the next
one goes on. Whatever is done twice, because a worker was lost or an answer came too late, is done once: the job of a
retry has an id that is made of the two jobs that it comes from, and of the other actions a job refuses the second.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn
from uuid import UUID, uuid5

from pydantic import BaseModel

from serverless_tasks.client.operations.bulk.submission import BULK, MOST_JOBS
from serverless_tasks.client.operations.bulk.summary import BulkSummary
from serverless_tasks.client.resubmit import resubmit
from serverless_tasks.client.search import JobFilter, known_names, search_jobs
from serverless_tasks.client.timeline import GOES_ON
from serverless_tasks.engine.job.record import SUCCEEDED, WORKER_LOST
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import (
    AwsError,
    ServerlessTasksError,
    SubmitFailed,
    SubmitUncertain,
    TaskCancelled,
    TaskError,
    TaskRetry,
)
from serverless_tasks.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serverless_tasks.engine.job.record import Record
    from serverless_tasks.engine.services import Services

    type _Act = Callable[[Sequence[Record]], None]

PAGE: Final = 100
# Jobs that are acted on at one time; each takes a few calls, one after another.
AT_ONCE: Final = 8
# Seconds of an attempt after which it begins no further page: a worker is not kept from other jobs, and the shortest
# timeout of its function is enough.
BUDGET: Final = 30.0
# An action that AWS did not take is tried in so many further attempts, the first of them after so many seconds.
TRIES: Final = 6
PAUSE: Final = 10
# Far more attempts than ten thousand jobs take; a search that finds few among millions ends after them.
MOST_ATTEMPTS: Final = 400

# What AWS did not do now may be done in a moment.
_FAULTS = (AwsError, SubmitFailed, SubmitUncertain)


class BulkInputs(BaseModel):
    """The inputs of an action on many jobs.

    Attributes:
        action: what is done to each.
        filter: the jobs, as `JobFilter.to_json` gives them.
        until: the moment of the request, in milliseconds since the epoch: a job that was submitted, or has ended,
            later than that is left alone.
        by: who asked for it, for the record.
        names: the tasks whose jobs are looked for where the filter names none.
        again: whether jobs that were retried before are retried once more.
    """

    action: Literal["retry", "cancel", "delete"]
    filter: dict[str, Any]
    until: int
    by: str = ""
    names: list[str] = []
    again: bool = False


class BulkOutputs(BaseModel):
    """The outputs of an action on many jobs; see `BulkSummary`."""

    action: str
    done: int
    refused: list[dict[str, Any]]
    looked_at: int
    left: bool
    lost: bool


@dataclass(slots=True, kw_only=True)
class _Place:
    """The place that a run has come to.

    Attributes:
        summary: the counts so far.
        cursor: where the search goes on; None for its beginning.
        searched: whether it has come to its end.
        faulty: the jobs to which AWS did not do it, for the next attempt.
        tries: how many attempts in a row have met such faults.
    """

    summary: BulkSummary
    cursor: str | None = None
    searched: bool = False
    faulty: list[str] = field(default_factory=list)
    tries: int = 0

    def to_text(self) -> str:
        place = {
            "summary": self.summary.to_json(),
            "cursor": self.cursor,
            "searched": self.searched,
            "faulty": self.faulty,
            "tries": self.tries,
        }
        return json.dumps(place, ensure_ascii=False)

    @classmethod
    def from_text(cls, text: str) -> _Place | None:
        """Read the reason of an attempt; None of one that says no place, as that of an unforeseen error."""
        _, said, place = text.partition(GOES_ON)  # before that there may be AWS's text
        if not said:
            return None
        given = json.loads(place)
        summary = BulkSummary.from_json(given.pop("summary"))
        return cls(summary=summary, **given)


@dataclass(frozen=True, slots=True)
class _Done:
    """The result of the action on one job; without an error it is done."""

    uuid: str
    error: ServerlessTasksError | None = None


class BulkAction(Task[BulkInputs]):
    """Retries, cancels or deletes all jobs that match a filter."""

    name = BULK
    timeout = 50
    retries = MOST_ATTEMPTS
    http = False

    def run(self) -> BulkOutputs:
        """Act on the jobs, from where the last attempt has ended.

        Raises:
            TaskRetry: the time of this attempt is over.
            TaskCancelled: the job was cancelled.
            TaskError: nobody has stored the job.
        """
        services = current_services()
        self._check_stored(services)
        place = self._place(services)
        try:
            return self._run(services, place)
        except TaskCancelled:
            with suppress(TaskCancelled):
                self.add_message(f"Cancelled: {place.summary}")
            raise

    def retries_after(self, error: BaseException) -> int:
        """See `BaseTask.retries_after`: only an attempt that asks for the next one has as many of them."""
        if isinstance(error, TaskRetry):
            return self.retries
        return 0 if isinstance(error, ServerlessTasksError) and not isinstance(error, _FAULTS) else TRIES

    def _run(self, services: Services, place: _Place) -> BulkOutputs:
        began, pages = services.clock.now(), 0
        self.set_progress(place.summary.touched)
        in_turn = services.backend_kind.synchronous  # there the job of a retry runs where it is submitted
        with ThreadPoolExecutor(1 if in_turn else AT_ONCE, thread_name_prefix="bulk") as pool:

            def act_on(records: Sequence[Record]) -> None:
                act = self._action(services)
                self._count(place, list(map(act, records) if in_turn else pool.map(act, records)))

            try:
                self._repeat(services, place, act_on)
                while not place.searched and not self._is_full(place):
                    if pages and services.clock.now() - began >= BUDGET:
                        self._go_on(place, "The time of this attempt was over")
                    self.check_cancelled()
                    self._search(services, place, act_on)
                    pages += 1
            except _FAULTS as fault:
                if place.tries >= TRIES:
                    raise
                self._go_on(place, str(fault).removesuffix("."), faulty=True)
        if place.faulty:
            self._go_on(place, "AWS did not do it to all jobs", faulty=True)
        place.summary.left = not place.searched
        self.set_target(place.summary.touched)
        self.add_message(str(place.summary))
        return BulkOutputs(**place.summary.to_json())

    def _repeat(self, services: Services, place: _Place, act_on: _Act) -> None:
        """Act on the jobs to which AWS did not do it in the attempt before."""
        if not place.faulty:
            return
        known = services.store.read_many(place.faulty, whole=False)
        place.faulty = []
        act_on([record for record in known.values() if self._concerns(record)])

    def _search(self, services: Services, place: _Place, act_on: _Act) -> None:
        """Act on the jobs of the next page."""
        first = place.cursor is None
        names = self.params.names or known_names(services)
        page = search_jobs(services.store, self._filter, limit=PAGE, cursor=place.cursor, names=names)
        records = [record for record in page.records if self._concerns(record)]
        if first and page.cursor is None:
            self.set_target(len(records))
        room = MOST_JOBS - place.summary.touched
        act_on(records[:room])
        place.tries = 0
        place.summary.looked_at += page.looked_at
        place.cursor, place.searched = page.cursor, page.cursor is None and len(records) <= room

    @property
    def _filter(self) -> JobFilter:
        return JobFilter.from_json(self.params.filter)

    def _concerns(self, record: Record) -> bool:
        """Return whether the action is about a job: it was as it is at the moment of the request."""
        if record.task == self.name or record.created >= self.params.until:
            return False
        if self.params.action == "cancel":
            return not record.ended
        if not record.ended or (record.finished or record.created) >= self.params.until:
            return False
        # Of jobs however they ended, those that succeeded are not retried.
        wanted = self.params.action == "delete" or self._filter.status == SUCCEEDED
        return wanted or record.status != SUCCEEDED

    def _action(self, services: Services) -> Callable[[Record], _Done]:
        deeds = {"retry": self._retry, "cancel": _cancel, "delete": _delete}
        deed = deeds[self.params.action]

        def act(record: Record) -> _Done:
            try:
                deed(services, record)
            except ServerlessTasksError as error:
                return _Done(record.uuid, error)
            return _Done(record.uuid)

        return act

    def _retry(self, services: Services, record: Record) -> None:
        new_uuid = retry_id(self.execution.uuid, record.uuid)
        if new_uuid in record.retried_as:
            return  # by an attempt that was lost
        if record.members is None:
            resubmit(services, record.uuid, new_uuid=new_uuid, on_commit=False, again=self.params.again)
            return
        from serverless_tasks.engine.submit.groups import retry_failed  # hardly a job is a group

        retry_failed(services, record.uuid, new_uuid=new_uuid, on_commit=False, again=self.params.again)

    def _count(self, place: _Place, done: Sequence[_Done]) -> None:
        for each in done:
            if each.error is None:
                place.summary.done += 1
            elif isinstance(each.error, _FAULTS) and place.tries < TRIES:
                place.faulty.append(each.uuid)
            else:
                place.summary.refuse(each.uuid, type(each.error).__name__, str(each.error))
        self.set_progress(place.summary.touched)

    @staticmethod
    def _is_full(place: _Place) -> bool:
        return place.summary.touched + len(place.faulty) >= MOST_JOBS or len(place.faulty) >= PAGE

    def _go_on(self, place: _Place, why: str, *, faulty: bool = False) -> NoReturn:
        """End this attempt; the next one goes on.

        Raises:
            TaskRetry: always.
        """
        place.tries = place.tries + 1 if faulty else 0
        after = PAUSE * 2 ** (place.tries - 1) if faulty else 0
        self.retry(after, f"{why}{GOES_ON}{place.to_text()}")

    def _place(self, services: Services) -> _Place:
        """Return the place that the attempts before have come to."""
        place = _Place(summary=BulkSummary(action=self.params.action))
        if self.attempt == 1:
            return place
        record = services.store.read(self.execution.uuid, whole=False)
        history = () if record is None else record.history
        for ended in history:
            if ended.failure.type == WORKER_LOST.type:
                place.summary.lost = True
            elif (later := _Place.from_text(ended.failure.message)) is not None:
                later.summary.lost |= place.summary.lost
                place = later
        return place

    def _check_stored(self, services: Services) -> None:
        """See that whoever has sent the message has also stored the job, which takes more rights.

        Raises:
            TaskRetry: the job is not stored yet.
            TaskError: the job is not stored, or has other inputs.
        """
        job = services.store.job(self.execution.uuid)
        if job is None and self.attempt <= TRIES:
            self.retry(2, "The job is not stored yet")  # its message is sent before that
        if job is None or _asked(BulkInputs.model_validate(job.inputs)) != _asked(self.params):
            raise TaskError("The job of an action on many jobs is stored before it is sent; this one is not.")


def retry_id(bulk: str, uuid: str) -> str:
    """Return the id of the job as which an action on many jobs, itself the job ``bulk``, retries one of them."""
    return str(uuid5(UUID(bulk), uuid))


def _asked(inputs: BulkInputs) -> dict[str, Any]:
    """Return what was asked for; a request that was sent twice is one, although of two moments."""
    return inputs.model_dump(exclude={"until"})


def _cancel(services: Services, record: Record) -> None:
    services.cancel(record.uuid)


def _delete(services: Services, record: Record) -> None:
    services.delete(record.uuid)
