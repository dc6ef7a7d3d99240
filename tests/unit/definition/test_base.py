from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from serverless_tasks import Task
from serverless_tasks.engine.definition.base import BaseTask, is_task_class, queue_for, replaced_names
from serverless_tasks.errors import ConfigurationError, TaskDefinitionError, TaskRetry
from serverless_tasks.params import IntParameter, Parameter
from serverless_tasks.testing import RecordedTasks, recorded
from serverless_tasks.workflow import group


class Params(BaseModel):
    number: int = 0


def declare(**attributes: Any) -> type[Task]:
    return type("Declared", (Task,), {"run": lambda self: None, **attributes})


def test_a_name_defaults_to_the_dotted_path() -> None:
    assert declare(__module__="shop.background").name == "shop.background.Declared"


def test_a_name_is_not_inherited() -> None:
    base = declare(name="base")

    assert type("Derived", (base,), {"__module__": "shop"}).name == "shop.Derived"


@pytest.mark.parametrize(
    "attributes", [{"signature": 3}, {"group": "x"}, {"asubmit": None}, {"signature": "s", "group": None}]
)
def test_names_that_a_task_had_before_they_were_ours_stay_its_own(attributes: dict[str, Any]) -> None:
    task = declare(**attributes)
    assert {name: getattr(task, name) for name in attributes} == attributes
    assert sorted(replaced_names(task)) == sorted(attributes)
    assert replaced_names(type("Derived", (task,), {})) == replaced_names(task)


def test_a_task_without_them_replaces_nothing() -> None:
    assert replaced_names(declare()) == ()


def test_a_task_with_names_of_its_own_runs_and_is_a_member(jobs: RecordedTasks) -> None:
    class Poem(Task):
        name = "poem"
        signature = 3
        group = "verse"
        outputs = {"mine": Parameter()}

        def run(self) -> list[Any]:
            return [self.signature, self.group]

    handle = group(Poem.options().signature()).submit()
    jobs.services.registry.add(Poem)
    jobs.drain()
    assert list(handle.refresh().results()) == [{"mine": [3, "verse"]}]


@pytest.fixture
def jobs() -> Iterator[RecordedTasks]:
    with recorded() as jobs:
        yield jobs


def test_defaults() -> None:
    task = declare()

    assert (task.retries, task.timeout, task.priority, task.queue, task.http) == (0, 60, 0, None, True)


@pytest.mark.parametrize(
    "attributes",
    [
        {"name": ""},
        {"name": 5},
        {"name": "x" * 201},
        {"retries": -1},
        {"retries": 1.5},
        {"retries": True},
        {"timeout": 0},
        {"timeout": -5},
        {"timeout": 43_201},
        {"timeout": "60"},
        {"priority": "high"},
        {"unique": 1},
        {"queue": ""},
        {"queue": 5},
        {"retry_on": ValueError},
        {"retry_on": [ValueError]},
        {"retry_on": ("ValueError",)},
        {"retry_on": (int,)},
        {"never_retry": ValueError},
        {"backoff": -1},
        {"backoff": True},
        {"backoff": "2"},
        {"backoff": float("nan")},
        {"backoff": 901},
        {"backoff_cap": 0},
        {"backoff_cap": 1.5},
        {"backoff_cap": float("inf")},
        {"backoff_cap": 1_209_601},
        {"on_lost": "ignore"},
        {"on_lost": None},
        {"retry": 3},
        {"options": {"queue": "low"}},
    ],
    ids=str,
)
def test_an_attribute_that_cannot_be_is_refused_with_its_name_and_value(attributes: dict[str, Any]) -> None:
    ((name, value),) = attributes.items()

    with pytest.raises(TaskDefinitionError) as raised:
        declare(**attributes)

    assert name in str(raised.value)
    assert repr(value) in str(raised.value)
    assert isinstance(raised.value, ConfigurationError)


def test_the_defaults_of_retries() -> None:
    task = declare()

    assert (task.retry_on, task.never_retry, task.on_lost) == ((Exception,), (), "retry")
    assert (task.backoff, task.backoff_cap) == (2.0, 900.0)


class Busy(OSError):
    pass


@pytest.mark.parametrize(
    ("attributes", "error", "retries"),
    [
        ({}, ValueError(), 5),
        ({}, SystemExit(), 0),
        ({"retry_on": (OSError,)}, Busy(), 5),
        ({"retry_on": (OSError,)}, ValueError(), 0),
        ({"never_retry": (OSError,)}, Busy(), 0),
        ({"never_retry": (OSError,)}, ValueError(), 5),
        ({"retry_on": (OSError,), "never_retry": (Busy,)}, OSError(), 5),
        ({"retry_on": (OSError,), "never_retry": (Busy,)}, Busy(), 0),
        ({"retry_on": ()}, ValueError(), 0),
        ({"retry_on": (), "never_retry": (Exception,)}, TaskRetry(), 5),
    ],
    ids=str,
)
def test_a_task_says_after_which_exceptions_it_is_run_again(
    attributes: dict[str, Any], error: BaseException, retries: int
) -> None:
    assert declare(retries=5, **attributes)().retries_after(error) == retries


def test_both_styles_at_once_are_refused() -> None:
    with pytest.raises(TaskDefinitionError, match="use one style"):

        class Both(Task[Params]):
            inputs = {"number": IntParameter()}

            def run(self) -> None:
                return None


@pytest.mark.parametrize(
    ("explicit", "priority", "queue"),
    [
        (None, 0, "default"),
        (None, 1, "high"),
        (None, 100, "high"),
        (None, -1, "low"),
        ("low", 5, "low"),
        ("reports", -5, "reports"),
    ],
)
def test_an_explicit_queue_wins_else_the_priority_decides(
    explicit: str | None, priority: int, queue: str
) -> None:
    assert queue_for(explicit, priority) == queue


def test_only_a_class_with_run_is_a_task_that_can_run() -> None:
    class Base(Task):
        pass

    class Runs(Base):
        def run(self) -> None:
            return None

    class Importer(Task, ABC):
        @abstractmethod
        def rows(self) -> list[int]: ...

        def run(self) -> int:
            return len(self.rows())

    class FileImporter(Importer):
        def rows(self) -> list[int]:
            return [1]

    class Pure(Task):
        @abstractmethod
        def run(self) -> None: ...

    candidates = (Task, BaseTask, Base, Runs, Runs(), "Runs", dict, Importer, FileImporter, Pure)
    assert [one for one in candidates if is_task_class(one)] == [Runs, FileImporter]
