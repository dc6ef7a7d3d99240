"""The end of `init`: the commands that follow, and the tools for them that this machine lacks."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_RUNTIME = re.compile(r"(?m)^\s+Runtime: (python[0-9.]+)$")


def next_steps(directory: Path, *, container: bool, environment: str | None = None) -> list[str]:
    """Return the commands that deploy what was written, in their order.

    Args:
        directory: where `manage.py` is.
        container: whether a container's worker is deployed too.
        environment: the environment of samconfig.toml that was added.
    """
    deploy = "serverless-tasks deploy" + (f" --env {environment}" if environment else "")
    steps = [f"{deploy} (which runs sam build and sam deploy)"]
    if container:
        steps.append("then the image and the stack of infra/container (docs/containers.md)")
    return [step if directory.samefile(".") else f"in {directory}: {step}" for step in steps]


def missing_tools(
    directory: Path, *, container: bool, which: Callable[[str], str | None] = shutil.which
) -> list[str]:
    """Return a sentence for each tool that these commands need and this machine lacks, with what provides it.

    Args:
        directory: where `template.yaml` is.
        container: whether a container's worker is deployed too.
        which: finds a command on PATH.
    """
    found = _RUNTIME.search((directory / "template.yaml").read_text(encoding="utf-8"))
    python = found[1] if found else "python3.13"
    tools = {
        python: f"`sam build` installs the requirements with it, since template.yaml has Runtime: {python}",
        "make": "`sam build` calls it; it comes with your system's packages",
        "sam": "AWS's SAM command line: `pip install aws-sam-cli`, in an environment of its own",
    }
    if container:
        tools["docker"] = "it builds the container's image; podman and others do as well"
    return [f"{tool} is not on PATH: {why}." for tool, why in tools.items() if which(tool) is None]
