"""`make clean` removes what the targets, the examples and the tests leave behind, and nothing else."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What git ignores, and where it lies.
LEFT = {
    ".venv/": [".venv/bin/python"],
    ".venvs/": [".venvs/sam/bin/sam"],
    "__pycache__/": ["serverless_tasks/__pycache__/task.cpython-313.pyc"],
    "*.egg-info/": ["serverless_tasks.egg-info/PKG-INFO"],
    "build/": ["build/site/index.html"],
    "dist/": ["dist/a.whl", "django_integration/client/dist/esm/index.js", "examples/react/dist/index.html"],
    ".coverage": [".coverage"],
    ".mypy_cache/": [".mypy_cache/a"],
    ".pytest_cache/": [".pytest_cache/a"],
    ".ruff_cache/": [".ruff_cache/a"],
    ".import_linter_cache/": [".import_linter_cache/a"],
    ".hypothesis/": [".hypothesis/a"],
    "node_modules/": ["django_integration/client/node_modules/a/b.js", "examples/react/node_modules/a/b.js"],
    ".aws-sam/": [".aws-sam/build/template.yaml"],
    ".serverless-tasks/": [".serverless-tasks/a"],
    "/test-results/": ["test-results/a"],
    "/screenshots/": ["screenshots/a.png"],
    "/django_integration/client/LICENSE": ["django_integration/client/LICENSE"],
}
# Bytecode is always in __pycache__; a database has somebody's data; the others are an editor's or the desktop's.
OF_PEOPLE = {"*.py[cod]", "*.sqlite3", ".idea/", ".vscode/", "*.swp", ".DS_Store"}
KEPT = [
    "serverless_tasks/task.py",
    "django_integration/client/src/index.ts",
    "examples/react/src/main.tsx",
    "db.sqlite3",
    ".idea/workspace.xml",
]


def test_clean_knows_all_that_git_ignores() -> None:
    lines = (ROOT / ".gitignore").read_text().splitlines()
    assert {line for line in lines if line and not line.startswith("#")} == set(LEFT) | OF_PEOPLE


def test_clean_leaves_what_is_no_product_of_ours(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    for name in [*KEPT, *(name for names in LEFT.values() for name in names)]:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    subprocess.run(["make", "clean"], cwd=tmp_path, check=True, capture_output=True)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"Makefile", *KEPT}
