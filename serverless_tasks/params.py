"""Parameter objects: the input and output types of tasks written in dictionary style.

They convert as the documentation of Django Task API says
(https://django-task-api.readthedocs.io/en/latest/guides/tasks.html).
"""

from __future__ import annotations

import math
from decimal import Decimal
from numbers import Integral, Number
from typing import Any

from pydantic import Secret, SecretBytes, SecretStr

from serverless_tasks.errors import ParameterNotValidError, TaskDefinitionError

# The types of values that hide themselves.
SECRETS = (SecretStr, SecretBytes, Secret)
_TRUTHS: dict[str | int, bool] = {1: True, "true": True, 0: False, "false": False}
# How values of numpy and pandas become plain: by the name of a scalar type, else by a method that the type has.
_SCALARS = {
    "int": "int(x)",
    "uint": "int(x)",
    "float": "float(x)",
    "bool": "bool(x)",
    "bytes": "x.decode()",
    "datetime": "str(x)",
    "timedelta": "x.tolist().total_seconds()",
    "Period": "str(x)",
    "Interval": "str(x)",
}
# What stands for a missing value there: it has no text, no number and no truth.
_MISSING = ("NAType", "NaTType")
_CALLS = {
    "isoformat": "x.isoformat()",
    "total_seconds": "x.total_seconds()",
    "tolist": "x.tolist()",
    "to_dict": "x.to_dict('records')",
}
_NO_TEXT = (bytes, bytearray, memoryview, list, tuple, dict, set, frozenset, type(None))


class Parameter:
    """A value of any JSON type, and the base of one's own parameter classes.

    Args:
        required: whether a caller must give the input. When False, the default is the one in ``run``'s signature.
        secret: whether the input is secret: ``run`` receives it as pydantic's `SecretStr` (`SecretBytes`, `Secret`),
            and it is neither stored with the job nor told.
    """

    secret: bool = False

    def __init__(self, required: bool = True, *, secret: bool = False) -> None:
        self.required = required
        self.secret = secret

    def to_python(self, value: Any) -> Any:
        """Convert a JSON value to what ``run`` receives.

        Raises:
            ParameterNotValidError: when the value does not fit.
        """
        return value

    def to_json(self, value: Any) -> Any:
        """Convert what ``run`` returned to a JSON value.

        Raises:
            ParameterNotValidError: when the value does not fit.
        """
        return value

    def __repr__(self) -> str:
        element = getattr(self, "param_type", None)
        given = [] if element is None else [repr(element)]
        given += ["required=False"] * (not getattr(self, "required", True)) + ["secret=True"] * is_secret(
            self
        )
        return f"{type(self).__name__}({', '.join(given)})"

    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema of the value, for OpenAPI; override it to describe one's own type."""
        return {}


class StringParameter(Parameter):
    """Text; a number or a boolean is taken as its text."""

    def to_python(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        if _is_number(value):
            return str(value)
        raise ParameterNotValidError(f"Value must be a string or a number, not {_shown(value)}")

    def to_json(self, value: Any) -> str:
        kind: Any = type(value)
        nameless = kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__
        if nameless or isinstance(value, _NO_TEXT) or _is_many_or_missing(value):
            raise ParameterNotValidError(f"Value must be a string or convertible to one, not {_shown(value)}")
        return str(value)

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string"}


class NumberParameter(Parameter):
    """A finite number; text that spells one is converted, to an int where it is whole. Booleans are numbers too."""

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._from_text(value)
        if _is_number(value):
            return self._finite(value)
        raise ParameterNotValidError(f"Value must be a number, not {_shown(value)}")

    def to_json(self, value: Any) -> Any:
        number = self.to_python(value)
        if isinstance(number, (int, float)):
            return number
        try:
            if isinstance(number, Integral):  # of numpy
                return int(number)
            converted = self._finite(float(number))
        except TypeError:  # as above
            raise ParameterNotValidError(f"Value must be a number, not {_shown(value)}") from None
        if isinstance(number, Decimal) and Decimal(repr(converted)) != number:
            raise ParameterNotValidError(
                f"Value has more digits than a JSON number can hold: {_shown(number)}"
            )
        return converted

    def json_schema(self) -> dict[str, Any]:
        return {"type": "number"}

    def _from_text(self, text: str) -> int | float:
        try:
            return int(text)
        except ValueError:
            return self._from_fraction(text)

    def _from_fraction(self, text: str) -> int | float:
        try:
            number = float(text)
        except ValueError:
            raise ParameterNotValidError(f"String is not a number: {_shown(text)}") from None
        self._finite(number)
        return int(number) if number.is_integer() else number

    def _finite(self, value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            raise ParameterNotValidError(f"Value must be a finite number, not {value}")
        return value


class IntParameter(NumberParameter):
    """A whole number; a fraction is cut off (``5.2`` becomes 5), and true is 1."""

    def to_python(self, value: Any) -> int:
        try:
            return int(super().to_python(value))
        except TypeError:  # a number by its class alone, such as numpy's timedelta64
            raise ParameterNotValidError(f"Value must be a number, not {_shown(value)}") from None

    def json_schema(self) -> dict[str, Any]:
        return {"type": "integer"}


class FloatParameter(NumberParameter):
    """A floating point number."""

    def to_python(self, value: Any) -> float:
        try:
            return float(super().to_python(value))
        except TypeError:
            raise ParameterNotValidError(f"Value must be a number, not {_shown(value)}") from None
        except OverflowError:
            raise ParameterNotValidError(f"Value is too large for a float: {_shown(value)}") from None


class BooleanParameter(Parameter):
    """True or false, also as texts in any case, or as 1 and 0; an output counts by its truth."""

    def to_python(self, value: Any) -> bool:
        given = value.lower() if isinstance(value, str) else value
        if isinstance(given, (str, int)) and given in _TRUTHS:
            return _TRUTHS[given]
        raise ParameterNotValidError(f"Value must be true or false, not {_shown(value)}")

    def to_json(self, value: Any) -> bool:
        if _is_many_or_missing(value):
            raise ParameterNotValidError(f"Value must be true or false, not {_shown(value)}")
        return False if isinstance(value, str) and value.lower() == "false" else bool(value)

    def json_schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


class ListParameter(Parameter):
    """A list of values of one type; a bare value is taken as a list of one.

    Args:
        param_type: the parameter that each element must fit.
        required: as for `Parameter`.
        secret: as for `Parameter`; of a list whose elements alone are secret, ``param_type`` says it.

    Raises:
        TaskDefinitionError: ``param_type`` is no parameter.
    """

    def __init__(self, param_type: Parameter, required: bool = True, *, secret: bool = False) -> None:
        super().__init__(required, secret=secret)
        self.param_type: Parameter = check_parameter("The element of a ListParameter", param_type)

    def to_python(self, value: Any) -> list[Any]:
        return [self.param_type.to_python(element) for element in self._elements(value)]

    def to_json(self, value: Any) -> list[Any]:
        return [self.param_type.to_json(element) for element in self._elements(value)]

    def json_schema(self) -> dict[str, Any]:
        return {"type": "array", "items": schema_of(self.param_type)}

    @staticmethod
    def _elements(value: Any) -> list[Any]:
        return list(value) if isinstance(value, (list, tuple)) else [value]


class DictParameter(Parameter):
    """A JSON object or list, taken as it is."""

    def to_python(self, value: Any) -> dict[str, Any] | list[Any]:
        if isinstance(value, (dict, list)):
            return value
        raise ParameterNotValidError(f"Value must be an object or a list, not {_shown(value)}")

    def to_json(self, value: Any) -> dict[str, Any] | list[Any]:
        return self.to_python(value)

    def json_schema(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "object"}, {"type": "array", "items": {}}]}


def check_parameter(what: str, given: Any) -> Any:
    """See that something is a parameter; one's own class need not derive from `Parameter`.

    Raises:
        TaskDefinitionError: it is none, such as a class without its brackets.
    """
    if isinstance(given, type) or not (hasattr(given, "to_python") and hasattr(given, "to_json")):
        hint = f"; write {given.__name__}() with parentheses" if hasattr(given, "to_python") else ""
        raise TaskDefinitionError(f"{what} is {given!r}, which is not a parameter{hint}.")
    return given


def schema_of(parameter: Parameter) -> dict[str, Any]:
    """A parameter's JSON Schema, a secret one marked as pydantic marks its own."""
    schema = parameter.json_schema()
    return {**schema, "format": "password", "writeOnly": True} if is_secret(parameter) else schema


def is_secret(parameter: Parameter) -> bool:
    """Return whether a parameter itself is secret; classes of a project's own need not define it."""
    return bool(getattr(parameter, "secret", False))


def holds_secret(parameter: Parameter) -> bool:
    """Return whether a parameter, or the elements of its list, are secret."""
    return is_secret(parameter) or (
        isinstance(parameter, ListParameter) and holds_secret(parameter.param_type)
    )


def seal(parameter: Parameter, value: Any) -> Any:
    """Return the value that ``run`` receives, its secrets wrapped."""
    if is_secret(parameter):
        return wrap_secret(value)
    if isinstance(parameter, ListParameter) and isinstance(value, list):
        return [seal(parameter.param_type, element) for element in value]
    return value


def wrap_secret(value: Any) -> Any:
    """A value that shows itself to nobody who does not ask for it."""
    if value is None or isinstance(value, SECRETS):
        return value
    if isinstance(value, str):
        return SecretStr(value)
    return SecretBytes(value) if isinstance(value, bytes) else Secret[Any](value)


def _is_number(value: Any) -> bool:
    return isinstance(value, Number) and not isinstance(value, complex)


def _shown(value: Any) -> str:
    text = repr(value)
    return (text if len(text) <= 60 else f"{text[:57]}...") + plain_advice(value)


def plain_advice(value: Any) -> str:
    """Return how a value of numpy or pandas, or the first inside, becomes plain: the end of a sentence, or ``""``."""
    if isinstance(value, (dict, list, tuple, set)):
        inside = value.values() if isinstance(value, dict) else value
        return next((advice for each in inside if (advice := plain_advice(each))), "")
    kind = type(value)
    if (library := _library(kind)) is None:
        return ""
    if kind.__name__ in _MISSING:
        return f"; {library}.{kind.__name__} stands for a missing value: give None"
    scalar = kind.__name__.rstrip("_0123456789")  # int64, bool_
    call = _SCALARS.get(scalar) or next((call for name, call in _CALLS.items() if hasattr(kind, name)), None)
    return f"; a {library}.{kind.__name__} x becomes plain by {call}" if call else ""


def _library(kind: type) -> str | None:
    """Return ``numpy`` or ``pandas`` where a type is theirs; neither is imported for it."""
    library = kind.__module__.partition(".")[0]
    return library if library in ("numpy", "pandas") else None


def _is_many_or_missing(value: Any) -> bool:
    """Return whether a value is a column, a table or a missing value of theirs, whose text and truth say nothing."""
    kind = type(value)
    return _library(kind) is not None and (
        kind.__name__ in _MISSING or (hasattr(kind, "__len__") and not isinstance(value, str))
    )
