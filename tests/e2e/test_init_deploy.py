"""A project of one's own: made by `django-admin`, given its deployment by `serverless-tasks init`, deployed by SAM."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from serverless_tasks.aws import session
from serverless_tasks.client import TaskClient
from tests.e2e import deployment
from tests.e2e.deployment import REGION, ROOT_KEY, Stack

SETTINGS = """
INSTALLED_APPS += ["shop"]
# A function's code is read-only: what it writes goes to /tmp.
DATABASES["default"]["NAME"] = "/tmp/serverless-tasks-shop.sqlite3"
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

    def run(self) -> str:
        return f"Hello, {self.params.who}!"
"""


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """The package as the wheel has it: `init` finds its files there, with no checkout around."""
    directory = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(directory)
    return directory


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, wheel: Path, released: Path) -> Path:
    """A new Django project with an app of two task modules, and what `init` writes."""
    project = tmp_path_factory.mktemp("shop") / "shop-project"
    project.mkdir()
    run(released, project, "-m", "django", "startproject", "website", ".")
    run(released, project, "manage.py", "startapp", "shop")
    settings = project / "website/settings.py"
    settings.write_text(settings.read_text() + SETTINGS)
    (project / "shop/models.py").write_text(MODELS)
    run(released, project, "manage.py", "makemigrations", "shop")
    (project / "shop/background.py").write_text(BACKGROUND)
    (project / "shop/tasks.py").write_text(TASKS)
    run(released, project, "-m", "serverless_tasks.cli", "init", "--requirement", f"{wheel}[lambda]")
    return project


@pytest.fixture(scope="module")
def deployed(shop: Path, endpoint: str) -> Stack:
    deployment.build(shop)
    return deployment.deploy(shop, "shop", endpoint)


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


def test_a_task_that_uses_the_orm_runs(deployed: Stack) -> None:
    failed, record = deployed.invoke({"task": "total-orders", "inputs": {"amounts": [3, 4]}})
    assert failed is None, record
    assert (record["status"], record["outputs"]) == ("succeeded", {"total": 7}), record


def test_a_task_that_does_not_runs_beside_it(deployed: Stack) -> None:
    failed, record = deployed.invoke({"task": "greet", "inputs": {"who": "Ada"}})
    assert failed is None, record
    assert (record["status"], record["outputs"]) == ("succeeded", {"result": "Hello, Ada!"}), record


def test_jobs_travel_through_its_own_queues(deployed: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        **ROOT_KEY,
        "AWS_ENDPOINT_URL": deployed.endpoint,
        "AWS_DEFAULT_REGION": REGION,
    }.items():
        monkeypatch.setenv(name, value)
    session.reset()
    handle = TaskClient.from_stack(deployed.name).submit("total-orders", amounts=[1, 2])
    assert handle.wait(60) == {"total": 3}
    session.reset()


def test_its_artefact_holds_the_project_and_django_and_no_settings_of_this_machine(
    shop: Path, deployed: Stack
) -> None:
    artefact = shop / ".aws-sam/build/WorkerFunction"
    top = {path.name for path in artefact.iterdir()}
    assert {"website", "shop", "django", "django_integration", "serverless_tasks", "lambda_handlers"} <= top
    assert not top & {"manage.py", "infra", "boto3", "botocore", "moto", "typer"}
    assert not (artefact / "shop/tests.py").exists()
    assert not (artefact / "serverless_tasks/init").exists()


def test_running_init_again_leaves_everything_as_it_is(
    shop: Path, deployed: Stack, wheel: Path, released: Path
) -> None:
    template = shop / "template.yaml"
    before = template.read_text()
    run(released, shop, "-m", "serverless_tasks.cli", "init", "--requirement", f"{wheel}[lambda]")
    assert template.read_text() == before
