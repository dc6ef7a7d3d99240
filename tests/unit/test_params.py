import json
import re
from datetime import date
from decimal import Decimal
from numbers import Integral
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from serverless_tasks import InvalidInputs, Task
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


def foreign(module: str, name: str, **methods: Any) -> Any:
    """A value of a library that is not installed here."""
    return type(name, (), {"__module__": module, **methods})()


METHOD = staticmethod(lambda: 1)
FOREIGN = [
    (foreign("numpy", "int64", tolist=METHOD), "a numpy.int64 x becomes plain by int(x)"),
    (foreign("numpy", "bool_", tolist=METHOD), "a numpy.bool_ x becomes plain by bool(x)"),
    (foreign("numpy", "float32", tolist=METHOD), "a numpy.float32 x becomes plain by float(x)"),
    (foreign("numpy", "longlong", tolist=METHOD), "a numpy.longlong x becomes plain by x.tolist()"),
    (foreign("numpy", "ndarray", tolist=METHOD), "a numpy.ndarray x becomes plain by x.tolist()"),
    (
        foreign("pandas.core.series", "Series", tolist=METHOD, to_dict=METHOD),
        "a pandas.Series x becomes plain by x.tolist()",
    ),
    (
        foreign("pandas.core.frame", "DataFrame", to_dict=METHOD),
        "a pandas.DataFrame x becomes plain by x.to_dict('records')",
    ),
    (
        foreign("pandas._libs.tslibs.timestamps", "Timestamp", isoformat=METHOD),
        "a pandas.Timestamp x becomes plain by x.isoformat()",
    ),
    (
        foreign("pandas._libs.tslibs.timedeltas", "Timedelta", total_seconds=METHOD),
        "a pandas.Timedelta x becomes plain by x.total_seconds()",
    ),
    (foreign("numpy", "bytes_", tolist=METHOD), "a numpy.bytes_ x becomes plain by x.decode()"),
    (foreign("numpy", "datetime64", tolist=METHOD), "a numpy.datetime64 x becomes plain by str(x)"),
    (
        foreign("numpy", "timedelta64", tolist=METHOD),
        "a numpy.timedelta64 x becomes plain by x.tolist().total_seconds()",
    ),
    (foreign("pandas._libs.tslibs.period", "Period"), "a pandas.Period x becomes plain by str(x)"),
    (foreign("pandas.api.typing", "NAType"), "pandas.NAType stands for a missing value: give None"),
    (
        foreign("pandas._libs.tslibs.nattype", "NaTType", isoformat=METHOD),
        "pandas.NaTType stands for a missing value: give None",
    ),
]


class AnyParams(BaseModel):
    value: Any


class TakesAny(Task[AnyParams]):
    name = "takes-any"

    def run(self) -> Any:
        return FOREIGN[self.params.value][0]


class GivesAny(Task):
    name = "gives-any"
    inputs = {"value": Parameter()}
    outputs = {"value": Parameter(), "more": Parameter(required=False)}

    def run(self, value: int) -> Any:
        return {"value": {"deep": [FOREIGN[value][0]]}}


@pytest.mark.usefixtures("immediate")
@pytest.mark.parametrize("place", range(len(FOREIGN)), ids=lambda place: type(FOREIGN[place][0]).__name__)
class TestValuesOfNumpyAndPandas:
    def test_an_input_is_refused_with_the_call_that_makes_it_plain(self, place: int) -> None:
        value, advice = FOREIGN[place]
        for submit in (
            lambda: GivesAny.submit(value=value),
            lambda: GivesAny.submit(value={"deep": [1, value]}),
            lambda: TakesAny.submit(value=value),
        ):
            with pytest.raises(InvalidInputs, match=re.escape(advice)):
                submit()
        with pytest.raises(ParameterNotValidError, match=re.escape(advice)):
            NumberParameter().to_python(value)

    def test_so_is_an_output(self, place: int) -> None:
        for task in (GivesAny, TakesAny):
            error = task.submit(value=place).error
            assert error is not None
            assert error["message"].endswith(FOREIGN[place][1])


def test_other_values_are_told_no_call() -> None:
    with pytest.raises(ParameterNotValidError) as raised:
        NumberParameter().to_python([object(), {1}])
    assert "plain" not in str(raised.value)


class ForeignInteger:
    """As numpy's: registered as an integer, and derived from none."""

    __module__ = "numpy"

    def __int__(self) -> int:
        return 2**60 + 1

    def __float__(self) -> float:
        return float(2**60)


class Duration(ForeignInteger):
    """As numpy's timedelta64: registered as an integer, and no number."""

    def __int__(self) -> int:
        raise TypeError("not a number")

    __float__ = __int__  # type: ignore[assignment]


Integral.register(ForeignInteger)
Duration.__module__, Duration.__name__ = "numpy", "timedelta64"


def test_a_large_integer_of_numpy_keeps_its_digits() -> None:
    assert NumberParameter().to_json(ForeignInteger()) == 2**60 + 1
    assert IntParameter().to_json(ForeignInteger()) == 2**60 + 1


@pytest.mark.parametrize("parameter", [NumberParameter(), IntParameter(), FloatParameter()], ids=repr)
def test_what_calls_itself_a_number_and_is_none_is_refused(parameter: Parameter) -> None:
    with pytest.raises(ParameterNotValidError, match=r"must be a number.*x\.tolist\(\)\.total_seconds\(\)"):
        parameter.to_json(Duration())


COLUMN = foreign("pandas.core.series", "Series", tolist=METHOD, __len__=lambda self: 1)
MISSING = foreign("pandas.api.typing", "NAType")


@pytest.mark.parametrize("value", [COLUMN, MISSING], ids=["column", "missing"])
@pytest.mark.parametrize("parameter", [StringParameter(), BooleanParameter()], ids=repr)
def test_a_column_and_a_missing_value_have_no_text_and_no_truth(parameter: Parameter, value: Any) -> None:
    with pytest.raises(ParameterNotValidError, match=r"x\.tolist\(\)|give None"):
        parameter.to_json(value)
