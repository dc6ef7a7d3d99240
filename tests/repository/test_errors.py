"""One tree of errors, in one module."""

import ast
import inspect
from pathlib import Path

import pytest

from serverless_tasks import errors

ROOT = Path(__file__).resolve().parents[2]
TREE = {
    name for name, found in inspect.getmembers(errors, inspect.isclass) if issubclass(found, BaseException)
}
MODULES = [
    path
    for package in ("serverless_tasks", "lambda_handlers")
    for path in sorted((ROOT / package).rglob("*.py"))
    if path != ROOT / "serverless_tasks/errors.py"
]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_error_of_ours_is_defined_elsewhere(path: Path) -> None:
    """What never leaves the code that raises it is no error of ours, and none of the tree."""
    classes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]
    derived = [
        node.name for node in classes if {base.id for base in node.bases if isinstance(base, ast.Name)} & TREE
    ]
    assert derived == []


def test_every_error_says_what_it_is_for() -> None:
    assert [name for name in TREE if not (getattr(errors, name).__doc__ or "").strip()] == []


def test_an_error_that_failures_are_kept_with_is_found_where_it_was() -> None:
    from serverless_tasks.params import ParameterNotValidError

    assert ParameterNotValidError is errors.ParameterNotValidError
    assert ParameterNotValidError.__module__ == "serverless_tasks.params"
