"""Submitting safely: with an idempotency key, and of unique tasks, over SQS and the table; each fault by itself."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from serverless_tasks import (
    AlreadyRunning,
    Handle,
    IdempotencyConflict,
    PayloadTooLarge,
    SubmitFailed,
    SubmitUncertain,
    Task,
    TaskClient,
)
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.services import Services, use
from serverless_tasks.engine.store.locks import GRACE_MS
from serverless_tasks.errors import AwsError, ConfigurationError
from serverless_tasks.params import StringParameter
from tests.support.aws import received
from tests.support.calls import counted_calls
from tests.support.clock import FakeClock
from tests.support.tasks import Double


class Rebuild(Task):
    name = "rebuild"
    inputs = {"index": StringParameter()}
    unique = True

    def run(self, index: str) -> None:
        return None


TASKS = (Double, Rebuild)


pytestmark = pytest.mark.usefixtures("services")


def run_all(services: Services, config: Config) -> list[str]:
    return [services.runner.execute(message).status for message in received(config)]


def broken(service: str, operation: str, error: Exception, *, applied: bool = False) -> Any:
    """A client's method that fails, before or after it took effect."""
    client = session.client(service, **({"attempts": 1} if service == "sqs" else {}))
    method = getattr(client, operation)

    def fail(**parameters: Any) -> Any:
        if applied:
            method(**parameters)
        raise error

    fail.__self__ = client  # type: ignore[attr-defined]
    return client, operation, fail


UNREACHABLE = EndpointConnectionError(endpoint_url="https://aws")
LOST = ReadTimeoutError(endpoint_url="https://aws")


def keyed(number: float = 1, key: str = "order-5", owner: str | None = "7") -> Handle:
    return Double.options(idempotency_key=key, owner=owner).submit(number=number)


def rebuild(owner: str = "7", index: str = "people") -> Handle:
    return Rebuild.options(owner=owner).submit(index=index)


class TestCalls:
    def test_without_a_key_a_submit_costs_what_it_did(self) -> None:
        with counted_calls("sqs", "dynamodb", "s3") as calls:
            Double.submit(number=1)

        assert calls == {"SendMessage": 1, "PutItem": 1}

    def test_a_key_is_one_more_write(self) -> None:
        with counted_calls("sqs", "dynamodb", "s3") as calls:
            keyed()

        assert calls == {"SendMessage": 1, "PutItem": 2}

    def test_a_repeated_key_is_a_refused_write_and_a_read(self, services: Services, config: Config) -> None:
        keyed()
        run_all(services, config)
        with counted_calls("sqs", "dynamodb", "s3") as calls:
            keyed()

        assert calls == {"PutItem": 1, "Query": 1}

    def test_other_inputs_are_a_refused_write_and_a_read(self) -> None:
        keyed(1)
        with counted_calls("sqs", "dynamodb", "s3") as calls, pytest.raises(IdempotencyConflict):
            keyed(2)

        assert calls == {"PutItem": 1, "GetItem": 1}

    def test_a_unique_job_is_one_more_write(self) -> None:
        with counted_calls("sqs", "dynamodb", "s3") as calls:
            rebuild()

        assert calls == {"SendMessage": 1, "PutItem": 2}

    def test_a_run_of_a_unique_job_costs_what_any_does(self, services: Services, config: Config) -> None:
        rebuild()
        (message,) = received(config)
        with counted_calls("sqs", "dynamodb", "s3") as calls:
            services.runner.execute(message, deadline=services.clock.now() + 100)

        assert calls == {"UpdateItem": 2}

    def test_a_hundred_unique_jobs_are_one_transaction_more(self) -> None:
        with counted_calls("sqs", "dynamodb", "s3") as calls:
            Rebuild.submit_many({"index": str(number)} for number in range(100))

        assert calls == {"TransactWriteItems": 1, "SendMessageBatch": 10, "BatchWriteItem": 4}

    def test_a_hundred_that_live_are_looked_at_together(self) -> None:
        first = Rebuild.submit_many({"index": str(number)} for number in range(100))
        with counted_calls("sqs", "dynamodb", "s3") as calls:
            again = Rebuild.submit_many({"index": str(number)} for number in range(100))

        assert calls == {"TransactWriteItems": 1, "BatchGetItem": 2}
        assert [handle.uuid for handle in again] == [handle.uuid for handle in first]
        assert all(handle.repeated and handle.published for handle in again)


class TestAKey:
    def test_gives_back_the_first_job_as_it_is_now(self, services: Services, config: Config) -> None:
        first = keyed()
        waiting = keyed()
        run_all(services, config)
        ended = keyed()

        assert (first.repeated, waiting.repeated, ended.repeated) == (False, True, True)
        assert {first.uuid, waiting.uuid, ended.uuid} == {first.uuid}
        assert (waiting.status, ended.status, ended.outputs) == ("pending", "succeeded", {"doubled": 2})
        assert received(config) == []

    def test_with_other_inputs_is_refused(self, config: Config) -> None:
        keyed(1)

        with pytest.raises(IdempotencyConflict, match="'order-5' was used for a job of task 'double'"):
            keyed(2)

        assert len(received(config)) == 1

    def test_counts_for_its_owner_and_its_task(self, config: Config) -> None:
        uuids = {keyed(owner="7").uuid, keyed(owner="8").uuid, keyed(owner=None).uuid}
        uuids.add(Rebuild.options(idempotency_key="order-5", owner="7").submit(index="a").uuid)

        assert len(uuids) == 4

    def test_is_forgotten_after_a_day(self, clock: FakeClock) -> None:
        first = keyed()
        clock.move(86_400)
        assert keyed().uuid == first.uuid
        clock.move(0.001)

        assert keyed().uuid != first.uuid

    def test_is_remembered_as_long_as_asked(self, clock: FakeClock) -> None:
        def monthly() -> Handle:
            return Double.options(idempotency_key="2026-01", idempotency_ttl=20 * 86_400).submit(number=1)

        first = monthly()
        clock.move(19 * 86_400)

        assert monthly().uuid == first.uuid

    def test_whose_writer_s_clock_is_ahead_is_taken_all_the_same(
        self, services: Services, config: Config
    ) -> None:
        with use(Services(config, clock=FakeClock(services.clock.now() + 300))):
            first = keyed()

        assert keyed().uuid == first.uuid

    def test_whose_writer_died_before_the_send_names_the_same_job(
        self, services: Services, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Killed(BaseException):
            pass

        with monkeypatch.context() as patched:
            patched.setattr(*broken("sqs", "send_message", Killed()))  # type: ignore[arg-type]
            with pytest.raises(Killed):
                keyed()
        assert received(config) == []

        handle = keyed()

        assert (handle.published, handle.repeated) == (True, False)
        assert [message.uuid for message in received(config)] == [handle.uuid]

    def test_of_a_send_that_surely_failed_names_the_same_job(
        self, services: Services, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        uuids: list[str] = []
        keep_uuids(monkeypatch, services, uuids)
        with monkeypatch.context() as patched:
            patched.setattr(*broken("sqs", "send_message", UNREACHABLE))
            with pytest.raises(SubmitFailed):
                keyed()

        handle = keyed()

        assert uuids == [handle.uuid, handle.uuid]
        assert [message.uuid for message in received(config)] == [handle.uuid]
        assert run_all(services, config) == []

    @pytest.mark.parametrize("applied", [False, True], ids=["was lost", "has arrived"])
    def test_of_a_send_whose_answer_was_lost_sends_the_same_job(
        self, services: Services, config: Config, monkeypatch: pytest.MonkeyPatch, applied: bool
    ) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(*broken("sqs", "send_message", LOST, applied=applied))
            with pytest.raises(SubmitUncertain) as raised:
                keyed()

        handle = keyed()

        assert (handle.uuid, handle.repeated) == (raised.value.uuid, False)
        assert run_all(services, config).count("succeeded") == 1
        assert (keyed().repeated, keyed().outputs) == (True, {"doubled": 2})

    def test_of_a_job_that_was_sent_and_not_kept_is_one_job(
        self, services: Services, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def put_jobs(_: Any) -> None:
            raise AwsError("dynamodb.PutItem", "Throttled", "slow down", applied=False)

        with monkeypatch.context() as patched:
            patched.setattr(services.store, "put_jobs", put_jobs)
            with pytest.raises(SubmitUncertain) as raised:
                keyed()

        handle = keyed()

        assert handle.uuid == raised.value.uuid
        assert run_all(services, config).count("succeeded") == 1

    def test_that_cannot_be_written_sends_nothing(
        self, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(*broken("dynamodb", "put_item", UNREACHABLE))

        with pytest.raises(AwsError):
            keyed()

        assert received(config) == []

    def test_whose_write_was_lost_on_its_way_back_names_the_same_job(
        self, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(*broken("dynamodb", "put_item", LOST, applied=True))
            with pytest.raises(AwsError):
                keyed()

        first, second = keyed(), keyed()

        assert (first.repeated, second.repeated, first.uuid) == (False, True, second.uuid)
        assert [message.uuid for message in received(config)] == [first.uuid]

    def test_is_free_again_when_its_inputs_are_too_large_for_good(
        self, config: Config, clock: FakeClock
    ) -> None:
        bare = Config(table=config.table, queue_urls=config.queue_urls)
        with use(Services(bare, clock=clock)) as services:
            services.registry.add(Rebuild)
            submission = Rebuild.options(idempotency_key="k", unique=False)
            with pytest.raises(PayloadTooLarge):
                submission.submit(index="x" * 300_000)

            assert submission.submit(index="x").published

    def test_is_free_again_when_there_is_no_such_queue(self) -> None:
        with pytest.raises(ConfigurationError):
            Double.options(idempotency_key="k", queue="gpu").submit(number=1)

        assert Double.options(idempotency_key="k").submit(number=2).published

    def test_that_two_race_for_is_one_job(self, services: Services, config: Config) -> None:
        """The second asks between the first one's write and its send."""
        others: list[Handle] = []
        before_send(services, lambda: others.append(keyed()))

        first = keyed()

        assert [other.uuid for other in others] == [first.uuid]
        statuses = run_all(services, config)
        assert statuses == ["succeeded", "ended"]
        assert [record.uuid for record in services.store.list_owner("7").records] == [first.uuid]


def keep_uuids(monkeypatch: pytest.MonkeyPatch, services: Services, uuids: list[str]) -> None:
    publish = services.backend.publish

    def keeping(messages: Any) -> Any:
        uuids.extend(message.uuid for message in messages)
        return publish(messages)

    monkeypatch.setattr(services.backend, "publish", keeping)


def before_send(services: Services, act: Callable[[], object]) -> None:
    """Let something happen once, just before the next send."""
    publish = services.backend.publish

    def interrupted(messages: Any) -> Any:
        services.backend.publish = publish  # type: ignore[method-assign]
        act()
        return publish(messages)

    services.backend.publish = interrupted  # type: ignore[method-assign]


class TestAUniqueTask:
    def test_gives_its_owner_the_live_job_back(self, services: Services, config: Config) -> None:
        first, second = rebuild(), rebuild()

        assert (second.uuid, second.repeated, second.published) == (first.uuid, True, True)
        assert len(received(config)) == 1

    def test_tells_another_owner_no_more_than_that_there_is_one(self) -> None:
        first = rebuild("7")

        with pytest.raises(AlreadyRunning, match="task 'rebuild' with these inputs") as raised:
            rebuild("8")

        assert first.uuid not in str(raised.value)

    def test_is_one_job_for_each_inputs(self) -> None:
        assert rebuild(index="people").uuid != rebuild(index="places").uuid

    def test_can_be_submitted_again_once_it_has_ended(self, services: Services, config: Config) -> None:
        first = rebuild("7")
        run_all(services, config)

        second = rebuild("8")

        assert second.uuid != first.uuid
        assert (second.repeated, len(received(config))) == (False, 1)

    def test_can_be_one_by_option_and_none_by_option(self, config: Config) -> None:
        once = Double.options(unique=True)
        assert once.submit(number=1).uuid == once.submit(number=1).uuid
        assert Rebuild.options(unique=False).submit(index="a").uuid != rebuild(index="a").uuid

    def test_whose_code_is_elsewhere_can_be_one_by_option(self, services: Services) -> None:
        client = TaskClient(services=services)

        first, second = (client.submit_many("elsewhere", [{"a": 1}], unique=True)[0] for _ in range(2))

        assert second.uuid == first.uuid

    def test_that_was_surely_not_sent_is_free_for_another_owner(
        self, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(*broken("sqs", "send_message", UNREACHABLE))
            with pytest.raises(SubmitFailed):
                rebuild("7")

        assert rebuild("8").published

    def test_whose_place_cannot_be_freed_says_so_and_is_taken_over_in_time(
        self, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(*broken("sqs", "send_message", UNREACHABLE))
            patched.setattr(*broken("dynamodb", "update_item", UNREACHABLE))
            with pytest.raises(SubmitFailed) as raised:
                rebuild("7")
        assert any("remains until it is taken over" in note for note in raised.value.__notes__)
        with pytest.raises(AlreadyRunning):
            rebuild("8")
        clock.move(GRACE_MS / 1000 + 0.001)

        assert rebuild("8").published

    def test_whose_writer_died_before_the_send_is_submitted_by_its_owner_at_once(
        self, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Killed(BaseException):
            pass

        with monkeypatch.context() as patched:
            patched.setattr(*broken("sqs", "send_message", Killed()))  # type: ignore[arg-type]
            with pytest.raises(Killed):
                rebuild()

        handle = rebuild()

        assert (handle.published, handle.repeated, len(received(config))) == (True, False, 1)

    def test_whose_second_send_failed_while_the_first_one_arrived_is_not_free(
        self, services: Services, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def second() -> None:
            with monkeypatch.context() as patched:
                patched.setattr(*broken("sqs", "send_message", UNREACHABLE))
                with pytest.raises(SubmitFailed):
                    rebuild("7")

        before_send(services, second)
        first = rebuild("7")

        assert rebuild("7").uuid == first.uuid
        assert len(received(config)) == 1

    def test_is_one_job_after_a_lost_answer_and_a_failed_send(
        self, services: Services, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(*broken("sqs", "send_message", LOST, applied=True))
            with pytest.raises(SubmitUncertain) as lost:
                rebuild("7")
        with monkeypatch.context() as patched:
            patched.setattr(*broken("sqs", "send_message", UNREACHABLE))
            with pytest.raises(SubmitFailed):
                rebuild("7")

        assert rebuild("7").uuid == lost.value.uuid

    def test_whose_first_send_failed_while_a_second_one_arrived_is_not_free(
        self, services: Services, config: Config, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
    ) -> None:
        def second() -> None:
            clock.move(0.1)
            rebuild("7")
            monkeypatch.setattr(*broken("sqs", "send_message", UNREACHABLE))

        before_send(services, second)
        with pytest.raises(SubmitFailed):
            rebuild("7")
        monkeypatch.undo()

        with pytest.raises(AlreadyRunning):
            rebuild("8")

        assert len(received(config)) == 1

    def test_that_two_race_for_is_one_job(self, services: Services, config: Config) -> None:
        others: list[Handle] = []
        before_send(services, lambda: others.append(rebuild()))

        first = rebuild()

        assert [other.uuid for other in others] == [first.uuid]
        assert run_all(services, config) == ["succeeded", "ended"]

    def test_in_a_bulk_is_submitted_once_for_each_inputs(self, services: Services, config: Config) -> None:
        handles = Rebuild.submit_many({"index": index} for index in ["a", "b", "a", "c", "b"])

        assert [handle.repeated for handle in handles] == [False, False, True, False, True]
        assert [handles[0].uuid, handles[1].uuid] == [handles[2].uuid, handles[4].uuid]
        assert all(handle.published for handle in handles)
        assert len(received(config)) == 3

    def test_of_another_owner_in_a_bulk_is_refused_alone(self, config: Config) -> None:
        rebuild("7", "b")

        handles = Rebuild.options(owner="8").submit_many({"index": index} for index in ["a", "b", "c", "b"])

        assert [handle.published for handle in handles] == [True, False, True, False]
        assert isinstance(handles[1].publication_error, AlreadyRunning)
        with pytest.raises(AlreadyRunning):
            handles[3].wait()

    def test_is_mapped_once_for_each_inputs(
        self, services: Services, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(services.clock, "sleep", lambda _: run_all(services, config))

        records = TaskClient(services=services).map(Rebuild, [{"index": index} for index in ["a", "b", "a"]])

        assert [record.status for record in records] == ["succeeded", "succeeded"]


class TestAKeyOfAUniqueTask:
    def once(self, key: str, owner: str = "7") -> Handle:
        return Rebuild.options(idempotency_key=key, owner=owner).submit(index="people")

    def test_is_two_writes_more(self) -> None:
        with counted_calls("sqs", "dynamodb", "s3") as calls:
            self.once("k")

        assert calls == {"SendMessage": 1, "PutItem": 3}

    def test_keeps_the_live_job_that_it_was_given(self, services: Services, config: Config) -> None:
        first = rebuild()
        given = self.once("k")
        run_all(services, config)

        later = self.once("k")

        assert (given.uuid, given.repeated) == (first.uuid, True)
        assert (later.uuid, later.status) == (first.uuid, "succeeded")

    def test_outlives_a_send_that_failed(self, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(*broken("sqs", "send_message", UNREACHABLE))
            with pytest.raises(SubmitFailed):
                self.once("k")

        handle = self.once("k")

        assert (handle.published, [message.uuid for message in received(config)]) == (True, [handle.uuid])

    def test_that_another_owner_s_job_refused_is_a_job_of_its_own_later(
        self, services: Services, config: Config
    ) -> None:
        first = rebuild("8")
        with pytest.raises(AlreadyRunning):
            self.once("k")
        run_all(services, config)

        handle = self.once("k")

        assert (handle.repeated, handle.uuid == first.uuid) == (False, False)
