"""The environments in ``samconfig.toml`` beside the default one: added once, and kept with all that is edited there."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any, Final

from serverless_tasks.errors import ConfigurationError
from serverless_tasks.project.samconfig import DEFAULT, FILE

_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
# Where the first section of another environment begins, with the comments right above it.
_OTHERS = re.compile(r"^(?:#[^\n]*\n)*\[(?!default\b)[\w-]+[.\]]", re.MULTILINE)
# What `init` finds out about the project, and so brings up to date in every environment.
_FOUND: Final = ("TaskModules", "DjangoSettingsModule")
_MODULES = re.compile(r'(\s*)"TaskModules=[^"]*"')


def split(text: str) -> tuple[str, str]:
    """Return the default environment of a file, which `init` writes, and the others, which are the user's."""
    found = _OTHERS.search(text)
    if found is None:
        return text, ""
    return text[: found.start()].rstrip("\n") + "\n", text[found.start() :]


def joined(default: str, others: str) -> str:
    """Put together what `split` has taken apart."""
    return f"{default}\n{others}" if others else default


def brought_up_to_date(others: str, before: str, default: str) -> str:
    """Return the other environments with what `init` has found anew; what differs from the default is left alone.

    Args:
        others: the other environments.
        before: the default environment until now.
        default: the default environment from now on.
    """
    old, new = _found_in(before), _found_in(default)
    for name in _FOUND:
        if old.get(name) == new.get(name):
            continue
        if name in old and name in new:
            others = others.replace(json.dumps(old[name]), json.dumps(new[name]))
        elif name in new:
            others = "".join(_with_parameter(section, name, new[name]) for section in _sections(others))
        else:
            said = re.escape(json.dumps(old[name]))
            others = re.sub(rf"{said}\s*,\s*|\s*,\s*{said}(?=\s*\])|{said}", "", others)
    return others


def with_environment(others: str, default: str, name: str) -> str:
    """Return the other environments with one more, if it is not there yet.

    Args:
        others: the other environments.
        default: the default environment, of which the new one is a copy with a stack of its own.
        name: the new one's name.

    Raises:
        ConfigurationError: the name is none.
    """
    if not _NAME.fullmatch(name) or name == DEFAULT:
        raise ConfigurationError(
            f"--env {name!r}: give a name of small letters, digits and hyphens that is not {DEFAULT!r}, such as prod."
        )
    if isinstance(_read(others).get(name), dict):
        return others
    said = _read(default)[DEFAULT]
    named = [each["parameters"] for each in said.values() if each.get("parameters", {}).get("stack_name")]
    if not named:
        raise ConfigurationError(f"{FILE} names no stack_name for the default environment: add one.")
    for parameters in named:
        parameters["stack_name"] += f"-{name}"
    sections = [f"# The environment {name}: `serverless-tasks deploy --env {name}`."]
    for command, section in said.items():
        sections.append(f"[{name}.{command}.parameters]")
        sections += [f"{key} = {_toml(value)}" for key, value in section.get("parameters", {}).items()]
        sections.append("")
    added = "\n".join(sections)
    return f"{others.rstrip()}\n\n{added}" if others else added


def _sections(text: str) -> list[str]:
    """A file's tables, each with its heading."""
    return re.split(r"^(?=\[)", text, flags=re.MULTILINE)


def _with_parameter(section: str, name: str, pair: str) -> str:
    """Return a table with one more parameter behind the modules with tasks, unless it has a value of its own."""
    if f'"{name}=' in section:
        return section
    said = json.dumps(pair)
    return _MODULES.sub(lambda modules: f"{modules[0]},{modules[1] or ' '}{said}", section, count=1)


def _found_in(default: str) -> dict[str, str]:
    sections = _read(default).get(DEFAULT, {})
    given = sections.get("global", {}).get("parameters", {}).get("parameter_overrides", [])
    pairs = given if isinstance(given, list) else []
    return {name: pair for pair in pairs for name in _FOUND if pair.startswith(f"{name}=")}


def _read(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{FILE} cannot be read: {error}.") from None


def _toml(value: Any) -> str:
    """A value as TOML; `samconfig.toml` has texts, numbers, booleans, and lists and tables of these."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[\n" + "".join(f"    {_toml(each)},\n" for each in value) + "]"
    return json.dumps(value, ensure_ascii=False)
