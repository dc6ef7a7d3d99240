"""`sam`, which builds the artefact and makes change sets; and what it needs on this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from serverless_tasks.project.samconfig import Environment

TEMPLATE: Final = "template.yaml"
_RUNTIME = re.compile(r"^\s*Runtime: *(python[\d.]+)", re.MULTILINE)
_CHANGE_SET = re.compile(r"arn:[\w-]+:cloudformation:[\w-]+:\d+:changeSet/\S+")
# How `sam deploy` begins its table of the changes; the line after it names the change set.
_TABLE: Final = "CloudFormation stack changeset"
_SAM_DOCS: Final = (
    "https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/install-sam-cli.html"
)


def missing_tools(directory: Path, *, container: bool = False) -> list[str]:
    """Return what a build and a deployment need and this machine lacks, each as a sentence with the cure.

    Args:
        directory: where template.yaml is.
        container: whether a container's worker is deployed too.
    """
    missing = []
    if shutil.which("sam") is None:
        missing.append(
            f"sam is not on PATH: install the AWS SAM command line, {_SAM_DOCS}, or `pip install aws-sam-cli`."
        )
    if shutil.which("make") is None:
        missing.append(
            "make is not on PATH: `sam build` calls it; install it, on Debian with `apt-get install make`."
        )
    runtime = runtime_of(directory)
    if runtime and not os.environ.get("BUILD_PYTHON") and not _is_there(runtime):
        missing.append(
            f"{runtime} is not on PATH: the functions run on it, and it alone compiles for them; install it, or name"
            " it in BUILD_PYTHON."
        )
    if container and shutil.which("docker") is None:
        missing.append(
            "docker is not on PATH: it builds the container's image; podman and others do as well."
        )
    return missing


def runtime_of(directory: Path) -> str:
    """Return the Python that the template has the functions run on, such as ``python3.13``; "" where it names none."""
    try:
        found = _RUNTIME.search((directory / TEMPLATE).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return ""
    return found[1] if found else ""


def build(directory: Path, environment: Environment) -> None:
    """Build the artefact; what `sam` says goes to standard error.

    Raises:
        ConfigurationError: it cannot be built.
    """
    _sam(directory, ["build", *environment.sam], environment)


def change_set(directory: Path, environment: Environment) -> str | None:
    """Upload the artefact and make a change set of the deployment, without executing it or showing what changes.

    Returns:
        Its ARN; None where there is nothing to change.

    Raises:
        ConfigurationError: it cannot be made.
    """
    arguments = ["deploy", *environment.sam, "--no-execute-changeset", "--no-confirm-changeset"]
    said = _sam(directory, [*arguments, "--no-fail-on-empty-changeset"], environment)
    found = _CHANGE_SET.findall(said)
    return found[-1] if found else None


def _is_there(runtime: str) -> bool:
    """Whether one of the names that the build tries is this Python: a name on PATH may be a shim that runs nothing."""
    look = f"import sys; sys.exit('python%d.%d' % sys.version_info[:2] != {runtime!r})"
    for name in (runtime, "python3", "python"):
        if (
            shutil.which(name)
            and not subprocess.run([name, "-c", look], capture_output=True, check=False).returncode
        ):
            return True
    return False


def _without_table(lines: Iterable[str]) -> Iterator[str]:
    """Leave out the table of a change set; where no change set comes after it, all is passed on."""
    table: list[str] = []
    for line in lines:
        if not table and line.strip() != _TABLE:
            yield line
        elif _CHANGE_SET.search(line):
            table = []
            yield line
        else:
            table.append(line)
    yield from table


def _sam(directory: Path, arguments: Sequence[str], environment: Environment) -> str:
    """Run `sam` and pass on what it says, but for its table of the changes; returns what is passed on."""
    process = subprocess.Popen(
        ["sam", *arguments],
        cwd=directory,
        env={**os.environ, **environment.variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    said = []
    with process:
        assert process.stdout is not None
        for line in _without_table(process.stdout):
            sys.stderr.write(line)
            said.append(line)
    if process.returncode:
        raise ConfigurationError(
            f"`sam {' '.join(arguments)}` ended with code {process.returncode}, and nothing was deployed: it says why"
            " above."
        )
    return "".join(said)
