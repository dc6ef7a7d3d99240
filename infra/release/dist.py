"""The distributions: ``python -m infra.release.dist``, which is ``make dist``.

Builds the source distribution, the wheel and the npm package into ``dist/``, each with the version of
``pyproject.toml``, and has the tools of each index look at them. For a release, ``--release``, CHANGELOG.md has to have
the version's heading.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from infra.release import changelog
from infra.release.version import ROOT, version

if TYPE_CHECKING:
    from collections.abc import Sequence

# The address of the repository, for the links of both packages: see urls.py.
REPOSITORY: Final = "SERVERLESS_TASKS_REPOSITORY"
CLIENT: Final = ROOT / "django_integration/client"
TOOLS: Final = ROOT / ".venvs/release/bin"
# Of what is built.
_SUFFIXES: Final = (".gz", ".whl", ".tgz")
PUBLINT: Final = ROOT / ".venvs/publint/node_modules/publint/src/cli.js"


def build_python(target: Path) -> list[Path]:
    """Build the source distribution and the wheel.

    Args:
        target: the folder they go to.

    Returns:
        Their paths.

    Raises:
        CalledProcessError: the build failed.
    """
    _run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel", "-d", target)
    return sorted(path for path in target.iterdir() if path.suffix in {".gz", ".whl"})


def build_npm(target: Path) -> Path:
    """Build the npm package, from a copy that has the version.

    Args:
        target: the folder it goes to.

    Returns:
        Its path.

    Raises:
        CalledProcessError: the build failed.
    """
    with TemporaryDirectory() as folder:
        # In a tree of the same shape: the build takes the licence from its root.
        copy = Path(folder) / CLIENT.relative_to(ROOT)
        shutil.copy(ROOT / "LICENSE", folder)
        shutil.copytree(CLIENT, copy, ignore=shutil.ignore_patterns("node_modules", "dist"))
        (copy / "node_modules").symlink_to(CLIENT / "node_modules")
        package = copy / "package.json"
        contents = json.loads(package.read_text(encoding="utf-8"))
        name, contents["version"] = contents["name"], version()
        if address := os.environ.get(REPOSITORY, "").rstrip("/"):
            contents["repository"] = {
                "type": "git",
                "url": f"git+{address}.git",
                "directory": "django_integration/client",
            }
            contents["homepage"] = f"{address}/blob/main/docs/javascript.md"
        package.write_text(json.dumps(contents, indent=2) + "\n", encoding="utf-8")
        _run("npm", "pack", "--silent", "--pack-destination", target, cwd=copy)
    return target / f"{name}-{version()}.tgz"


def problems(built: Sequence[Path]) -> list[str]:
    """Have the tools look at what was built, and return what each of them says where it is not content."""
    python = [path for path in built if path.suffix in {".gz", ".whl"}]
    looks: list[list[str | Path]] = [
        [TOOLS / "twine", "check", "--strict", *python],
        [TOOLS / "check-wheel-contents", *(path for path in python if path.suffix == ".whl")],
        ["node", PUBLINT, *(path for path in built if path.suffix == ".tgz"), "--strict"],
    ]
    found = []
    for words in looks:
        done = subprocess.run(words, check=False, capture_output=True, text=True, env=_environment())
        if done.returncode:
            found.append(f"{Path(words[0]).name}: {done.stdout}{done.stderr}".strip())
    return found


def _run(*words: str | Path, cwd: Path = ROOT) -> None:
    subprocess.run(
        words,
        check=True,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=_environment(),
    )


def _environment() -> dict[str, str]:
    # What a build compiles, or a terminal's width and colours, are nothing that the distributions may depend on.
    return {**os.environ, "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def main(words: Sequence[str]) -> int:
    """Build, look, and say what there is.

    Args:
        words: the command line: ``--out`` names another folder than ``dist``; ``--release`` builds nothing but a
            release.

    Returns:
        The exit code: 1 when CHANGELOG.md is not that of a release, the build failed, or a tool found something.
    """
    parser = argparse.ArgumentParser(prog="python -m infra.release.dist", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--release", action="store_true")
    given = parser.parse_args(words)
    if given.release and (wrong := changelog.problems(changelog.read(), version(), release=True)):
        print("\n".join([*wrong, "Nothing was built."]))
        return 1
    target: Path = given.out.resolve()
    target.mkdir(parents=True, exist_ok=True)
    for path in target.iterdir():
        if path.suffix in _SUFFIXES:
            path.unlink()
    try:
        built = [*build_python(target), build_npm(target)]
    except subprocess.CalledProcessError as error:
        print(error.output)
        print(f"`{' '.join(map(str, error.cmd))}` ended with code {error.returncode}: it says why above.")
        return 1
    for path in built:
        print(path)
    found = problems(built)
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
