"""The examination: the sections one after another, each with what the others have found out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serverless_tasks.cli.doctor.environment import look_at_environment
from serverless_tasks.cli.doctor.finding import Findings
from serverless_tasks.cli.doctor.project import look_at_project
from serverless_tasks.cli.doctor.stack import look_at_stack
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.services import configure, current_services
from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from serverless_tasks.cli.session import Asked


def examine(directory: Path, asked: Asked) -> list[Findings]:
    """Look at a project, the environment of this process, and a stack.

    AWS is called for the stack alone.

    Args:
        directory: the project's.
        asked: the stack.

    Returns:
        The sections.
    """
    try:
        current_services()
    except (
        ConfigurationError
    ) as error:  # a variable that cannot be read; the section of the environment says it
        configure(Config(), problem=error)
    project, environment, deployed = Findings("project"), Findings("environment"), Findings("stack")
    look_at_project(project, directory, asked)
    look_at_environment(environment, directory, asked)
    look_at_stack(deployed, asked)
    return [project, environment, deployed]
