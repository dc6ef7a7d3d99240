"""The rules of CONTRIBUTING.md on where things live, where import-linter's contracts cannot say them."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.repository import imports

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("serverless_tasks", "lambda_handlers", "django_integration")
LINES = 400

# Longer than LINES, and still one thing: the path, and why.
LONG = {
    "serverless_tasks/errors.py": "one tree of errors, each with the sentence that it says",
    "serverless_tasks/engine/services.py": "the wiring of a process, each part once and in a few lines",
    "serverless_tasks/engine/aws/dynamodb/table.py": "the store's protocol, each method once and in a few lines",
    "serverless_tasks/engine/store/memory.py": "the store's protocol, each method once and in a few lines",
}

# The most modules that a folder may hold.
MODULES = 14
# One module for each command, or group of them.
EXCEPTED = "serverless_tasks/cli/commands"

# What may stand at the top of the packages: what users import, what settings and URLs name, what Django looks for.
DOORS = {
    "serverless_tasks": {"errors", "params", "pytest_plugin", "task", "testing", "workflow"},
    "django_integration": {
        "api",
        "apps",
        "background",
        "cloud_tasks",
        "conf",
        "generic_tasks",
        "models",
        "own_backend",
        "security",
        "task_api_urls",
        "tasks_backend",
        "tokens",
        "urls",
    },
}

# The way of a job: a room of the engine imports those after it only.
ENGINE = (
    "submit",
    "services",
    "workflow",
    "backends",
    "tracing",
    "worker",
    "aws",
    "definition",
    "statistics",
    "store",
    "tokens",
    "job",
)

# A path of one machine, or the host of one registry, in a committed file.
PLACES = re.compile(
    r"(?<![\w.])/(root|work)/|/opt/pypi|/opt/wheels|pypi\.org/simple|files\.pythonhosted|registry\.npmjs"
)
# The files that may name one: the path, and why.
PLACES_ALLOWED = {
    "tests/repository/test_structure.py": "holds the pattern",
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


def test_no_room_imports_itself_through_its_neighbours(modules: dict[str, Path]) -> None:
    found = {
        folder: circles
        for folder, rooms in imports.rooms(imports.graph(modules)).items()
        if (circles := imports.cycles(rooms))
    }
    assert found == {}


def test_the_rooms_of_the_engine_import_downwards_only(modules: dict[str, Path]) -> None:
    engine = imports.rooms(imports.graph(modules))["serverless_tasks.engine"]
    upward = [
        (room, target)
        for room, targets in engine.items()
        for target in targets
        if room in ENGINE and target in ENGINE and ENGINE.index(target) < ENGINE.index(room)
    ]
    assert upward == []


def test_a_folder_can_be_read_at_a_glance(modules: dict[str, Path]) -> None:
    sizes: dict[str, int] = {}
    for path in modules.values():
        if path.name != "__init__.py":
            folder = path.parent.relative_to(ROOT).as_posix()
            sizes[folder] = sizes.get(folder, 0) + 1
    assert {folder: size for folder, size in sizes.items() if size > MODULES and folder != EXCEPTED} == {}


@pytest.mark.parametrize("package", DOORS)
def test_only_doors_stand_at_the_top_of_a_package(package: str) -> None:
    top = {path.stem for path in (ROOT / package).glob("*.py") if path.name != "__init__.py"}
    assert top == DOORS[package]


def test_importing_a_module_of_the_engine_loads_no_other_for_its_folder(modules: dict[str, Path]) -> None:
    engine = {
        name: path
        for name, path in modules.items()
        if name.startswith("serverless_tasks.engine") and path.name == "__init__.py"
    }
    assert len(engine) > 10
    heavy = [name for name, path in engine.items() if len(path.read_text().strip().splitlines()) > 1]
    assert heavy == []


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

    def test_a_circle_of_folders_that_no_module_closes(self, tmp_path: Path) -> None:
        edges = self.graph(
            tmp_path,
            {
                "one/a.py": "import pack.two.b\n",
                "one/c.py": "",
                "two/b.py": "",
                "two/d.py": "from pack.one import c\n",
            },
        )
        assert imports.cycles(edges) == []
        assert imports.cycles(imports.rooms(edges)["pack"]) == [["one", "two"]]

    def test_code_in_a_package_file(self, tmp_path: Path) -> None:
        path = tmp_path / "__init__.py"
        path.write_text('"""Doc."""\nfrom a import b\n__all__ = ["b"]\nb()\n')
        assert imports.statements(path) == ["Expr"]


def test_what_came_with_django_6_is_imported_by_the_modules_that_need_it_alone() -> None:
    """Django 5.2 has neither: the rest of the app must be importable there."""
    app = ROOT / "django_integration"
    allowed = {"tasks_backend.py", "startup/adoption.py", "web/nonce.py"}
    new = re.compile(r"^\s*(from|import) django\.(tasks|middleware\.csp|utils\.(csp|json))\b", re.MULTILINE)
    found = {
        path.relative_to(app).as_posix()
        for path in app.rglob("*.py")
        if new.search(path.read_text(encoding="utf-8")) and "node_modules" not in path.parts
    }
    assert {name for name in found if not name.startswith("django_tasks/")} - allowed == set()
