"""What docstrings say of arguments is what there is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = [
    path
    for package in ("serverless_tasks", "django_integration", "lambda_handlers")
    for path in sorted((ROOT / package).rglob("*.py"))
]
SECTION = re.compile(r"^Args:\n((?:    .*\n|\n)+)", re.MULTILINE)
ENTRY = re.compile(r"^    (\*{0,2}\w+(?:, \*{0,2}\w+)*):", re.MULTILINE)


def described(docstring: str) -> list[str]:
    section = SECTION.search(docstring + "\n")
    if section is None:
        return []
    block = section[1].partition("\n\n")[0]
    return [name.strip().lstrip("*") for entry in ENTRY.findall(block) for name in entry.split(",")]


def arguments(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> set[str]:
    if isinstance(node, ast.ClassDef):
        made = [each for each in node.body if getattr(each, "name", "") in ("__init__", "__new__")]
        fields = {
            each.target.id
            for each in node.body
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
        }
        return set().union(*(arguments(each) for each in made)) if made else fields  # type: ignore[arg-type]
    given = node.args
    return {
        each.arg
        for each in (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg)
        if each is not None
    }


def wrong(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if isinstance(node, ast.ClassDef) and node.bases and not arguments(node):
                continue  # its base takes them
            unknown = set(described(ast.get_docstring(node) or "")) - arguments(node)
            yield from (f"{node.name}: {name}" for name in sorted(unknown))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_described_argument_is_there(path: Path) -> None:
    assert list(wrong(path)) == []
