"""The examples of the pages on workflows, run from top to bottom."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import serverless_tasks
from serverless_tasks import Task
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.services import reset
from serverless_tasks.params import ListParameter, Parameter, StringParameter
from serverless_tasks.workflow import chain, group, previous, results

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The names of a module that the examples are written into, with tasks that run at once."""
    serverless_tasks.configure(Config(), backend="immediate")
    made = ModuleType("shop.album")
    monkeypatch.setitem(sys.modules, made.__name__, made)
    yield vars(made)
    reset()


def examples(page: str) -> list[str]:
    found = re.findall(
        r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert len(found) > 1
    return [example for example in found if not example.startswith("# Celery")]


def run(example: str, module: dict[str, Any]) -> None:
    exec(compile(example, "example", "exec"), module)


def test_the_page_on_workflows(module: dict[str, Any]) -> None:
    for example in examples("docs/workflows.md"):
        run(example, module)
    assert module["handle"].status == "succeeded"
    module["test_album"]()


class Resize(Task):
    inputs = {"key": StringParameter(), "width": Parameter()}
    outputs = {"file": StringParameter()}

    def run(self, key: str, width: int) -> str:
        return f"{width}/{key}"


class MakeAlbum(Task):
    inputs = {"title": StringParameter(), "files": ListParameter(StringParameter())}
    outputs = {"pages": Parameter()}

    def run(self, title: str, files: list[str]) -> int:
        return len(files)


class Fetch(Task):
    inputs = {"url": StringParameter()}
    outputs = {"text": StringParameter()}

    def run(self, url: str) -> str:
        return "1 2 3"


class Parse(Task):
    inputs = {"text": StringParameter()}
    outputs = {"rows": ListParameter(Parameter())}

    def run(self, text: str) -> Any:
        return text.split()


class Store(Task):
    inputs = {"rows": ListParameter(Parameter()), "table": StringParameter()}
    outputs = {"stored": Parameter()}

    def run(self, rows: list[Any], table: str) -> int:
        return len(rows)


def test_the_page_on_celery(module: dict[str, Any]) -> None:
    known = {each.__name__: each for each in (Resize, MakeAlbum, Fetch, Parse, Store)}
    module |= known | {"group": group, "chain": chain, "previous": previous, "results": results}
    module |= {"keys": ["a.jpg", "b.jpg"], "url": "https://example.org"}

    album, rows = examples("docs/migrating/celery-canvas.md")
    for example in (album, rows):
        run(f"handle = {example}", module)
        assert module["handle"].status == "succeeded"
    assert list(module["handle"].results())[-1] == {"stored": 3}
