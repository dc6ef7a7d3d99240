"""Every command with its arguments and options, from typer."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from typer.main import get_command

from infra.site.markdown import code, table, text
from serverless_tasks.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator


def page() -> str:
    """Return the page."""
    root: Any = get_command(app)
    panels: dict[str, list[str]] = {}
    for path, command in _commands(root, ()):
        panels.setdefault(_panel(root, path), []).append(_section(path, command))
    parts = ["# All commands\n", "[The command line](../cli.md) says how they are used.\n"]
    for panel, sections in panels.items():
        parts += [f"## {panel}\n", *sections]
    return "\n".join(parts) + f"\n{text(root.epilog)}\n"


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if path and not (getattr(command, "no_args_is_help", False) and hasattr(command, "commands")):
        yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from _commands(child, (*path, name))


def _panel(root: Any, path: tuple[str, ...]) -> str:
    return str(root.commands[path[0]].rich_help_panel)


def _section(path: tuple[str, ...], command: Any) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option" and not each.hidden]
    usage = " ".join(
        [
            "serverless-tasks",
            *path,
            *(_argument(each) for each in arguments),
            *(["[OPTIONS]"] if options else []),
        ]
    )
    parts = [f"### {' '.join(path)}\n", f"    {usage}\n", _help(command.help or "")]
    described = [(code(_argument(each)), text(each.help or ""), _default(each)) for each in arguments]
    described += [(code(_option(each)), text(each.help or ""), _default(each)) for each in options]
    if described:
        parts.append(table(("argument or option", "", "default"), described))
    return "\n".join(parts)


def _help(value: str) -> str:
    return "\n\n".join(text(paragraph) for paragraph in value.split("\n\n")) + "\n"


def _argument(each: Any) -> str:
    name = each.metavar or each.name.upper()
    return name if each.required else f"[{name}]"


def _option(each: Any) -> str:
    names = ", ".join([*each.opts, *each.secondary_opts])
    return names if each.is_flag or each.count else f"{names} {_value(each)}"


def _value(each: Any) -> str:
    """Return what stands for the option's value: its choices, its own word, or the type."""
    kind = getattr(each.type_descriptor, "annotation", str)
    if each.metavar:
        return str(each.metavar)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(str(choice.value) for choice in kind)
    return (
        str(getattr(kind, "__name__", kind))
        .partition("[")[0]
        .upper()
        .replace("STR", "TEXT")
        .replace("LIST", "TEXT")
    )


def _default(each: Any) -> str:
    value = each.default
    if value is None or value is False or callable(value) or value in ([], ()):
        return ""
    return code(value.value if isinstance(value, Enum) else value)
