"""Keys and unique tasks compare inputs as they were converted; rows of before, which hold what was given, count too."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import BaseModel, Field

from serverless_tasks import AlreadyRunning, Handle, IdempotencyConflict, SubmitUncertain, Task
from serverless_tasks.client.resubmit import resubmit
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.backends.base import Backend
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.services import Services, current_services, use
from serverless_tasks.engine.store.memory import MemoryStore
from serverless_tasks.engine.submit.by_name import submit_by_name
from serverless_tasks.engine.submit.job_locks import key_lock
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.submission import Submission, submit_json
from serverless_tasks.errors import ServerlessTasksError
from serverless_tasks.params import IntParameter, NumberParameter
from tests.integration.submit.test_reserve import LOST, broken, received
from tests.support import earlier
from tests.support.calls import counted_calls
from tests.support.clock import FakeClock

EARLIER = json.loads((Path(__file__).parents[2] / "events/locks_of_given_inputs.json").read_text())


class Count(Task):
    name = "count"
    inputs = {"n": IntParameter(), "times": NumberParameter(required=False)}

    def run(self, n: int, times: float = 2) -> None:
        return None


class Tagged(BaseModel):
    tags: list[str] = Field(default_factory=list)
    token: UUID = Field(default_factory=uuid4)


class Order(BaseModel):
    order: int
    currency: str = "EUR"
    payment: UUID = Field(default_factory=uuid4, alias="Payment")
    tagged: Tagged = Field(default_factory=Tagged)


class Charge(Task[Order]):
    name = "charge"

    def run(self) -> None:
        return None


TOKEN = "0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11"
# Inputs that are the same for the run.
COUNTS = [{"n": 1}, {"n": "1"}, {"n": 1.0}, {"n": "1", "times": 2}, {"n": 1, "times": "2.0"}]
COUNTS += [{"n": 1, "times": 2.0}]
ORDERS = [{"order": 5}, {"order": "5"}, {"order": 5, "currency": "EUR"}]
ORDERS += [{"currency": "EUR", "order": 5.0, "tagged": {}}, {"order": 5, "tagged": {"tags": []}}]
SAME = [(Count, COUNTS), (Charge, ORDERS)]
OTHERS: list[tuple[type[Task], dict[str, Any], dict[str, Any]]] = [
    (Count, {"n": 1}, {"n": 2}),
    (Count, {"n": 1}, {"n": 1, "times": 3}),
    (Charge, {"order": 5}, {"order": 5, "currency": "USD"}),
    (Charge, {"order": 5}, {"order": 5, "Payment": TOKEN}),
    (Charge, {"order": 5, "Payment": str(uuid4())}, {"order": 5, "Payment": TOKEN}),
    (Charge, {"order": 5}, {"order": 5, "tagged": {"tags": ["a"]}}),
    (Charge, {"order": 5}, {"order": 5, "tagged": {"token": TOKEN}}),
]


class Kept(Backend):
    """A backend that keeps jobs waiting."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def publish(self, messages: Sequence[Message]) -> list[ServerlessTasksError | None]:
        self._store.put_jobs(messages)
        return [None] * len(messages)


@pytest.fixture(params=["memory", "table"])
def services(request: pytest.FixtureRequest, clock: FakeClock) -> Iterator[Services]:
    """Over the table, and with everything in memory."""
    if request.param == "table":
        made = Services(request.getfixturevalue("config"), clock=clock)
    else:
        store = MemoryStore(clock)
        made = Services(Config(), clock=clock, store=store, backend=Kept(store))
    with use(made):
        for task in (Count, Charge):
            made.registry.add(task)
        yield made


def by_json(task: type[Task], inputs: Any, **options: Any) -> Handle:
    return submit_json(current_services(), task.name, inputs, Options.parse({"owner": "7", **options}))


def by_python(task: type[Task], inputs: Any, **options: Any) -> Handle:
    return task.options(**{"owner": "7", **options}).submit(**inputs)


WAYS = {"json": by_json, "python": by_python}
Way = Callable[..., Handle]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    return WAYS[request.param]


pytestmark = pytest.mark.usefixtures("services")


class TestTheSameInputs:
    @pytest.mark.parametrize(("task", "inputs"), SAME, ids=["dictionary", "model"])
    def test_are_one_job_under_a_key(self, way: Way, task: type[Task], inputs: list[Any]) -> None:
        first = by_json(task, inputs[0], idempotency_key="k")

        assert [way(task, each, idempotency_key="k").uuid for each in inputs] == [first.uuid] * len(inputs)

    @pytest.mark.parametrize(("task", "inputs"), SAME, ids=["dictionary", "model"])
    def test_are_one_unique_job(self, way: Way, task: type[Task], inputs: list[Any]) -> None:
        first = by_json(task, inputs[0], unique=True)

        assert [way(task, each, unique=True).uuid for each in inputs] == [first.uuid] * len(inputs)

    @pytest.mark.parametrize(("task", "inputs"), SAME, ids=["dictionary", "model"])
    def test_are_one_unique_job_in_a_bulk(self, task: type[Task], inputs: list[Any]) -> None:
        handles = task.options(unique=True).submit_many(inputs)

        assert len({handle.uuid for handle in handles}) == 1
        assert [handle.repeated for handle in handles] == [False] + [True] * (len(inputs) - 1)

    def test_are_one_unique_job_when_it_is_submitted_once_more(
        self, services: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of inputs that nobody has converted, as a script without the task's code sends them."""
        monkeypatch.setattr(Count, "unique", True)
        (ended,) = submit_by_name(services, "count", [{"n": "1"}], Options())
        services.store.cancel(ended.uuid)
        live = Count.submit(n=1)

        assert resubmit(services, ended.uuid).uuid == live.uuid

    def test_sent_again_with_what_a_validator_makes_anew_are_one_job_under_a_key(self) -> None:
        class Noted(BaseModel):
            text: str
            note: str | None = None

            def model_post_init(self, context: Any) -> None:
                self.note = self.note or str(uuid4())

        class Note(Task[Noted]):
            name = "note"

            def run(self) -> None:
                return None

        first, again = (by_json_of(Note, {"text": "a"}, idempotency_key="k") for _ in range(2))

        assert first.uuid == again.uuid


def by_json_of(task: type[Task], inputs: Any, **options: Any) -> Handle:
    """As `by_json`, of a task that no one has registered."""
    return Submission(task, Options.parse(options)).start_json(inputs)


class TestOtherInputs:
    @pytest.mark.parametrize(("task", "one", "other"), OTHERS)
    def test_are_a_conflict_under_a_key(self, way: Way, task: type[Task], one: Any, other: Any) -> None:
        way(task, one, idempotency_key="k")

        with pytest.raises(IdempotencyConflict):
            way(task, other, idempotency_key="k")

    @pytest.mark.parametrize(("task", "one", "other"), OTHERS)
    def test_are_two_unique_jobs(self, way: Way, task: type[Task], one: Any, other: Any) -> None:
        assert way(task, one, unique=True).uuid != way(task, other, unique=True).uuid


class TestRowsOfBefore:
    """They are in `tests/events`; see `tests.support.earlier`."""

    @pytest.fixture
    def services(self, config: Config) -> Iterator[Services]:
        with use(Services(config, clock=FakeClock(earlier.NOW + 60))) as services:
            for task in earlier.TASKS:
                services.registry.add(task)
            for item in EARLIER:
                session.client("dynamodb").put_item(TableName=config.table, Item=item)
            yield services

    @pytest.mark.parametrize(
        ("number", "task", "key", "inputs"),
        [
            (1, earlier.Count, "http", {"n": "1"}),
            (2, earlier.Count, "python", {"n": "1"}),
            (3, earlier.Charge, "charge", {"order": "5"}),
        ],
    )
    @pytest.mark.parametrize("days", [0, 24])
    def test_of_a_key_give_back_its_job(
        self, services: Services, number: int, task: type[Task], key: str, inputs: Any, days: int
    ) -> None:
        services.clock.move(days * 86_400)  # type: ignore[attr-defined]

        again = by_json(task, inputs, idempotency_key=key)

        assert (again.uuid, again.repeated) == (earlier.options(number).uuid, True)

    def test_of_a_key_give_back_its_job_in_python(self, services: Services) -> None:
        assert by_python(earlier.Count, {"n": "1"}, idempotency_key="python").repeated

    def test_of_a_key_with_inputs_that_were_in_their_form_already(self, services: Services) -> None:
        """What the row has is what is compared now of any form of the inputs."""
        unchecked = Options.parse({"owner": "7", "idempotency_key": "new"})
        (first,) = submit_by_name(services, "count", [{"n": 1}], unchecked)

        assert by_json(earlier.Count, {"n": "1"}, idempotency_key="new").uuid == first.uuid

    @pytest.mark.parametrize(
        ("task", "key", "inputs"),
        [
            (earlier.Count, "http", {"n": "2"}),
            (earlier.Charge, "charge", {"order": "6"}),
            (earlier.Charge, "charge", {"order": "5", "currency": "USD"}),
        ],
    )
    def test_of_a_key_are_a_conflict_with_others(self, task: type[Task], key: str, inputs: Any) -> None:
        with pytest.raises(IdempotencyConflict):
            by_json(task, inputs, idempotency_key=key)

    @pytest.mark.parametrize(
        ("number", "task", "inputs"),
        [
            (4, earlier.CountOnce, {"n": "1"}),
            (5, earlier.ChargeOnce, {"order": 5}),
            (6, earlier.CountOnce, {"n": 2}),
        ],
    )
    def test_of_a_unique_job_that_lives_give_it_back(
        self, number: int, task: type[Task], inputs: Any
    ) -> None:
        again = by_json(task, inputs)

        assert (again.uuid, again.repeated) == (earlier.options(number).uuid, True)
        with pytest.raises(AlreadyRunning):
            by_json(task, inputs, owner="8")

    def test_of_a_unique_job_that_lives_are_found_in_any_form_from_then_on(self) -> None:
        live = by_json(earlier.CountOnce, {"n": "1"})

        assert by_json(earlier.CountOnce, {"n": 1}).uuid == live.uuid
        assert by_python(earlier.CountOnce, {"n": 1.0}).uuid == live.uuid

    def test_of_a_unique_job_of_another_owner_leave_its_place_alone(self) -> None:
        with pytest.raises(AlreadyRunning):
            by_json(earlier.CountOnce, {"n": "1"}, owner="8")

        assert by_json(earlier.CountOnce, {"n": "1"}).uuid == earlier.options(4).uuid

    def test_of_unique_jobs_that_live_in_a_bulk(self) -> None:
        handles = earlier.CountOnce.options(owner="7").submit_many([{"n": n} for n in ("1", "2", "3", 3)])

        known = [earlier.options(number).uuid for number in (4, 6)]
        assert [handle.uuid for handle in handles[:2]] == known
        assert handles[2].uuid == handles[3].uuid
        assert [handle.repeated for handle in handles] == [True, True, False, True]

    def test_of_a_unique_job_that_has_ended_count_no_more(self, services: Services) -> None:
        services.store.cancel(str(earlier.options(4).uuid))

        again = by_json(earlier.CountOnce, {"n": "1"})

        assert (again.repeated, again.uuid == earlier.options(4).uuid) == (False, False)

    def test_of_a_unique_job_that_was_never_published_send_that_one(
        self, services: Services, config: Config
    ) -> None:
        job = {"pk": {"S": str(earlier.options(4).uuid)}, "sk": {"S": "job"}}
        session.client("dynamodb").delete_item(TableName=config.table, Key=job)

        again = by_json(earlier.CountOnce, {"n": "1"})

        assert (again.uuid, again.repeated, again.published) == (earlier.options(4).uuid, False, True)


class TestASendThatMayHaveBeenApplied:
    """The job that it has sent is sent once more, and whichever message is run, it is one payment."""

    @pytest.fixture
    def services(self, config: Config, clock: FakeClock) -> Iterator[Services]:
        with use(Services(config, clock=clock)) as services:
            services.registry.add(Charge)
            yield services

    @pytest.mark.parametrize("options", [{"idempotency_key": "k"}, {"unique": True}], ids=["key", "unique"])
    def test_is_repeated_with_the_same_inputs(
        self, config: Config, way: Way, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(*broken("sqs", "send_message", LOST, applied=True))
            with pytest.raises(SubmitUncertain):
                way(Charge, {"order": "5"}, **options)
        way(Charge, {"order": "5"}, **options)

        messages = received(config)
        assert len(messages) > 1
        assert len({(message.uuid, message.inputs["Payment"]) for message in messages}) == 1


class TestCalls:
    @pytest.fixture
    def services(self, config: Config, clock: FakeClock) -> Iterator[Services]:
        with use(Services(config, clock=clock)) as services:
            for task in (Count, Charge):
                services.registry.add(task)
            yield services

    def counted(self, *inputs: Any, **options: Any) -> dict[str, int]:
        with counted_calls("sqs", "dynamodb", "s3") as calls:
            Count.options(**options).submit_many(inputs)
        return dict(calls)

    def test_of_inputs_in_their_form_are_as_many_as_ever(self) -> None:
        assert self.counted({"n": 1, "times": 3}, unique=True) == {"SendMessage": 1, "PutItem": 2}

    def test_of_inputs_that_were_converted_are_one_read_more(self) -> None:
        assert self.counted({"n": "1"}, unique=True) == {"SendMessage": 1, "PutItem": 2, "GetItem": 1}

    def test_under_a_key_are_as_many_as_ever(self) -> None:
        assert self.counted({"n": "1"}, idempotency_key="k") == {"SendMessage": 1, "PutItem": 2}

    def test_without_either_are_as_many_as_ever(self) -> None:
        assert self.counted({"n": "1"}) == {"SendMessage": 1, "PutItem": 1}

    def test_of_a_hundred_that_were_converted_are_one_read_more(self) -> None:
        calls = self.counted(*({"n": str(n)} for n in range(100)), unique=True)

        assert calls == {
            "BatchGetItem": 1,
            "TransactWriteItems": 1,
            "SendMessageBatch": 10,
            "BatchWriteItem": 4,
        }

    def test_of_a_model_in_python_are_as_many_as_ever(self) -> None:
        with counted_calls("sqs", "dynamodb", "s3") as calls:
            Charge.options(unique=True).submit(order="5")

        assert calls == {"SendMessage": 1, "PutItem": 2}


def test_a_key_whose_inputs_were_converted_is_known_to_the_version_before(
    config: Config, clock: FakeClock
) -> None:
    """While both versions run, the one before compares what its row has by that name: the hash of what was given."""
    message = Message(uuid=TOKEN, task="count", owner="7", inputs={"n": "1"}, created=clock.ms)
    with use(Services(config, clock=clock)) as services:
        services.registry.add(Count)
        submit_json(services, "count", {"n": "1"}, Options(owner="7", idempotency_key="k"))
    (row,) = [
        item
        for item in session.client("dynamodb").scan(TableName=config.table)["Items"]
        if item["pk"]["S"].startswith("key#")
    ]

    assert row["fingerprint"] == {"S": key_lock(message, "k", clock.ms, 60).fingerprint}
    assert set(row) == {"pk", "sk", "uuid", "fingerprint", "converted", "created", "expires", "ttl"}
