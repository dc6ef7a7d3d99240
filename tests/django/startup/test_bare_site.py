"""A site without users, sessions and databases, as the example site is."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

SITE = """
import sys
from django.conf import settings
settings.configure(
    DEBUG=sys.argv[1] == "debug",
    SECRET_KEY="not a secret",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF="tests.django.urls",
    INSTALLED_APPS=["django.contrib.staticfiles", "django_integration", "tests.django.shop"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    STATIC_URL="/static/",
    SERVERLESS_TASKS={"BACKEND": "immediate"},
    TASK_API_BACKGROUND_TASKS=["tests.django.shop.background.SumNumbers"],
)
import django
django.setup()
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from pydantic import BaseModel
from serverless_tasks import Task
from serverless_tasks.engine.services import current_services

class Params(BaseModel):
    number: int

class Events(Task[Params]):
    name = "events"
    def run(self) -> int:
        return self.params.number

current_services().registry.add(Events)
call_command("check")
client = Client(raise_request_exception=False)
created = client.post("/tasks/", {"task": "sum", "inputs": {"numbers": [1, 2]}}, content_type="application/json")
uuid = created.json().get("uuid", "0b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c6d")
# A task of the name of a call of ours keeps its own.
typed = client.post("/tasks/events/", {"number": 3}, content_type="application/json")
assert (typed.status_code, typed.json().get("task")) in ((201, "events"), (401, None)), typed.content
assert client.get("/tasks/events/").status_code in (400, 401)
assert client.put("/tasks/events/").status_code == 405
assert reverse("serverless_tasks:submit-events") == "/tasks/events/"
calls = [client.get(f"/tasks/{path}") for path in ("", f"{uuid}/", f"{uuid}/view/", "docs", "openapi.json")]
assert not [name for name in sys.modules if name.split(".")[0] == "rest_framework"]
print(created.status_code, *(answer.status_code for answer in calls))
"""


@pytest.mark.parametrize(
    ("mode", "statuses"), [("debug", "201 200 200 200 200 200"), ("production", "401 401 401 403 403 401")]
)
def test_all_calls_and_pages_answer(mode: str, statuses: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SITE, mode], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == statuses
