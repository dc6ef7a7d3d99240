import sys
from types import new_class
from typing import Any, Generic, TypeVar

import pytest
from pydantic import BaseModel

from serverless_tasks import InvalidInputs, Task, TaskCancelled
from serverless_tasks.engine.services import Services
from serverless_tasks.errors import TaskDefinitionError, UnknownOption
from serverless_tasks.params import ListParameter, NumberParameter


class SumNumbers(Task):
    name = "sum"
    inputs = {"numbers": ListParameter(NumberParameter())}
    outputs = {"sum": NumberParameter()}

    def run(self, numbers: list[float]) -> float:
        self.set_target(len(numbers))
        for _ in numbers:
            self.inc_progress()
        self.add_message("done")
        return sum(numbers)


class ResizeParams(BaseModel):
    width: int
    height: int = 10


class ResizeResult(BaseModel):
    area: int


class Resize(Task[ResizeParams]):
    name = "resize"

    def run(self) -> ResizeResult:
        return ResizeResult(area=self.params.width * self.params.height)


class Plain(Task[ResizeParams]):
    name = "plain"

    def run(self) -> int:
        return self.params.width


@pytest.fixture(autouse=True)
def registered(immediate: Services) -> None:
    for task in (SumNumbers, Resize, Plain):
        immediate.registry.add(task)


def test_run_is_a_plain_call_here_and_now() -> None:
    task = SumNumbers()

    assert task.run(numbers=[1, 2]) == 3
    assert (task.execution.progress.progress, task.execution.progress.target) == (2, 2)


def test_run_of_a_model_task_is_a_plain_call_too() -> None:
    assert Resize(ResizeParams(width=2)).run() == ResizeResult(area=20)


def test_submit_by_name(immediate: Services) -> None:
    handle = SumNumbers.submit(numbers=["1", 2])

    assert handle.refresh().outputs == {"sum": 3}
    assert (handle.progress, handle.target, handle.messages) == (2, 2, ("done",))


def test_submit_of_a_model_task_takes_its_fields() -> None:
    assert Resize.submit(width=3).refresh().outputs == {"area": 30}


def test_a_plain_return_of_a_model_task_is_the_result() -> None:
    assert Plain.submit(width=0).refresh().outputs == {"result": 0}


def test_start_of_a_dictionary_task_takes_a_dictionary() -> None:
    assert SumNumbers().start({"numbers": [4]}).refresh().outputs == {"sum": 4}


def test_start_of_a_model_task_sends_its_params() -> None:
    assert Resize(ResizeParams(width=2, height=3)).start().refresh().outputs == {"area": 6}


def test_start_of_a_model_task_without_params_says_how() -> None:
    with pytest.raises(TypeError, match=r"Resize\(ResizeParams\(\.\.\.\)\)\.start\(\)"):
        Resize().start()


def test_params_of_another_model_are_refused() -> None:
    with pytest.raises(TaskDefinitionError, match="Resize takes ResizeParams"):
        Resize(ResizeResult(area=1))  # type: ignore[arg-type]


def test_a_dictionary_task_takes_no_params() -> None:
    with pytest.raises(TaskDefinitionError, match="dictionary style"):
        SumNumbers(ResizeParams(width=1))


def test_submit_many_keeps_the_order() -> None:
    handles = SumNumbers.submit_many({"numbers": [number]} for number in range(5))

    assert [handle.refresh().outputs["sum"] for handle in handles] == [0, 1, 2, 3, 4]


def test_submit_many_with_one_bad_input_submits_none(immediate: Services) -> None:
    with pytest.raises(InvalidInputs):
        SumNumbers.options(owner="7").submit_many([{"numbers": [1]}, {"numbers": ["x"]}])

    assert immediate.store.list_owner("7").records == ()


def test_an_unknown_option_is_refused_by_name() -> None:
    with pytest.raises(UnknownOption, match="'colour' is not an option"):
        SumNumbers.options(colour="red")


def test_a_generic_base_passes_its_model_on() -> None:
    Params = TypeVar("Params", bound=BaseModel)

    class Base(Task[Params], Generic[Params]):  # type: ignore[type-var]
        pass

    class Derived(Base[ResizeParams]):
        def run(self) -> None:
            return None

    class Further(Derived):
        pass

    assert Derived.params_model is ResizeParams
    assert Further.params_model is ResizeParams


@pytest.mark.parametrize("given", [int, "ResizeParams", ResizeParams | None], ids=["int", "text", "union"])
def test_what_is_no_model_is_refused_where_the_class_is_made(given: Any) -> None:
    with pytest.raises(TaskDefinitionError, match=r"derives from Task\[.*expected a pydantic model"):
        new_class("Wrong", (Task[given],))


def test_any_model_is_no_model() -> None:
    class Either(Task[Any]):  # type: ignore[type-var]
        inputs = {"numbers": ListParameter(NumberParameter())}

        def run(self, numbers: list[float]) -> None:
            return None

    assert Either.params_model is None


def test_a_base_with_type_variables_of_its_own_passes_the_model_on() -> None:
    class Base[Result, P: BaseModel](Task[P]):
        def run(self) -> Any:
            return self.params.model_dump()

    class Middle[P: BaseModel](Base[int, P]):
        pass

    class Uses(Middle[ResizeParams]):
        pass

    assert Uses.params_model is ResizeParams
    assert Middle.params_model is None


def test_a_class_may_replace_the_model_of_its_base() -> None:
    class Wider(ResizeParams):
        depth: int = 1

    class Uses(Resize):
        params_model = Wider

    assert Uses.params_model is Wider


def test_a_run_keeps_nothing_for_the_next() -> None:
    first, second = SumNumbers(), SumNumbers()
    first.run(numbers=[1, 2, 3])

    assert second.execution.progress.progress == 0


def test_a_cancelled_task_is_stopped_by_any_progress_call() -> None:
    for report in ("set_progress", "inc_progress", "set_target", "add_message"):
        task = SumNumbers()
        task.execution.progress.stop(TaskCancelled("stop"))
        arguments: tuple[Any, ...] = () if report == "inc_progress" else (1,)

        with pytest.raises(TaskCancelled):
            getattr(task, report)(*arguments)
    with pytest.raises(TaskCancelled):
        task.check_cancelled()


def test_inc_progress_calls_no_more_than_one_function_of_ours_and_the_lock() -> None:
    """A million of them cost nothing that is noticed: `make bench` says how much, and its row rests on this."""
    task = SumNumbers()
    task.inc_progress()  # the first one says that there is something to write
    called: list[str] = []

    def note(frame: Any, event: str, argument: Any) -> None:
        if event in ("call", "c_call"):
            called.append(frame.f_code.co_name if event == "call" else argument.__name__)

    sys.setprofile(note)
    try:
        task.inc_progress()
    finally:
        sys.setprofile(None)

    assert [name for name in called if not name.startswith("__")] == [
        "inc_progress",
        "inc_progress",
        "setprofile",
    ]


def test_the_dotted_path_of_a_class_is_told_whatever_its_name() -> None:
    class Named(Task):
        name = "named"

        def run(self) -> None:
            return None

    assert Named().fully_qualified_name == f"{__name__}.{Named.__qualname__}"
