"""The JSON of a value that a parameter has converted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.engine.definition.values.equality import equal_after_json
from serverless_tasks.engine.definition.values.field_errors import refusals_of_django
from serverless_tasks.engine.job.encoding import encode

if TYPE_CHECKING:
    from serverless_tasks.params import Parameter

# What a parameter class raises when a value does not fit it, by itself or through what it calls.
UNFIT: tuple[type[Exception], ...] = (
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RecursionError,
)
# That a value has no form in JSON which is read as the same value again.
NO_WAY_BACK: Final = object()


def converted(parameter: Parameter, given: Any, made: Any) -> Any:
    """Return the JSON of a converted value.

    The ``to_json`` of one's own class may be made for outputs alone, and its ``to_python`` one way: what has no way
    back travels as it was given, and is converted by the worker.

    Args:
        parameter: the parameter.
        given: the value as it was given, in JSON.
        made: what ``to_python`` made of it.
    """
    if _text(made) == encode(given):
        return given
    shown = in_json(parameter, made)
    return given if shown is NO_WAY_BACK else shown


def in_json(parameter: Parameter, made: Any) -> Any:
    """A value that a parameter has converted, in JSON, if that is converted to the same value again.

    Returns:
        The JSON, or `NO_WAY_BACK`.
    """
    try:
        shown = json.loads(encode(parameter.to_json(made)))
        returned = parameter.to_python(shown)
        return shown if type(returned) is type(made) and equal_after_json(returned, made) else NO_WAY_BACK
    except (*UNFIT, *refusals_of_django()):
        return NO_WAY_BACK


def _text(made: Any) -> str | None:
    try:
        return encode(made)
    except (ValueError, TypeError, RecursionError):
        return None  # it is no JSON itself
