"""Registration by import in ``AppConfig.ready``, as django-generic-tasks has it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from serverless_tasks import Task
from serverless_tasks.engine.services import current_services
from tests.django.conftest import queued

ROOT = Path(__file__).resolve().parents[3]
EMAIL = "tests.django.mailing.notifications.EmailNotificationTask"
PARAMS = {"subject": "Hello", "content": "Have a nice day", "recipients": ["alice@example.com"]}
PROJECT = {
    "settings.py": """
SECRET_KEY = "x"
INSTALLED_APPS = ["django_integration", "letters", "cards"]
SERVERLESS_TASKS = {"BACKEND": "immediate"}
""",
    "letters/__init__.py": "",
    "letters/apps.py": """
from django.apps import AppConfig

class Letters(AppConfig):
    name = "letters"

    def ready(self):
        from letters import jobs
""",
    "letters/jobs.py": """
from serverless_tasks import Task

class Send(Task):
    name = "send"

    def run(self):
        return "a letter"
""",
}


def manage(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "django", *words, "--settings=settings"]
    environ = os.environ | {"PYTHONPATH": f"{project}{os.pathsep}{ROOT}"}
    return subprocess.run(command, cwd=project, env=environ, capture_output=True, text=True, check=False)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose apps `letters` and `cards` each import a task named "send" in ``ready``."""
    for name, text in PROJECT.items():
        for app, path in (("letters", name), ("cards", name.replace("letters", "cards"))):
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(text if "settings" in name else text.replace("letters", app))
    return tmp_path


def test_a_task_imported_in_ready_is_served(browser: Client, user: Any) -> None:
    answer = browser.post(f"/tasks/{EMAIL}/", PARAMS, content_type="application/json")
    assert answer.status_code == 201, answer.content
    assert [message.task for message in queued()] == [EMAIL]


def test_a_class_made_after_the_apps_are_ready_is_not() -> None:
    class Later(Task):
        name = "made later"

        def run(self) -> None:
            return None

    assert Later.name not in current_services().registry


def test_two_tasks_of_one_name_are_an_error(project: Path) -> None:
    done = manage(project, "check")
    assert done.returncode == 1
    assert "serverless_tasks.E001" in done.stderr
    assert "Two tasks are named 'send': letters.jobs.Send and cards.jobs.Send." in done.stderr


def test_the_order_of_the_apps_does_not_matter(project: Path) -> None:
    (project / "cards/jobs.py").write_text("")
    code = "from serverless_tasks.engine.services import current_services; print('send' in current_services().registry)"
    assert manage(project, "check").returncode == 0
    assert manage(project, "shell", "--no-imports", "-c", code).stdout.strip() == "True"
