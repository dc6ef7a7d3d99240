"""Makes the artefact that the Lambda functions share; `sam build` calls it once for each function.

It installs `requirements.txt` as wheels for Lambda's processor and Python, whatever machine it runs on, adds the
project's own code, takes out what Lambda never runs (`artefact.toml`) and compiles the rest. It needs the standard
library and pip alone, and no environment of the project.
"""

from __future__ import annotations

import argparse
import compileall
import fcntl
import fnmatch
import hashlib
import importlib.metadata
import json
import os
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
REQUIREMENTS = HERE / "requirements.txt"
# Amazon Linux 2023, which runs Python 3.12 and later in Lambda, has glibc 2.34.
GLIBC_MINORS = range(34, 16, -1)
CODE_DIRECTORY = "/var/task"
# One time for all files, so that the same input gives the same archive; ZIP knows none before 1980.
FILE_TIME = 315_619_200
# What the handlers read at their start: the build, the processor that the artefact is for, and plain variables.
MANIFEST = "serverless_tasks_artefact.json"
# The variable that names the build, a commit or a release, in place of the hash of its code.
BUILD = "SERVERLESS_TASKS_BUILD"
BUILD_NAME = re.compile(r"[\w.-]{1,24}|[0-9a-f]{40}", re.ASCII)
# Which the stack or Lambda sets; SERVERLESS_TASKS_SECRET_<NAME> refers to a secret and may stand here.
RESERVED = re.compile(r"AWS_|LAMBDA_|_|DJANGO_SETTINGS_MODULE$|SERVERLESS_TASKS_(?!SECRET_)")
REFERENCE = "SERVERLESS_TASKS_SECRET_"
# What a variable is called, or looks like, that nobody should read in a repository: words of names; a password in a
# URL, an access key of AWS, a private key, a token of Stripe, GitHub or Slack, a JSON web token.
SECRET_NAME = re.compile(
    r"(^|_)(SECRET|PASSWORD|PASSWD|PWD|PASSPHRASE|TOKEN|CREDENTIALS?|APIKEY|(API|ACCESS|PRIVATE|SIGNING|ENCRYPTION)_KEY)(_|$)"
)
SECRET_VALUE = re.compile(
    r"://[^/\s:@]*:[^/\s@]+@|\b(AKIA|ASIA)[A-Z0-9]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\b(sk|rk)_(live|test)_|\bgh[pousr]_[A-Za-z0-9]{20}|\bxox[abprs]-|\beyJ[\w-]{10,}\.[\w-]{10,}\."
)
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
    if "{}.{}".format(*sys.version_info) != _runtime():
        raise BuildError(
            f"this is Python {sys.version.split()[0]}; Lambda's {_runtime()} alone compiles for it"
        )
    settings = tomllib.loads((HERE / "artefact.toml").read_text())
    variables = _variables(settings.get("environment", {}), settings.get("no_secrets", []))
    shutil.copytree(_dependencies(architecture, settings), target, dirs_exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        own = Path(scratch)
        for source in _sources(settings["include"]):
            if source.is_dir():
                shutil.copytree(source, own / source.name, ignore=_left_behind(settings["exclude"]))
            elif not _matches(source.name, settings["exclude"]):
                shutil.copy(source, own)
        _trim(own, settings["trim"])
        build_id = _build_id(own, settings, variables)
        _compile(own)
        shutil.copytree(own, target, dirs_exist_ok=True)
    manifest = {"architecture": architecture, "build": build_id, "environment": variables}
    (target / MANIFEST).write_text(json.dumps(manifest, sort_keys=True) + "\n")
    for path in target.rglob("*"):
        os.utime(path, (FILE_TIME, FILE_TIME))


def _build_id(own: Path, settings: Mapping[str, Any], variables: Mapping[str, str]) -> str:
    """The name of this build: the one that the environment gives, else a hash of all that is deployed."""
    given = os.environ.get(BUILD, "").strip()
    if given:
        if not BUILD_NAME.fullmatch(given):
            raise BuildError(
                f"{BUILD} is {given!r}; give a commit's id, or up to 24 letters, digits, and . _ -"
            )
        return given
    digest = hashlib.sha256(repr((_digest(settings), sorted(variables.items()))).encode())
    for path in sorted(own.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(own).as_posix()}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _variables(given: Mapping[str, Any], no_secrets: Sequence[str]) -> dict[str, str]:
    """The plain variables of the functions. A secret in the repository and in the artefact would be one no more."""
    for name, value in given.items():
        if not isinstance(value, str):
            raise BuildError(f"artefact.toml has {name} = {value!r} in [environment]: write it in quotes")
        if RESERVED.match(name):
            raise BuildError(f"artefact.toml has {name} in [environment], which the stack or Lambda sets")
        named = SECRET_NAME.search(name.upper()) and not name.startswith(REFERENCE)
        if (named or SECRET_VALUE.search(value)) and name not in no_secrets:
            raise BuildError(
                f"artefact.toml has {name} in [environment], which looks like a secret: give a reference to it in"
                f" {REFERENCE}{name}, or in the parameter SecretReferences. If it is none, list {name!r} in no_secrets"
            )
    return dict(given)


def _sources(patterns: list[str]) -> list[Path]:
    found: list[Path] = []
    for pattern in patterns:
        matches = sorted(PROJECT.glob(pattern))
        if not matches and not any(sign in pattern for sign in "*?["):
            raise BuildError(f"artefact.toml includes {pattern!r}, which {PROJECT} does not have")
        found += [path.parent if path.name == "__init__.py" else path for path in matches]
    return [path for path in found if not path.name.startswith(".")]


def _runtime() -> str:
    """The version of Python, such as 3.13, that the template has the functions run on."""
    found = re.search(r"^\s*Runtime: *python([\d.]+)", (PROJECT / "template.yaml").read_text(), re.MULTILINE)
    if found is None:
        raise BuildError("template.yaml names no Runtime: python…")
    return found[1]


def _left_behind(patterns: list[str]) -> Callable[[str, list[str]], list[str]]:
    """Beside the patterns: hidden files (secrets live in .env), bytecode and virtual environments never travel."""
    never = [".*", "__pycache__", "node_modules", *patterns]

    def ignored(directory: str, names: list[str]) -> list[str]:
        return [
            each for each in names if _matches(each, never) or Path(directory, each, "pyvenv.cfg").exists()
        ]

    return ignored


def _dependencies(architecture: str, settings: Mapping[str, Any]) -> Path:
    """Install once, whichever function comes first, and again when what decides on the outcome has changed."""
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
                _trim(installed, settings["trim"])
                _compile(installed)
                installed.rename(finished)
    return finished


def _digest(settings: Mapping[str, Any]) -> str:
    deciding = [(name, settings[name]) for name in ("runtime", "trim")]
    digest = hashlib.sha256(repr((deciding, sys.version_info[:2])).encode())
    digest.update(Path(__file__).read_bytes())
    digest.update(REQUIREMENTS.read_bytes())
    for wheel in re.findall(r"\S+\.whl", REQUIREMENTS.read_text()):
        path = PROJECT / wheel.removeprefix("file://")
        if path.exists():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _install(architecture: str, target: Path) -> None:
    command = [
        *_installer({"x86_64": "x86_64", "arm64": "aarch64"}[architecture]),
        *("--target", str(target), "--only-binary", ":all:"),
        *("--python-version", _runtime()),
        *("--requirement", str(REQUIREMENTS)),
    ]
    if "--hash=" in REQUIREMENTS.read_text():
        # A compiled list is complete: nothing else may come in.
        command += ["--require-hashes", "--no-deps"]
    if subprocess.run(command, cwd=PROJECT, check=False).returncode:
        name = REQUIREMENTS.relative_to(PROJECT)
        raise BuildError(f"{name} could not be installed for {architecture}; see above")
    shutil.rmtree(target / "bin", ignore_errors=True)


def _installer(machine: str) -> list[str]:
    """Pip of this interpreter, or of the one that its environment was made from, or uv."""
    base = Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}")
    for python in (sys.executable, str(base)):
        if Path(python).exists() and not subprocess.call(
            [python, "-c", "import pip"], stderr=subprocess.DEVNULL
        ):
            tags = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC_MINORS] + [f"manylinux2014_{machine}"]
            platforms = [part for tag in tags for part in ("--platform", tag)]
            quiet = ["--quiet", "--disable-pip-version-check", "--root-user-action", "ignore"]
            return [
                python,
                "-m",
                "pip",
                "install",
                *quiet,
                "--no-compile",
                "--implementation",
                "cp",
                *platforms,
            ]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--quiet", "--python-platform", f"{machine}-manylinux_2_28"]
    raise BuildError(f"{sys.executable} has no pip and there is no uv on PATH: install one of them")


def _drop_runtime(installed: Path, runtime: list[str]) -> None:
    """Take out what Lambda's runtime has, with all that only those packages had asked for."""
    packages = {_name(each.name): each for each in importlib.metadata.distributions(path=[str(installed)])}
    waiting = [line for line in REQUIREMENTS.read_text().splitlines() if re.match(r"[A-Za-z0-9./]", line)]
    needed, seen = set[str](), set[str]()
    while waiting:
        requirement = waiting.pop()
        name = _name(requirement)
        if name in packages and name not in runtime and requirement not in seen:
            needed.add(name)
            seen.add(requirement)
            for each in packages[name].requires or []:
                extra = re.search(r"extra *== *['\"]([^'\"]+)", each)
                if extra is None or extra[1] in re.split(r"[\[\], ]+", requirement.split(";")[0]):
                    waiting.append(each)
    for name, package in packages.items():
        if name not in needed:
            for file in package.files or []:
                Path(str(package.locate_file(file))).unlink(missing_ok=True)
    for directory in sorted((each for each in installed.rglob("*") if each.is_dir()), reverse=True):
        if not any(directory.iterdir()):
            directory.rmdir()


def _name(requirement: str) -> str:
    """The package that a line asks for; a bare path to a wheel has it at the start of the file's name."""
    start = re.split(r"[\s\[<>=!~;@(]", requirement, maxsplit=1)[0]
    start = Path(start).name.split("-")[0] if start.endswith(".whl") else start
    return re.sub(r"[-_.]+", "-", start).lower()


def _trim_metadata(installed: Path) -> None:
    for directory in installed.glob("*.dist-info"):
        for path in [each for each in directory.rglob("*") if each.is_file()]:
            relative = path.relative_to(directory).as_posix()
            if not _matches(relative, METADATA_KEPT):
                path.unlink()
        metadata = directory / "METADATA"
        metadata.write_text(metadata.read_text(encoding="utf-8").split("\n\n")[0] + "\n", encoding="utf-8")


def _trim(directory: Path, patterns: list[str]) -> None:
    for path in sorted(directory.rglob("*")):
        if _matches(path.relative_to(directory).as_posix(), patterns):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _compile(directory: Path) -> None:
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
