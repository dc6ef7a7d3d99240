"""Whatever a task's ``run`` returns is run to its end before the job succeeds, and within the run's limits."""

import asyncio
import functools
import threading
import types
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterator,
)
from concurrent.futures import Future, ThreadPoolExecutor
from types import GeneratorType
from typing import Annotated, Any, Never, NoReturn

import pytest
from pydantic import BaseModel, SecretStr

from serverless_tasks import Task, TaskError
from serverless_tasks.engine.definition.registry import Registry, definition_of
from serverless_tasks.engine.job.record import Record
from serverless_tasks.engine.store.memory import MemoryStore
from serverless_tasks.engine.worker.runner import Runner
from serverless_tasks.engine.worker.time_limit import limit as limits
from serverless_tasks.errors import TaskDefinitionError
from serverless_tasks.params import Parameter, StringParameter
from serverless_tasks.testing import recorded
from tests.support.clock import FakeClock
from tests.support.jobs import a_message

FOR_EVER = 60.0


class World:
    """A runner, what tasks have done, and what became of one job."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore(self.clock)
        self.registry = Registry()
        self.done: list[Any] = []

    def record_of(self, task: type[Task], **inputs: Any) -> Record:
        self.registry.add(task)
        message = a_message(self.clock, task=task.name, inputs=inputs)
        self.store.put_jobs([message])
        runner = Runner(self.registry, self.store, None, lambda message: None, self.clock)
        runner.execute(message, deadline=self.clock.now() + 300)
        record = self.store.read(message.uuid)
        assert record is not None
        return record

    def run(self, run: Any, **attributes: Any) -> Record:
        declared = {"name": "work", "run": run, "outputs": {"result": Parameter()}, **attributes}
        return self.record_of(type("Work", (Task,), {"__module__": "shop", **declared}))


@pytest.fixture
def world() -> World:
    return World()


# -- what `run` may be -------------------------------------------------------------------------------------------


def plain(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A ``def`` that returns what another function makes."""

    def run(task: Any) -> Any:
        return function(task)

    return run


def kinds(done: list[Any]) -> dict[str, Any]:  # noqa: C901 - a list of functions, one below the other
    """Every way to write a run whose work is done after it has returned; each does two things, and gives them back."""

    async def coroutine(task: Task) -> list[int]:
        for each in (1, 2):
            await asyncio.sleep(0)
            done.append(each)
        return [1, 2]

    async def async_generator(task: Task) -> AsyncIterator[int]:
        for each in (1, 2):
            await asyncio.sleep(0)
            done.append(each)
            yield each

    def generator(task: Task) -> Iterator[int]:
        for each in (1, 2):
            done.append(each)
            yield each

    async def gives_generator(task: Task) -> Any:
        return generator(task)

    async def gives_async_generator(task: Task) -> Any:
        return async_generator(task)

    async def gives_coroutine(task: Task) -> Any:
        return coroutine(task)

    async def gives_coroutine_of_coroutine(task: Task) -> Any:
        return gives_coroutine(task)

    async def gives_asyncio_task(task: Task) -> Any:
        return asyncio.create_task(coroutine(task))

    async def gives_future(task: Task) -> Any:
        return asyncio.ensure_future(coroutine(task))

    @types.coroutine
    def old_coroutine(task: Task) -> Any:
        return (yield from coroutine(task).__await__())

    class Deferred:
        def __init__(self, task: Task) -> None:
            self.task = task

        def __await__(self) -> Any:
            return coroutine(self.task).__await__()

    class Rows:
        def __init__(self, task: Task) -> None:
            self.rows = async_generator(task)

        def __aiter__(self) -> Any:
            return self

        def __anext__(self) -> Any:
            return self.rows.__anext__()

    def noted(each: int) -> int:
        done.append(each)
        return each

    def pooled(task: Task) -> Any:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, coroutine(task))

    def decorated(task: Task, function: Callable[[Task], Any]) -> Any:
        @functools.wraps(function)
        def wrapper(self: Task) -> Any:
            return function(self)

        return wrapper(task)

    return {
        "coroutine": coroutine,
        "async generator": async_generator,
        "generator": generator,
        "coroutine, generator": gives_generator,
        "coroutine, async generator": gives_async_generator,
        "coroutine, coroutine": gives_coroutine,
        "coroutine, coroutine, coroutine": gives_coroutine_of_coroutine,
        "coroutine, asyncio's task": gives_asyncio_task,
        "coroutine, future": gives_future,
        "types.coroutine": old_coroutine,
        "function, coroutine": plain(coroutine),
        "function, async generator": plain(async_generator),
        "function, generator": plain(generator),
        "function, awaitable": plain(Deferred),
        "function, async iterator": plain(Rows),
        "function, pool's future": pooled,
        "function, map": lambda task: map(noted, (1, 2)),
        "function, filter": lambda task: filter(noted, (1, 2)),
        "decorated coroutine": functools.partialmethod(decorated, coroutine),
        "decorated async generator": functools.partialmethod(decorated, async_generator),
        "partialmethod of a coroutine": functools.partialmethod(coroutine),
        "partialmethod of a generator": functools.partialmethod(generator),
    }


@pytest.mark.parametrize("kind", sorted(kinds([])))
@pytest.mark.parametrize("outputs", [{"result": Parameter()}, {}], ids=["outputs", "no outputs"])
def test_it_is_run_to_its_end_before_the_job_succeeds(
    world: World, kind: str, outputs: dict[str, Parameter]
) -> None:
    record = world.run(kinds(world.done)[kind], outputs=outputs)

    assert (record.status, world.done) == ("succeeded", [1, 2])
    assert record.outputs == ({"result": [1, 2]} if outputs else {})


@pytest.mark.parametrize("kind", ["async generator", "coroutine, generator", "coroutine, coroutine"])
def test_it_is_run_where_an_event_loop_is_running(world: World, kind: str) -> None:
    async def view() -> Record:
        return world.run(kinds(world.done)[kind])

    assert asyncio.run(view()).outputs == {"result": [1, 2]}


def test_what_gives_itself_when_it_is_awaited_is_awaited_once(world: World) -> None:
    class Pool:
        def __await__(self) -> Any:
            world.done.append("connected")
            yield from asyncio.sleep(0).__await__()
            return self

    record = world.run(lambda task: Pool(), outputs={})

    assert (record.status, world.done) == ("succeeded", ["connected"])


@pytest.mark.parametrize("kind", [list, tuple, set, lambda made: {"one": next(iter(made))}])
def test_coroutines_that_nobody_has_run_are_no_success(world: World, kind: Any) -> None:
    async def one() -> None:
        world.done.append(1)

    record = world.run(lambda task: kind([one()]), outputs={})

    assert (record.status, world.done) == ("failed", [])
    assert record.failure is not None
    assert "holds a coroutine, which nobody has run" in record.failure.message


def test_coroutines_that_are_yielded_are_no_success(world: World) -> None:
    async def one() -> None: ...

    def run(task: Task) -> Iterator[Any]:
        yield one()

    assert world.run(run, outputs={}).status == "failed"


def test_tasks_that_have_ended_are_a_result_like_others(world: World) -> None:
    async def run(task: Task) -> Any:
        async with asyncio.TaskGroup() as group:
            return [group.create_task(asyncio.sleep(0))]

    assert world.run(run, outputs={}).status == "succeeded"


# -- how it ends -------------------------------------------------------------------------------------------------


async def breaking(task: Task) -> AsyncIterator[int]:
    yield 1
    raise ValueError("not at once")


async def breaking_later(task: Task) -> Any:
    return breaking(task)


@pytest.mark.parametrize("run", [breaking, breaking_later, plain(breaking)])
def test_what_it_raises_is_tried_again_as_that_of_any_task(world: World, run: Any) -> None:
    assert world.run(run, retries=1).status == "pending"
    failed = world.run(run, name="once", retries=0)
    assert failed.failure is not None
    assert (failed.status, failed.failure.type) == ("failed", "ValueError")


async def endless_async(task: Task) -> AsyncIterator[int]:
    try:
        while True:
            await asyncio.sleep(30)
            yield 1
    finally:
        task.cleaned.append(1)  # type: ignore[attr-defined]


def endless(task: Task) -> Iterator[int]:
    try:
        while True:
            threading.Event().wait(0.001)
            yield 1
    finally:
        task.cleaned.append(1)  # type: ignore[attr-defined]


async def endless_coroutine(task: Task) -> Any:
    try:
        await asyncio.sleep(30)
    finally:
        task.cleaned.append(1)  # type: ignore[attr-defined]


async def gives(made: Any) -> Any:
    return made


async def stubborn(task: Task) -> AsyncIterator[int]:
    """Go on in spite of being cancelled, without ever waiting."""
    while True:
        yield 1


@pytest.mark.parametrize(
    "run",
    [
        endless_async,
        plain(endless_async),
        lambda task: gives(endless_async(task)),
        lambda task: gives(endless(task)),
        lambda task: gives(endless_coroutine(task)),
        plain(endless_coroutine),
    ],
    ids=["async", "function", "coroutine, async", "coroutine, generator", "coroutine, coroutine", "returned"],
)
@pytest.mark.parametrize("on_main", [True, False], ids=["main thread", "other thread"])
def test_the_time_limit_holds_in_it(world: World, run: Any, on_main: bool) -> None:
    cleaned: list[int] = []

    def work() -> Record:
        return world.run(run, timeout=0.05, cleaned=cleaned)

    record = work() if on_main else elsewhere(work)

    assert record.failure is not None
    assert (record.status, record.failure.type) == ("failed", "TaskTimeout")
    assert cleaned == [1]


def test_one_that_never_waits_is_stopped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "GRACE", 0.02)
    record = world.run(stubborn, timeout=0.05)

    assert record.failure is not None
    assert record.failure.type == "TaskTimeout"


def elsewhere(work: Callable[[], Record]) -> Record:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result(30)


async def counting(task: Task) -> AsyncIterator[int]:
    for each in range(3):
        task.cancel_myself()  # type: ignore[attr-defined]
        task.check_cancelled()
        yield each


async def counting_later(task: Task) -> Any:
    def counted() -> Iterator[int]:
        task.cancel_myself()  # type: ignore[attr-defined]
        task.check_cancelled()
        yield 1

    return counted()


@pytest.mark.parametrize("run", [counting, counting_later])
def test_a_cancellation_reaches_it(world: World, run: Any) -> None:
    def cancel_myself(task: Task) -> None:
        world.store.cancel(task.execution.uuid)
        world.clock.move(1)

    assert world.run(run, cancel_myself=cancel_myself).status == "cancelled"


class LogIn(BaseModel):
    password: SecretStr


def test_secrets_are_masked_in_what_it_says(world: World) -> None:
    class Secretive(Task[LogIn]):
        name = "secretive"

        async def run(self) -> AsyncIterator[int]:
            self.add_message(f"with {self.params.password.get_secret_value()}")
            yield 1
            raise ValueError(self.params.password.get_secret_value())

    class Later(Task):
        name = "later"
        inputs = {"password": StringParameter(secret=True)}

        async def run(self, password: str) -> Any:
            async def later() -> None:
                raise ValueError(password)

            return later()

    for task in (Secretive, Later):
        record = world.record_of(task, password="hunter22")
        assert record.status == "failed"
        assert "hunter22" not in str(record.to_json(reveal=True)) + str(record.history)


# -- what it is annotated with -----------------------------------------------------------------------------------


class Box(BaseModel):
    width: int


class Ordinary:
    """A class of which pydantic knows nothing."""


class Unfinished(BaseModel):
    """Refers to what is not there."""

    inner: "Nowhere"  # type: ignore[name-defined]  # noqa: F821


type Stream = Iterator[int]
type StreamOf[Each] = AsyncIterator[Each]
type Size = dict[str, int]


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (AsyncIterator[int], {"type": "array", "items": {"type": "integer"}}),
        (AsyncGenerator[int, None], {"type": "array", "items": {"type": "integer"}}),
        (Iterator[int], {"type": "array", "items": {"type": "integer"}}),
        (Generator[int, None, None], {"type": "array", "items": {"type": "integer"}}),
        (Coroutine[Any, Any, int], {"type": "integer"}),
        (Coroutine[Any, Any, Awaitable[int]], {"type": "integer"}),
        (Awaitable[AsyncIterator[int]], {"type": "array", "items": {"type": "integer"}}),
        ("asyncio.Future[int]", {"type": "integer"}),
        (Future[int], {"type": "integer"}),
        (Annotated[Iterator[int], "each"], {"type": "array", "items": {"type": "integer"}}),
        (
            AsyncIterator[int] | None,
            {"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]},
        ),
        (Stream, {"type": "array", "items": {"type": "integer"}}),
        (StreamOf[int], {"type": "array", "items": {"type": "integer"}}),
        (GeneratorType, {"type": "array"}),
        (map, {"type": "array"}),
        (Size, {"type": "object"}),
    ],
)
def test_its_type_is_that_of_the_value_in_the_end(annotation: Any, schema: dict[str, Any]) -> None:
    def run(task: Task[Box]) -> Any: ...

    run.__annotations__["return"] = annotation

    class Work(Task[Box]):
        name = "work"

    Work.run = run  # type: ignore[assignment, method-assign]
    given = definition_of(Work)

    assert given.output_schema()["properties"]["result"].items() >= schema.items()


@pytest.mark.parametrize("annotation", [NoReturn, Never])
def test_what_never_returns_has_no_outputs(annotation: Any) -> None:
    class Work(Task[Box]):
        def run(self) -> NoReturn:
            raise TaskError("There is no more paper.")

    Work.run.__annotations__["return"] = annotation
    assert definition_of(Work).output_schema() == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    "annotation",
    [
        Ordinary,
        list[Ordinary],
        Ordinary | None,
        list[Iterator[int]],
        zip,
        Callable[[], int],
        Unfinished,
        list[Unfinished],
        5,
        "two words",
        "nowhere.Nothing",
        "asyncio.Nothing",
    ],
    ids=str,
)
def test_one_that_cannot_work_is_refused_before_the_work(annotation: Any) -> None:
    begun = []

    class Work(Task[Box]):
        name = "work"

        def run(self) -> Any:
            begun.append(self.params.width)

    Work.run.__annotations__["return"] = annotation
    with pytest.raises(TaskDefinitionError, match=r"Work\.run\(\)"):
        definition_of(Work)
    with recorded(Work) as jobs, pytest.raises(TaskDefinitionError):
        Work.submit(width=1)
    assert jobs.submitted == []
    assert begun == []


def test_a_worker_does_not_begin_one_that_cannot_work(world: World) -> None:
    begun = []

    class Work(Task[Box]):
        name = "work"

        def run(self) -> Any:
            begun.append(self.params.width)

    Work.run.__annotations__["return"] = Ordinary
    record = world.record_of(Work, width=1)
    assert record.error is not None
    assert (record.status, record.error["type"]) == ("failed", "TaskDefinitionError")
    assert begun == []


def test_a_model_that_is_awaited_is_served_as_its_fields(world: World) -> None:
    class Wraps(Task[Box]):
        name = "wraps"

        def run(self) -> Awaitable[Box]:
            async def made() -> Box:
                return self.params

            return made()

    class Lists(Task[Box]):
        name = "lists"

        async def run(self) -> AsyncIterator[Box]:
            yield self.params

    class Nothing(Task[Box]):
        name = "nothing"

        def run(self) -> Awaitable[None]:
            return asyncio.sleep(0)

    assert world.record_of(Wraps, width=2).outputs == {"width": 2}
    assert world.record_of(Lists, width=2).outputs == {"result": [{"width": 2}]}
    assert world.record_of(Nothing, width=2).outputs == {}
