"""The tests over every supported Python and Django: ``python -m infra.matrix``, which is ``make test-matrix``.

It takes the Pythons that the machine has and says which combinations it left out, and why.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).resolve().parents[1]
UV: Final = ROOT / ".venvs/uv/bin/uv"
PYTHONS: Final = ("3.12", "3.13", "3.14")
DJANGOS: Final = ("5.2", "6.0", "6.1")
KINDS: Final = ("unit", "django")


def interpreter(version: str) -> str | None:
    """The path of this machine's Python of a version, or None."""
    found = subprocess.run(
        [ROOT / ".ci/find-python", version], check=False, capture_output=True, text=True, cwd=ROOT
    )
    return found.stdout.strip() if found.returncode == 0 else None


def environment(python: str, version: str, django: str) -> Path:
    """Make the environment of a combination: what the tests need, and this Django in place of theirs.

    Args:
        python: the interpreter.
        version: its version.
        django: Django's.

    Returns:
        Its interpreter.

    Raises:
        CalledProcessError: it cannot be installed.
    """
    folder = ROOT / f".venvs/matrix-{version}-{django}"
    made = folder / "bin/python"

    def install(*words: str, cwd: Path = ROOT) -> None:
        subprocess.run([UV, "pip", "install", "--quiet", "--python", made, *words], check=True, cwd=cwd)

    subprocess.run([UV, "venv", "--quiet", "--clear", "--python", python, folder], check=True)
    install("--require-hashes", "-r", "requirements/dev.txt")
    install("--no-deps", "--no-build-isolation", "--editable", ".")
    # From outside the checkout: pyproject.toml overrides the Django that others ask for.
    install("--no-deps", "--require-hashes", "-r", f"{ROOT}/requirements/django-{django}.txt", cwd=folder)
    return made


def passes(python: Path, kinds: Sequence[str]) -> bool:
    """Run kinds of tests with an interpreter, and return whether all passed."""
    path = f"{python.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    tests = [f"tests/{kind}" for kind in kinds]
    words = [str(python), "-m", "pytest", "-q", *tests]
    return subprocess.run(words, check=False, cwd=ROOT, env={**os.environ, "PATH": path}).returncode == 0


def main(words: Sequence[str]) -> int:
    """Run the combinations.

    Args:
        words: the command line: ``--python``, ``--django`` and ``--kind`` take one alone; ``--strict`` leaves none out.

    Returns:
        The exit code: 1 when tests of a combination failed or it could not be installed.
    """
    parser = argparse.ArgumentParser(prog="python -m infra.matrix", description=__doc__)
    parser.add_argument("--python", choices=PYTHONS, action="append")
    parser.add_argument("--django", choices=DJANGOS, action="append")
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--strict", action="store_true", help="what is left out is a failure")
    given = parser.parse_args(words)
    lines, failed = [], False
    for version in given.python or PYTHONS:
        python = interpreter(version)
        for django in given.django or DJANGOS:
            name = f"Python {version}, Django {django}"
            if python is None:
                lines.append(f"{name}: left out, as this machine has no Python {version}")
                failed = failed or given.strict
                continue
            print(f"== {name}", flush=True)
            started = time.monotonic()
            try:
                passed = passes(environment(python, version, django), given.kind or KINDS)
                said = "passed" if passed else "failed"
            except subprocess.CalledProcessError as error:
                passed, said = False, f"failed: {error}"
            failed = failed or not passed
            lines.append(f"{name}: {said} in {time.monotonic() - started:.0f} s")
    print("\n".join(["", *lines]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
