"""One word for one thing, and docstrings that say what something is or does."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("serverless_tasks", "django_integration", "lambda_handlers")
MODULES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
GLOSSARY = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").partition("## Glossary")[2]
GLOSSARY = GLOSSARY.partition("\n## ")[0]
# The last column.
BANNED = [
    word.strip()
    for banned in re.findall(r"^\| [^|]+ \| [^|]+ \| ([^|]+) \|$", GLOSSARY, re.MULTILINE)[1:]
    for word in banned.split(",")
]
BAN = re.compile(rf"\b(?:{'|'.join(map(re.escape, BANNED))})s?\b", re.IGNORECASE)
# A first line that begins so tells a riddle: an imperative, or the name of the thing, says it at once.
RIDDLES = ("What", "Who", "How", "Whether", "Where", "When", "Which", "Why")
MOST_RIDDLES = 0.02


def documented(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def sentences(path: Path) -> Iterator[str]:
    """The texts of a module that people may read: its strings but for docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {
        id(node.body[0].value)  # type: ignore[attr-defined]
        for node in documented(tree)
        if ast.get_docstring(node) is not None  # type: ignore[arg-type]
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def public_texts() -> dict[str, str]:
    files = [ROOT / "README.md", ROOT / "template.yaml", *(ROOT / "docs").rglob("*.md")]
    files += (ROOT / "django_integration/templates").rglob("*.html")
    texts = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in files}
    texts["docs/architecture.md"] = texts["docs/architecture.md"].replace(GLOSSARY, "")
    return texts | {
        path.relative_to(ROOT).as_posix(): "\n".join(text for text in sentences(path) if " " in text)
        for path in MODULES
    }


TEXTS = public_texts()


def test_the_glossary_bans_words() -> None:
    assert len(BANNED) >= 8


@pytest.mark.parametrize("where", TEXTS)
def test_no_synonym_comes_back(where: str) -> None:
    assert BAN.findall(TEXTS[where]) == []


def test_first_lines_say_what_something_is_or_does() -> None:
    lines = [
        docstring.splitlines()[0]
        for path in MODULES
        for node in documented(ast.parse(path.read_text(encoding="utf-8")))
        if (docstring := ast.get_docstring(node))  # type: ignore[arg-type]
    ]
    riddles = [line for line in lines if line.split()[0].rstrip(":,") in RIDDLES]
    assert len(riddles) < MOST_RIDDLES * len(lines), riddles
