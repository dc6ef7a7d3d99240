"""Every example of the pages can be parsed, its commands have their options, and the tutorial and the how-tos run."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
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
# A file's path, and where its text goes: all of it, unless something else is said.
TITLE = re.compile(r'title="(?P<path>[^",]+)(?:(?P<end>, at the end)|, in place of (?P<name>\w+))?"')
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


HOW_TOS = [page for page in sorted((ROOT / "docs/howto").glob("*.md")) if page.name != "index.md"]
HEADINGS = ["See that it works", "What can go wrong", "Reference"]
# What CI does is run by tests/e2e/test_init_deploy.py, and read by test_ci_examples.py.
WITHOUT_CODE = {"ci.md"}


@pytest.mark.parametrize("page", HOW_TOS, ids=lambda page: page.name)
def test_a_how_to_has_its_parts(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.splitlines()[2].startswith("**When**")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE)[-3:] == HEADINGS
    # What is given is run: a block without a name would be none of the shop's.
    assert [
        str(each) for each in examples(page) if each.language == "python" and "title=" not in each.attributes
    ] == []


def test_the_index_names_each_how_to() -> None:
    index = (ROOT / "docs/howto/index.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| \[[^]]+\]\(([a-z-]+\.md)\) \|", index, re.MULTILINE)) == [
        page.name for page in HOW_TOS
    ]


@pytest.mark.parametrize("page", HOW_TOS, ids=lambda page: page.name)
def test_parameters_of_a_how_to_are_the_templates(page: Path) -> None:
    parameters = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))["Parameters"]
    blocks = [tomllib.loads(example.text) for example in examples(page) if example.language == "toml"]
    for given in (pair for block in blocks for pair in block.get("parameter_overrides", [])):
        name, _, value = given.partition("=")
        assert re.fullmatch(parameters[name].get("AllowedPattern", ".*"), value), given


def run(project: Path, *arguments: str) -> str:
    """Run Python in a project; return what it printed."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "SERVERLESS_", "DJANGO_", "PYTEST_"))
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


def write(page: Path, project: Path) -> list[str]:
    """Write the files that a page names, as its reader would; return their paths."""
    written = []
    for example in examples(page):
        if title := TITLE.search(example.attributes):
            path = project / title["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            before = path.read_text(encoding="utf-8") if path.exists() else ""
            if title["end"]:
                assert before, f"{example}: there is no such file to add to"
                text = f"{before}\n{example.text}"
            elif title["name"]:
                text = replaced(before, title["name"], example.text)
            else:
                text = example.text
            path.write_text(text, encoding="utf-8")
            written.append(title["path"])
    return written


def replaced(text: str, name: str, by: str) -> str:
    """Return a module's text with another class or function of a name."""
    [node] = [
        each
        for each in ast.parse(text).body
        if isinstance(each, ast.ClassDef | ast.FunctionDef) and each.name == name
    ]
    lines = text.splitlines(keepends=True)
    return "".join([*lines[: node.lineno - 1], by, *lines[node.end_lineno :]])


def count_of_tests(project: Path) -> int:
    """Run the tests of a project; return how many there are."""
    run(project, "manage.py", "makemigrations", "shop")
    printed = run(project, "manage.py", "test")
    assert "serverless_tasks.E" not in printed
    [count] = re.findall(r"^Ran (\d+) tests?", printed, re.MULTILINE)
    return int(count)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of docs/tutorial.md, with what `init` writes."""
    project = tmp_path_factory.mktemp("tutorial") / "little-shop"
    project.mkdir()
    run(project, "-m", "django", "startproject", "config", ".")
    run(project, "manage.py", "startapp", "shop")
    assert "shop/tests.py" in write(ROOT / "docs/tutorial.md", project)
    run(project, "-m", "serverless_tasks.cli", "init")
    return project


class TestTutorial:
    """The files of docs/tutorial.md are a site that works, and each how-to goes on with it."""

    def test_its_files_are_a_site_whose_test_passes(self, shop: Path, tmp_path: Path) -> None:
        assert count_of_tests(shutil.copytree(shop, tmp_path / "shop")) == 1

    @pytest.mark.parametrize(
        "page", [page for page in HOW_TOS if page.name not in WITHOUT_CODE], ids=lambda page: page.name
    )
    def test_a_how_to_goes_on_with_it(self, shop: Path, tmp_path: Path, page: Path) -> None:
        project = shutil.copytree(shop, tmp_path / "shop")
        written = write(page, project)
        tests = [path for path in written if path.startswith("shop/test_")]
        assert tests

        assert count_of_tests(project) > 1
        if "pytest.ini" in written:
            assert " passed" in run(project, "-m", "pytest", "-q", "-p", "no:cacheprovider")
        if "infra/template.overrides.yaml" in written:
            run(project, "-m", "serverless_tasks.cli", "init")
            run(project, str(Path(sys.executable).with_name("cfn-lint")), "template.yaml")

    def test_they_go_on_with_each_other(self, shop: Path, tmp_path: Path) -> None:
        """Except for the signal, with which every order that a test makes submits a job: its page says so."""
        project = shutil.copytree(shop, tmp_path / "shop")
        pages = [page for page in HOW_TOS if page.name != "signals.md"]
        written = [path for page in pages for path in write(page, project)]
        assert count_of_tests(project) > len({path for path in written if path.startswith("shop/test_")})
