"""The inputs of a group as they are given on a command line: a file with a line for each member."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.submit.each import refused_lines
from serverless_tasks.engine.submit.references import Reference, results
from serverless_tasks.errors import ConfigurationError, FieldError, WorkflowError

if TYPE_CHECKING:
    from collections.abc import Sequence

_REFERENCE = "$results"


def read_lines(task: str, source: str, common: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """Return the number of each line that is not blank, and the inputs that it gives.

    Args:
        task: the task's name.
        source: ``@FILE``, or ``-`` for standard input.
        common: inputs of all members; a line's own go before them.

    Raises:
        InvalidInputs: a line is no JSON object.
        ConfigurationError: the file cannot be read.
    """
    found: list[tuple[int, dict[str, Any]]] = []
    refused: dict[int, Sequence[FieldError]] = {}
    for number, line in enumerate(_bytes(source).splitlines(), 1):
        if not line.strip():
            continue
        try:
            inputs = json.loads(line)
        except (ValueError, RecursionError) as error:
            refused[number] = [FieldError("", f"is not JSON: {error}")]
            continue
        if not isinstance(inputs, dict):
            refused[number] = [FieldError("", f"must be a JSON object, not a {type(inputs).__name__}")]
            continue
        found.append((number, common | inputs))
    if refused:
        raise refused_lines(task, refused)
    return found


def with_references(inputs: dict[str, Any]) -> dict[str, Any]:
    """Return inputs in which ``{"$results": "file"}`` is the reference ``results["file"]``.

    Raises:
        WorkflowError: it names no output.
    """
    return {
        name: _reference(name, value[_REFERENCE])
        if isinstance(value, dict) and value.keys() == {_REFERENCE}
        else value
        for name, value in inputs.items()
    }


def _reference(name: str, path: Any) -> Reference:
    parts = path if isinstance(path, list) else [path]
    reference = results
    if not parts or not isinstance(parts[0], str):
        raise WorkflowError(
            f'Input {name!r} is {{"{_REFERENCE}": {json.dumps(path)}}}; expected the name of an output, or a list of it'
            " and of where the value stands in that."
        )
    for part in parts:
        reference = reference[part]
    return reference


def _bytes(source: str) -> bytes:
    if source == "-":
        return sys.stdin.buffer.read()
    if not source.startswith("@"):
        raise ConfigurationError(f"--each is {source!r}; expected @FILE, or - for standard input.")
    try:
        return Path(source[1:]).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"File {source[1:]!r} cannot be read: {error.strerror}.") from error
