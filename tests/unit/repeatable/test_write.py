"""What is told of a write: the same for the same values."""

from typing import Any

import pytest

from serverless_tasks.repeatable.write import values_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": {"c": 1, "d": 2}}, {"b": {"d": 2, "c": 1}, "a": 1}),
        # As a database's driver is given the bytes of a BinaryField.
        (("UPDATE", [memoryview(b"picture")]), ("UPDATE", [memoryview(b"picture")])),
        ({"at": "2026-01-31T10:00:00Z"}, {"at": "2026-02-01T11:30:00.5+01:00"}),
    ],
)
def test_the_same_values_are_the_same_text(one: Any, other: Any) -> None:
    assert values_of(one) == values_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ([memoryview(b"picture")], [memoryview(b"another")]),
        ({"a": "1"}, {"a": 1}),
    ],
)
def test_other_values_are_another_text(one: Any, other: Any) -> None:
    assert values_of(one) != values_of(other)
