"""Errors are values: they travel between processes, and can be copied."""

import copy
import inspect
import pickle

import pytest

from serverless_tasks import errors
from serverless_tasks.errors import FieldError, InvalidInputs, ServerlessTasksError, TaskError, TaskRetry

GIVEN = {
    "name": "sum", "task": "sum", "schedule": "daily", "fields": [FieldError(("numbers",), "no list", "list_type")],
    "service": "sqs",
    "what": "inputs", "size": 2, "limit": 1, "uuid": "7", "reason": "no answer", "key": "k", "status": "failed",
    "id": "letter", "error": {"type": "ValueError", "message": "no"}, "type": "ValueError", "message": "no",
    "operation": "sqs.send_message", "code": "Throttled", "applied": True, "seconds": 2.0, "after": 3.0,
    "retried_as": ("8", "9"), "fingerprint": "f1", "time": "since noon",
    "stack": "shop", "region": "us-east-1", "reasons": ("Queue: no",), "of": "deletion",
}  # fmt: skip


class OutOfPaper(TaskError):
    def __init__(self, printer: str, *, sheets: int) -> None:
        super().__init__(f"{printer} has {sheets} sheets left.")
        self.printer = printer


def an_error(kind: type[ServerlessTasksError]) -> ServerlessTasksError:
    if not inspect.isfunction(kind.__init__):
        return kind("what was wrong")
    return kind(**{name: GIVEN[name] for name in inspect.signature(kind).parameters})


KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, ServerlessTasksError)
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("way", ["pickle", "copy", "deepcopy"])
def test_an_error_survives(kind: type[ServerlessTasksError], way: str) -> None:
    error = an_error(kind)
    error.add_note("a note")

    same = _copied(error, way)

    assert (type(same), str(same), same.args, same.__notes__) == (kind, str(error), error.args, ["a note"])
    assert vars(same) == vars(error)


def test_one_of_a_project_with_arguments_of_its_own() -> None:
    same = _copied(OutOfPaper("laser", sheets=0), "pickle")
    assert isinstance(same, OutOfPaper)
    assert (str(same), same.printer) == ("laser has 0 sheets left.", "laser")


def test_what_it_knows_is_kept() -> None:
    retry = _copied(TaskRetry("busy", after=3.0), "pickle")
    assert isinstance(retry, TaskRetry)
    assert (retry.reason, retry.after) == ("busy", 3.0)
    invalid = _copied(an_error(InvalidInputs), "deepcopy")
    assert isinstance(invalid, InvalidInputs)
    assert list(invalid.fields) == GIVEN["fields"]


def _copied(error: ServerlessTasksError, way: str) -> ServerlessTasksError:
    if way == "pickle":
        copied: ServerlessTasksError = pickle.loads(pickle.dumps(error))
        return copied
    return copy.copy(error) if way == "copy" else copy.deepcopy(error)
