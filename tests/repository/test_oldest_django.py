"""The wheel on Django 5.2 LTS, in an environment of its own. `make test-matrix` runs the whole suites there."""

from pathlib import Path

import pytest

from tests.support import release

SITE = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "website.settings"
import django
assert django.VERSION[:2] == (5, 2), django.VERSION
django.setup()
from django.core.management import call_command
from django.test import Client
call_command("migrate", verbosity=0)
client = Client()
made = client.post("/tasks/", {"task": "sum", "inputs": {"numbers": [20, 22]}}, content_type="application/json")
assert made.status_code == 201, made.content[:500]
record = client.get(f"/tasks/{made.json()['uuid']}/").json()
assert (record["status"], record["outputs"]) == ("succeeded", {"sum": 42}), record
assert client.get(f"/tasks/{record['uuid']}/view/").status_code == 200
assert client.get("/tasks/openapi.json").status_code == 200
from django.contrib.auth.models import User
client.force_login(User.objects.create_superuser("ada"))
jobs = client.get("/admin/serverless_tasks/job/")
assert jobs.status_code == 200 and "job/statistics/" in jobs.content.decode()
from django.template import RequestContext, Template
from django.test import RequestFactory
request = RequestFactory().get("/")
request.resolver_match = None
page = Template("{% load task_api %}{% task_api %}").render(RequestContext(request))
assert "django-task-api.min.js" in page
assert not [name for name in sys.modules if name.startswith("django_integration.django_tasks.signals")]
"""


@pytest.fixture(scope="module")
def commands(uv: str, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return release.installed(tmp_path_factory.mktemp("oldest"), f"{wheel}[django,cli]", django="5.2")


@pytest.fixture
def project(commands: Path, tmp_path: Path) -> Path:
    immediate = 'SERVERLESS_TASKS = {"BACKEND": "immediate"}\nALLOWED_HOSTS = ["testserver"]'
    return release.quick_start(tmp_path, commands, settings=immediate)


def test_a_site_submits_runs_and_shows_tasks(commands: Path, project: Path) -> None:
    release.run(commands / "python", "-W", "error", "-c", SITE, cwd=project)
    said = release.run(commands / "python", "manage.py", "check", cwd=project)
    assert "no issues" in said
    listed = release.run(commands / "python", "manage.py", "serverless_tasks", "list", "--json", cwd=project)
    assert '"sum"' in listed


def test_the_check_says_what_needs_django_6(commands: Path, project: Path) -> None:
    with (project / "website/settings.py").open("a") as settings:
        backend = "django_integration.tasks_backend.ServerlessBackend"
        settings.write(f'TASKS = {{"default": {{"BACKEND": "{backend}"}}}}\n')
    (project / "shop/tasks.py").write_text("from django.tasks import task\n\n\n@task\ndef greet(): ...\n")
    said = release.run(commands / "python", "manage.py", "check", cwd=project, status=1)
    assert "serverless_tasks.E015" in said
    assert "shop.tasks, of the installed app 'shop', cannot be imported" in said
    assert said.count("django.tasks came with Django 6.0, and this is Django 5.2") == 2
