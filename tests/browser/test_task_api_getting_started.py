"""Django Task API's "Getting Started" page, followed in a new project, with the corrections that the docs list."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.clock import until

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs/migrating/django-task-api.md"

# What the page has the reader write (without the template's style sheet): file -> its text.
WRITTEN = {
    "myapp/background.py": """\
from time import sleep

from task_api.params import IntParameter
from task_api.tasks import Task

class WaitTask(Task):
    name = 'wait'

    inputs = {
        'seconds': IntParameter(required=False)
    }

    def run(seconds=10):
        self.set_target(10)
        self.set_progress(0)

        for _ in range(seconds):
            sleep(1)
            self.inc_progress(1)
""",
    "mysite/settings.py": """\
INSTALLED_APPS += [
    'task_api'
]

TASK_API_BACKGROUND_TASKS = ['myapp.background.WaitTask']
""",
    "mysite/urls.py": """\
from django.conf.urls import url
from django.urls import include

urlpatterns = [
    url('^', include('task_api.urls')),
    url('^myapp', include('myapp.urls'))
]
""",
    "myapp/urls.py": """\
from django.conf.urls import url
from django.urls import include
from django.views.generic import TemplateView

url_patterns = [
    url('^$', TemplateView.as_view(template_name='example.html'))
]
""",
    "myapp/templates/task.html": """\
{% load static %}

<!DOCTYPE html>
<html lang="en">
<head>
    <meta charset="UTF-8">
    <title>Task API Example</title>

    <script src="{% static "django-task-api.js" %}"></script>
    <script type="text/javascript">
        function startTask() {
            TaskAPI.run('wait', {'seconds': 10}, function(json) {
                if (json.target === null || json.progress === null) {
                    return
                }
                document.getElementById('status').innerHTML = 'Progress: ' + json.progress + ' / ' + json.target
            }).then(function() {
                document.getElementById('button').disabled = false
            })

            document.getElementById('button').disabled = true
        }
    </script>
</head>
<body>
    <div class="content">
        <div id="status">Click "Run" to start the task.</div>
        <div class="center"><button onclick="startTask()" id="button">Run</button></div>
    </div>
</body>
</html>
""",
}

# The corrections, all of which the guide lists: file, what the page says, what works today.
CORRECTIONS = [
    ("myapp/background.py", "from task_api.params import", "from serverless_tasks.params import"),
    ("myapp/background.py", "from task_api.tasks import", "from serverless_tasks import"),
    ("myapp/background.py", "def run(seconds=10)", "def run(self, seconds=10)"),
    ("mysite/settings.py", "'task_api'", "'django_integration'"),
    ("mysite/urls.py", "from django.conf.urls import url", "from django.urls import path"),
    (
        "mysite/urls.py",
        "url('^', include('task_api.urls'))",
        "path('', include('django_integration.task_api_urls'))",
    ),
    ("mysite/urls.py", "url('^myapp', include('myapp.urls'))", "path('myapp/', include('myapp.urls'))"),
    ("myapp/urls.py", "from django.conf.urls import url", "from django.urls import path"),
    ("myapp/urls.py", "url_patterns", "urlpatterns"),
    ("myapp/urls.py", "url('^$',", "path('',"),
    ("myapp/urls.py", "'example.html'", "'task.html'"),
    ("myapp/templates/task.html", "django-task-api.js", "django-task-api.min.js"),
]
INSTEAD_OF_CELERY = "SERVERLESS_TASKS = {'BACKEND': 'threading'}"

# `manage.py` with a clock that is four times as fast: the task waits ten of its seconds.
QUICKLY = """
import runpy, sys, time
slow = time.sleep
time.sleep = lambda seconds: slow(seconds / 4)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A new project with a new app, and what the page has the reader write, corrected."""
    run("-m", "django", "startproject", "mysite", ".", cwd=tmp_path)
    run("manage.py", "startapp", "myapp", cwd=tmp_path)
    for name, text in WRITTEN.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        before = file.read_text() if name == "mysite/settings.py" else ""
        file.write_text(before + corrected(name, text))
    with (tmp_path / "mysite/settings.py").open("a") as file_of_settings:
        file_of_settings.write(f"INSTALLED_APPS += ['myapp']\n{INSTEAD_OF_CELERY}\n")
    run("manage.py", "migrate", "--verbosity", "0", cwd=tmp_path)
    run("manage.py", "check", cwd=tmp_path)
    return tmp_path


@pytest.fixture
def address(project: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", QUICKLY, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"]
    with (
        (project / "log").open("w") as log,
        subprocess.Popen(command, cwd=project, env=environment(), stdout=log, stderr=log) as process,
    ):
        until(lambda: answers(port), 30)
        yield f"http://127.0.0.1:{port}"
        process.terminate()


def corrected(name: str, text: str) -> str:
    for file, before, after in CORRECTIONS:
        if file == name:
            assert text.count(before) == 1, f"{name} has no {before!r}"
            text = text.replace(before, after)
    return text


def run(*words: str, cwd: Path) -> None:
    done = subprocess.run(
        [sys.executable, *words], cwd=cwd, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_run_is_clicked_and_the_task_is_watched(address: str, page: Page) -> None:
    page.goto(f"{address}/myapp/")
    status, button = page.locator("#status"), page.get_by_role("button", name="Run")
    expect(status).to_have_text('Click "Run" to start the task.')
    button.click()
    expect(button).to_be_disabled()
    expect(status).to_have_text(re.compile(r"^Progress: [1-9] / 10$"), timeout=10_000)
    expect(button).to_be_enabled(timeout=10_000)
    expect(status).to_have_text("Progress: 10 / 10")


@pytest.mark.parametrize("correction", [*(pair[1:] for pair in CORRECTIONS), (INSTEAD_OF_CELERY,)])
def test_the_guide_lists_each_correction(correction: tuple[str, ...]) -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    row = [line for line in guide.splitlines() if all(f"`{part}`" in line for part in correction)]
    assert len(row) >= 1, correction
