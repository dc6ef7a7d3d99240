"""Whatever a task raises ends its attempt, with its type and what can be said of it."""

from collections.abc import Callable
from typing import Any

import pytest

from serverless_tasks import Task
from serverless_tasks.engine.worker.outcome import failure_of
from tests.support.worker import World


class NoText(Exception):
    def __str__(self) -> str:
        raise KeyError("text")


class LeavesInItsText(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


class NoTruth(Exception):
    def __bool__(self) -> bool:
        raise TypeError("neither")


class NoRepr(Exception):
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class NoTextOnTheWayOut(SystemExit):
    def __str__(self) -> str:
        raise KeyError("text")


class NoNotes(Exception):
    @property
    def __notes__(self) -> Any:
        raise RuntimeError("no notes")


class NoCause(Exception):
    @property
    def __cause__(self) -> Any:
        raise RuntimeError("no cause")

    @property
    def __suppress_context__(self) -> Any:
        raise RuntimeError("no context")


class TextThatIsNone(Exception):
    def __str__(self) -> str:
        return None  # type: ignore[return-value]  # noqa: PLE0307


def odd_syntax() -> SyntaxError:
    error = SyntaxError("odd")
    error.lineno, error.offset, error.text, error.filename = "one", object(), 5, 7  # type: ignore[assignment]
    return error


def caused_by_oneself() -> Exception:
    first, second = ValueError("first"), NoTruth()
    first.__cause__, second.__cause__ = second, first
    return first


ODD: dict[str, Callable[[], BaseException]] = {
    "no text": NoText,
    "leaves in its text": LeavesInItsText,
    "no truth": NoTruth,
    "no repr": lambda: ValueError(NoRepr()),
    "no text on the way out": NoTextOnTheWayOut,
    "no notes": NoNotes,
    "no cause": NoCause,
    "text that is None": TextThatIsNone,
    "odd syntax": odd_syntax,
    "caused by itself": caused_by_oneself,
    "a group of them": lambda: ExceptionGroup("several", [NoText(), NoTruth(), ValueError("plain")]),  # type: ignore[list-item]
    "a system exit with an odd code": lambda: SystemExit(NoRepr()),
    "generator exit": GeneratorExit,
}

RETRIED = {name: make for name, make in ODD.items() if "exit" not in name and "way out" not in name}


@pytest.mark.parametrize("make", ODD.values(), ids=ODD)
def test_it_ends_the_attempt(world: World, make: Callable[[], BaseException]) -> None:
    error = make()

    def run(task: Task) -> None:
        raise error

    world.task(run)

    outcome = world.execute()

    assert outcome.status == "failed"
    record = world.record
    assert record.failure is not None
    assert (record.status, record.failure.type) == ("failed", type(error).__name__)
    assert type(error).__name__ in record.history[-1].failure.traceback


@pytest.mark.parametrize("make", RETRIED.values(), ids=RETRIED)
def test_it_is_retried_like_any_other(world: World, make: Callable[[], BaseException]) -> None:
    def run(task: Task) -> None:
        raise make()

    world.task(run, retries=1)

    assert world.execute().status == "pending"
    assert len(world.sent) == 1


def test_what_can_be_said_of_where_it_was_raised_is_said() -> None:
    try:
        raise NoTruth
    except NoTruth as error:
        failure = failure_of(error)

    assert "test_odd_exceptions.py" in failure.traceback
    assert "NoTruth" in failure.traceback
