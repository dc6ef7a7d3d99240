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


WANTS = """
from serverless_tasks import Task

class Half(Task):
    name = "half"

    def run(self):
        return shared_task

from nowhere import shared_task
"""
BROKEN = {
    "missing": (WANTS, "ModuleNotFoundError: No module named 'nowhere'"),
    "raises": ("1 / 0", "ZeroDivisionError: division by zero"),
    "no Python": ("def", "SyntaxError: "),
    "exits": ("import sys; sys.exit('usage: tasks.py')", "SystemExit: usage: tasks.py"),
    "a task that contradicts itself": (
        "from serverless_tasks import Task\nclass Wrong(Task):\n    retries = -1\n",
        "Wrong has retries = -1; give a whole number from 0.",
    ),
}
NAMES = """
from django.apps import apps
from serverless_tasks.engine.services import current_services
print([name for name in ("send", "half") if name in current_services().registry])
"""


@pytest.fixture
def broken(project: Path) -> Path:
    """The project, with one app's task in a ``tasks`` module, and a ``tasks`` module to break in the other."""
    (project / "letters/tasks.py").write_text("from letters import jobs\nSend = jobs.Send\n")
    (project / "cards/jobs.py").write_text("")
    return project


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("module", ["tasks", "background"])
def test_a_module_that_cannot_be_imported_is_named_and_other_tasks_go_on(
    broken: Path, how: str, module: str
) -> None:
    text, reason = BROKEN[how]
    (broken / f"cards/{module}.py").write_text(text)
    done = manage(broken, "shell", "--no-imports", "-c", NAMES)
    assert done.stdout.strip() == "['send']"
    done = manage(broken, "check")
    assert done.returncode == 1
    (said,) = [line for line in done.stderr.splitlines() if "serverless_tasks.E001" in line]
    assert f"cards.{module} cannot be imported, so that its tasks are unknown: {reason}" in said
    assert "SERVERLESS_TASKS['EXCLUDE_APPS'] = ['cards']" in said


@pytest.mark.parametrize("name", ["cards", "shop_cards"], ids=["name", "label"])
def test_an_app_that_is_excluded_is_not_imported(broken: Path, name: str) -> None:
    apps = (broken / "cards/apps.py").read_text()
    (broken / "cards/apps.py").write_text(f"{apps}\n    label = 'shop_cards'\n")
    (broken / "cards/tasks.py").write_text(WANTS)
    with (broken / "settings.py").open("a") as settings:
        settings.write(f"SERVERLESS_TASKS['EXCLUDE_APPS'] = [{name!r}]\n")
    done = manage(broken, "check")
    assert (done.returncode, done.stderr) == (0, "")
    assert manage(broken, "shell", "--no-imports", "-c", NAMES).stdout.strip() == "['send']"


def test_the_log_has_the_traceback(broken: Path) -> None:
    (broken / "cards/tasks.py").write_text(WANTS)
    done = manage(broken, "shell", "--no-imports", "-c", "")
    assert "cards/tasks.py" in done.stderr
    assert "from nowhere import shared_task" in done.stderr


def test_a_module_that_is_mended_is_found_in_the_next_process(broken: Path) -> None:
    (broken / "cards/tasks.py").write_text(WANTS)
    (broken / "nowhere.py").write_text("shared_task = 1\n")
    assert manage(broken, "check").returncode == 0
    assert manage(broken, "shell", "--no-imports", "-c", NAMES).stdout.strip() == "['send', 'half']"
