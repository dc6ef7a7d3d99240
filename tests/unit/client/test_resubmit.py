"""An ended job submitted once more."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from serverless_tasks import InputsUnavailable, InvalidInputs, NotFinished, Task, TaskNotFound
from serverless_tasks.client.resubmit import resubmit
from serverless_tasks.engine.job.message import RETENTION
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.submission import Submission, submit_unchecked
from serverless_tasks.errors import UnknownOption
from serverless_tasks.params import NumberParameter
from serverless_tasks.testing import RecordedTasks, recorded

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
    assert set(again.record.to_json()) == set(jobs.services.store.read(uuid).to_json())  # type: ignore[union-attr]


def test_the_old_job_stays_as_it_is(jobs: RecordedTasks) -> None:
    uuid = ended(jobs)
    before = jobs.services.store.read(uuid)

    resubmit(jobs.services, uuid)
    jobs.drain()

    assert jobs.services.store.read(uuid) == before


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
    (handle,) = submit_unchecked(jobs.services, "double", [{"amount": 2}], Options())
    handle.cancel()

    with pytest.raises(InvalidInputs, match="number: Field required"):
        resubmit(jobs.services, handle.uuid)

    assert len(jobs.submitted) == 1


def test_a_job_whose_code_is_elsewhere_is_sent_unchecked(jobs: RecordedTasks) -> None:
    (handle,) = submit_unchecked(jobs.services, "elsewhere", [{"x": 1}], Options())
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
