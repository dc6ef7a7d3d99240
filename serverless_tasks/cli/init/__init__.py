"""The command `init`: writes the files that a Django project's deployment needs."""

from serverless_tasks.cli.init.files import Action, Plan, WrittenFile, init_project, plan_project
from serverless_tasks.cli.init.project import Project

__all__ = ["Action", "Plan", "Project", "WrittenFile", "init_project", "plan_project"]
