"""An ended job submitted once more."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date

import pytest
from pydantic import BaseModel, Field

from serverless_tasks import (
    AlreadyRetried,
    InputsUnavailable,
    InvalidInputs,
    NotFinished,
    ServerlessTasksError,
    SubmitFailed,
    Task,
    TaskClient,
    TaskNotFound,
)
from serverless_tasks.client.resubmit import resubmit, submit_again
from serverless_tasks.engine.backends.base import Backend
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.job.message import RETENTION, Message
from serverless_tasks.engine.job.place import member_id
from serverless_tasks.engine.job.record import Members
from serverless_tasks.engine.services import Services
from serverless_tasks.engine.submit.by_name import submit_by_name
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.submission import Submission
from serverless_tasks.errors import AwsError, UnknownOption, WorkflowError
from serverless_tasks.params import NumberParameter
from serverless_tasks.testing import RecordedTasks, recorded
from serverless_tasks.workflow import chain, group, previous

STRANGER = "0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11"


class Double(Task):
    name = "double"
    inputs = {"number": NumberParameter()}
    outputs = {"doubled": NumberParameter()}

    def run(self, number: float) -> float:
        return 2 * number


@pytest.fixture
def jobs() -> Iterator[RecordedTasks]:
    with recorded(Double) as jobs:
        yield jobs


class RefusingBackend(Backend):
    def __init__(self, error: ServerlessTasksError) -> None:
        self.error = error

    def publish(self, messages: Sequence[Message]) -> list[ServerlessTasksError | None]:
        return [self.error for _ in messages]


def ended(jobs: RecordedTasks, **options: object) -> str:
    uuid = Submission(Double, Options.parse(options)).submit(number=2).uuid
    jobs.drain()
    return uuid


def test_the_new_job_is_the_old_one_under_a_new_id(jobs: RecordedTasks) -> None:
    uuid = ended(jobs, owner="7", queue="low", tenant="acme", delay=5)
    jobs.clock.move(100)
    first = jobs.submitted[0]

    handle = resubmit(jobs.services, uuid)

    again = jobs.submitted[-1]
    assert again == replace(
        first,
        uuid=handle.uuid,
        retry_of=uuid,
        created=first.created + 105_000,
        expires=again.created + RETENTION * 1000,
        run_at=None,
    )
    jobs.drain()
    assert handle.wait() == {"doubled": 4}


def test_the_new_job_says_which_one_it_repeats(jobs: RecordedTasks) -> None:
    uuid = ended(jobs)

    again = resubmit(jobs.services, uuid)

    job = jobs.services.store.job(again.uuid)
    assert job is not None
    assert job.retry_of == uuid
    assert again.record.to_json()["retry_of"] == uuid
    jobs.drain()
    assert again.refresh().record.to_json()["retry_of"] == uuid


def test_the_old_job_stays_as_it_is_but_for_as_which_one_it_was_retried(jobs: RecordedTasks) -> None:
    uuid = ended(jobs)
    before = jobs.services.store.read(uuid)
    assert before is not None

    again = [resubmit(jobs.services, uuid).uuid for _ in range(2)]
    jobs.drain()

    assert jobs.services.store.read(uuid) == replace(before, retried_as=tuple(again))


def test_a_job_that_was_retried_is_refused_where_that_is_asked_for(jobs: RecordedTasks) -> None:
    uuid = ended(jobs)
    first = resubmit(jobs.services, uuid, again=False).uuid

    with pytest.raises(AlreadyRetried, match=f"was retried already, as {first}") as caught:
        resubmit(jobs.services, uuid, again=False)

    assert caught.value.retried_as == (first,)
    assert len(jobs.submitted) == 2
    assert (
        resubmit(jobs.services, uuid, new_uuid=first.upper(), again=False).uuid == first
    )  # may have been sent
    assert jobs.services.store.read(uuid).retried_as == (first,)  # type: ignore[union-attr]


def test_a_retry_that_is_not_sent_is_not_noted(jobs: RecordedTasks) -> None:
    uuid = ended(jobs)
    services = Services(
        Config(),
        backend=RefusingBackend(SubmitFailed("no queue")),
        clock=jobs.clock,
        store=jobs.services.store,
        registry=jobs.services.registry,
    )

    with pytest.raises(SubmitFailed):
        resubmit(services, uuid)

    assert jobs.services.store.read(uuid).retried_as == ()  # type: ignore[union-attr]


def test_a_retry_that_cannot_be_noted_is_sent_all_the_same(
    jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    uuid = ended(jobs)

    def refuse(*_: object) -> bool:
        raise AwsError("dynamodb.update_item", "AccessDeniedException", "no", applied=False)

    monkeypatch.setattr(jobs.services.store, "note_retry", refuse)

    again = resubmit(jobs.services, uuid)
    jobs.drain()

    assert again.wait() == {"doubled": 4}
    assert f"job {uuid} does not note that it was retried as {again.uuid}" in caplog.text


def test_what_repeats_no_job_is_noted_nowhere(jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(type(jobs.services.store), "note_retry")
    assert jobs.services.store.read(ended(jobs)).outputs == {"doubled": 4}  # type: ignore[union-attr]


def test_a_job_that_expired_or_was_cancelled_has_ended(jobs: RecordedTasks) -> None:
    waiting = Submission(Double, Options()).submit(number=1)
    waiting.cancel()
    late = Submission(Double, Options()).submit(number=1)
    jobs.clock.move(RETENTION + 1)

    for uuid in (waiting.uuid, late.uuid):
        resubmit(jobs.services, uuid)

    assert [message.retry_of for message in jobs.submitted] == [None, None, waiting.uuid, late.uuid]


def test_a_live_job_is_refused(jobs: RecordedTasks) -> None:
    handle = Submission(Double, Options()).submit(number=1)
    with pytest.raises(NotFinished, match="is pending"):
        resubmit(jobs.services, handle.uuid)
    jobs.services.store.claim(jobs.submitted[0], token="a", lease=2**50, request_id="")

    with pytest.raises(NotFinished, match="is running"):
        resubmit(jobs.services, handle.uuid)

    assert len(jobs.submitted) == 1


def test_a_stranger_is_not_found(jobs: RecordedTasks) -> None:
    with pytest.raises(TaskNotFound):
        resubmit(jobs.services, STRANGER)


def test_inputs_that_the_present_code_refuses_are_refused(jobs: RecordedTasks) -> None:
    (handle,) = submit_by_name(jobs.services, "double", [{"amount": 2}], Options())
    handle.cancel()

    with pytest.raises(InvalidInputs, match="number: Field required"):
        resubmit(jobs.services, handle.uuid)

    assert len(jobs.submitted) == 1


def test_a_job_whose_code_is_elsewhere_is_sent_unchecked(jobs: RecordedTasks) -> None:
    (handle,) = submit_by_name(jobs.services, "elsewhere", [{"x": 1}], Options())
    handle.cancel()

    resubmit(jobs.services, handle.uuid)

    assert (jobs.submitted[-1].task, jobs.submitted[-1].inputs) == ("elsewhere", {"x": 1})


def test_a_job_whose_inputs_are_not_kept_is_refused(jobs: RecordedTasks) -> None:
    uuid = ended(jobs)
    gone = replace(jobs.submitted[0], uuid=STRANGER, inputs={}, inputs_key=f"inputs/{STRANGER}")
    never = replace(jobs.submitted[0], uuid="1b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11")
    store = jobs.services.store
    store.put_jobs([gone])
    store.cancel(gone.uuid)
    store.claim(never, token="a", lease=jobs.clock.now().__ceil__() * 1000, request_id="")
    jobs.clock.move(RETENTION + 1)

    with pytest.raises(InputsUnavailable, match="the bucket no longer has its inputs"):
        resubmit(jobs.services, gone.uuid)
    with pytest.raises(InputsUnavailable, match="were never kept"):
        resubmit(jobs.services, never.uuid)

    assert [message.uuid for message in jobs.submitted] == [uuid]


def test_a_new_id_that_is_the_old_one_is_refused(jobs: RecordedTasks) -> None:
    uuid = ended(jobs)
    with pytest.raises(UnknownOption, match="which is the old job's"):
        resubmit(jobs.services, uuid, new_uuid=uuid.upper())
    assert [message.uuid for message in jobs.submitted] == [uuid]


def test_a_new_id_that_is_none_is_refused(jobs: RecordedTasks) -> None:
    with pytest.raises(UnknownOption, match="Option uuid is 'x'"):
        resubmit(jobs.services, ended(jobs), new_uuid="x")


class Shifted(BaseModel, strict=True):
    since: date = Field(strict=True)
    number: float


class Shift(Task[Shifted]):
    name = "shift"

    def run(self) -> float:
        return self.params.number + self.params.since.day


class TestMembers:
    @pytest.fixture
    def jobs(self) -> Iterator[RecordedTasks]:
        with recorded(Double, Shift) as jobs:
            yield jobs

    def test_a_member_is_submitted_as_a_job_of_its_own(self, jobs: RecordedTasks) -> None:
        handle = group(Double.signature(number=number) for number in (1, 2)).submit()
        jobs.drain()
        uuid = member_id(handle.uuid, 1)

        again = resubmit(jobs.services, uuid)
        jobs.drain()

        assert again.refresh().record.group is None
        assert again.wait() == {"doubled": 4}
        assert handle.refresh().record.members == Members(total=2, succeeded=2)

    @pytest.mark.parametrize("has_code", [True, False])
    def test_inputs_from_earlier_jobs_are_taken_from_them_again(
        self, jobs: RecordedTasks, has_code: bool
    ) -> None:
        handle = chain(
            Double.signature(number=3), Shift.signature(since=date(2026, 1, 5), number=previous["doubled"])
        ).submit()
        jobs.drain()
        last = member_id(handle.uuid, 1)
        services = jobs.services
        if not has_code:
            services = Services(
                Config(), backend=jobs, clock=jobs.clock, store=services.store, registry=Registry()
            )

        again = resubmit(services, last)
        jobs.drain()

        message = jobs.submitted[-1]
        assert (message.references, message.previous) == (
            {"number": ("previous", "doubled")},
            member_id(handle.uuid, 0),
        )
        assert message.member is None
        assert again.wait() == {"result": 11}

    def test_what_does_not_fit_beside_them_is_refused(self, jobs: RecordedTasks) -> None:
        handle = chain(
            Double.signature(number=3), Shift.signature(since=date(2026, 1, 5), number=previous["doubled"])
        ).submit()
        jobs.drain()
        job = jobs.services.store.job(member_id(handle.uuid, 1))
        assert job is not None
        with pytest.raises(InvalidInputs, match="since"):
            submit_again(
                jobs.services, replace(job, inputs={"since": "soon"}), new_uuid=None, on_commit=False
            )

    def test_a_group_says_as_which_one_it_was_retried(self, jobs: RecordedTasks) -> None:
        handle = group([Double.signature(number=1), Shift.signature(since=date.max, number=1)]).submit()
        jobs.services.cancel(member_id(handle.uuid, 1))
        jobs.drain()

        again = handle.retry_failed(again=False)

        assert handle.refresh().record.retried_as == (again.uuid,)
        assert again.record.retry_of == handle.uuid
        with pytest.raises(AlreadyRetried, match=again.uuid):
            TaskClient(services=jobs.services).retry_failed(handle.uuid, again=False)
        later = handle.retry_failed()
        assert handle.refresh().record.retried_as == (again.uuid, later.uuid)

    @pytest.mark.parametrize("ends", [True, False])
    def test_a_group_is_not_submitted_so(self, jobs: RecordedTasks, ends: bool) -> None:
        handle = group(Double.signature(number=1)).submit()
        if ends:
            jobs.drain()
        with pytest.raises(WorkflowError, match=f"serverless-tasks retry {handle.uuid} --failed"):
            resubmit(jobs.services, handle.uuid)
