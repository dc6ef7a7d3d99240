"""Reading a request's JSON body: bounded, and refused with the reason when it is not what was asked for."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from django.http import UnreadablePostError

from django_integration import conf
from django_integration.web.http.responses import HTTPError
from serverless_tasks.engine.definition.values.nesting import TOO_DEEP, too_deep_fields
from serverless_tasks.errors import FieldError, InvalidInputs

if TYPE_CHECKING:
    from django.http import HttpRequest


def require_json(request: HttpRequest) -> None:
    """Refuse a body that is not announced as JSON.

    A page of another site can make a browser send a form or plain text, but no JSON without asking first (CORS):
    this is what keeps it from submitting tasks as an anonymous visitor.

    Raises:
        Refused: 415.
    """
    if request.content_type != "application/json":
        given = request.content_type or "none"
        message = f"The content type is {given[:100]}; send the body as application/json."
        raise HTTPError(415, "UnsupportedMediaType", message)


def read(request: HttpRequest) -> bytes:
    """Read the body, up to the limit.

    Raises:
        Refused: 413, with ``limit`` and ``size`` in bytes; 400 when the connection breaks.
    """
    limit = conf.current().max_body
    announced = request.META.get("CONTENT_LENGTH") or ""
    size = int(announced[:19]) if announced.isascii() and announced.isdecimal() else 0
    if size > limit:
        raise _too_large(size, limit)
    try:
        data = bytes(request.read(limit + 1))
    except (OSError, UnreadablePostError) as error:
        raise HTTPError(400, "Unreadable", "The body could not be read: the connection broke.") from error
    if len(data) > limit:
        raise _too_large(len(data), limit)
    if not data and "HTTP_TRANSFER_ENCODING" in request.META and not announced:
        # Under WSGI Django reads as many bytes as the header says: none without it.
        message = "The body has no Content-Length, which this server requires; send it."
        raise HTTPError(411, "LengthRequired", message)
    request._body = data
    return data


def parse(data: bytes) -> Any:
    """Decode JSON.

    Raises:
        Refused: 400, with the place where it stops being JSON.
    """
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise HTTPError(
            400, "InvalidJSON", f"The body is not UTF-8: byte {error.start} is invalid."
        ) from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise HTTPError(400, "InvalidJSON", f"The body is not JSON: {error.msg}, {place}.") from None
    except ValueError:
        raise HTTPError(400, "InvalidJSON", "The body contains a number with too many digits.") from None
    except RecursionError:
        raise HTTPError(400, "InvalidJSON", f"The body {TOO_DEEP}.") from None


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers of a name that is given twice may each see another value (RFC 8259, section 4)."""
    found = dict(members)
    if len(found) != len(members):
        names = [name for name, _ in members]
        twice = next(name for name in found if names.count(name) > 1)
        raise HTTPError(400, "InvalidJSON", f"The body has the member {_printable(twice[:100])!r} twice.")
    return found


def submission(data: bytes) -> tuple[str, Any]:
    """The task's name and its inputs in the body of ``POST /tasks/``.

    Raises:
        Refused: 400, when the body is not ``{"task": ..., "inputs": {...}}``.
    """
    body = parse(data)
    if not isinstance(body, dict):
        raise _shape("", f"The body is not an object but a {_kind(body)}")
    for name in body:
        if name not in ("task", "inputs"):
            raise _shape(name[:100], f"The body has an unknown member {name[:100]!r}")
    task = body.get("task")
    if not isinstance(task, str):
        text = f"is a {_kind(task)}" if "task" in body else "is missing"
        raise _shape("task", f"The member 'task' {text}; it must be the task's name")
    return task, body.get("inputs", {})


def check_values(task: str, inputs: Any) -> None:
    """Refuse what Python's JSON reader takes and JSON does not have: NaN, infinities, and halves of characters.

    Raises:
        InvalidInputs: naming each of them, and what is nested too deeply.
    """
    try:
        json.dumps(inputs, allow_nan=False, ensure_ascii=False).encode()
    except RecursionError:
        raise InvalidInputs(task, too_deep_fields(inputs)) from None
    except ValueError:
        raise InvalidInputs(task, _unfit(inputs)) from None


def _unfit(inputs: Any) -> list[FieldError]:
    found = []
    left: list[tuple[tuple[str | int, ...], Any]] = [((), inputs)]
    while left:
        loc, value = left.pop()
        where = ".".join(_printable(str(part)) for part in loc)
        if isinstance(value, dict):
            left += [((*loc, _printable(name)), element) for name, element in value.items()]
            if any(name != _printable(name) for name in value):
                found.append(FieldError(where, "has a name with a lone surrogate", loc, "string_unicode"))
        elif isinstance(value, list):
            left += [((*loc, index), element) for index, element in enumerate(value)]
        elif isinstance(value, float) and not math.isfinite(value):
            found.append(FieldError(where, f"must be a finite number, not {value}", loc, "finite_number"))
        elif isinstance(value, str) and value != _printable(value):
            found.append(FieldError(where, "contains a lone surrogate", loc, "string_unicode"))
    return sorted(found, key=lambda refused: refused.field)[:100]


def _printable(text: str) -> str:
    return text.encode(errors="replace").decode()


def _shape(field: str, message: str) -> HTTPError:
    sentence = f'{message}; send {{"task": "...", "inputs": {{...}}}}.'
    fields = [{"field": field, "message": message, "loc": [field] if field else [], "type": "body"}]
    return HTTPError(400, "InvalidBody", sentence, extra={"fields": fields})


def _kind(value: Any) -> str:
    kinds = {dict: "object", list: "list", str: "string", bool: "boolean", int: "number", float: "number"}
    return kinds.get(type(value), "null")


def _too_large(size: int, limit: int) -> HTTPError:
    message = f"The body has {size:,} bytes or more; the limit is {limit:,}. Send a reference instead."
    return HTTPError(413, "PayloadTooLarge", message, extra={"size": size, "limit": limit})
