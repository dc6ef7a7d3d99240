"""The way in: what becomes a message, and how it is published."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pytest

from serverless_tasks import InvalidInputs, NotPublished, SubmitFailed, Task, UnknownTask
from serverless_tasks.engine.backends.base import Backend
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.message import RETENTION, Message
from serverless_tasks.engine.job.options import JobOptions
from serverless_tasks.engine.services import Services, use
from serverless_tasks.engine.store.memory import MemoryStore
from serverless_tasks.engine.submit.by_name import submit_by_name
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.publication import Publication
from serverless_tasks.engine.submit.publish import publish_now
from serverless_tasks.engine.submit.submission import submit_json
from serverless_tasks.errors import ServerlessTasksError, UnknownOption
from serverless_tasks.params import IntParameter, ListParameter, NumberParameter
from tests.support.clock import FakeClock


class SumNumbers(Task):
    name = "sum"
    inputs = {"numbers": ListParameter(NumberParameter()), "times": IntParameter(required=False)}
    outputs = {"sum": NumberParameter()}

    def run(self, numbers: list[float], times: int = 1) -> float:
        return sum(numbers) * times


class Urgent(Task):
    name = "urgent"
    priority = 5

    def run(self) -> None:
        return None


class Report(Task):
    name = "report"
    queue = "low"

    def run(self) -> None:
        return None


class Outbox(Backend):
    """A backend that keeps what it is given, or fails as it is told."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.bulks: list[int] = []
        self.error: ServerlessTasksError | None = None

    def publish(self, messages: Sequence[Message]) -> list[ServerlessTasksError | None]:
        self.bulks.append(len(messages))
        self.messages += messages
        return [self.error] * len(messages)


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def services(outbox: Outbox, clock: FakeClock) -> Iterator[Services]:
    with use(Services(Config(), backend=outbox, clock=clock, store=MemoryStore(clock))) as services:
        services.registry.add(SumNumbers)
        yield services


pytestmark = pytest.mark.usefixtures("services")


def test_a_message_says_all_of_the_job(outbox: Outbox, clock: FakeClock) -> None:
    handle = SumNumbers.options(owner="7", delay=60, tenant="acme").submit(numbers=[1, "2"])

    assert outbox.messages == [
        Message(
            uuid=handle.uuid,
            task="sum",
            inputs={"numbers": [1, 2]},
            owner="7",
            options=JobOptions(tenant="acme"),
            created=clock.ms,
            expires=to_ms(clock.now() + 60 + RETENTION),
            run_at=clock.ms + 60_000,
        )
    ]


def test_each_job_has_an_id_of_its_own(outbox: Outbox) -> None:
    SumNumbers.submit_many([{"numbers": []}] * 50)

    assert len({message.uuid for message in outbox.messages}) == 50


def test_an_id_can_be_given(outbox: Outbox) -> None:
    uuid = "0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11"

    assert SumNumbers.options(uuid=uuid).submit(numbers=[]).uuid == uuid


def test_an_id_cannot_be_given_to_several_jobs(outbox: Outbox) -> None:
    with pytest.raises(UnknownOption, match="uuid names one job; 2"):
        SumNumbers.options(uuid="0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11").submit_many([{"numbers": []}] * 2)

    assert outbox.messages == []


@pytest.mark.parametrize(
    ("task", "options", "queue"),
    [
        (SumNumbers, {"priority": None}, "default"),
        (SumNumbers, {"priority": 1}, "high"),
        (SumNumbers, {"priority": -1}, "low"),
        (SumNumbers, {"queue": "low", "priority": 1}, "low"),
        (Urgent, {}, "high"),
        (Urgent, {"priority": 0}, "default"),
        (Report, {}, "low"),
        (Report, {"queue": "high"}, "high"),
        (Report, {"priority": 1}, "high"),
    ],
)
def test_the_queue(outbox: Outbox, task: type[Task], options: dict[str, Any], queue: str) -> None:
    task.options(**options).start({"numbers": []} if task is SumNumbers else {})

    assert outbox.messages[0].queue == queue


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"numbers": ["x"]},
        {"numbers": [], "colour": "red"},
        {"numbers": [float("nan")]},
        {"numbers": [b"1"]},
    ],
    ids=["missing", "ill-typed", "extra", "nan", "bytes"],
)
def test_of_inputs_that_do_not_fit_nothing_is_published(outbox: Outbox, inputs: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputs):
        SumNumbers.submit(**inputs)

    assert outbox.bulks == []


def test_a_bulk_is_published_as_one(outbox: Outbox) -> None:
    SumNumbers.submit_many({"numbers": [number]} for number in range(100))

    assert outbox.bulks == [100]


def test_a_bulk_of_nothing_is_nothing(outbox: Outbox) -> None:
    assert SumNumbers.submit_many([]) == []


def test_what_could_not_be_sent_is_raised(outbox: Outbox) -> None:
    outbox.error = SubmitFailed("down")

    with pytest.raises(SubmitFailed):
        SumNumbers.submit(numbers=[])


class TestByName:
    def test_inputs_travel_as_they_were_converted(self, services: Services, outbox: Outbox) -> None:
        submit_json(services, "sum", {"numbers": ["1"], "times": "2"}, Options(owner="7"))

        assert (outbox.messages[0].inputs, outbox.messages[0].owner) == (
            {"numbers": [1], "times": 2},
            "7",
        )

    def test_an_unknown_name_is_refused(self, services: Services, outbox: Outbox) -> None:
        with pytest.raises(UnknownTask):
            submit_json(services, "os.system", {}, Options())

        assert outbox.messages == []

    @pytest.mark.parametrize(
        "inputs", [None, [], "x", {}, {"numbers": {}}, {"numbers": [1], "x": 1}], ids=str
    )
    def test_inputs_that_do_not_fit_are_refused(
        self, services: Services, outbox: Outbox, inputs: Any
    ) -> None:
        with pytest.raises(InvalidInputs):
            submit_json(services, "sum", inputs, Options())

        assert outbox.messages == []


class TestOfATaskWithoutItsCode:
    @pytest.mark.parametrize("name", ["", "x" * 201, "\ud800"])
    def test_a_name_that_no_task_can_have_is_refused(
        self, services: Services, outbox: Outbox, name: str
    ) -> None:
        with pytest.raises(UnknownTask):
            submit_by_name(services, name, [{}], Options())

        assert outbox.messages == []

    def test_inputs_travel_unchecked(self, services: Services, outbox: Outbox) -> None:
        submit_by_name(services, "elsewhere", [{"a": 1}, {"a": 2}], Options(priority=1))

        assert [(one.task, one.inputs, one.queue) for one in outbox.messages] == [
            ("elsewhere", {"a": 1}, "high"),
            ("elsewhere", {"a": 2}, "high"),
        ]

    def test_inputs_that_are_no_object_are_refused(self, services: Services) -> None:
        with pytest.raises(InvalidInputs, match="must be an object, not list"):
            submit_by_name(services, "elsewhere", [[1]], Options())

    @pytest.mark.parametrize("value", [float("nan"), b"1", object()], ids=["nan", "bytes", "object"])
    def test_inputs_that_are_not_json_are_refused_by_name(
        self, services: Services, outbox: Outbox, value: Any
    ) -> None:
        with pytest.raises(InvalidInputs) as raised:
            submit_by_name(services, "elsewhere", [{"good": 1, "bad": value}], Options())

        assert [error.field for error in raised.value.fields] == ["bad"]
        assert outbox.messages == []


class TestInATransaction:
    """With a hook in the way, as Django's integration sets one."""

    @pytest.fixture
    def waiting(self, services: Services) -> list[Publication]:
        waiting: list[Publication] = []

        def defer(services: Services, publications: Sequence[Publication]) -> bool:
            waiting.extend(publications)
            for publication in publications:
                publication.awaited = partial(waiting.__contains__, publication)
            return True

        services.defer = defer
        return waiting

    def test_nothing_is_published_before_the_commit(
        self, services: Services, outbox: Outbox, waiting: list[Publication]
    ) -> None:
        handle = SumNumbers.submit(numbers=[])

        assert (handle.status, handle.published, outbox.messages) == ("pending", False, [])
        with pytest.raises(NotPublished, match="still open"):
            handle.wait()

    def test_a_commit_publishes_as_one_bulk(
        self, services: Services, outbox: Outbox, waiting: list[Publication]
    ) -> None:
        handles = [SumNumbers.submit(numbers=[number]) for number in range(3)]

        publish_now(services, waiting)

        assert outbox.bulks == [3]
        assert all(handle.published for handle in handles)

    def test_after_a_rollback_a_handle_says_so(
        self, services: Services, outbox: Outbox, waiting: list[Publication]
    ) -> None:
        handle = SumNumbers.submit(numbers=[])
        waiting.clear()

        assert (handle.status, handle.published) == ("failed", False)
        assert handle.error is not None
        assert handle.error["type"] == "NotPublished"
        with pytest.raises(NotPublished, match="rolled back"):
            handle.wait()

    def test_at_once_on_request(self, services: Services, outbox: Outbox, waiting: list[Publication]) -> None:
        assert SumNumbers.options(on_commit=False).submit(numbers=[]).published
        assert (len(outbox.messages), waiting) == (1, [])
