"""Makes the artefact that the Lambda functions share; `sam build` calls it once for each function.

It installs `requirements.txt` as wheels for Lambda's processor and Python, whatever machine it runs on, adds the project's
own code, takes out what Lambda never runs (`artefact.toml`) and compiles the rest. Standard library and pip alone, so that
`sam build` needs no environment of the project.
"""

from __future__ import annotations

import argparse
import compileall
import fcntl
import fnmatch
import hashlib
import importlib.metadata
import os
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
REQUIREMENTS = HERE / "requirements.txt"
PYTHON = (3, 13)
# Amazon Linux 2023, on which Lambda runs this Python, has glibc 2.34.
GLIBC_MINORS = range(34, 16, -1)
CODE_DIRECTORY = "/var/task"
# ZIP knows no time before 1980, wherever in the world it is read. One time for all files: the same input gives the same archive.
FILE_TIME = 315_619_200
# Of an installed package's metadata Lambda needs its name, version and entry points; licences stay with the code.
METADATA_KEPT = ("METADATA", "entry_points.txt", "licenses/*", "LICEN[CS]E*", "COPYING*", "NOTICE*")


class BuildError(Exception):
    """The artefact cannot be made; the text says what to do."""


def main() -> None:
    """Build the artefact into the directory that SAM names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architecture", required=True, choices=["x86_64", "arm64"])
    parser.add_argument("target", type=Path)
    arguments = parser.parse_args()
    try:
        build(arguments.architecture, arguments.target)
    except BuildError as error:
        sys.exit(f"serverless-tasks: {error}")


def build(architecture: str, target: Path) -> None:
    """Fill `target` with the code for `architecture` (as Lambda names it: x86_64 or arm64)."""
    settings = tomllib.loads((HERE / "artefact.toml").read_text())
    shutil.copytree(_dependencies(architecture, settings), target, dirs_exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        own = Path(scratch)
        for source in _sources(settings["include"]):
            if source.is_dir():
                shutil.copytree(source, own / source.name, ignore=_left_behind)
            else:
                shutil.copy(source, own)
        _exclude(own, settings["exclude"])
        _compile(own)
        shutil.copytree(own, target, dirs_exist_ok=True)
    for path in target.rglob("*"):
        os.utime(path, (FILE_TIME, FILE_TIME))


def _sources(patterns: list[str]) -> list[Path]:
    found: list[Path] = []
    for pattern in patterns:
        matches = sorted(PROJECT.glob(pattern))
        if not matches and not any(sign in pattern for sign in "*?["):
            raise BuildError(f"artefact.toml includes {pattern!r}, which {PROJECT} does not have")
        found += [path.parent if path.name == "__init__.py" else path for path in matches]
    return [path for path in found if not path.name.startswith(".")]


def _left_behind(directory: str, names: list[str]) -> list[str]:
    """Hidden files (secrets live in .env), bytecode and virtual environments never travel."""
    return [
        name
        for name in names
        if name.startswith(".") or name in ("__pycache__", "node_modules") or Path(directory, name, "pyvenv.cfg").exists()
    ]


def _dependencies(architecture: str, settings: dict[str, list[str]]) -> Path:
    """Install once, whichever function comes first, and again when something that decides on the outcome has changed."""
    cache = PROJECT / ".aws-sam" / "serverless-tasks"
    cache.mkdir(parents=True, exist_ok=True)
    finished = cache / f"{architecture}-{_digest(settings)}"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            for stale in cache.glob(f"{architecture}-*"):
                shutil.rmtree(stale)
            with tempfile.TemporaryDirectory(dir=cache) as scratch:
                installed = Path(scratch, "installed")
                _install(architecture, installed)
                _drop_runtime(installed, settings["runtime"])
                _trim_metadata(installed)
                _exclude(installed, settings["exclude"])
                _compile(installed)
                installed.rename(finished)
    return finished


def _digest(settings: dict[str, list[str]]) -> str:
    digest = hashlib.sha256(repr((sorted(settings.items()), sys.version_info[:2])).encode())
    digest.update(Path(__file__).read_bytes())
    text = REQUIREMENTS.read_text()
    digest.update(text.encode())
    for wheel in re.findall(r"\S+\.whl", text):
        path = PROJECT / wheel.removeprefix("file://")
        if path.exists():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _install(architecture: str, target: Path) -> None:
    version = ".".join(map(str, PYTHON))
    # A compiled list is complete and hashed: nothing else may come in.
    complete = ["--require-hashes", "--no-deps"] if "--hash=" in REQUIREMENTS.read_text() else []
    common = ["--target", str(target), "--only-binary", ":all:", "--python-version", version, *complete]
    machine = {"x86_64": "x86_64", "arm64": "aarch64"}[architecture]
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0:
        tags = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC_MINORS] + [f"manylinux2014_{machine}"]
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--implementation", "cp"]
        command += ["--root-user-action", "ignore", "--disable-pip-version-check"]
        command += [part for tag in tags for part in ("--platform", tag)]
    elif uv := shutil.which("uv"):
        command = [uv, "pip", "install", "--quiet", "--python-platform", f"{machine}-manylinux_2_28"]
    else:
        raise BuildError(f"{sys.executable} has no pip and there is no uv: install one of them")
    result = subprocess.run([*command, *common, "--requirement", str(REQUIREMENTS)], cwd=PROJECT, check=False)
    if result.returncode:
        raise BuildError(f"{REQUIREMENTS.relative_to(PROJECT)} could not be installed for {architecture}; see above")
    shutil.rmtree(target / "bin", ignore_errors=True)


def _drop_runtime(installed: Path, runtime: list[str]) -> None:
    """Take out what Lambda's runtime has, with all that only those packages had asked for."""
    packages = {_name(each.name): each for each in importlib.metadata.distributions(path=[str(installed)])}
    waiting = [_name(line) for line in REQUIREMENTS.read_text().splitlines() if re.match(r"[A-Za-z0-9.]", line)]
    # A bare path to a wheel: its file name starts with the package's name.
    waiting = [_name(Path(each).name.split("-")[0]) if "/" in each else each for each in waiting]
    needed: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in packages and name not in needed and name not in runtime:
            needed.add(name)
            waiting += [_name(each) for each in packages[name].requires or []]
    for name, package in packages.items():
        if name not in needed:
            for file in package.files or []:
                Path(str(package.locate_file(file))).unlink(missing_ok=True)
    for directory, _, _ in os.walk(installed, topdown=False):
        if not os.listdir(directory):
            os.rmdir(directory)


def _name(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;@(]", requirement, maxsplit=1)[0]).lower()


def _trim_metadata(installed: Path) -> None:
    for directory in installed.glob("*.dist-info"):
        for path in [each for each in directory.rglob("*") if each.is_file()]:
            relative = path.relative_to(directory).as_posix()
            if not any(fnmatch.fnmatch(relative, kept) for kept in METADATA_KEPT):
                path.unlink()
        metadata = directory / "METADATA"
        metadata.write_text(metadata.read_text(encoding="utf-8").split("\n\n")[0] + "\n", encoding="utf-8")


def _exclude(directory: Path, patterns: list[str]) -> None:
    """Remove what a pattern names: a bare name wherever it is, one with a slash from the artefact's root."""
    for path in sorted(directory.rglob("*")):
        relative = path.relative_to(directory).as_posix()
        if any(fnmatch.fnmatch(relative if "/" in pattern else path.name, pattern) for pattern in patterns):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _compile(directory: Path) -> None:
    if sys.version_info[:2] != PYTHON:
        wanted, found = (".".join(map(str, each)) for each in (PYTHON, sys.version_info[:2]))
        print(
            f"serverless-tasks: built with Python {found}, so without bytecode: cold starts take longer. "
            f"Put python{wanted} on PATH.",
            file=sys.stderr,
        )
        return
    # Unchecked: the code never changes in Lambda, so its files need no look at each import.
    compiled = compileall.compile_dir(
        directory,
        quiet=1,
        force=True,
        stripdir=str(directory),
        prependdir=CODE_DIRECTORY,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    if not compiled:
        raise BuildError("a module does not compile; see above")


if __name__ == "__main__":
    main()
