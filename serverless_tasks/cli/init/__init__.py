"""The command `init`: writes the files that a Django project's deployment needs."""

from serverless_tasks.cli.init.container import CONTAINER_TEMPLATE
from serverless_tasks.cli.init.files import Action, WrittenFile, init_project
from serverless_tasks.cli.init.next_steps import missing_tools, next_steps
from serverless_tasks.cli.init.project import Project

__all__ = [
    "CONTAINER_TEMPLATE",
    "Action",
    "Project",
    "WrittenFile",
    "init_project",
    "missing_tools",
    "next_steps",
]
