"""Keys and unique tasks without AWS: in users' own tests and on the backends of this process."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pytest

from serverless_tasks import AlreadyRunning, IdempotencyConflict, SubmitFailed, Task
from serverless_tasks.client.resubmit import resubmit
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.services import Services, use
from serverless_tasks.engine.store.locks import GRACE_MS
from serverless_tasks.engine.submit.by_name import submit_by_name
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.publication import Publication
from serverless_tasks.engine.submit.publish import publish_now
from serverless_tasks.engine.submit.submission import Submission, submit_json
from serverless_tasks.errors import UnknownOption
from serverless_tasks.params import IntParameter
from serverless_tasks.testing import RecordedTasks, recorded
from tests.support.clock import FakeClock

ID = "0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11"


class Double(Task):
    name = "double"
    inputs = {"number": IntParameter()}
    outputs = {"doubled": IntParameter()}

    def run(self, number: int) -> int:
        return 2 * number


class Rebuild(Double):
    name = "rebuild"
    unique = True


@pytest.fixture
def jobs() -> Iterator[RecordedTasks]:
    with recorded(Double, Rebuild) as jobs:
        yield jobs


def keyed(number: int = 1, **options: Any) -> Any:
    return Double.options(**{"idempotency_key": "k", "owner": "7"} | options).submit(number=number)


class TestInUsersTests:
    def test_a_key_is_one_job(self, jobs: RecordedTasks) -> None:
        first, second = keyed(), keyed()
        jobs.drain()
        third = keyed()

        assert {first.uuid} == {second.uuid, third.uuid}
        assert [first.repeated, second.repeated, third.repeated] == [False, True, True]
        assert (third.outputs, len(jobs.submitted)) == ({"doubled": 2}, 1)
        with pytest.raises(IdempotencyConflict):
            keyed(2)

    def test_a_key_is_forgotten_when_the_time_was_moved(self, jobs: RecordedTasks) -> None:
        first = keyed(idempotency_ttl=60)
        jobs.move(61)

        assert keyed(2).uuid != first.uuid

    def test_a_unique_task_is_one_job(self, jobs: RecordedTasks) -> None:
        first, second = Rebuild.submit(number=1), Rebuild.submit(number=1)
        with pytest.raises(AlreadyRunning):
            Rebuild.options(owner="7").submit(number=1)
        jobs.drain()

        assert (second.uuid, second.repeated) == (first.uuid, True)
        assert Rebuild.options(owner="7").submit(number=1).uuid != first.uuid

    def test_a_job_that_is_submitted_once_more_is_not_beside_a_live_one(self, jobs: RecordedTasks) -> None:
        ended = Rebuild.submit(number=1)
        jobs.drain()
        live = Rebuild.submit(number=1)

        assert resubmit(jobs.services, ended.uuid).uuid == live.uuid

    def test_by_name_a_unique_task_is_one_job(self, jobs: RecordedTasks) -> None:
        first, second = (submit_json(jobs.services, "rebuild", {"number": 1}, Options()) for _ in range(2))

        assert second.uuid == first.uuid

    def test_a_stranger_is_not_given_another_s_job(self, jobs: RecordedTasks) -> None:
        submit_json(jobs.services, "rebuild", {"number": 1}, Options(), anonymous=True)

        with pytest.raises(AlreadyRunning):
            submit_json(jobs.services, "rebuild", {"number": 1}, Options(), anonymous=True)

    def test_a_key_names_one_job(self, jobs: RecordedTasks) -> None:
        with pytest.raises(UnknownOption, match="idempotency_key names one job; 2"):
            Double.options(idempotency_key="k").submit_many([{"number": 1}, {"number": 2}])
        with pytest.raises(UnknownOption, match="idempotency_key names one job; 2"):
            submit_by_name(jobs.services, "elsewhere", [{}, {}], Options(idempotency_key="k"))

        assert Double.options(idempotency_key="k").submit_many([]) == []
        jobs.assert_nothing_submitted()

    def test_a_key_wins_over_a_uuid_that_comes_later(self, jobs: RecordedTasks) -> None:
        first = keyed()

        assert keyed(uuid=ID).uuid == first.uuid

    def test_a_uuid_that_is_submitted_again_with_its_key_is_sent_again(self, jobs: RecordedTasks) -> None:
        first, second = keyed(uuid=ID), keyed(uuid=ID)

        assert (first.uuid, second.uuid, second.repeated) == (ID, ID, False)
        with pytest.raises(IdempotencyConflict):
            keyed(2, uuid=ID)


class TestOnABackendOfThisProcess:
    def test_a_key_gives_back_the_job_that_has_run(self, immediate: Services) -> None:
        keyed()

        assert keyed().outputs == {"doubled": 2}

    def test_a_unique_job_that_has_run_is_run_again(self, immediate: Services) -> None:
        assert Rebuild.submit(number=1).uuid != Rebuild.submit(number=1).uuid

    def test_a_key_holds_on_threads(self, clock: FakeClock) -> None:
        with use(Services(Config(), backend="threading", clock=clock)):
            first = keyed()

            assert keyed().uuid == first.uuid


class TestInATransaction:
    """With a hook in the way, as Django's integration sets one."""

    @pytest.fixture
    def waiting(self, jobs: RecordedTasks) -> list[Publication]:
        waiting: list[Publication] = []

        def defer(services: Services, publications: Sequence[Publication]) -> bool:
            waiting.extend(publications)
            for publication in publications:
                publication.awaited = partial(waiting.__contains__, publication)
            return True

        jobs.services.defer = defer
        return waiting

    def test_the_key_is_reserved_before_the_commit(
        self, jobs: RecordedTasks, waiting: list[Publication]
    ) -> None:
        keyed(1)

        with pytest.raises(IdempotencyConflict):
            keyed(2)

    def test_after_a_rollback_the_next_try_is_the_same_job(
        self, jobs: RecordedTasks, waiting: list[Publication]
    ) -> None:
        first = keyed()
        waiting.clear()
        second = keyed()
        publish_now(jobs.services, waiting)

        assert [message.uuid for message in jobs.submitted] == [first.uuid]
        assert (second.uuid, second.published) == (first.uuid, True)

    def test_after_a_rollback_its_owner_can_submit_a_unique_job_at_once(
        self, jobs: RecordedTasks, waiting: list[Publication]
    ) -> None:
        first = Rebuild.submit(number=1)
        waiting.clear()
        second = Rebuild.submit(number=1)
        publish_now(jobs.services, waiting)

        assert [message.uuid for message in jobs.submitted] == [first.uuid]
        assert second.published

    def test_a_unique_job_that_waited_too_long_for_its_commit_is_not_sent_beside_another(
        self, jobs: RecordedTasks, waiting: list[Publication]
    ) -> None:
        late = Rebuild.options(owner="7").submit(number=1)
        other = Rebuild.options(owner="7").submit(number=2)
        jobs.move(GRACE_MS / 1000 + 1)
        first = Rebuild.options(owner="8", on_commit=False).submit(number=1)

        publish_now(jobs.services, waiting)

        assert [message.uuid for message in jobs.submitted] == [first.uuid, other.uuid]
        assert (other.published, late.published) == (True, False)
        with pytest.raises(AlreadyRunning):
            late.wait()

    def test_a_failed_commit_frees_the_unique_job(
        self, jobs: RecordedTasks, waiting: list[Publication], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Submission(Rebuild, Options(owner="7")).submit(number=1)
        with monkeypatch.context() as patched:
            patched.setattr(jobs, "publish", lambda messages: [SubmitFailed("down")] * len(messages))
            publish_now(jobs.services, waiting)

        Submission(Rebuild, Options(owner="8", on_commit=False)).submit(number=1)

        jobs.assert_submitted(Rebuild, number=1)
