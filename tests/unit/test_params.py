import json
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from serverless_tasks.params import (
    BooleanParameter,
    DictParameter,
    FloatParameter,
    IntParameter,
    ListParameter,
    NumberParameter,
    Parameter,
    ParameterNotValidError,
    StringParameter,
)

NAN, INFINITY = float("nan"), float("inf")


def exactly(value: Any, expected: Any) -> bool:
    return bool(value == expected) and type(value) is type(expected)


@pytest.mark.parametrize(
    ("parameter", "value", "expected"),
    [
        (IntParameter(), "6", 6),
        (IntParameter(), 6, 6),
        (IntParameter(), "5.2", 5),
        (IntParameter(), 5.2, 5),
        (IntParameter(), -5.7, -5),
        (IntParameter(), "-6", -6),
        (IntParameter(), 10**30, 10**30),
        (IntParameter(), True, 1),
        (IntParameter(), False, 0),
        (NumberParameter(), True, True),
        (FloatParameter(), True, 1.0),
        (StringParameter(), True, "True"),
        (NumberParameter(), "5.3", 5.3),
        (NumberParameter(), "5", 5),
        (NumberParameter(), "5.0", 5),
        (NumberParameter(), 5.3, 5.3),
        (NumberParameter(), 0, 0),
        (FloatParameter(), "5.3", 5.3),
        (FloatParameter(), 5, 5.0),
        (FloatParameter(), "1e3", 1000.0),
        (StringParameter(), "text", "text"),
        (StringParameter(), "", ""),
        (StringParameter(), 5, "5"),
        (StringParameter(), 5.3, "5.3"),
        (BooleanParameter(), True, True),
        (BooleanParameter(), False, False),
        (BooleanParameter(), "true", True),
        (BooleanParameter(), "false", False),
        (BooleanParameter(), "FALSE", False),
        (BooleanParameter(), 1, True),
        (BooleanParameter(), 0, False),
        (ListParameter(IntParameter()), ["1", 2, 3.9], [1, 2, 3]),
        (ListParameter(IntParameter()), [], []),
        (ListParameter(IntParameter()), "7", [7]),
        (ListParameter(StringParameter()), "ab", ["ab"]),
        (ListParameter(ListParameter(IntParameter())), [["1"], 2, []], [[1], [2], []]),
        (ListParameter(DictParameter()), {"a": 1}, [{"a": 1}]),
        (DictParameter(), {"a": [1]}, {"a": [1]}),
        (DictParameter(), [1, "b"], [1, "b"]),
        (DictParameter(), {}, {}),
        (Parameter(), None, None),
        (Parameter(), {"any": ["thing"]}, {"any": ["thing"]}),
    ],
)
def test_a_json_value_becomes_what_run_receives(parameter: Parameter, value: Any, expected: Any) -> None:
    assert exactly(parameter.to_python(value), expected)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        (IntParameter(), "not a number"),
        (IntParameter(), ""),
        (IntParameter(), None),
        (IntParameter(), [1]),
        (IntParameter(), {}),
        (IntParameter(), NAN),
        (IntParameter(), INFINITY),
        (IntParameter(), "nan"),
        (NumberParameter(), "5,3"),
        (NumberParameter(), "inf"),
        (NumberParameter(), -INFINITY),
        (FloatParameter(), 10**400),
        (FloatParameter(), "x"),
        (StringParameter(), None),
        (StringParameter(), ["a"]),
        (StringParameter(), {"a": 1}),
        (ListParameter(IntParameter()), ["x"]),
        (ListParameter(IntParameter()), None),
        (ListParameter(ListParameter(IntParameter())), [[1], ["x"]]),
        (BooleanParameter(), "no"),
        (BooleanParameter(), "0"),
        (BooleanParameter(), ""),
        (BooleanParameter(), 2),
        (BooleanParameter(), 1.0),
        (BooleanParameter(), None),
        (BooleanParameter(), []),
        (DictParameter(), "a"),
        (DictParameter(), 5),
        (DictParameter(), None),
    ],
)
def test_what_does_not_fit_is_refused(parameter: Parameter, value: Any) -> None:
    with pytest.raises(ParameterNotValidError):
        parameter.to_python(value)


@pytest.mark.parametrize(
    ("parameter", "value", "expected"),
    [
        (NumberParameter(), Decimal("0.1"), 0.1),
        (NumberParameter(), "5", 5),
        (IntParameter(), 5.9, 5),
        (FloatParameter(), Decimal(2), 2.0),
        (IntParameter(), True, 1),
        (FloatParameter(), False, 0.0),
        (NumberParameter(), True, True),
        (StringParameter(), False, "False"),
        (StringParameter(), UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (StringParameter(), date(2026, 1, 2), "2026-01-02"),
        (BooleanParameter(), "false", False),
        (ListParameter(NumberParameter()), (1, Decimal("1.5")), [1, 1.5]),
        (DictParameter(), {"a": 0}, {"a": 0}),
    ],
)
def test_a_python_value_becomes_json(parameter: Parameter, value: Any, expected: Any) -> None:
    converted = parameter.to_json(value)

    assert exactly(converted, expected)
    assert json.loads(json.dumps(converted)) == converted


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        (NumberParameter(), NAN),
        (NumberParameter(), Decimal("NaN")),
        (NumberParameter(), Decimal("0.12345678901234567890123")),
        (StringParameter(), b"bytes"),
        (StringParameter(), ["a"]),
        (StringParameter(), {"a": 1}),
        (DictParameter(), "text"),
    ],
)
def test_a_python_value_that_json_would_change_is_refused(parameter: Parameter, value: Any) -> None:
    with pytest.raises(ParameterNotValidError):
        parameter.to_json(value)


def test_inputs_are_required_unless_said_otherwise() -> None:
    assert IntParameter().required
    assert not IntParameter(required=False).required
    assert not ListParameter(IntParameter(), required=False).required


def test_a_refusal_shows_the_value_shortly() -> None:
    with pytest.raises(ParameterNotValidError, match=r"number.*not a number") as raised:
        IntParameter().to_python("not a number" * 1000)

    assert len(str(raised.value)) < 200
