"""Both stores keep groups alike: opened once, counted in sets, closed once."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from serverless_tasks.engine.job.message import OPEN
from serverless_tasks.engine.job.place import Place, member_id
from serverless_tasks.engine.job.plan import Plan
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import (
    CANCELLED,
    FAILED,
    SUCCEEDED,
    TASK_CANCELLED,
    WORKER_LOST,
    Members,
)
from serverless_tasks.engine.store.base import Store
from serverless_tasks.engine.store.group import Group, Shard
from serverless_tasks.engine.store.groups import ended_members, group_state
from serverless_tasks.engine.store.items import failure_fields, keep_until
from serverless_tasks.errors import AlreadyFinished, NotFinished, TaskNotFound
from tests.support.clock import FakeClock
from tests.support.jobs import a_message

DAY = 86_400_000


def opened(store: Store, clock: FakeClock, total: int = 3, **given: Any) -> Group:
    plan = {name: given.pop(name) for name in ("chain", "stops", "fingerprint") if name in given}
    message = a_message(clock, task="group", inputs={}, workflow=OPEN, **given)
    state = group_state(message, Plan(total=total, **plan), now=clock.ms, deadline=clock.ms + DAY)
    group, is_new = store.groups.open(state)
    assert is_new
    assert group is not None
    store.put_jobs([message])
    return group


def member(store: Store, clock: FakeClock, group: Group, index: int) -> Any:
    message = a_message(clock, uuid=member_id(group.uuid, index), member=group.member_place(index))
    store.put_jobs([message])
    return message


def ends(store: Store, clock: FakeClock, message: Any, status: str = SUCCEEDED) -> None:
    claim = store.claim(message, token="t", lease=clock.ms + 60_000, request_id="")
    if status == SUCCEEDED:
        store.succeed(message.uuid, claim, Snapshot(seq=1), {"n": message.member.index})
    else:
        store.fail(message.uuid, claim, Snapshot(seq=1), WORKER_LOST, status=status)


def counts(store: Store, group: Group, ends: dict[int, str]) -> list[Shard]:
    places = {group.member_place(index): status for index, status in ends.items()}
    return [
        store.groups.count(uuid, shard, keep_until(group.expires))
        for (uuid, _), shard in ended_members(places).items()
    ]


class TestOpening:
    def test_a_new_group_runs_with_no_member_ended(self, store: Store, clock: FakeClock) -> None:
        group = opened(store, clock, 3, owner="ada", fingerprint="f", stops=True)
        assert group == store.groups.get(group.uuid)
        assert (group.total, group.owner, group.fingerprint) == (3, "ada", "f")
        assert (group.stops, group.chain, group.stopped, group.ended) == (True, False, False, False)
        record = store.read(group.uuid)
        assert record is not None
        assert (record.status, record.members, record.progress, record.target) == (
            "running",
            Members(total=3),
            0,
            3,
        )

    def test_the_first_that_opens_it_wins(self, store: Store, clock: FakeClock) -> None:
        group = opened(store, clock, 3)
        message = a_message(clock, uuid=group.uuid, inputs={}, workflow=OPEN)
        state = group_state(message, Plan(total=7), now=clock.ms, deadline=clock.ms)
        assert store.groups.open(state) == (group, False)

    def test_its_place_in_another_group_is_kept(self, store: Store, clock: FakeClock) -> None:
        outer = opened(store, clock, 2)
        inner = opened(store, clock, 1, uuid=member_id(outer.uuid, 0), member=outer.member_place(0))
        assert inner.place == Place(group=outer.uuid, index=0, total=2, until=outer.deadline)
        assert store.groups.get(inner.uuid) == inner
        record = store.read(inner.uuid)
        assert record is not None
        assert record.group == outer.uuid

    def test_one_whose_message_was_given_back_unopened_is_opened(
        self, store: Store, clock: FakeClock
    ) -> None:
        uuid = str(uuid4())
        store.returned(a_message(clock, uuid=uuid), WORKER_LOST)
        assert opened(store, clock, 2, uuid=uuid).total == 2

    def test_one_that_was_settled_before_is_not_opened(self, store: Store, clock: FakeClock) -> None:
        message = a_message(clock, inputs={}, workflow=OPEN)
        store.settle(message, WORKER_LOST)
        state = group_state(message, Plan(total=1), now=clock.ms, deadline=clock.ms)
        assert store.groups.open(state) == (None, False)

    def test_there_is_no_group_where_there_is_none_or_a_job(self, store: Store, clock: FakeClock) -> None:
        message = a_message(clock)
        store.put_jobs([message])
        store.claim(message, token="t", lease=clock.ms + 1, request_id="")
        assert store.groups.get(message.uuid) is None
        assert store.groups.get(str(uuid4())) is None

    def test_nobody_claims_or_settles_a_group_that_runs(self, store: Store, clock: FakeClock) -> None:
        group = opened(store, clock)
        message = a_message(clock, uuid=group.uuid)
        clock.move(3600)
        assert store.claim(message, token="t", lease=clock.ms + 1, request_id="").answer == "busy"
        assert store.settle(message, WORKER_LOST).answer == "busy"


class TestCounting:
    def test_a_member_counted_twice_is_counted_once(self, store: Store, clock: FakeClock) -> None:
        group = opened(store, clock)
        for _ in range(3):
            (shard,) = counts(store, group, {1: FAILED})
        assert shard == Shard(number=0, ended=frozenset({1}), failed=frozenset({1}))
        record = store.read(group.uuid)
        assert record is not None
        assert record.members == Members(total=3, failed=1)

    def test_it_is_counted_as_it_was_at_first(self, store: Store, clock: FakeClock) -> None:
        group = opened(store, clock)
        counts(store, group, {0: SUCCEEDED, 1: CANCELLED})
        (shard,) = counts(store, group, {2: FAILED})
        assert shard.ended == frozenset({0, 1, 2})
        assert (shard.failed, shard.cancelled) == (frozenset({2}), frozenset({1}))

    def test_each_shard_is_an_item_of_its_own(self, store: Store, clock: FakeClock) -> None:
        group = opened(store, clock, 450)
        shards = counts(store, group, {0: SUCCEEDED, 199: FAILED, 200: SUCCEEDED, 449: CANCELLED})
        assert [shard.number for shard in shards] == [0, 1, 2]
        assert store.groups.shards(group.uuid, 450) == shards
        assert list(shards[2].indices(shards[2].cancelled)) == [449]
        record = store.read(group.uuid)
        assert record is not None
        assert record.members == Members(total=450, succeeded=2, failed=1, cancelled=1)

    def test_a_group_is_full_once_all_its_shards_are(self, store: Store, clock: FakeClock) -> None:
        group = opened(store, clock, 450)
        filled = [store.groups.fill(group.uuid, shard) for shard in (1, 1, 0)]
        assert [each is not None and each.all_counted for each in filled] == [False, False, False]
        last = store.groups.fill(group.uuid, 2)
        assert last is not None
        assert last.all_counted
        assert last.full == frozenset({0, 1, 2})

    def test_a_count_without_members_reads_the_shard(self, store: Store, clock: FakeClock) -> None:
        group = opened(store, clock)
        counts(store, group, {0: SUCCEEDED})
        assert store.groups.count(group.uuid, Shard(number=0), 1).ended == frozenset({0})

    def test_progress_of_a_watched_group_is_noticed(self, store: Store, clock: FakeClock) -> None:
        group = opened(store, clock, 250)
        ((version, _),) = store.changed({group.uuid: "?"}).values()
        assert store.changed({group.uuid: version}) == {}
        seen = {version}
        for index in (0, 249, 1):
            counts(store, group, {index: SUCCEEDED})
            ((version, record),) = store.changed({group.uuid: version}).values()
            seen.add(version)
        assert record is not None
        assert record.progress == 3  # type: ignore[union-attr]
        assert len(seen) == 4
        store.cancel(group.uuid)
        assert list(store.changed({group.uuid: version})) == [group.uuid]


class TestClosing:
    def test_the_first_close_stands(self, store: Store, clock: FakeClock) -> None:
        group = opened(store, clock)
        clock.move(5)
        store.groups.close(
            group.uuid, SUCCEEDED, Members(total=3, succeeded=3), {"outputs": '{"continuation":"c"}'}
        )
        ended = clock.ms
        clock.move(5)
        store.groups.close(group.uuid, FAILED, Members(total=3, failed=3), failure_fields(WORKER_LOST))
        record = store.read(group.uuid)
        assert record is not None
        assert (record.status, record.finished, record.failure) == (SUCCEEDED, ended, None)
        assert record.outputs == {"continuation": "c"}
        assert record.members == Members(total=3, succeeded=3)

    def test_its_members_are_counted_in_its_state_from_then_on(self, store: Store, clock: FakeClock) -> None:
        group = opened(store, clock)
        store.groups.close(
            group.uuid, FAILED, Members(total=3, succeeded=1, failed=2), failure_fields(WORKER_LOST)
        )
        counts(store, group, {0: SUCCEEDED})
        record = store.read(group.uuid)
        assert record is not None
        assert record.members == Members(total=3, succeeded=1, failed=2)
        assert record.failure is not None
        assert record.failure.message == WORKER_LOST.message

    def test_a_cancelled_one_is_marked_until_it_ends(self, store: Store, clock: FakeClock) -> None:
        group = opened(store, clock)
        assert store.cancel(group.uuid).cancel_requested
        marked = store.groups.get(group.uuid, consistent=False)
        assert marked is not None
        assert marked.stopped
        store.groups.close(
            group.uuid, CANCELLED, Members(total=3, cancelled=3), failure_fields(TASK_CANCELLED)
        )
        with pytest.raises(AlreadyFinished):
            store.cancel(group.uuid)
        closed = store.groups.get(group.uuid)
        assert closed is not None
        assert (closed.stopped, closed.ended) == (False, True)

    def test_one_that_nobody_closed_reads_as_expired_in_the_end(self, store: Store, clock: FakeClock) -> None:
        group = opened(store, clock)
        clock.move((group.expires - clock.ms) / 1000 + 1)
        record = store.read(group.uuid)
        assert record is not None
        assert (record.status, record.failure and record.failure.type) == (FAILED, "Expired")


class TestDeleting:
    def closed(self, store: Store, clock: FakeClock, total: int) -> Group:
        group = opened(store, clock, total, owner="ada")
        for index in range(total):
            ends(store, clock, member(store, clock, group, index))
        counts(store, group, dict.fromkeys(range(total), SUCCEEDED))
        store.groups.close(group.uuid, SUCCEEDED, Members(total=total, succeeded=total), {})
        return group

    @pytest.mark.parametrize("total", [0, 3, 30])
    def test_its_members_and_shards_go_with_it(self, store: Store, clock: FakeClock, total: int) -> None:
        group = self.closed(store, clock, total)
        store.delete(group.uuid)
        assert store.read(group.uuid) is None
        assert store.job(group.uuid) is None
        assert store.groups.get(group.uuid) is None
        ids = [member_id(group.uuid, index) for index in range(total)]
        assert store.read_many(ids) == {}
        assert all(store.deleted(uuid) for uuid in ids)
        assert all(not shard.ended for shard in store.groups.shards(group.uuid, total))
        assert store.list_owner("ada").records == ()
        with pytest.raises(TaskNotFound):
            store.delete(group.uuid)

    def test_one_that_runs_is_not_deleted(self, store: Store, clock: FakeClock) -> None:
        group = opened(store, clock)
        with pytest.raises(NotFinished):
            store.delete(group.uuid)

    def test_one_that_only_reads_as_ended_takes_its_members_with_it(
        self, store: Store, clock: FakeClock
    ) -> None:
        group = opened(store, clock, 1)
        ends(store, clock, member(store, clock, group, 0))
        clock.move((group.expires - clock.ms) / 1000 + 1)
        store.delete(group.uuid)
        assert store.read(member_id(group.uuid, 0)) is None
        assert store.deleted(member_id(group.uuid, 0))

    def test_late_counts_of_a_deleted_group_fill_nothing(self, store: Store, clock: FakeClock) -> None:
        group = self.closed(store, clock, 1)
        store.delete(group.uuid)
        counts(store, group, {0: SUCCEEDED})
        assert store.groups.fill(group.uuid, 0) is None
        store.groups.close(group.uuid, FAILED, Members(total=1, failed=1), {})
        assert store.read(group.uuid) is None

    def test_a_member_is_told_before_it_is_deleted(self, store: Store, clock: FakeClock) -> None:
        group = opened(store, clock, 2)
        message = member(store, clock, group, 0)
        ends(store, clock, message)
        told: list[Any] = []
        store.delete(
            message.uuid, ending=lambda record: told.append((record.status, store.read(record.uuid)))
        )
        ((status, record),) = told
        assert (status, record is not None) == (SUCCEEDED, True)
        assert store.read(message.uuid) is None

    def test_one_that_may_not_be_told_is_not_deleted(self, store: Store, clock: FakeClock) -> None:
        group = opened(store, clock, 1)
        message = member(store, clock, group, 0)
        ends(store, clock, message)

        def fails(record: object) -> None:
            raise NotFinished(message.uuid, "running")

        with pytest.raises(NotFinished):
            store.delete(message.uuid, ending=fails)
        assert store.read(message.uuid) is not None


class TestMembers:
    def test_they_are_not_listed_with_their_owners_jobs(self, store: Store, clock: FakeClock) -> None:
        group = opened(store, clock, 1, owner="ada")
        place = group.member_place(0)
        store.put_jobs([a_message(clock, uuid=member_id(group.uuid, 0), owner="ada", member=place)])
        assert [record.uuid for record in store.list_owner("ada").records] == [group.uuid]
        assert store.owner_uuids("ada")[0] == [group.uuid]

    def test_one_that_is_cancelled_before_it_begins_still_names_its_group(
        self, store: Store, clock: FakeClock
    ) -> None:
        group = opened(store, clock, 1)
        message = member(store, clock, group, 0)
        assert store.cancel(message.uuid).group == group.uuid
        record = store.read(message.uuid)
        assert record is not None
        assert (record.status, record.group) == (CANCELLED, group.uuid)
        kept = store.job(message.uuid)
        assert kept is not None
        assert kept.member == message.member

    @pytest.mark.parametrize("status", [SUCCEEDED, FAILED, CANCELLED])
    def test_its_record_names_its_group_however_it_ended(
        self, store: Store, clock: FakeClock, status: str
    ) -> None:
        group = opened(store, clock, 1)
        message = member(store, clock, group, 0)
        ends(store, clock, message, status)
        record = store.read(message.uuid)
        assert record is not None
        assert (record.status, record.group) == (status, group.uuid)
