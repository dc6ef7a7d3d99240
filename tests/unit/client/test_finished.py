"""Deleting ended jobs by age and status."""

from datetime import UTC, datetime

import pytest

from serverless_tasks import Task, TaskClient
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.services import Services
from serverless_tasks.engine.store.memory import MemoryStore
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.submission import Submission
from serverless_tasks.errors import ConfigurationError, NotFinished
from tests.support.clock import FakeClock
from tests.support.jobs import a_message

DAY = 86_400


class Works(Task):
    name = "works"

    def run(self) -> None:
        return None


class Fails(Task):
    name = "fails"

    def run(self) -> None:
        raise ValueError


class Jobs:
    """A day's job of each task on each of ten days, and one that waits."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.services = Services(Config(), backend="immediate", clock=clock)
        self.client = TaskClient(services=self.services)
        self.by_day = []
        waiting = a_message(clock, task="works", expires=clock.ms + 90 * DAY * 1000)
        self.services.store.put_jobs([waiting])
        self.waiting = waiting.uuid
        for _ in range(10):
            tasks: list[type[Task]] = [Works, Fails]
            self.by_day.append([Submission(task, Options(), self.services).submit().uuid for task in tasks])
            clock.move(DAY)

    def before(self, days: int) -> datetime:
        return datetime.fromtimestamp(self.clock.now() - days * DAY, UTC)

    def left(self) -> set[str]:
        uuids = {uuid for day in self.by_day for uuid in day} | {self.waiting}
        return {uuid for uuid in uuids if self.services.store.read(uuid) is not None}


@pytest.fixture
def jobs(clock: FakeClock) -> Jobs:
    return Jobs(clock)


def test_jobs_that_ended_before_a_time_are_deleted_and_no_others(jobs: Jobs) -> None:
    deleted = {each.uuid for each in jobs.client.delete_finished(jobs.before(3))}

    assert deleted == {uuid for day in jobs.by_day[:7] for uuid in day}
    assert jobs.left() == {jobs.waiting, *(uuid for day in jobs.by_day[7:] for uuid in day)}


def test_by_status_and_task(jobs: Jobs) -> None:
    (works, fails), *_ = jobs.by_day
    assert [each.uuid for each in jobs.client.delete_finished(jobs.before(9), statuses=["failed"])] == [fails]
    assert [each.uuid for each in jobs.client.delete_finished(jobs.before(9), tasks=["works"])] == [works]
    assert list(jobs.client.delete_finished(jobs.before(9), tasks=["works"], statuses=["cancelled"])) == []


def test_a_dry_run_deletes_nothing(jobs: Jobs) -> None:
    before = jobs.left()
    assert len(list(jobs.client.delete_finished(jobs.before(0), dry_run=True))) == 20
    assert jobs.left() == before


def test_a_job_that_a_worker_has_after_all_is_left(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: MemoryStore, uuid: str, **_: object) -> None:
        raise NotFinished(uuid, "running")

    monkeypatch.setattr(MemoryStore, "delete", refuse)
    assert {each.outcome for each in jobs.client.delete_finished(jobs.before(3))} == {"live"}


def test_a_job_that_ended_long_after_it_was_submitted_counts_by_its_end(clock: FakeClock) -> None:
    services = Services(Config(), backend="immediate", clock=clock)
    message = a_message(clock, task="works")
    services.store.put_jobs([message])
    clock.move(3 * DAY)
    services.store.cancel(message.uuid)
    clock.move(DAY)
    client = TaskClient(services=services)

    days_ago = [datetime.fromtimestamp(clock.now() - days * DAY, UTC) for days in (2, 0)]
    assert list(client.delete_finished(days_ago[0], tasks=["works"])) == []
    assert [each.uuid for each in client.delete_finished(days_ago[1], tasks=["works"])] == [message.uuid]


def test_what_cannot_be_is_said(jobs: Jobs) -> None:
    with pytest.raises(
        ConfigurationError, match="No ended job is 'running'; name cancelled, failed, succeeded"
    ):
        list(jobs.client.delete_finished(jobs.before(0), statuses=["running"]))
    nobody = TaskClient(services=Services(Config(), backend="immediate"))
    with pytest.raises(ConfigurationError, match="none is known here"):
        list(nobody.delete_finished(jobs.before(0)))
