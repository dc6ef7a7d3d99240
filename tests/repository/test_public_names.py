"""What users import: listed once, there, and in the documents. Everything else may move."""

import ast
import re
from pathlib import Path

import pytest

import serverless_tasks
from serverless_tasks import poller

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
}
PUBLIC: dict[str, set[str]] = {
    "serverless_tasks": {
        *("AlreadyFinished", "AlreadyRetried", "AlreadyRunning", "ConfigurationError", "Handle"),
        "IdempotencyConflict",
        *("InputsUnavailable", "InvalidInputs", "NotFinished", "NotPublished", "PayloadTooLarge", "Record"),
        *("RetriesExhausted", "ServerlessTasksError", "SubmitFailed", "SubmitUncertain", "Task"),
        *("TaskCancelled", "TaskClient", "TaskError", "TaskFailed", "TaskNotFound", "TaskRetry"),
        *(
            "TaskStopped",
            "TaskTimeout",
            "UnknownTask",
            "WaitTimeout",
            "WorkflowError",
            "as_completed",
            "chain",
            "configure",
            "cron",
            "group",
            "previous",
            "rate",
            "results",
            "services",
        ),
    },
    "serverless_tasks.params": {
        *("BooleanParameter", "FloatParameter", "IntParameter", "DictParameter", "ListParameter"),
        *("NumberParameter", "Parameter", "ParameterNotValidError", "StringParameter"),
    },
    "serverless_tasks.errors": {"TaskCancelled", "TaskFailed"},
    "serverless_tasks.testing": {"check_repeatable", "recorded"},
    "serverless_tasks.workflow": {
        *("Chain", "Group", "GroupHandle", "Signature", "chain", "group", "previous", "results"),
    },
    "serverless_tasks.local.in_process": {"local_stack"},
    "serverless_tasks.poller": {"Mapping", "Poller", "load_handler", "run_worker"},
    "django_integration.api": {"router"},
    "django_integration.cloud_tasks": {"CloudTasksBackend"},
    "django_integration.declarative": {
        *("InstanceDeleted", "TaskMixin", "deferrable_generic_task", "deferrable_task", "resource_task"),
        *("run_tasks", "schedule_resource_task_runner", "task"),
    },
    "django_integration.generic_tasks": {"ThreadingBackend"},
    "django_integration.own_backend": {"TaskBackend", "execute"},
    "django_integration.security": {"BasicAuth"},
    "django_integration.tasks_backend": {"ServerlessBackend"},
    "django_integration.tokens": {"browser_token"},
}
# Named whole, in settings, INSTALLED_APPS and URLs.
MODULES = {"django_integration.task_api_urls", "django_integration.urls", "serverless_tasks.pytest_plugin"}
# The permission that Django makes for the admin's page.
PERMISSIONS = {"serverless_tasks.view_job"}
CHECKS = {"serverless_tasks.E001"}


def names_of(module: str) -> set[str]:
    """What a module defines or imports at its top. It is read, not imported: Django's have to be configured for."""
    path = ROOT / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    found: set[str] = set()
    body = ast.parse(path.read_text(encoding="utf-8")).body
    # Of these, what is imported for types alone is imported when it is first asked for.
    lazy = [node for each in body if isinstance(each, ast.If) for node in each.body]
    for node in (*body, *lazy):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return found


@pytest.mark.parametrize("module", [*PUBLIC, *sorted(MODULES)])
def test_what_is_public_is_there(module: str) -> None:
    assert sorted(PUBLIC.get(module, set()) - names_of(module)) == []


def test_the_package_exports_what_is_public() -> None:
    assert set(serverless_tasks.__all__) == PUBLIC["serverless_tasks"]
    assert set(poller.__all__) == PUBLIC["serverless_tasks.poller"]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_imports_and_names_what_is_public_alone(page: str) -> None:
    text = PAGES[page]
    if page == "docs/architecture.md":
        return  # it is about the rest
    used = [
        f"{module}.{name.strip().partition(' as ')[0]}"
        for module, names in re.findall(
            r"from ((?:serverless_tasks|django_integration)[\w.]*) import ([^\n(#`|]+)", text
        )
        for name in names.split(",")
    ]
    used += re.findall(r"[\"`]((?:serverless_tasks|django_integration)(?:\.\w+)+)[\"`]", text)
    known = {f"{module}.{name}" for module, names in PUBLIC.items() for name in names}
    assert sorted({*used} - known - set(PUBLIC) - MODULES - PERMISSIONS - CHECKS) == []


@pytest.mark.parametrize("module", PUBLIC)
def test_what_is_public_is_documented(module: str) -> None:
    words = set(re.findall(r"\w+", " ".join(PAGES.values())))
    assert sorted(PUBLIC[module] - words) == []
