"""A Django project of one's own, as `django-admin` makes it, with tasks of ours and of Django's framework."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.e2e import deployment
from tests.e2e.deployment import ROOT, Stack

SETTINGS = """
INSTALLED_APPS += ["django_integration", "shop", "newsletter"]
# A function's code is read-only: what it writes goes to /tmp.
DATABASES["default"]["NAME"] = "/tmp/serverless-tasks-shop.sqlite3"
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
TASKS = {
    "default": {
        "BACKEND": "django_integration.tasks_backend.ServerlessBackend",
        "QUEUES": ["default", "emails"],
        "OPTIONS": {"QUEUE_MAP": {"emails": "low"}},
    },
    "immediate": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"},
}
"""
MODELS = """
from django.db import models


class Order(models.Model):
    amount = models.IntegerField()
"""
BACKGROUND = """
from django.core.management import call_command
from django.db.models import Sum

from serverless_tasks import Task
from serverless_tasks.params import IntParameter, ListParameter
from shop.models import Order


class TotalOrders(Task):
    name = "total-orders"
    inputs = {"amounts": ListParameter(IntParameter())}
    outputs = {"total": IntParameter()}

    def run(self, amounts):
        call_command("migrate", verbosity=0)
        made = [Order.objects.create(amount=amount).pk for amount in amounts]
        return Order.objects.filter(pk__in=made).aggregate(total=Sum("amount"))["total"]
"""
TASKS = """
from pydantic import BaseModel

from serverless_tasks import Task


class Greeting(BaseModel):
    who: str


class Greet(Task[Greeting]):
    name = "greet"
    queue = "mail"

    def run(self) -> str:
        return f"Hello, {self.params.who}!"
"""
NEWSLETTER = ROOT / "tests/django/newsletter"


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """The package as the wheel has it: `init` finds its files there, with no checkout around."""
    directory = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(directory)
    return directory


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, wheel: Path, released: Path) -> Path:
    """A new Django project: an app with two task modules, one with Django's tasks alone, and what `init` writes."""
    project = tmp_path_factory.mktemp("shop") / "shop-project"
    project.mkdir()
    run(released, project, "-m", "django", "startproject", "website", ".")
    run(released, project, "manage.py", "startapp", "shop")
    shutil.copytree(NEWSLETTER, project / "newsletter", ignore=shutil.ignore_patterns("__pycache__"))
    settings = project / "website/settings.py"
    settings.write_text(settings.read_text() + SETTINGS)
    (project / "shop/models.py").write_text(MODELS)
    run(released, project, "manage.py", "makemigrations", "shop")
    (project / "shop/background.py").write_text(BACKGROUND)
    (project / "shop/tasks.py").write_text(TASKS)
    for environment in ((), ("--env", "staging"), ("--env", "prod")):
        run(
            *(released, project, "-m", "serverless_tasks.cli", "init"),
            *("--requirement", f"{wheel}[lambda]", "--stack-name", "shop", "--queue", "mail:concurrency=2"),
            *environment,
        )
    return project


@pytest.fixture(scope="session")
def deployed(shop: Path, released: Path, endpoint: str) -> Stack:
    said = deployment.deploy_project(shop, released, endpoint)
    assert "The stack shop is deployed." in said
    assert "A site that uses it needs these" in said
    return deployment.deployed_stack("shop", endpoint)


def run(released: Path, project: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(released)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
