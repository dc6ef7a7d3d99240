"""The exports of the JavaScript client, from its TypeScript: ``django_integration/client/reference.mjs`` reads it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from infra.site.markdown import code, sentence, table, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

type Json = dict[str, Any]

CLIENT: Final = Path(__file__).resolve().parents[2] / "django_integration/client"
INTRODUCTION: Final = """\
The package `serverless-tasks-client`, with its hooks for React. The script of the template tag `{% task_api %}` \
has the same calls as the global `TaskAPI`. [Tasks from a browser](../javascript.md) says how they are used.

```ts
import tasks, { createClient, HTTPError } from 'serverless-tasks-client'
import { useTask, useTaskList } from 'serverless-tasks-client/react'
```
"""
DEFAULT: Final = (
    "All of these are members of the default export, and of the global `TaskAPI`, and are exported by name.\n"
)
REACT: Final = (
    "Exports of `serverless-tasks-client/react`. React, from version 18 on, is a peer dependency.\n"
)
NOT_EXPORTED: Final = "The signatures above have these types, which are not exported.\n"
VALUES: Final = ("function", "value")


def lacking() -> str:
    """Return what has to be installed before the page can be made, or "" if nothing."""
    if shutil.which("node") is None:
        return "node is lacking"
    return "" if (CLIENT / "node_modules/typescript").is_dir() else "the client's packages are lacking"


def exports() -> Json:
    """Return what `reference.mjs` reads from the sources.

    Raises:
        CalledProcessError: an export is of a kind that it does not know.
    """
    done = subprocess.run(
        ["node", "reference.mjs"], cwd=CLIENT, check=True, stdout=subprocess.PIPE, text=True
    )
    read: Json = json.loads(done.stdout)
    return read


def page() -> str:
    """Return the page."""
    read = exports()
    index, react = read["modules"]
    # The calls in the order of the source, types for those who look one up.
    order = {name: place for place, name in enumerate(index["default"])}
    calls = sorted(_values(index), key=lambda each: order[each["name"]])
    parts: list[tuple[str, str, list[Json]]] = [
        ("Calls and settings", DEFAULT, calls),
        ("Types", "", _types(index)),
        ("Hooks for React", REACT, [*_values(react), *_types(react)]),
        ("Types that are not exported", NOT_EXPORTED, read["inner"]),
    ]
    entries = [entry for _, _, some in parts for entry in some]
    anchors = {entry["name"]: _heading(entry).lower().replace(" ", "-") for entry in entries}
    defaults = {entry["type"]: entry["values"] for entry in entries if entry["kind"] == "value"}
    written = ["# JavaScript\n", INTRODUCTION]
    for title, says, some in parts:
        written += [f"## {title}\n", *([says] if says else [])]
        for entry in some:
            written += _section(entry, anchors, defaults.get(entry["name"], {}))
    return "\n".join(written)


def _values(module: Json) -> list[Json]:
    return [each for each in module["exports"] if each["kind"] in VALUES]


def _types(module: Json) -> list[Json]:
    types = [each for each in module["exports"] if each["kind"] not in VALUES]
    return sorted(types, key=lambda each: str(each["name"]).lower())


def _heading(entry: Json) -> str:
    # With the kind of a type: `options` and `Options` would have the same anchor.
    return entry["name"] if entry["kind"] in VALUES else f"{entry['kind']} {entry['name']}"


def _section(entry: Json, anchors: Mapping[str, str], defaults: Mapping[str, str]) -> Iterator[str]:
    yield f"### {_heading(entry)}\n"
    yield f"```ts\n{entry['signature']}\n```\n"
    if entry.get("deprecated"):
        yield f"Deprecated. {sentence(text(entry['deprecated']))}.\n"
    if entry["doc"]:
        yield "\n\n".join(text(paragraph) for paragraph in entry["doc"].split("\n\n")) + "\n"
    if entry["kind"] == "function" and entry["params"]:
        yield _table(
            "parameter",
            [(each["name"], each.get("default"), _cell(each["doc"])) for each in entry["params"]],
        )
    if entry.get("returns"):
        yield f"Returns {text(entry['returns'])}{'' if entry['returns'].endswith('.') else '.'}\n"
    if entry.get("members"):
        yield _table(
            "member",
            [
                (each["name"], defaults.get(each["name"]) or each.get("defaultValue"), _meaning(each))
                for each in entry["members"]
            ],
        )
    if used := [name for name in anchors if name in entry["uses"] and name != entry["name"]]:
        yield "See " + ", ".join(f"[{name}](#{anchors[name]})" for name in used) + ".\n"


def _table(first: str, rows: Sequence[tuple[str, str | None, str]]) -> str:
    """Return a table, without the column of defaults where there are none."""
    written: Iterable[tuple[str, ...]] = [(code(name), code(value), says) for name, value, says in rows]
    if any(value for _, value, _ in rows):
        return table((first, "default", ""), written)
    return table((first, ""), [(name, says) for name, _, says in written])


def _meaning(member: Json) -> str:
    params = (f"{code(each['name'])}: {text(each['doc'])}" for each in member.get("params", ()))
    return " ".join([_cell(member["doc"]), *(f"{param}." for param in params)])


def _cell(doc: str) -> str:
    """Return what a comment says as sentences."""
    return f"{sentence(text(doc))}."
