"""Retrying a group: a new one of the same members, in which those that have succeeded count already."""

from __future__ import annotations

from typing import Any

import pytest

from serverless_tasks import InputsUnavailable, NotFinished, TaskClient, TaskNotFound
from serverless_tasks.engine.job.record import Members
from serverless_tasks.errors import WorkflowError
from serverless_tasks.testing import RecordedTasks
from serverless_tasks.workflow import chain, group, previous, results
from tests.unit.workflow.tasks import UNLUCKY, Login, Pages, Repeat, Square, Total


@pytest.fixture
def lucky(monkeypatch: pytest.MonkeyPatch) -> Any:
    """From here on no number is unlucky."""

    def mend() -> None:
        monkeypatch.setattr(Square, "run", lambda self, n: n * n)

    return mend


def sent_for(jobs: RecordedTasks, handle: Any) -> list[int]:
    return [
        message.member.index
        for message in jobs.submitted
        if message.member is not None and message.member.group == handle.uuid
    ]


def test_only_what_has_not_succeeded_is_sent_again_and_what_follows_has_all_results(
    jobs: RecordedTasks, lucky: Any
) -> None:
    members = [Square.signature(n=n) for n in (1, UNLUCKY, 3)]
    handle = group(members).then(Total.signature(numbers=results["square"])).submit()
    jobs.drain()
    lucky()
    again = handle.refresh().retry_failed()
    assert sent_for(jobs, again) == [1]
    assert again.refresh().members == Members(total=3, succeeded=2)
    jobs.drain()
    assert again.refresh().status == "succeeded"
    assert list(again.results()) == [{"square": 1}, {"square": 169}, {"square": 9}]
    assert again.continuation.outputs == {"total": 179, "missing": 0}
    assert handle.refresh().status == "failed"


def test_of_many_each_has_its_own_inputs_again(jobs: RecordedTasks) -> None:
    handle = group(Square.signature(n=n) for n in range(100, 140)).submit()
    handle.cancel()
    jobs.drain()
    again = handle.refresh().retry_failed()
    jobs.drain()
    assert list(again.results()) == [{"square": n * n} for n in range(100, 140)]


def test_a_retry_may_be_retried(jobs: RecordedTasks, lucky: Any) -> None:
    handle = group(Square.signature(n=n) for n in (1, UNLUCKY, 3)).submit()
    jobs.drain()
    second = handle.refresh().retry_failed()
    jobs.drain()
    assert second.refresh().members == Members(total=3, succeeded=2, failed=1)
    lucky()
    third = second.retry_failed()
    assert sent_for(jobs, third) == [1]
    jobs.drain()
    assert list(third.refresh().results()) == [{"square": 1}, {"square": 169}, {"square": 9}]


def test_shards_that_had_all_succeeded_are_full_from_the_start(jobs: RecordedTasks, lucky: Any) -> None:
    numbers = [UNLUCKY if index == 250 else 20 for index in range(450)]
    handle = group(Square.signature(n=number) for number in numbers).submit()
    jobs.drain()
    lucky()
    again = handle.refresh().retry_failed()
    assert jobs.services.store.groups.get(again.uuid).full == {0, 2}
    jobs.drain()
    assert again.refresh().members == Members(total=450, succeeded=450)


def test_a_chain_goes_on_at_the_step_that_failed_with_the_outputs_of_the_one_before(
    jobs: RecordedTasks, lucky: Any
) -> None:
    handle = chain(
        Square.signature(n=1),
        Repeat.signature(text="ab", times=previous["square"]),
        Square.signature(n=UNLUCKY),
        Square.signature(n=previous["square"]),
    ).submit()
    jobs.drain()
    lucky()
    again = handle.refresh().retry_failed()
    assert sent_for(jobs, again) == [2]
    jobs.drain()
    assert again.refresh().status == "succeeded"
    assert list(again.results()) == [{"square": 1}, {"result": "ab"}, {"square": 169}, {"square": 28561}]


def test_a_step_that_takes_outputs_of_the_group_before_takes_them_again(
    jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = chain(Square.signature(n=2), Square.signature(n=previous["square"])).submit()
    with monkeypatch.context() as broken:
        broken.setattr(Square, "run", lambda self, n: {2: 4}[n])
        jobs.drain()
    assert handle.refresh().members == Members(total=2, succeeded=1, failed=1)
    again = handle.retry_failed()
    jobs.drain()
    assert list(again.refresh().results()) == [{"square": 4}, {"square": 16}]


def test_a_chain_that_failed_at_its_first_step_begins_there(jobs: RecordedTasks, lucky: Any) -> None:
    handle = chain(Square.signature(n=UNLUCKY), Repeat.signature(text="x")).submit()
    jobs.drain()
    lucky()
    again = handle.refresh().retry_failed()
    jobs.drain()
    assert list(again.refresh().results()) == [{"square": 169}, {"result": "x"}]


def test_an_inner_group_that_failed_is_a_member_that_is_sent_again_as_a_whole(
    jobs: RecordedTasks, lucky: Any
) -> None:
    handle = group(group(Square.signature(n=1), Square.signature(n=UNLUCKY)), Square.signature(n=3)).submit()
    jobs.drain()
    lucky()
    again = handle.refresh().retry_failed()
    jobs.drain()
    assert again.refresh().members == Members(total=2, succeeded=2)


def test_a_cancelled_group_may_be_retried(jobs: RecordedTasks) -> None:
    handle = group(Square.signature(n=1), Square.signature(n=2)).then(Pages.signature()).submit()
    handle.cancel()
    jobs.drain()
    again = handle.refresh().retry_failed()
    jobs.drain()
    assert again.refresh().members == Members(total=2, succeeded=2)
    assert again.continuation is not None


def test_what_failed_of_a_group_is_retried_by_its_id(jobs: RecordedTasks, lucky: Any) -> None:
    handle = group(Square.signature(n=n) for n in (1, UNLUCKY)).submit()
    jobs.drain()
    lucky()
    client = TaskClient(services=jobs.services)
    with pytest.raises(WorkflowError, match="--failed"):
        client.retry(handle.uuid)
    again = client.retry_failed(handle.uuid)
    assert sent_for(jobs, again) == [1]
    jobs.drain()
    assert again.refresh().status == "succeeded"


def test_what_cannot_be_retried_says_why(jobs: RecordedTasks) -> None:
    client, plain = TaskClient(services=jobs.services), Square.submit(n=1)
    running = group(Square.signature(n=1)).submit()
    with pytest.raises(NotFinished):
        running.retry_failed()
    jobs.drain()
    with pytest.raises(WorkflowError, match="nothing to retry"):
        running.refresh().retry_failed()
    from serverless_tasks.engine.submit.groups import retry_failed

    with pytest.raises(WorkflowError, match="is no group"):
        retry_failed(jobs.services, plain.uuid)
    with pytest.raises(TaskNotFound):
        client.retry("2f1a5f0e-9f4b-4d52-8d8d-5a7d3f1f0c11")


def test_members_with_secrets_are_not_sent_again(
    jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = group(Login.signature(password="hush")).submit()
    handle.cancel()
    jobs.drain()
    with pytest.raises(InputsUnavailable, match="secret inputs are not kept"):
        handle.refresh().retry_failed()
