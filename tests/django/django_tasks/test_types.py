"""The types of Django's tasks, by the annotations of what their functions return."""

from typing import TYPE_CHECKING, Any, Literal

import pytest

from django_integration.django_tasks.function import ReturnValue
from serverless_tasks.cli.typescript.document import document
from serverless_tasks.engine.services import current_services
from tests.django.newsletter.tasks import count_users

if TYPE_CHECKING:
    from somewhere_else import Thing  # type: ignore[import-not-found]


def listed() -> dict[Literal["a", "b"], list[int] | None]:
    return {}


def unsaid():  # type: ignore[no-untyped-def]
    return 1


def unknown() -> "Thing":
    return 1


def no_json() -> object:
    return object()


@pytest.mark.parametrize("function", [unsaid, unknown, no_json, None])
def test_what_no_annotation_says_may_be_anything(function: Any) -> None:
    assert ReturnValue(function).json_schema() == {}


def test_an_annotation_is_described() -> None:
    schema = ReturnValue(listed).json_schema()
    assert schema["additionalProperties"] == {
        "anyOf": [{"items": {"type": "integer"}, "type": "array"}, {"type": "null"}]
    }


def test_a_job_of_a_function_can_be_followed_and_browsers_do_not_submit_it() -> None:
    name = count_users.module_path
    written = document(current_services().registry, (), [name])
    [outputs] = [line for line in written.splitlines() if "return_value" in line]
    assert outputs == "  return_value?: number;"
    assert "inputs: never;" in written
