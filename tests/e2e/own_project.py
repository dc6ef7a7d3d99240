"""A Django project of one's own, as `django-admin` makes it, with tasks of ours and of Django's framework.

It has a queue of its own, secrets, and three environments: default, staging and prod.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e import deployment
from tests.e2e.deployment import REGION, ROOT, ROOT_KEY, Stack

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
SECRETS = """
import os

import boto3
from botocore.exceptions import ClientError

from serverless_tasks import Task
from serverless_tasks.params import StringParameter


class ReadVariable(Task):
    name = "read-variable"
    inputs = {"variable": StringParameter()}
    outputs = {"value": StringParameter()}

    def run(self, variable):
        return os.environ.get(variable, "")


class ReadSecret(Task):
    name = "read-secret"
    inputs = {"secret": StringParameter()}
    outputs = {"code": StringParameter()}

    def run(self, secret):
        try:
            boto3.client("secretsmanager").get_secret_value(SecretId=secret)
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "read"
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
ENVIRONMENTS = ("default", "staging", "prod")
TOKEN = "/shop/token"


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """The package as the wheel has it: `init` finds its files there, with no checkout around."""
    directory = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(directory)
    return directory


@pytest.fixture(scope="session")
def secrets(endpoint: str) -> dict[str, str]:
    """The ARN of each environment's secret, and of a parameter that all read; there is a secret of somebody else."""
    account = Stack("", endpoint, {})
    account.client("ssm").put_parameter(Name=TOKEN, Value="letmein", Type="SecureString")
    manager = account.client("secretsmanager")
    manager.create_secret(Name="payroll", SecretString="not for the shop")
    arns: dict[str, str] = {
        environment: manager.create_secret(
            Name=f"shop/{environment}", SecretString=json.dumps({"url": f"database of {environment}"})
        )["ARN"]
        for environment in ENVIRONMENTS
    }
    return {**arns, TOKEN: f"arn:aws:ssm:{REGION}:{arns['prod'].split(':')[4]}:parameter{TOKEN}"}


@dataclass(frozen=True, slots=True)
class Made:
    """A project as it was made.

    Attributes:
        project: its directory.
        commands: the command that deploys each environment, as `init` has printed it.
    """

    project: Path
    commands: Mapping[str, str]


@pytest.fixture(scope="session")
def shop(
    tmp_path_factory: pytest.TempPathFactory, wheel: Path, released: Path, secrets: dict[str, str]
) -> Made:
    """A new Django project: an app with task modules, one with Django's tasks alone, and what `init` writes."""
    project = tmp_path_factory.mktemp("shop") / "shop-project"
    project.mkdir()
    run(released, project, "-m", "django", "startproject", "website", ".")
    run(released, project, "manage.py", "startapp", "shop")
    shutil.copytree(NEWSLETTER, project / "newsletter", ignore=shutil.ignore_patterns("__pycache__"))
    settings = project / "website/settings.py"
    settings.write_text(settings.read_text() + SETTINGS)
    (project / "shop/models.py").write_text(MODELS)
    run(released, project, "manage.py", "makemigrations", "shop")
    (project / "shop/background.py").write_text(BACKGROUND + SECRETS)
    (project / "shop/tasks.py").write_text(TASKS)
    commands = {}
    for environment in ENVIRONMENTS:
        said = run(
            *(released, project, "-m", "serverless_tasks.cli", "init"),
            *(
                "--requirement",
                f"{wheel}[lambda]",
                "--stack-name",
                "shop",
                "--queue",
                "mail:concurrency=2,timeout=120",
            ),
            *(() if environment == "default" else ("--env", environment)),
        )
        commands[environment] = said.rpartition("Next: ")[2].partition(" (")[0]
    config = project / "samconfig.toml"
    for environment in ENVIRONMENTS:
        config.write_text(with_secrets(config.read_text(), environment, secrets))
    return Made(project, commands)


def with_secrets(config: str, environment: str, secrets: dict[str, str]) -> str:
    """samconfig.toml with an environment's secrets, which the default's processes use for three seconds."""
    given = [
        f"SecretReferences=DATABASE_URL={secrets[environment]}:url,SHOP_TOKEN={TOKEN}",
        f"SecretArns={secrets[environment]},{secrets[TOKEN]}",
        *(["SecretsMaxAge=3"] if environment == "default" else []),
    ]
    head, section, rest = config.partition(f"[{environment}.global.parameters]")
    first = "parameter_overrides = ["
    assert section
    assert first in rest
    return head + section + rest.replace(first, first + "".join(f"{json.dumps(each)}, " for each in given), 1)


@pytest.fixture(scope="session")
def deployed(shop: Made, released: Path, endpoint: str) -> Stack:
    """Its default environment, by the command that `init` has printed."""
    command = shop.commands["default"]
    assert command == "serverless-tasks deploy"
    done = deployment.run_step(shop.project, released, endpoint, f"{command} --yes", ROOT_KEY)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-5000:]
    # Before anything else is looked at: until then MiniStack polls no queue of any stack.
    stack = deployment.deployed_stack("shop", endpoint)
    assert "The stack shop is deployed." in said
    assert "A site that uses it needs AWS_REGION" in said
    return stack


def run(released: Path, project: Path, *arguments: str) -> str:
    """Run Python in the project; return what it printed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(released)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
