"""The command `init`: writes the files that a Django project's deployment needs."""

from serverless_tasks.cli.init.container import CONTAINER_TEMPLATE
from serverless_tasks.cli.init.files import Action, Plan, WrittenFile, plan_project, unreleased_source
from serverless_tasks.cli.init.next_steps import next_steps
from serverless_tasks.cli.init.project import Project

__all__ = [
    "CONTAINER_TEMPLATE",
    "Action",
    "Plan",
    "Project",
    "WrittenFile",
    "next_steps",
    "plan_project",
    "unreleased_source",
]
