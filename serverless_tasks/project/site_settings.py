"""The settings of a site as a stack's outputs give them: written for people, and compared with those that it has."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.config import PREFIX, Config

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A setting that is not what the stack's outputs say.

    Attributes:
        setting: its name, such as ``TABLE``.
        here: its value here; "" or empty where it is not set.
        there: the value of the stack.
    """

    setting: str
    here: Any
    there: Any


def settings_of(outputs: Mapping[str, str], stack: str) -> dict[str, Any]:
    """Return the settings in a stack's outputs, by their names without the prefix.

    Raises:
        ConfigurationError: the stack is not one of ours.
    """
    config = Config.from_outputs(stack, outputs)
    names = [name.removeprefix(PREFIX) for name in Config.environment_of(outputs)]
    found = {name: getattr(config, name.lower()) for name in names}
    return {name: dict(value) if name == "QUEUE_URLS" else value for name, value in found.items()}


def as_django(settings: Mapping[str, Any]) -> str:
    """Return settings as the dictionary ``SERVERLESS_TASKS`` of Django's settings."""
    lines = ["SERVERLESS_TASKS = {"]
    for name, value in settings.items():
        if isinstance(value, dict):
            lines.append(f"    {json.dumps(name)}: {{")
            lines += [f"        {json.dumps(key)}: {json.dumps(each)}," for key, each in value.items()]
            lines.append("    },")
        else:
            lines.append(
                f"    {json.dumps(name)}: {value if isinstance(value, bool) else json.dumps(value)},"
            )
    return "\n".join([*lines, "}"])


def as_environment(settings: Mapping[str, Any]) -> str:
    """Return settings as variables of an environment, for a shell or an env file."""
    return "\n".join(f"{PREFIX}{name}={shlex.quote(_text(value))}" for name, value in settings.items())


def differences(config: Config, settings: Mapping[str, Any]) -> list[Difference]:
    """Return the settings of a process that are not those of a stack.

    Args:
        config: the process's settings.
        settings: the stack's, as `settings_of` gives them.
    """
    return [
        Difference(setting=name, here=here, there=there)
        for name, there in settings.items()
        if (here := getattr(config, name.lower())) != there
    ]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)
