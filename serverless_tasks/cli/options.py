"""The options of a submission as parameters of a command."""

from __future__ import annotations

import inspect
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from serverless_tasks.cli.times import zoned
from serverless_tasks.engine.submit.options import RULES, Options
from serverless_tasks.errors import UnknownOption

if TYPE_CHECKING:
    from collections.abc import Callable


def takes_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command a parameter for each option of a submission, in place of its ``**options``.

    An option that is not given is None, and so is what the command is called with; `parsed` reads them.
    """
    signature = inspect.signature(command, eval_str=True)
    parameters = list(signature.parameters.values())
    if parameters.pop().kind is not inspect.Parameter.VAR_KEYWORD:
        raise TypeError(f"{command.__qualname__} has no **options.")
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in _annotations().items()
    ]
    own = [each for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY]
    positional = [each for each in parameters if each.kind is not inspect.Parameter.KEYWORD_ONLY]
    made: Any = command
    made.__signature__ = signature.replace(parameters=[*positional, *options, *own])
    made.__annotations__ = {each.name: each.annotation for each in made.__signature__.parameters.values()}
    return command


def parsed(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were given, as `Options.parse` takes them.

    Raises:
        UnknownOption: a time is none.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if "run_at" in given:
        given["run_at"] = zoned(given["run_at"], "--at", UnknownOption)
    if given.pop("track", None):
        given["track"] = False  # the flag is --no-track
    return given


def _annotations() -> dict[str, Any]:
    types = get_type_hints(Options)
    annotations: dict[str, Any] = {}
    for each in fields(Options):
        rule, kind = RULES[each.name], types[each.name]
        if not rule.help:
            continue
        kind = str | None if datetime in rule.kinds else kind | None
        flags = [rule.flag] if rule.flag else []
        switch = bool in rule.kinds
        annotations[each.name] = Annotated[
            kind,
            typer.Option(
                *flags,
                help=rule.help,
                metavar=rule.metavar,
                show_default="the task's own" if switch and each.default is None else False,
            ),
        ]
    return annotations
