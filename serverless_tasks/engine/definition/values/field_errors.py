"""Validation errors by field, from the errors that validators raise."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from serverless_tasks.errors import FieldError

if TYPE_CHECKING:
    from typing import Any

    from pydantic import ValidationError


def not_an_object(inputs: Any) -> FieldError:
    """The refusal of inputs that are no JSON object."""
    return FieldError("", f"must be an object, not {type(inputs).__name__}", (), "dict_type")


def field_errors(error: ValidationError) -> list[FieldError]:
    """Return pydantic's errors, one for each field."""
    return [
        FieldError(
            ".".join(map(str, found["loc"])), _reason_text(found["msg"]), tuple(found["loc"]), found["type"]
        )
        for found in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def refusals_of_django() -> tuple[type[Exception], ...]:
    """Return the exceptions of Django's validators, where Django is in use: they are no ``ValueError``.

    https://docs.djangoproject.com/en/stable/ref/validators/
    """
    django = sys.modules.get("django.core.exceptions")
    return () if django is None else (django.ValidationError,)


def reason(error: BaseException) -> str:
    """An error's text, or its type when it has none."""
    told = getattr(error, "messages", None) if isinstance(error, refusals_of_django()) else None
    return (" ".join(told) if told else str(error)) or type(error).__name__


def whole(error: BaseException) -> list[FieldError]:
    """A refusal that pydantic puts down to no field. Django's may name fields itself, as ``full_clean`` does."""
    named = getattr(error, "error_dict", None) if isinstance(error, refusals_of_django()) else None
    if not named:
        return [FieldError("", reason(error))]
    told: dict[str, list[str]] = error.message_dict  # type: ignore[attr-defined]
    return [
        FieldError("", " ".join(said))
        if name == "__all__"
        else FieldError(str(name), " ".join(said), (str(name),))
        for name, said in told.items()
    ]


def _reason_text(message: str) -> str:
    return message.removeprefix("Value error, ")
