"""The end of `init`: the commands that follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


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
