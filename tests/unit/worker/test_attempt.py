"""One run of a task: what it is given, what it returns or raises, and the lease that it runs under."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest
from pydantic import BaseModel

from serverless_tasks import Task, TaskError, UnknownTask
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.job.message import inputs_key
from serverless_tasks.engine.job.record import NEUTRAL_MESSAGE, WORKER_LOST, Failure, Record
from serverless_tasks.engine.worker.outcome import DeliveryResult, failure_of
from serverless_tasks.engine.worker.time_limit.limit import STOP_GRACE
from serverless_tasks.errors import PayloadTooLarge
from serverless_tasks.params import IntParameter, NumberParameter, Parameter
from tests.support.jobs import a_message
from tests.support.worker import World, asks, broken

WHOSE: ContextVar[str] = ContextVar("whose")


class TooFewNumbers(TaskError):
    pass


@pytest.mark.parametrize("value", [3, 0, "", [], None, False])
def test_a_result_is_recorded_and_the_message_is_done_with(world: World, value: Any) -> None:
    world.task(lambda task: value)

    outcome = world.execute()

    assert (outcome.status, outcome.give_back, outcome.attempt) == ("succeeded", None, 1)
    assert (world.record.status, world.record.outputs) == ("succeeded", {"result": value})


def test_inputs_are_converted_for_run(world: World) -> None:
    def run(task: Task, number: int, times: int = 2) -> int:
        return number * times

    world.task(run, inputs={"number": IntParameter(), "times": IntParameter(required=False)})

    world.execute(a_message(world.clock, uuid=world.message.uuid, task="work", inputs={"number": "21"}))

    assert world.record.outputs == {"result": 42}


def test_a_coroutine_is_run(world: World) -> None:
    async def run(task: Task) -> int:
        await asyncio.sleep(0)
        return 5

    world.task(run)
    world.execute()

    assert world.record.outputs == {"result": 5}


def test_a_coroutine_is_run_where_an_event_loop_is_running(world: World) -> None:
    seen: list[Any] = []

    async def run(task: Task) -> int:
        await asyncio.sleep(0)
        seen.append(WHOSE.get())
        return 5

    async def view() -> DeliveryResult:
        WHOSE.set("the caller's")
        return world.execute()

    world.task(run)

    assert asyncio.run(view()).status == "succeeded"
    assert world.record.outputs == {"result": 5}
    assert seen == ["the caller's"]


def test_what_a_coroutine_raises_where_an_event_loop_is_running_is_its_own(world: World) -> None:
    async def run(task: Task) -> None:
        raise TooFewNumbers("Give two.")

    async def view() -> DeliveryResult:
        return world.execute()

    world.task(run)
    asyncio.run(view())

    assert (world.record.status, world.record.failure and world.record.failure.type) == (
        "failed",
        "TooFewNumbers",
    )


class Box(BaseModel):
    width: int


class Wrapped(Task[Box]):
    name = "work"

    def __init__(self, params: Box) -> None:
        super().__init__(params)
        self.twice = 2 * params.width

    def run(self) -> int:
        self.inc_progress(increment=3)
        return self.twice


class Counting(Task[Box]):
    name = "work"

    def __init__(self) -> None:
        super().__init__()
        self.count = 1

    def run(self) -> int:
        return self.count + self.params.width


@pytest.mark.parametrize(("kind", "result"), [(Wrapped, 10), (Counting, 6)], ids=["of params", "of nothing"])
def test_a_task_may_have_an_init_of_its_own(world: World, kind: type[Task], result: int) -> None:
    world.registry.add(kind)
    message = a_message(world.clock, task="work", inputs={"width": 5})
    world.store.put_jobs([message])

    world.execute(message)

    record = world.store.read(message.uuid)
    assert record is not None
    assert record.outputs == {"result": result}


def test_a_generator_is_run_and_its_list_is_the_result(world: World) -> None:
    def run(task: Task) -> Any:
        yield 1
        yield 2

    world.task(run)
    world.execute()

    assert world.record.outputs == {"result": [1, 2]}


def test_what_a_generator_raises_is_tried_again_as_that_of_any_task(world: World) -> None:
    def run(task: Task) -> Any:
        yield 1
        raise ValueError("not at once")

    world.task(run, retries=1)

    assert world.execute().status == "pending"


class Listed(Parameter):
    def to_json(self, value: Any) -> Any:
        return list(value)


@pytest.mark.parametrize("lazily", [iter, lambda made: map(int, made)], ids=["generator", "any iterator"])
def test_what_is_made_while_it_is_read_is_under_the_time_limit(
    world: World, lazily: Callable[[Any], Any]
) -> None:
    def endless() -> Iterator[int]:
        while True:
            time.sleep(0.01)
            yield 1

    world.task(lambda task: lazily(endless()), timeout=0.1, outputs={"result": Listed()})
    world.execute()

    assert world.record.failure is not None
    assert (world.record.status, world.record.failure.type) == ("failed", "TaskTimeout")


def test_a_coroutine_that_cancels_itself_fails(world: World) -> None:
    async def run(task: Task) -> None:
        raise asyncio.CancelledError

    world.task(run)

    assert world.execute().status == "failed"


def test_a_task_knows_its_run(world: World) -> None:
    seen: list[Any] = []
    world.task(lambda task: seen.append((task.execution.uuid, task.execution.attempt)))
    world.execute(request_id="r")

    assert seen == [(world.message.uuid, 1)]
    assert world.record.request_id == "r"


def test_an_exception_is_recorded_and_hidden_from_browsers(world: World) -> None:
    world.task(broken)

    outcome = world.execute()

    assert (outcome.status, outcome.give_back) == ("failed", None)
    assert isinstance(outcome.exception, ValueError)
    assert world.record.error == {"type": "ValueError", "message": NEUTRAL_MESSAGE}
    assert world.record.to_json(reveal=True)["error"]["message"] == "the password is x"
    assert "in broken" in world.record.history[0].failure.traceback


def test_a_traceback_begins_with_the_task(world: World) -> None:
    world.task(broken)

    world.execute()

    trace = world.record.history[0].failure.traceback
    assert trace.startswith("Traceback (most recent call last):\n")
    assert "attempt.py" not in trace
    assert "enforcement.py" not in trace


def test_a_traceback_of_ours_alone_is_kept_whole() -> None:
    with pytest.raises(UnknownTask) as raised:
        Registry().get("nothing")

    assert "registry.py" in failure_of(raised.value.with_traceback(raised.tb.tb_next)).traceback


def test_a_task_error_is_shown_to_its_user(world: World) -> None:
    def run(task: Task) -> None:
        raise TooFewNumbers("Give two numbers.")

    world.task(run)
    world.execute()

    assert world.record.error == {"type": "TooFewNumbers", "message": "Give two numbers."}


def test_leaving_the_process_is_a_failure_like_others(world: World) -> None:
    def run(task: Task) -> None:
        raise SystemExit(1)

    world.task(run)

    assert world.execute().status == "failed"


def test_a_cancelled_error_outside_a_coroutine_is_a_failure_like_others(world: World) -> None:
    def run(task: Task) -> None:
        raise asyncio.CancelledError

    world.task(run)

    assert world.execute().status == "failed"
    assert world.record.failure is not None
    assert world.record.failure.type == "CancelledError"


def test_progress_is_recorded_with_the_end(world: World) -> None:
    def run(task: Task) -> None:
        task.set_target(10)
        task.inc_progress(4)
        task.add_message("one")
        task.add_message("two")
        raise ValueError("it broke")

    world.task(run)
    world.execute()

    record = world.record
    assert (record.progress, record.target, record.messages) == (4, 10, ("one", "two"))


def test_outputs_that_do_not_fit_are_a_failure_that_is_not_tried_again(world: World) -> None:
    world.task(lambda task: "a lot", outputs={"sum": NumberParameter()}, retries=5)

    assert world.execute().status == "failed"
    assert world.record.failure is not None
    assert world.record.failure.type == "InvalidOutputs"


def test_outputs_that_do_not_fit_are_not_shown_to_browsers(world: World) -> None:
    world.task(lambda task: {"password": "swordfish"}, outputs={"sum": NumberParameter()})

    world.execute()

    assert world.record.error == {"type": "InvalidOutputs", "message": NEUTRAL_MESSAGE}


def test_outputs_that_have_no_utf8_are_a_failure(world: World) -> None:
    world.task(lambda task: "half a pair: \ud800")

    assert world.execute().status == "failed"
    assert world.record.failure is not None
    assert world.record.failure.type == "InvalidOutputs"


def test_an_exception_that_has_no_text_is_recorded(world: World) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise KeyError("reason")

    def run(task: Task) -> None:
        raise Mute

    world.task(run)

    assert world.execute().status == "failed"
    assert world.record.failure is not None
    assert world.record.failure.message == "The exception has no message: its __str__ raised KeyError."


def raising(error: BaseException) -> Callable[..., Any]:
    def method(*_: Any) -> Any:
        raise error

    return method


def odd(*args: Any, base: type[BaseException] = Exception, **members: Any) -> BaseException:
    made: BaseException = type("Odd", (base,), members)(*args)
    return made


def an_odd_syntax_error() -> SyntaxError:
    error = SyntaxError("half a template")
    error.lineno, error.offset, error.text = "three", [], 5  # type: ignore[assignment]
    return error


class Unprintable(Exception):
    """One of which Python's own traceback module finds no context, in any version."""

    @property
    def __suppress_context__(self) -> bool:
        raise AttributeError("there is none")


def caused_by(cause: BaseException) -> BaseException:
    error = ValueError("on the surface")
    error.__cause__ = cause
    return error


def nested(depth: int) -> BaseException:
    error: Exception = ValueError("the inmost")
    for _ in range(depth):
        error = ExceptionGroup("around it", [error])
    return error


class Text(str):
    replace = encode = raising(ValueError("a text of its own"))


class Hidden:
    __dir__ = raising(SystemExit(1))


NO_TEXT = "The exception has no message: its __str__ raised "


# Made where they are raised: of most of them pytest could not even make a name.
ODD: dict[str, tuple[Callable[[], BaseException], str, str]] = {
    "syntax error": (an_odd_syntax_error, "SyntaxError", "half a template"),
    "syntax error of four arguments": (
        lambda: SyntaxError("m", ("f", 1, None, 7)),
        "SyntaxError",
        "m (f, line 1)",
    ),
    "bool": (lambda: odd("text", __bool__=raising(ValueError("no"))), "Odd", "text"),
    "len": (lambda: odd("text", __len__=raising(ValueError("no"))), "Odd", "text"),
    "str exits": (lambda: odd("text", __str__=raising(SystemExit(3))), "Odd", NO_TEXT + "SystemExit."),
    "str ends a generator": (
        lambda: odd("text", __str__=raising(GeneratorExit())),
        "Odd",
        NO_TEXT + "GeneratorExit.",
    ),
    "str cancels": (
        lambda: odd("text", __str__=raising(asyncio.CancelledError())),
        "Odd",
        NO_TEXT + "CancelledError.",
    ),
    "str of a subclass": (lambda: odd("text", __str__=lambda self: Text("its own")), "Odd", "its own"),
    "exit without a text": (
        lambda: odd("text", base=SystemExit, __str__=raising(ValueError())),
        "Odd",
        NO_TEXT + "ValueError.",
    ),
    "class": (lambda: odd("text", __class__=property(raising(ValueError("no class")))), "Odd", "text"),
    "getattribute": (lambda: odd("text", __getattribute__=raising(SystemExit(3))), "Odd", "text"),
    "module": (lambda: odd("text", __module__=None), "Odd", "text"),
    "cause without a text": (
        lambda: caused_by(odd(__str__=raising(SystemExit(3)))),
        "ValueError",
        "on the surface",
    ),
    "cause that cannot be printed": (
        lambda: caused_by(an_odd_syntax_error()),
        "ValueError",
        "on the surface",
    ),
    "dir exits": (lambda: AttributeError("none", name="at", obj=Hidden()), "AttributeError", "none"),
    "deep group": (lambda: nested(3000), "ExceptionGroup", "around it (1 sub-exception)"),
}


@pytest.mark.parametrize("name", ODD)
def test_every_exception_ends_its_attempt(world: World, name: str) -> None:
    made, kind, message = ODD[name]

    def run(task: Task) -> None:
        raise made()

    world.task(run)

    assert world.execute().status == "failed"
    assert world.record.failure is not None
    assert (world.record.failure.type, world.record.failure.message) == (kind, message)
    [attempt] = world.record.history
    assert ", in run\n" in attempt.failure.traceback
    assert kind in attempt.failure.traceback


def test_an_exception_that_python_cannot_print_is_tried_again_and_says_so(world: World) -> None:
    def run(task: Task) -> None:
        raise Unprintable("half a template")

    world.task(run, retries=1)

    assert world.execute().status == "pending"
    world.clock.move(1000)
    assert world.execute(world.sent.pop()).status == "failed"
    for attempt in world.record.history:
        assert ", in run\nUnprintable: half a template\n" in attempt.failure.traceback
        assert attempt.failure.traceback.endswith(
            "Python cannot print the whole traceback of this exception: that raised AttributeError.\n"
        )


def test_code_without_a_module_of_its_own_is_in_the_traceback(world: World) -> None:
    made: dict[str, Any] = {"__name__": None}
    exec("def run(task):\n    raise ValueError('made')", made)
    world.task(made["run"])

    assert world.execute().status == "failed"
    assert "in run\nValueError: made" in world.record.history[0].failure.traceback


def test_inputs_that_do_not_fit_are_a_failure_that_is_not_tried_again(world: World) -> None:
    world.task(lambda task, number: number, inputs={"number": IntParameter()}, retries=5)

    assert world.execute().status == "failed"
    assert world.record.failure is not None
    assert (world.record.failure.type, world.record.failure.public) == ("InvalidInputs", True)


def test_outputs_too_large_to_keep_are_a_failure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def succeed(*_: Any) -> None:
        raise PayloadTooLarge("outputs", 500_000, 300_000)

    monkeypatch.setattr(world.store, "succeed", succeed)
    world.task(lambda task: "x", retries=5)

    assert world.execute().status == "failed"
    assert world.record.error is not None
    assert "500,000 bytes; the limit is 300,000" in world.record.error["message"]


def test_a_class_that_contradicts_itself_is_a_failure(world: World) -> None:
    world.task(lambda task: None, inputs={"number": IntParameter()})

    assert world.execute().status == "failed"
    assert world.record.failure is not None
    assert world.record.failure.type == "TaskDefinitionError"


def test_large_inputs_are_fetched(world: World) -> None:
    class Kept:
        def put(self, key: str, data: bytes) -> None:
            raise AssertionError

        def get(self, key: str) -> bytes:
            assert key == inputs_key(world.message.uuid)
            return b'{"number": 5}'

    world.blobs = Kept()
    world.task(lambda task, number: number, inputs={"number": IntParameter()})

    world.execute(
        a_message(
            world.clock,
            uuid=world.message.uuid,
            task="work",
            inputs={},
            inputs_key=inputs_key(world.message.uuid),
        )
    )

    assert world.record.outputs == {"result": 5}


def test_a_lease_lasts_to_the_functions_deadline(world: World) -> None:
    busy: list[int] = []

    def run(task: Task) -> None:
        claim = world.store.claim(world.message, token="other", lease=0, request_id="")
        busy.append(claim.until)

    world.task(run)
    world.execute(deadline=world.clock.now() + 123)

    assert busy == [world.clock.ms + 123_000]


def test_a_worker_without_deadline_renews_its_lease(world: World) -> None:
    leases: list[float] = []

    def run(task: Task) -> None:
        for _ in range(5):
            world.clock.pass_wait(20)
            world.clock.pass_wait(1)
            claim = world.store.claim(world.message, token="other", lease=0, request_id="")
            assert claim.answer == "busy"
            leases.append(claim.until / 1000 - world.clock.now())

    world.task(run, timeout=600)

    assert world.execute(deadline=None).status == "succeeded"
    assert leases == pytest.approx([59] * 5)


def test_a_worker_whose_task_cannot_be_stopped_gives_its_lease_up(world: World) -> None:
    leases: list[int] = []

    def run(task: Task) -> None:
        for _ in range(8):
            world.clock.pass_wait(20)
            world.clock.pass_wait(1)
            claim = world.store.claim(world.message, token="other", lease=0, request_id="")
            leases.append(claim.until)

    world.task(run, timeout=30)
    began = world.clock.ms

    world.execute(deadline=None)

    assert max(leases) == began + (30 + STOP_GRACE + 60) * 1000


@pytest.mark.parametrize(("has_queue", "status"), [(True, "running"), (False, "failed")])
def test_a_job_that_no_queue_holds_reads_as_lost_once_its_lease_is_over(
    world: World, has_queue: bool, status: str
) -> None:
    read: list[Record] = []

    def run(task: Task) -> None:
        world.clock.move(301)
        read.append(world.record)

    world.has_queue = has_queue
    world.task(run)
    world.execute(deadline=world.clock.now() + 300)

    assert read[0].status == status
    assert has_queue or read[0].error == {"type": "WorkerLost", "message": WORKER_LOST.message}


def test_a_retry_that_no_queue_holds_reads_as_expired_an_hour_after_its_time(world: World) -> None:
    world.has_queue = False
    world.task(asks(7200), retries=1)

    world.execute()

    world.clock.move(7200 + 3600)
    assert world.record.status == "pending"
    world.clock.move(1)
    assert world.record.error is not None
    assert world.record.error["type"] == "Expired"


def test_a_settled_job_keeps_its_end(world: World) -> None:
    def run(task: Task) -> int:
        world.clock.move(400)
        world.store.settle(world.message, Failure(type="Undeliverable", message="given up"))
        return 5

    world.task(run)

    assert world.execute().status == "lost"
    assert world.record.error == {"type": "Undeliverable", "message": "given up"}


def test_a_job_that_was_claimed_in_time_is_run_even_when_it_expires_before_its_turn(world):
    world.task(lambda self: 42)
    claim = world.store.claim(
        world.message, token="mine", lease=world.message.expires + 300_000, request_id=""
    )
    world.clock.move(world.message.expires / 1000 - world.clock.now() + 1)
    assert world.execute(claim=claim).status == "succeeded"
    assert world.record.outputs == {"result": 42}


def test_a_claim_that_is_interrupted_is_given_back(world, monkeypatch):
    def interrupted(*args, **options):
        claim(*args, **options)
        raise KeyboardInterrupt

    world.task(lambda self: 42)
    claim = world.store.claim
    monkeypatch.setattr(world.store, "claim", interrupted)
    with pytest.raises(KeyboardInterrupt):
        world.execute()
    assert (world.record.status, world.record.attempt) == ("pending", 0)
