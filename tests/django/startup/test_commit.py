"""Publishing on commit."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from botocore.exceptions import EndpointConnectionError
from django.db import connection, transaction
from django.test import TestCase

from serverless_tasks import TaskClient
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.place import member_id
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import NotPublished, SubmitFailed, SubmitUncertain
from serverless_tasks.workflow import Group, chain, group
from tests.django.conftest import queued, stored
from tests.django.shop.background import SumNumbers

transactional = pytest.mark.django_db(transaction=True, databases=["default", "other"])


class Stop(Exception):
    pass


@contextmanager
def rolled_back() -> Iterator[None]:
    """A transaction, or a savepoint, that is rolled back."""
    with suppress(Stop), transaction.atomic():
        yield
        raise Stop


@contextmanager
def raising(error: type[Exception]) -> Iterator[None]:
    """An end of a transaction at which an error is raised."""
    with pytest.raises(error):
        yield


def unreachable(**_: Any) -> Any:
    raise EndpointConnectionError(endpoint_url="https://sqs")


def sums() -> list[int]:
    return sorted(message.inputs["numbers"][0] for message in queued())


@async_to_sync
async def submit_from_a_coroutine(**options: Any) -> list[Any]:
    by_task = await SumNumbers.options(**options).asubmit(numbers=[1])
    return [by_task, *await TaskClient().asubmit_many(SumNumbers, [{"numbers": [2]}], **options)]


@transactional
@pytest.mark.parametrize("commits", [True, False])
def test_a_coroutine_inside_a_transaction_waits_for_its_commit(commits: bool) -> None:
    with transaction.atomic() if commits else rolled_back():
        handles = submit_from_a_coroutine()
        assert [handle.published for handle in handles] == [False, False]
        assert queued() == []
    assert [handle.published for handle in handles] == [commits, commits]
    assert sums() == ([1, 2] if commits else [])


@transactional
def test_a_coroutine_that_says_so_sends_at_once() -> None:
    with transaction.atomic():
        handles = submit_from_a_coroutine(on_commit=False)
        assert [handle.published for handle in handles] == [True, True]


@transactional
def test_a_job_is_published_when_the_transaction_commits() -> None:
    with transaction.atomic():
        handle = SumNumbers.submit(numbers=[1])
        assert (handle.status, handle.published) == ("pending", False)
        assert queued() == []
    assert handle.published
    assert sums() == [1]
    assert handle.refresh().status == "pending"


@transactional
def test_ten_jobs_are_one_send_and_one_write(calls: Counter[str]) -> None:
    with transaction.atomic():
        for number in range(10):
            SumNumbers.submit(numbers=[number])
    assert calls == {"SendMessageBatch": 1, "BatchWriteItem": 1}
    assert sums() == list(range(10))


@transactional
def test_a_rollback_drops_the_job() -> None:
    with rolled_back():
        handle = SumNumbers.submit(numbers=[1])
    assert not handle.published
    assert handle.error is not None
    assert handle.error["type"] == "NotPublished"
    assert handle.status == "failed"
    with pytest.raises(NotPublished, match="rolled back"):
        handle.wait(timeout=0)
    assert (queued(), stored()) == ([], 0)


@transactional
def test_untracked_jobs_of_a_transaction_are_one_send(calls: Counter[str]) -> None:
    with transaction.atomic():
        handles = [SumNumbers.options(track=False).submit(numbers=[number]) for number in range(10)]
    assert calls == {"SendMessageBatch": 1}
    assert [handle.refresh().status for handle in handles] == ["pending"] * 10
    assert (sums(), stored()) == (list(range(10)), 0)


@transactional
def test_a_rollback_drops_an_untracked_job() -> None:
    with rolled_back():
        handle = SumNumbers.options(track=False).submit(numbers=[1])
    assert handle.refresh().error == {
        "type": "NotPublished",
        "message": "The transaction that submitted the job was rolled back.",
    }
    with pytest.raises(NotPublished, match="rolled back"):
        handle.cancel()
    assert (queued(), stored()) == ([], 0)


@transactional
@pytest.mark.parametrize("commits", [True, False])
def test_a_job_notes_its_retry_when_the_transaction_commits(commits: bool) -> None:
    first = SumNumbers.submit(numbers=[1])
    first.cancel()
    client = TaskClient()
    with transaction.atomic() if commits else rolled_back():
        again = client.retry(first.uuid)
        assert client.get(first.uuid).retried_as == ()
    assert client.get(first.uuid).retried_as == ((again.uuid,) if commits else ())


@transactional
@pytest.mark.parametrize("commits", [True, False])
def test_a_group_notes_its_retry_when_the_transaction_commits(commits: bool) -> None:
    members = [SumNumbers.signature(numbers=[number]) for number in range(2)]
    first = group(members, deadline=60).submit()
    client = TaskClient()
    for index in range(2):
        client.cancel(member_id(first.uuid, index))
    assert first.refresh().record.ended
    with transaction.atomic() if commits else rolled_back():
        again = client.retry_failed(first.uuid)
        assert client.get(first.uuid).retried_as == ()
    assert client.get(first.uuid).retried_as == ((again.uuid,) if commits else ())


@transactional
def test_waiting_before_the_commit_is_refused() -> None:
    with transaction.atomic():
        handle = SumNumbers.submit(numbers=[1])
        with pytest.raises(NotPublished, match="still open"):
            handle.wait(timeout=0)
        with pytest.raises(NotPublished):
            handle.cancel()


@transactional
def test_a_savepoint_that_is_rolled_back_drops_its_jobs_alone() -> None:
    with transaction.atomic():
        before = SumNumbers.submit(numbers=[1])
        with rolled_back():
            inside = SumNumbers.submit(numbers=[2])
            with transaction.atomic():
                deeper = SumNumbers.submit(numbers=[3])
        assert inside.status == deeper.status == "failed"
        assert before.status == "pending"
        with transaction.atomic():
            SumNumbers.submit(numbers=[4])
        SumNumbers.submit(numbers=[5])
    assert [before.published, inside.published, deeper.published] == [True, False, False]
    assert sums() == [1, 4, 5]


@transactional
def test_an_option_publishes_at_once() -> None:
    with rolled_back():
        handle = SumNumbers.options(on_commit=False).submit(numbers=[1])
        assert handle.published
    assert sums() == [1]


@transactional
def test_outside_a_transaction_it_is_published_at_once() -> None:
    assert SumNumbers.submit(numbers=[1]).published


@transactional
def test_another_databases_transaction_counts_when_the_default_has_none() -> None:
    with transaction.atomic(using="other"):
        handle = SumNumbers.submit(numbers=[1])
        assert not handle.published
    assert handle.published


@transactional
def test_a_send_that_fails_on_commit_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current_services().queue._client, "send_message", unreachable)
    monkeypatch.setattr(current_services().queue._clock, "sleep", lambda seconds: None)
    with pytest.raises(SubmitFailed), transaction.atomic():
        handle = SumNumbers.submit(numbers=[1])
    assert isinstance(handle.publication_error, SubmitFailed)
    with pytest.raises(SubmitFailed):
        handle.wait(timeout=0)
    assert not connection.in_atomic_block


@transactional
def test_a_job_that_cannot_be_sent_does_not_take_the_others_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent = current_services().queue._client.send_message_batch

    def send(**batch: Any) -> Any:
        entries = batch.pop("Entries")
        bad = [entry for entry in entries if '"numbers":[1]' in entry["MessageBody"]]
        answer = sent(**batch, Entries=[entry for entry in entries if entry not in bad])
        failed = [{"Id": entry["Id"], "SenderFault": True, "Code": "Invalid"} for entry in bad]
        return answer | {"Failed": failed}

    monkeypatch.setattr(current_services().queue._client, "send_message_batch", send)
    monkeypatch.setattr(current_services().queue._client, "send_message", unreachable)
    monkeypatch.setattr(current_services().queue._clock, "sleep", lambda seconds: None)
    with raising(SubmitFailed), transaction.atomic():
        first = SumNumbers.submit(numbers=[1])
        with transaction.atomic():
            second = SumNumbers.submit(numbers=[2])
        third = SumNumbers.submit(numbers=[3])
    assert isinstance(first.publication_error, SubmitFailed)
    assert second.published
    assert third.published
    assert sums() == [2, 3]


@transactional
def test_jobs_of_all_savepoints_of_a_transaction_are_one_send(calls: Counter[str]) -> None:
    with transaction.atomic():
        for number in range(5):
            with transaction.atomic():
                SumNumbers.submit(numbers=[number])
    assert calls == {"SendMessageBatch": 1, "BatchWriteItem": 1}
    assert sums() == list(range(5))


def broken() -> None:
    raise Stop("the hook of another app")


class TestAnotherHookThatRaises:
    @transactional
    @pytest.mark.parametrize("before", [0, 1, 2], ids="{} jobs before".format)
    def test_the_jobs_of_the_transaction_are_sent_all_the_same(self, before: int) -> None:
        with raising(Stop), transaction.atomic():
            handles = [SumNumbers.submit(numbers=[number]) for number in range(before)]
            transaction.on_commit(broken)
            handles += [SumNumbers.submit(numbers=[number]) for number in range(before, 3)]
        assert [handle.published for handle in handles] == [True] * 3
        assert handles[0].refresh().status == "pending"
        assert sums() == [0, 1, 2]

    @transactional
    def test_those_of_a_savepoint_that_was_rolled_back_are_not(self) -> None:
        with raising(Stop), transaction.atomic():
            transaction.on_commit(broken)
            with rolled_back():
                inside = SumNumbers.submit(numbers=[1])
            SumNumbers.submit(numbers=[2])
        assert inside.status == "failed"
        assert sums() == [2]

    @transactional
    def test_what_cannot_be_sent_then_is_logged_and_known_to_the_handle(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(current_services().queue._client, "send_message", unreachable)
        monkeypatch.setattr(current_services().queue._clock, "sleep", lambda seconds: None)
        with raising(Stop), transaction.atomic():
            transaction.on_commit(broken)
            handle = SumNumbers.submit(numbers=[1])
        assert isinstance(handle.publication_error, SubmitFailed)
        assert "could not be published" in caplog.text

    @transactional
    def test_a_hook_that_runs_before_finds_the_jobs_waiting(self) -> None:
        seen = []
        with transaction.atomic():
            transaction.on_commit(lambda: seen.append((handle.status, handle.published)))
            handle = SumNumbers.submit(numbers=[1])
            transaction.on_commit(lambda: seen.append((handle.status, handle.published)))
        assert seen == [("pending", False), ("pending", True)]

    @transactional
    def test_a_backend_that_raises_what_it_should_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def publish(messages: Any) -> Any:
            raise ValueError("a backend of the project's own")

        monkeypatch.setattr(current_services().backend, "publish", publish)
        with pytest.raises(SubmitUncertain, match="project's own"), transaction.atomic():
            handle = SumNumbers.submit(numbers=[1])
        assert isinstance(handle.publication_error, SubmitUncertain)


class TestManualSavepoints:
    @transactional
    def test_a_rollback_drops_the_jobs_that_were_submitted_since(self) -> None:
        with transaction.atomic():
            before = SumNumbers.submit(numbers=[1])
            savepoint = connection.savepoint()
            since = SumNumbers.submit(numbers=[2])
            with transaction.atomic():
                deeper = SumNumbers.submit(numbers=[3])
            later = connection.savepoint()
            SumNumbers.submit(numbers=[4])
            transaction.savepoint_rollback(later)
            assert (since.status, deeper.status) == ("pending", "pending")
            transaction.savepoint_rollback(savepoint)
            assert (before.status, since.status, deeper.status) == ("pending", "failed", "failed")
            SumNumbers.submit(numbers=[5])
        assert sums() == [1, 5]

    @transactional
    def test_one_that_is_released_keeps_them(self) -> None:
        with transaction.atomic():
            savepoint = connection.savepoint()
            SumNumbers.submit(numbers=[1])
            transaction.savepoint_commit(savepoint)
        assert sums() == [1]


@pytest.mark.usefixtures("scheduling")
class TestGroups:
    """Groups, and chains, of which nothing is sent before the commit."""

    @staticmethod
    def of(size: int) -> Group:
        return group(SumNumbers.signature(numbers=[number]) for number in range(size))

    @transactional
    def test_ten_thousand_members_are_sent_on_commit_as_one(
        self, calls: Counter[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent: list[list[int]] = []

        def send(*, QueueUrl: str, Entries: list[dict[str, str]]) -> Any:  # noqa: N803
            messages = [Message.decode(entry["MessageBody"]) for entry in Entries]
            sent.append([message.inputs["numbers"][0] for message in messages])
            return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}

        # moto looks at all messages of a queue with each call.
        monkeypatch.setattr(current_services().queue._client, "send_message_batch", send)
        with transaction.atomic():
            handle = self.of(10_000).submit()
            assert (handle.status, handle.published) == ("pending", False)
            assert calls == {}
            assert (sent, stored()) == ([], 0)
        assert handle.published
        assert len(sent) == 1_000
        assert sorted(number for batch in sent for number in batch) == list(range(10_000))
        assert calls["BatchWriteItem"] == 400
        assert calls.total() - 400 <= 60
        assert handle.refresh().record.to_json()["members"]["total"] == 10_000

    @transactional
    def test_a_rollback_leaves_nothing_of_them(self, calls: Counter[str]) -> None:
        with rolled_back():
            handle = self.of(10_000).submit()
        assert calls == {}
        assert (handle.published, handle.status) == (False, "failed")
        with pytest.raises(NotPublished, match="rolled back"):
            handle.wait(timeout=0)
        assert (queued(), stored()) == ([], 0)

    @transactional
    def test_a_savepoint_that_is_rolled_back_drops_its_groups_alone(self) -> None:
        with transaction.atomic():
            SumNumbers.submit(numbers=[7])
            kept = self.of(2).submit()
            with rolled_back():
                dropped = self.of(3).submit()
        assert (kept.published, dropped.published) == (True, False)
        assert sums() == [0, 1, 7]
        assert kept.refresh().members.total == 2

    @transactional
    def test_one_that_cannot_be_sent_does_not_take_the_jobs_with_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(current_services().queue._client, "send_message_batch", unreachable)
        monkeypatch.setattr(current_services().queue._clock, "sleep", lambda seconds: None)
        with raising(SubmitUncertain), transaction.atomic():
            whole = self.of(3).submit()
            job = SumNumbers.submit(numbers=[7])
        assert isinstance(whole.publication_error, SubmitUncertain)
        assert job.published
        assert sums() == [7]

    @transactional
    def test_it_is_submitted_again_with_its_id(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(current_services().queue._client, "send_message_batch", unreachable)
            patched.setattr(current_services().queue._clock, "sleep", lambda seconds: None)
            with raising(SubmitUncertain), transaction.atomic():
                first = self.of(3).submit()
        with transaction.atomic():
            again = self.of(3).options(uuid=first.uuid).submit()
        assert again.published
        assert sums() == [0, 1, 2]

    @transactional
    def test_one_key_is_one_group_in_a_transaction(self) -> None:
        with transaction.atomic():
            first, second = (self.of(2).options(idempotency_key="album").submit() for _ in range(2))
        assert (first.uuid, first.published, second.published) == (second.uuid, True, True)
        assert sums() == [0, 1]

    @transactional
    def test_a_chain_begins_with_the_commit(self) -> None:
        with transaction.atomic():
            handle = chain(SumNumbers.signature(numbers=[1]), SumNumbers.signature(numbers=[2])).submit()
            assert queued() == []
        assert handle.published
        assert sums() == [1]


class TestWithAutocommitOff:
    @pytest.fixture(autouse=True)
    def autocommit(self, transactional_db: None) -> Iterator[None]:
        transaction.set_autocommit(False)
        yield
        if not transaction.get_autocommit():
            transaction.rollback()
            transaction.set_autocommit(True)

    def test_a_job_is_sent_by_the_commit(self, calls: Counter[str]) -> None:
        handles = [SumNumbers.submit(numbers=[number]) for number in range(2)]
        assert (handles[0].published, queued()) == (False, [])
        calls.clear()
        transaction.commit()
        assert handles[0].published
        assert calls == {"SendMessageBatch": 1, "BatchWriteItem": 1}
        transaction.rollback()
        transaction.commit()
        assert sums() == [0, 1]

    def test_a_rollback_drops_it(self) -> None:
        handle = SumNumbers.submit(numbers=[1])
        transaction.rollback()
        transaction.commit()
        assert handle.status == "failed"
        assert queued() == []

    def test_that_of_a_savepoint_drops_what_was_submitted_since(self) -> None:
        with transaction.atomic():  # SQLite has savepoints in such a block alone
            SumNumbers.submit(numbers=[1])
            savepoint = connection.savepoint()
            SumNumbers.submit(numbers=[2])
            transaction.savepoint_rollback(savepoint)
        transaction.commit()
        assert sums() == [1]

    def test_an_atomic_block_is_a_part_of_the_transaction(self) -> None:
        with transaction.atomic():
            handle = SumNumbers.submit(numbers=[1])
        with rolled_back():
            SumNumbers.submit(numbers=[2])
        assert not handle.published
        transaction.commit()
        assert sums() == [1]

    def test_turning_autocommit_on_ends_it(self) -> None:
        handle = SumNumbers.submit(numbers=[1])
        transaction.set_autocommit(True)
        assert handle.published

    def test_a_send_that_fails_is_raised_by_the_commit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(current_services().queue._client, "send_message", unreachable)
        monkeypatch.setattr(current_services().queue._clock, "sleep", lambda seconds: None)
        SumNumbers.submit(numbers=[1])
        with pytest.raises(SubmitFailed):
            transaction.commit()

    def test_hooks_of_others_are_left_to_django(self) -> None:
        ran = []
        with transaction.atomic():
            transaction.on_commit(lambda: ran.append("other"))
            SumNumbers.submit(numbers=[1])
        transaction.commit()
        assert (ran, sums()) == ([], [1])
        transaction.set_autocommit(True)
        assert ran == ["other"]


class TestInDjangosTestCase(TestCase):
    def test_captured_callbacks_publish(self) -> None:
        early = SumNumbers.submit(numbers=[0])
        with self.captureOnCommitCallbacks(execute=True) as callbacks:
            first = SumNumbers.submit(numbers=[1])
            second = SumNumbers.submit(numbers=[2])
            assert not first.published
        assert len(callbacks) == 2
        assert first.published
        assert second.published
        with self.captureOnCommitCallbacks(execute=True):
            third = SumNumbers.submit(numbers=[3])
        assert third.published
        assert early.published
        assert sums() == [0, 1, 2, 3]
