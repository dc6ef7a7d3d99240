"""The rules of CONTRIBUTING.md on where things live, where import-linter's contracts cannot say them."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.unit import imports

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("serverless_tasks", "lambda_handlers", "django_integration")
LINES = 400

# Longer than LINES, and still one thing: the path, and why.
LONG: dict[str, str] = {}

# A path of one machine, or the host of one registry, in a committed file.
PLACES = re.compile(
    r"(?<![\w.])/(root|work)/|/opt/pypi|/opt/wheels|pypi\.org/simple|files\.pythonhosted|registry\.npmjs"
)
# The files that may name one: the path, and why.
PLACES_ALLOWED = {
    "tests/unit/test_structure.py": "holds the pattern",
}


def tracked(*patterns: str) -> list[Path]:
    """The files that are committed or would be, without those that .gitignore leaves out."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return [path for line in done.stdout.splitlines() if (path := ROOT / line).is_file()]


@pytest.fixture(scope="module")
def modules() -> dict[str, Path]:
    return imports.sources(ROOT, PACKAGES)


@pytest.fixture(scope="module")
def python_files() -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in tracked("*.py")]


def test_no_module_imports_itself_through_others(modules: dict[str, Path]) -> None:
    assert imports.cycles(imports.graph(modules)) == []


def test_nobody_imports_infra_examples_or_tests(modules: dict[str, Path]) -> None:
    outside = {"infra", "examples", "benchmarks", "tests"}
    found = {
        name: sorted(target for target in targets if target.split(".")[0] in outside)
        for name, targets in imports.external(modules).items()
    }
    assert {name: targets for name, targets in found.items() if targets} == {}


def test_ci_runs_every_kind_of_test_once() -> None:
    kinds = {path.relative_to(ROOT).parts[1] for path in tracked("tests/**/test_*.py")}
    command = ["make", "--dry-run", "test-all"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert sorted(re.findall(r"pytest tests/(\w+)", done.stdout)) == sorted(kinds)
    assert "make test-all" in (ROOT / ".ci/run").read_text()


def test_no_module_is_named_utils_or_helpers(python_files: list[str]) -> None:
    named = re.compile(r"(^|[_/])(utils?|helpers?|misc|common)(_[a-z]+)?(\.py|/)")
    assert [path for path in python_files if named.search(path)] == []


def test_a_package_file_holds_re_exports_only(modules: dict[str, Path]) -> None:
    code = {
        name: kinds
        for name, path in modules.items()
        if path.name == "__init__.py" and (kinds := imports.statements(path))
    }
    assert code == {}


def test_a_long_module_is_argued_for(python_files: list[str]) -> None:
    code = [path for path in python_files if not path.startswith("tests/")]
    sizes = {path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in code}
    long = {path: size for path, size in sizes.items() if size > LINES}
    assert {path: size for path, size in long.items() if path not in LONG} == {}, (
        f"ask whether it is two modules; one that is not goes to LONG with the reason ({LINES} lines)"
    )
    assert sorted(set(LONG) - set(long)) == [], "no longer long: take it out of LONG"


def test_committed_files_name_no_machine_and_no_registry() -> None:
    found = []
    for path in tracked():
        name = path.relative_to(ROOT).as_posix()
        if name in PLACES_ALLOWED:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{name}:{number}: {line.strip()[:120]}"
            for number, line in enumerate(text.splitlines(), 1)
            if PLACES.search(line)
        ]
    assert found == []


class TestTheReaderOfImports:
    """That the rules above would see what they forbid."""

    def graph(self, folder: Path, files: dict[str, str]) -> imports.Graph:
        for name, text in files.items():
            path = folder / "pack" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return imports.graph(imports.sources(folder, ("pack",)))

    def test_cycle_through_type_checking_and_a_function(self, tmp_path: Path) -> None:
        edges = self.graph(
            tmp_path,
            {
                "__init__.py": "",
                "a.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pack.b import B\n",
                "b.py": "def make():\n    import pack.sub.c\n",
                "sub/__init__.py": "",
                "sub/c.py": "from .. import a\n",
                "d.py": "from pack import a\n",
            },
        )
        assert imports.cycles(edges) == [["pack.a", "pack.b", "pack.sub.c"]]

    def test_a_package_and_its_own_module(self, tmp_path: Path) -> None:
        edges = self.graph(
            tmp_path, {"__init__.py": "from pack.a import A\n", "a.py": "from pack import B\n"}
        )
        assert imports.cycles(edges) == [["pack", "pack.a"]]

    def test_a_diamond_is_no_cycle(self, tmp_path: Path) -> None:
        edges = self.graph(
            tmp_path,
            {
                "a.py": "import pack.b, pack.c\n",
                "b.py": "import pack.d\n",
                "c.py": "import pack.d",
                "d.py": "",
            },
        )
        assert imports.cycles(edges) == []

    def test_code_in_a_package_file(self, tmp_path: Path) -> None:
        path = tmp_path / "__init__.py"
        path.write_text('"""Doc."""\nfrom a import b\n__all__ = ["b"]\nb()\n')
        assert imports.statements(path) == ["Expr"]
