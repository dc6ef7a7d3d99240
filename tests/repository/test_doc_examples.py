"""Every example of the pages can be parsed, its commands have their options, and the tutorial runs."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import textwrap
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse

from tests.repository.test_documented_commands import unknown

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^( *)```(\w+)?([^\n`]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
TITLE = re.compile(r'title="([^",]+)(, at the end)?"')
# A line of `serverless-tasks`, in a block that is indented or fenced; with its continuation lines.
COMMAND = re.compile(r"^(?: {4})?(?:\$ )?serverless-tasks ((?:[^\n\\]|\\\n)*)$", re.MULTILINE)


@dataclass(frozen=True)
class Example:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    attributes: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def examples(page: Path) -> list[Example]:
    text = page.read_text(encoding="utf-8")
    return [
        Example(
            page=page.relative_to(ROOT).as_posix(),
            line=text.count("\n", 0, block.start()) + 1,
            language=block[2] or "",
            attributes=block[3],
            text=textwrap.dedent(block[4]),
        )
        for block in FENCE.finditer(text)
    ]


EXAMPLES = [example for page in PAGES for example in examples(page)]


def parse_python(text: str) -> None:
    if re.search(r"^return\b", text, re.MULTILINE):  # the end of a view, say
        text = f"async def example():\n{textwrap.indent(text, '    ')}"
    compile(text, "example", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


def parse_shell(text: str) -> None:
    subprocess.run(["bash", "-n"], input=text, text=True, check=True, capture_output=True)


PARSERS = {
    "python": parse_python,
    "py": parse_python,
    "sh": parse_shell,
    "bash": parse_shell,
    "json": json.loads,
    "toml": tomllib.loads,
    "yaml": yaml_parse,
}


@pytest.mark.parametrize("example", [each for each in EXAMPLES if each.language in PARSERS], ids=str)
def test_an_example_can_be_parsed(example: Example) -> None:
    PARSERS[example.language](example.text)


@pytest.mark.parametrize(
    ("language", "text"),
    [("python", "def f(:\n"), ("sh", "for x in"), ("json", "{'a': 1}"), ("toml", "a = "), ("yaml", "a: [")],
)
def test_one_that_cannot_is_seen(language: str, text: str) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 - each parser has its own
        PARSERS[language](text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_command_of_a_page_has_its_options(page: Path) -> None:
    lines = COMMAND.findall(page.read_text(encoding="utf-8"))
    assert {line: names for line in lines if (names := unknown(line.replace("\\\n", " ")))} == {}


def test_there_are_commands_to_look_at() -> None:
    assert sum(len(COMMAND.findall(page.read_text(encoding="utf-8"))) for page in PAGES) > 50


# A test of docs/recipes.md, in the site that it makes.
RECIPES_TEST = """
import boto3
from django.core import mail
from django.test import TestCase
from moto import mock_aws

from serverless_tasks.testing import recorded
from shop.models import Order
from shop.tasks import CountOrders, ImportPrices, MailReceipt


class RecipesTest(TestCase):
    def test_a_new_order_is_mailed_once(self):
        with recorded() as jobs:
            order = Order.objects.create(article="Tea", quantity=2)
            order.save()
            jobs.drain()
        assert [each.body for each in mail.outbox] == ["2 x Tea"]

    def test_orders_are_counted_at_night(self):
        with recorded() as jobs:
            Order.objects.create(article="Tea")
            jobs.fire(CountOrders)
            jobs.drain()
            assert jobs.record(jobs.submitted[-1].uuid).outputs == {"orders": 1}

    @mock_aws
    def test_prices_are_read_from_a_bucket(self):
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="shop-prices")
        s3.put_object(Bucket="shop-prices", Key="7/june.csv", Body=b"article,cents\\nTea,250\\nCup,900\\n")
        with recorded() as jobs:
            job = ImportPrices.options(tenant="customer-7", owner="7").submit(bucket="shop-prices", key="7/june.csv")
            jobs.drain()
            assert jobs.record(job.uuid).outputs == {"rows": 2}
"""


class TestTutorial:
    """The files of docs/tutorial.md are a site that works, and docs/recipes.md goes on with it."""

    def run(self, project: Path, *arguments: str) -> str:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "SERVERLESS_", "DJANGO_"))
        }
        # The packages of this checkout, wherever the project is.
        environment["PYTHONPATH"] = str(ROOT)
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def write(self, page: str, project: Path) -> list[str]:
        written = []
        for example in examples(ROOT / "docs" / page):
            if title := TITLE.search(example.attributes):
                path = project / title[1]
                path.parent.mkdir(parents=True, exist_ok=True)
                before = path.read_text(encoding="utf-8") + "\n" if title[2] else ""
                path.write_text(before + example.text, encoding="utf-8")
                written.append(title[1])
        return written

    def test_its_files_are_a_site_whose_tests_pass(self, tmp_path: Path) -> None:
        self.run(tmp_path, "-m", "django", "startproject", "config", ".")
        self.run(tmp_path, "manage.py", "startapp", "shop")
        assert "shop/tests.py" in self.write("tutorial.md", tmp_path)
        self.run(tmp_path, "manage.py", "makemigrations", "shop")

        said = self.run(tmp_path, "manage.py", "test")

        assert "Ran 1 test" in said
        assert "serverless_tasks.E" not in said

        assert "shop/tasks.py" in self.write("recipes.md", tmp_path)
        (tmp_path / "shop/test_recipes.py").write_text(RECIPES_TEST)
        assert "Ran 4 tests" in self.run(tmp_path, "manage.py", "test")
