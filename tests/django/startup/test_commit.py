"""Publishing on commit."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from django.db import connection, transaction
from django.test import TestCase

from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import NotPublished, SubmitFailed
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


def sums() -> list[int]:
    return sorted(message.inputs["numbers"][0] for message in queued())


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
    def send(**_: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="https://sqs")

    monkeypatch.setattr(current_services().queue._client, "send_message", send)
    monkeypatch.setattr(current_services().queue._clock, "sleep", lambda seconds: None)
    with pytest.raises(SubmitFailed), transaction.atomic():
        handle = SumNumbers.submit(numbers=[1])
    assert isinstance(handle.publication_error, SubmitFailed)
    with pytest.raises(SubmitFailed):
        handle.wait(timeout=0)
    assert not connection.in_atomic_block


@transactional
def test_a_bulk_that_cannot_be_sent_does_not_take_the_next_one_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent = current_services().queue._client.send_message

    def send(**message: Any) -> Any:
        if '"numbers":[1]' in message["MessageBody"]:
            raise EndpointConnectionError(endpoint_url="https://sqs")
        return sent(**message)

    monkeypatch.setattr(current_services().queue._client, "send_message", send)
    monkeypatch.setattr(current_services().queue._clock, "sleep", lambda seconds: None)
    with transaction.atomic():
        first = SumNumbers.submit(numbers=[1])
        with transaction.atomic():
            second = SumNumbers.submit(numbers=[2])
    assert isinstance(first.publication_error, SubmitFailed)
    assert second.published
    assert sums() == [2]


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
