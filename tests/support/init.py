"""`serverless-tasks init`, as a function."""

from pathlib import Path
from typing import Any

from serverless_tasks.cli.init import WrittenFile, plan_project


def init_project(directory: Path, **options: Any) -> list[WrittenFile]:
    """Plan what there is to write into a project, and write it."""
    return plan_project(directory, **options).write()
