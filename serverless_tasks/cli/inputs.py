"""A task's inputs as they are typed on a command line."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serverless_tasks.errors import (
    ConfigurationError,
    FieldError,
    InvalidInputs,
    TaskDefinitionError,
    UnknownTask,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serverless_tasks.cli.session import Session
    from serverless_tasks.engine.definition.base import BaseTask


def named_task(session: Session, name: str) -> type[BaseTask] | str:
    """The task's class where its code is here, else its name for the deployment that has it.

    Raises:
        UnknownTask: this process knows tasks, and this is none of them.
    """
    if name in session.registry:
        return session.registry.get(name)
    if len(session.registry) and not session.remote:
        raise UnknownTask(name)
    return name


def read_inputs(
    session: Session, task: type[BaseTask] | str, words: Sequence[str], document: str | None
) -> dict[str, Any]:
    """The inputs of one job.

    Args:
        session: what the command works with.
        task: the task; where its class is known, its input types say how a word is read.
        words: ``name=value`` or ``name=@file`` each.
        document: a JSON object, or ``@file`` with one; words add to it.

    Raises:
        InvalidInputs: a word has no ``=``, or the document is no JSON object.
        ConfigurationError: a file cannot be read.
    """
    name = task if isinstance(task, str) else task.name
    properties = _properties(session, task)
    inputs = _object(name, document) if document is not None else {}
    for word in words:
        field, equals, text = word.partition("=")
        if not field or not equals:
            raise _refused(name, word, "pass inputs as name=value, or all of them as --inputs '{...}'")
        inputs[field] = _value(name, field, text, properties.get(field, {}))
    return inputs


def _value(task: str, field: str, text: str, schema: dict[str, Any]) -> Any:
    if text.startswith("@"):
        data = _read(text[1:])
        if schema.get("format") in ("base64", "base64url"):
            return _base64(data, schema["format"])
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise _refused(
                task, field, f"{text[1:]} is not UTF-8 text, which the input requires ({error.reason})"
            ) from None
    if schema.get("type") == "string":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _object(task: str, document: str) -> dict[str, Any]:
    try:
        value = json.loads(_read(document[1:]) if document.startswith("@") else document)
    except ValueError as error:
        raise _refused(task, "", f"--inputs is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise _refused(task, "", f"--inputs must be a JSON object, not a {type(value).__name__}")
    return value


def _properties(session: Session, task: type[BaseTask] | str) -> dict[str, Any]:
    if isinstance(task, str):
        return {}
    definition = session.registry.definition(task.name)
    try:
        properties: dict[str, Any] = definition.input_schema().get("properties", {})
    except TaskDefinitionError:  # it has none: words are read as those for a task whose code is not here
        return {}
    return properties


def _base64(data: bytes, alphabet: str) -> str:
    encode = base64.urlsafe_b64encode if alphabet == "base64url" else base64.b64encode
    return encode(data).decode()


def _read(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"File {name!r} cannot be read: {error.strerror}.") from error


def _refused(task: str, field: str, reason: str) -> InvalidInputs:
    return InvalidInputs(task, [FieldError(field, reason, (field,) if field else ())])
