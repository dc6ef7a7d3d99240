"""Jobs beside each other, and one that follows when all of them have ended."""

from __future__ import annotations

from typing import Any

import pytest

from serverless_tasks import TaskFailed
from serverless_tasks.engine.job.message import SETTLE
from serverless_tasks.engine.job.place import LARGEST_GROUP, continuation_id, member_id
from serverless_tasks.engine.job.record import Members
from serverless_tasks.errors import WorkflowError
from serverless_tasks.testing import RecordedTasks
from serverless_tasks.workflow import chain, group, previous, results
from tests.unit.workflow.tasks import UNLUCKY, Pages, Repeat, Square, Total


def squares(*numbers: int) -> Any:
    return group(Square.signature(n=number) for number in numbers)


def test_nothing_is_sent_before_submit(jobs: RecordedTasks) -> None:
    squares(1, 2).then(Total.signature(numbers=results["square"]))
    jobs.assert_nothing_submitted()


def test_the_job_that_follows_is_sent_when_all_members_have_ended_and_not_before(jobs: RecordedTasks) -> None:
    handle = squares(1, 2, 3).then(Total.signature(numbers=results["square"])).submit()
    following = continuation_id(handle.uuid)
    members = [message for message in jobs.submitted if message.member is not None]
    for message in members[:-1]:
        jobs.services.runner.execute(message)
        assert handle.refresh().status == "running"
        assert following not in [sent.uuid for sent in jobs.submitted]
    jobs.services.runner.execute(members[-1])
    assert [sent.uuid for sent in jobs.submitted].count(following) == 1
    jobs.drain()
    assert handle.refresh().status == "succeeded"
    assert handle.continuation is not None
    assert handle.continuation.outputs == {"total": 14, "missing": 0}


def test_a_handle_knows_its_members_before_it_is_read(jobs: RecordedTasks) -> None:
    handle = squares(1, UNLUCKY).submit()
    assert (handle.members, handle.progress, handle.target) == (Members(total=2), 0, 2)
    jobs.drain()
    again = handle.refresh().retry_failed()  # type: ignore[attr-defined]
    assert (again.members, again.progress) == (Members(total=2, succeeded=1), 1)


def test_members_that_are_run_again_and_again_are_counted_once(jobs: RecordedTasks) -> None:
    handle = squares(1, 2, 3).then(Total.signature(numbers=results["square"])).submit()
    first, second, third = [message for message in jobs.submitted if message.member is not None]
    for message in (first, first, second, first, second):
        jobs.services.runner.execute(message)
    assert handle.refresh().status == "running"
    assert handle.members == Members(total=3, succeeded=2)
    for message in (third, third, first):
        jobs.services.runner.execute(message)
    assert [sent.task for sent in jobs.submitted].count("total") == 1


@pytest.mark.parametrize("on", ["success", "end"])
def test_an_empty_group_is_followed_at_once(jobs: RecordedTasks, on: str) -> None:
    handle = group([]).then(Total.signature(numbers=results["square"]), on=on).submit()
    jobs.drain()
    assert (handle.refresh().status, handle.members) == ("succeeded", Members(total=0))
    assert handle.continuation is not None
    assert handle.continuation.outputs == {"total": 0, "missing": 0}


def test_a_group_of_one(jobs: RecordedTasks) -> None:
    handle = group(Square.signature(n=4)).then(Total.signature(numbers=results["square"])).submit()
    jobs.drain()
    assert handle.refresh().continuation.outputs == {"total": 16, "missing": 0}


def test_a_group_without_anything_after_it_ends_as_its_members_do(jobs: RecordedTasks) -> None:
    good, bad = squares(1, 2).submit(), squares(1, UNLUCKY).submit()
    jobs.drain()
    assert (good.refresh().status, good.outputs, good.error) == ("succeeded", {}, None)
    assert bad.refresh().status == "failed"
    with pytest.raises(TaskFailed, match="1 of 2 members did not succeed: 1"):
        bad.wait()


def test_on_success_a_failed_member_is_named_and_nothing_follows(jobs: RecordedTasks) -> None:
    handle = squares(1, UNLUCKY, 3).then(Total.signature(numbers=results["square"])).submit()
    jobs.drain()
    assert handle.refresh().error == {
        "type": "MembersFailed",
        "message": "1 of 3 members did not succeed: 1.",
    }
    assert handle.continuation is None
    assert "total" not in [message.task for message in jobs.submitted]


def test_at_most_twenty_failed_members_are_named(jobs: RecordedTasks) -> None:
    handle = squares(*[UNLUCKY] * 30).submit()
    jobs.drain()
    named = ", ".join(map(str, range(20)))
    assert handle.refresh().error["message"] == f"30 of 30 members did not succeed: {named} and 10 more."


def test_on_end_it_follows_in_any_case_with_none_for_what_failed(jobs: RecordedTasks) -> None:
    handle = squares(1, UNLUCKY, 3).then(Total.signature(numbers=results["square"]), on="end").submit()
    jobs.drain()
    assert handle.refresh().status == "failed"
    assert handle.continuation.outputs == {"total": 10, "missing": 1}
    assert list(handle.results()) == [{"square": 1}, None, {"square": 9}]


def test_results_are_in_the_order_of_the_members_however_these_ended(jobs: RecordedTasks) -> None:
    handle = squares(1, 2, 3, 4).then(Pages.signature()).submit()
    for message in reversed([sent for sent in jobs.submitted if sent.member is not None]):
        jobs.services.runner.execute(message)
    jobs.drain()
    found = handle.refresh().continuation.outputs
    assert found["found"] == [{"square": number} for number in (1, 4, 9, 16)]
    assert found["members"] == {"total": 4, "ended": 4, "succeeded": 4, "failed": 0, "cancelled": 0}


def test_a_task_reads_the_group_before_it_in_pages(
    jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = squares(*range(20, 270)).then(Pages.signature()).submit()
    pages: list[int] = []
    store, read = jobs.services.store, jobs.services.store.read_many

    def counted(uuids: Any, **how: Any) -> Any:
        pages.append(len(uuids))
        return read(uuids, **how)

    for message in [sent for sent in jobs.submitted if sent.member is not None]:
        jobs.services.runner.execute(message)
    monkeypatch.setattr(store, "read_many", counted)
    jobs.drain()
    assert len(handle.refresh().continuation.outputs["found"]) == 250
    assert pages == [100, 100, 50]


def test_progress_counts_the_members_that_have_ended_and_never_goes_back(jobs: RecordedTasks) -> None:
    handle = squares(*range(20, 25), UNLUCKY).submit()
    seen = [handle.refresh().progress]
    for message in [sent for sent in jobs.submitted if sent.member is not None]:
        jobs.services.runner.execute(message)
        jobs.services.runner.execute(message)
        seen.append(handle.refresh().progress)
    assert seen == [0, 1, 2, 3, 4, 5, 6]
    assert (handle.target, handle.members.failed) == (6, 1)


def test_a_members_record_names_its_group(jobs: RecordedTasks) -> None:
    handle = squares(1).submit()
    uuid = member_id(handle.uuid, 0)
    assert jobs.record(uuid).to_json()["group"] == handle.uuid
    jobs.drain()
    assert jobs.record(uuid).to_json()["group"] == handle.uuid


def test_members_are_not_in_the_owners_list_and_the_group_is(jobs: RecordedTasks) -> None:
    handle = squares(1, 2).then(Total.signature(numbers=results["square"])).options(owner="ada").submit()
    jobs.drain()
    assert {record.task for record in jobs.services.store.list_owner("ada").records} == {"group", "total"}
    assert jobs.record(member_id(handle.uuid, 0)).owner == "ada"


def test_styles_and_options_mix_in_a_group(jobs: RecordedTasks) -> None:
    handle = group(
        Square.options(queue="low").signature(n=3),
        Repeat.signature(text="ab", times=2),
        Repeat.options(delay=60).signature(text="c"),
        name="mixed",
    ).submit()
    low, soon, later = [message for message in jobs.submitted if message.member is not None]
    assert (low.queue, soon.queue, later.delay(jobs.clock.now())) == ("low", "default", 60)
    jobs.drain()
    assert list(handle.refresh().results()) == [{"square": 9}, {"result": "abab"}, {"result": "c"}]
    assert (handle.record.task, handle.status) == ("mixed", "succeeded")


def test_what_follows_may_be_a_group_and_that_be_followed(jobs: RecordedTasks) -> None:
    handle = (
        squares(1, 2)
        .then(group(Total.signature(numbers=results["square"]), Pages.signature()))
        .then(Repeat.signature(text="done"))
        .submit()
    )
    jobs.drain()
    following = handle.refresh().continuation
    assert following.record.task == "chain"
    assert following.refresh().status == "succeeded"
    inner, last = list(following.results())
    assert (inner, last) == ({}, {"result": "done"})
    assert list(jobs.services.store.groups.get(member_id(following.uuid, 0)).full) == [0]


def test_groups_nest_and_the_inner_deadline_is_earlier(jobs: RecordedTasks) -> None:
    handle = group(
        squares(1, 2),
        Square.signature(n=3),
        chain(Square.signature(n=2), Square.signature(n=previous["square"])),
        deadline=3600,
    ).submit()
    jobs.run_due()
    groups = jobs.services.store.groups
    outer, inner = groups.get(handle.uuid), groups.get(member_id(handle.uuid, 0))
    assert inner.deadline < outer.deadline
    assert inner.place.group == outer.uuid
    assert handle.refresh().status == "succeeded"
    assert [record.status for record in map(jobs.record, [member_id(handle.uuid, n) for n in range(3)])] == [
        "succeeded"
    ] * 3


def test_a_failed_inner_group_is_a_failed_member(jobs: RecordedTasks) -> None:
    handle = group(squares(UNLUCKY), squares(1)).submit()
    jobs.drain()
    assert handle.refresh().members == Members(total=2, succeeded=1, failed=1)


def test_no_deadline_of_a_group_that_has_ended_is_waited_for(jobs: RecordedTasks) -> None:
    began = jobs.clock.now()
    squares(1, 2).submit()
    assert SETTLE in [message.workflow for message in jobs.submitted]
    jobs.drain()
    assert jobs.clock.now() == began


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: group(Square.options(track=False).signature(n=1)), "is tracked"),
        (lambda: group(Square.options(idempotency_key="k").signature(n=1)), "idempotency_key"),
        (lambda: group(Square.options(owner="ada").signature(n=1)), "owner"),
        (lambda: group(Square.signature(n=previous["square"])), "nothing comes before it"),
        (
            lambda: squares(1).then(Total.signature(numbers=results["cube"])),
            "has no such output; it has 'square'",
        ),
        (lambda: squares(1).then(Total.signature(numbers=previous["square"])), r"take results\['square'\]"),
        (lambda: squares(1).then(Total.signature(numbers=results)), "name the output"),
        (
            lambda: group(squares(1)).then(Total.signature(numbers=results["square"])),
            "a group or a chain has no such output",
        ),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_sent(jobs: RecordedTasks, make: Any, text: str) -> None:
    with pytest.raises(WorkflowError, match=text):
        make().submit()
    jobs.assert_nothing_submitted()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: group(Square), "is no part of a workflow"),
        (lambda: group(7), "7 is no part"),
        (lambda: group([Square.signature(n=1)], deadline=0), "deadline=0"),
        (lambda: group([Square.signature(n=1)], deadline=56 * 86_400), "55 days"),
        (lambda: group([Square.signature(n=1)] * (LARGEST_GROUP + 1)), "Nest groups"),
        (chain, "1 to 200 steps"),
        (lambda: squares(1).then(Pages.signature(), on="failure"), "expected 'success' or 'end'"),
        (lambda: squares(1).options(retries=3), "retries"),
        (lambda: list(results["square"]), "cannot be iterated"),
    ],
)
def test_what_cannot_be_made_says_why(make: Any, text: str) -> None:
    with pytest.raises(Exception, match=text):
        make()
