"""Public generators take the OpenAPI document as it is: openapi-typescript, and openapi-python-client."""

import compileall
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser import npm
from tests.support import ministack

ROOT = Path(__file__).resolve().parents[2]
TYPESCRIPT = "openapi-typescript"
PYTHON = "openapi-python-client"
# What a generator cannot express, whatever the document says: TypeScript's makes a type that refers to itself; Python's
# has no enums of several types, no empty tuples, and no constants that are objects.
BEYOND = {
    TYPESCRIPT: ["case.recursive-alias"],
    PYTHON: [
        "case.enum.mixed",
        "case.literal.mixed",
        "case.recursive-alias",
        "case.schema.const-object",
        "case.tuple.empty",
    ],
}


def document(folder: Path, which: str, generator: str) -> Path:
    command = [sys.executable, "-m", "tests.browser.openapi_document", which, *BEYOND[generator]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    path = folder / "openapi.json"
    path.write_text(done.stdout)
    return path


@pytest.mark.parametrize("which", ["example", "cases"])
def test_openapi_typescript(tmp_path: Path, which: str) -> None:
    tools = npm.install(Path(__file__).parent / "generators") / ".bin"
    made = tmp_path / "made.ts"
    npm.run(tools / TYPESCRIPT, document(tmp_path, which, TYPESCRIPT), "-o", made, cwd=tmp_path)
    npm.run(
        npm.install() / ".bin/tsc",
        "--noEmit",
        "--strict",
        "--lib",
        "es2022",
        "--types",
        "",
        made,
        cwd=tmp_path,
    )


@pytest.mark.parametrize("which", ["example", "cases"])
def test_openapi_python_client(tmp_path: Path, which: str) -> None:
    try:
        tools = ministack.installed("OPENAPI_BIN", "openapi", PYTHON).parent
    except ministack.MissingTool as missing:
        pytest.skip(str(missing))
    made = tmp_path / "made"
    command = [tools / PYTHON, "generate", "--path", document(tmp_path, which, PYTHON), "--meta", "none"]
    done = subprocess.run(
        [*command, "--output-path", made],
        env={**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "arning" not in said, said
    assert compileall.compile_dir(made, quiet=1)
    assert len(list((made / "models").glob("*.py"))) > 10
