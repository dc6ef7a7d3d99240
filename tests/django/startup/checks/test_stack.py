"""What `check --deploy` says of what is deployed, and of Django's TASKS: a test for each message."""

import importlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from django.apps import apps
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from django_integration.startup.checks.deployment import check_deployed_tasks
from serverless_tasks import Task
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.dynamodb.pauses import TablePauses
from serverless_tasks.engine.definition.manifest.build import Manifest
from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.worker.pauses import TASK, Pause
from serverless_tasks.errors import AwsError
from tests.support.calls import counted_calls

ROOT = Path(__file__).resolve().parents[4]
OURS = "django_integration.tasks_backend.ServerlessBackend"


# Modules with tasks that are imported by tests alone.
LATE = ("'tests.django.dispatched'", "'tests.django.unfinished'")


def messages(deploy: bool = True) -> list[tuple[str, str]]:
    """What is said of us, but for the tests' own late tasks."""
    found = run_checks(include_deployment_checks=deploy)
    ours = [message for message in found if str(message.id).startswith("serverless_tasks.")]
    return [
        (str(message.id).removeprefix("serverless_tasks."), message.msg)
        for message in ours
        if not any(module in message.msg for module in LATE)
    ]


def test_what_is_deployed_well_has_no_message() -> None:
    assert messages() == []


def test_a_queue_that_tasks_name_and_the_stack_has_not(settings: Any) -> None:
    urls = dict(current_services().config.queue_urls)
    del urls["default"]
    settings.SERVERLESS_TASKS = {**settings.SERVERLESS_TASKS, "QUEUE_URLS": urls}
    [sentence] = [sentence for number, sentence in messages(deploy=False) if number == "W025"]
    assert "the queue 'default', which QUEUE_URLS does not have; it has high, low." in sentence


class TestAws:
    def test_a_queue_that_hides_messages_too_briefly(self) -> None:
        sqs = session.client("sqs")
        url = sqs.get_queue_url(QueueName="high")["QueueUrl"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "359"})
        ((number, sentence),) = messages()
        assert number == "W008"
        assert "queue 'high' is 359 seconds" in sentence
        assert "60 seconds" in sentence

    def test_a_task_of_hours_on_the_queue_that_containers_work_on(self, settings: Any) -> None:
        class Nightly(Task):
            name = "nightly-of-hours"
            queue, timeout = "long", 4 * 3600

            def run(self) -> None: ...

        url = session.client("sqs").create_queue(QueueName="long", Attributes={"VisibilityTimeout": "360"})
        urls = {**current_services().config.queue_urls, "long": url["QueueUrl"]}
        settings.SERVERLESS_TASKS = {**settings.SERVERLESS_TASKS, "QUEUE_URLS": urls}
        current_services().registry.add(Nightly)
        assert "W008" not in {number for number, _ in messages()}

    def test_what_is_paused(self) -> None:
        pauses = current_services().pauses
        assert pauses is not None
        pauses.put(Pause(kind=TASK, name="sum", since=0, by="ada", why="The sums are wrong"))
        ((number, sentence),) = messages()
        assert number == "W015"
        assert sentence.startswith("The task sum is paused by ada since")

    def test_pauses_that_cannot_be_read(self) -> None:
        """They are read by another call than jobs, which a role may lack."""
        refused = AwsError("dynamodb.GetItem", "AccessDeniedException", "not allowed", applied=False)
        with mock.patch.object(TablePauses, "read", side_effect=refused):
            ((number, sentence),) = messages()
        assert number == "E011"
        assert "The table 'tasks' cannot be reached" in sentence

    def test_a_table_that_is_not_there(self) -> None:
        session.client("dynamodb").delete_table(TableName="tasks")
        ((number, sentence),) = messages()
        assert number == "E011"
        assert "The table 'tasks' cannot be reached" in sentence

    def test_a_queue_that_is_not_there(self) -> None:
        sqs = session.client("sqs")
        sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="low")["QueueUrl"])
        ((number, sentence),) = messages()
        assert number == "E011"
        assert "The queue 'low' cannot be reached" in sentence

    def test_aws_that_does_not_answer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def query(**_: Any) -> Any:
            raise EndpointConnectionError(endpoint_url="https://dynamodb")

        monkeypatch.setattr(session.client("dynamodb"), "query", query)
        ((number, sentence),) = messages()
        assert number == "E011"
        assert "https://dynamodb" in sentence

    def test_credentials_that_cannot_be_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_PROFILE", "absent")
        session.reset()
        apps.get_app_config("serverless_tasks")._wire()
        found = messages()
        assert {number for number, _ in found} == {"E011"}
        assert all("Unset AWS_PROFILE or name an existing profile" in sentence for _, sentence in found)

    def test_a_role_that_may_not_look(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from serverless_tasks.engine.aws.session import client

        def refuse(**_: Any) -> Any:
            answer = {
                "Error": {"Code": "AccessDenied", "Message": "no"},
                "ResponseMetadata": {"HTTPStatusCode": 403},
            }
            raise ClientError(answer, "GetQueueAttributes")

        monkeypatch.setattr(client("sqs", read_timeout=30), "get_queue_attributes", refuse)
        assert {number for number, _ in messages()} == {"I001"}

    def test_nothing_is_asked_without_deploy(self) -> None:
        session.client("dynamodb").delete_table(TableName="tasks")
        assert messages(deploy=False) == []

    def test_nothing_is_asked_where_tasks_run_in_the_process(self, settings: Any) -> None:
        settings.SERVERLESS_TASKS = {
            **settings.SERVERLESS_TASKS,
            "BACKEND": "threading",
            "TABLE": "no-such-table",
        }
        assert messages() == []


class TestADeploymentWithoutDjango:
    def deployed(self, settings: Any, directory: Path, *parameters: str) -> None:
        settings.BASE_DIR = directory
        text = f"[default.global.parameters]\nparameter_overrides = {json.dumps(parameters)}\n"
        (directory / "samconfig.toml").write_text(text)

    @pytest.mark.django("6.0")
    def test_tasks_that_it_would_not_know(self, settings: Any, tmp_path: Path) -> None:
        self.deployed(settings, tmp_path, "TaskModules=tests.django.configured")
        found = messages()
        assert {number for number, _ in found} == {"E012"}
        assert any("'tests.django.shop.background'" in sentence for _, sentence in found)
        assert any("'tests.django.newsletter.tasks'" in sentence for _, sentence in found)
        assert not any("django_integration" in sentence for _, sentence in found)

    @pytest.mark.django("6.0")
    def test_tasks_that_a_module_of_the_worker_imports(
        self, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "reexporting.py").write_text("from tests.django.shop.background import *\n")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setitem(sys.modules, "reexporting", importlib.import_module("reexporting"))
        self.deployed(settings, tmp_path, "TaskModules=reexporting,tests.django.configured")
        left_out = [sentence for number, sentence in messages() if number == "E012"]
        assert any("'tests.django.newsletter.tasks'" in sentence for sentence in left_out)
        assert not any("'tests.django.shop.background'" in sentence for sentence in left_out)

    @pytest.mark.django("6.0")
    def test_a_module_that_cannot_be_imported_without_django(self, settings: Any, tmp_path: Path) -> None:
        self.deployed(settings, tmp_path, "TaskModules=tests.django.newsletter.tasks,tests.django.configured")
        ((_, sentence),) = [found for found in messages() if found[0] == "E013"]
        assert "cannot import 'tests.django.newsletter.tasks' without it" in sentence
        assert "django" in sentence.partition(": ")[2]

    def test_one_with_django_finds_them_all(self, settings: Any, tmp_path: Path) -> None:
        self.deployed(settings, tmp_path, "TaskModules=", "DjangoSettingsModule=tests.django.settings")
        assert messages() == []

    @pytest.mark.parametrize("text", ["", "not toml", "[default.deploy.parameters]\nstack_name = 'x'\n"])
    def test_a_file_that_says_nothing_of_it(self, settings: Any, tmp_path: Path, text: str) -> None:
        settings.BASE_DIR = tmp_path
        (tmp_path / "samconfig.toml").write_text(text)
        assert messages() == []


class TestTheWorkersTime:
    def deployed(self, settings: Any, directory: Path, *parameters: str) -> None:
        settings.BASE_DIR = directory
        text = f"[default.global.parameters]\nparameter_overrides = {json.dumps(parameters)}\n"
        (directory / "samconfig.toml").write_text(text)

    def test_a_worker_with_time_for_one_message_of_a_batch_alone(self, settings: Any, tmp_path: Path) -> None:
        django = "DjangoSettingsModule=tests.django.settings"
        self.deployed(settings, tmp_path, django, "WorkerTimeout=60")
        ((number, sentence),) = messages()
        assert number == "W013"
        assert "less than 125: twice the timeout of task" in sentence
        assert "deploy with WorkerTimeout=150" in sentence
        assert messages(deploy=False) == []
        self.deployed(settings, tmp_path, django, "WorkerTimeout=300")
        assert messages() == []
        self.deployed(settings, tmp_path, "WorkerTimeout=60")  # somebody else's file
        assert messages() == []


@pytest.mark.django("6.0")
class TestTasks:
    def given(self, settings: Any, **entry: Any) -> None:
        settings.TASKS = {**settings.TASKS, "default": {**settings.TASKS["default"], **entry}}

    def test_a_queue_without_a_url(self, settings: Any) -> None:
        self.given(settings, QUEUES=["default", "emails"], OPTIONS={})
        ((number, sentence),) = messages(deploy=False)
        assert number == "E010"
        assert "TASKS['default']['QUEUES'] has 'emails'" in sentence

    @pytest.mark.parametrize(
        "options",
        [
            {"ON_COMMIT": False},
            {"ENQUEUE_ON_COMMIT": "no"},
            {"QUEUE_MAP": ["emails"]},
            {"QUEUE_MAP": {"a": 1}},
        ],
    )
    def test_an_option_that_is_none(self, settings: Any, options: dict[str, Any]) -> None:
        self.given(settings, OPTIONS=options)
        ((number, sentence),) = messages(deploy=False)
        assert number == "E009"
        assert "TASKS['default']['OPTIONS']" in sentence

    @pytest.mark.django("6.1")
    def test_a_task_in_a_module_that_no_worker_imports(self, settings: Any) -> None:
        from tests.django import dispatched

        def unknown() -> list[bool]:
            found = [message for message in run_checks() if message.id == "serverless_tasks.W007"]
            return [True for message in found if dispatched.__name__ in message.msg]

        assert unknown() == [True]
        settings.SERVERLESS_TASKS = {**settings.SERVERLESS_TASKS, "MODULES": [dispatched.__name__]}
        assert unknown() == []

    def test_an_app_that_is_not_installed(self) -> None:
        script = (
            "import django, django.tasks; from django.conf import settings\n"
            "from django.core.management import call_command\n"
            f"settings.configure(TASKS={{'default': {{'BACKEND': {OURS!r}}}}})\n"
            "django.setup(); call_command('check')"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode != 0
        assert "serverless_tasks.E008" in done.stderr
        assert "'django_integration'" in done.stderr

    def test_the_command_names_them(self, settings: Any) -> None:
        self.given(settings, QUEUES=["urgent"])
        with pytest.raises(SystemCheckError, match=r"serverless_tasks\.E010"):
            call_command("check")


def test_the_example_project_is_told_what_it_lacks() -> None:
    """`python -m django check --deploy`, as one types it, without a stack."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SERVERLESS_"))}
    done = subprocess.run(
        [sys.executable, "-m", "django", "check", "--deploy"],
        cwd=ROOT,
        env={**kept, "DJANGO_SETTINGS_MODULE": "examples.website.settings", "DJANGO_DEBUG": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "serverless_tasks.E002" in done.stderr
    assert "serverless_tasks.W002" in done.stderr
    assert "serverless_tasks.E012" not in done.stderr


class TestDeployedTasks:
    def test_each_task_of_which_jobs_would_fail_is_named_with_the_way_round_that_fails_none(self) -> None:
        services = current_services()
        store = services.manifest_store
        assert store is not None
        here = Manifest.of(services.registry, services.started, "A")
        summed = replace(
            here.tasks["sum"],
            schema=here.tasks["sum"].schema | {"required": ["numbers", "unit"], "properties": {"unit": {}}},
            schema_hash="another",
        )
        store.write(replace(here, tasks={**here.tasks, "sum": summed}))
        ((number, sentence),) = messages()
        assert number == "W024"
        assert "Task 'sum' differs" in sentence
        assert "input 'unit' is required, and is not sent" in sentence
        assert "(The deployed build is 'A'.)" in sentence
        (found,) = [
            each for each in run_checks(include_deployment_checks=True) if each.id == "serverless_tasks.W024"
        ]
        assert found.hint is not None
        assert "in two deployments" in found.hint

    def test_the_same_tasks_and_no_manifest_have_no_message(self) -> None:
        assert messages() == []
        services = current_services()
        assert services.manifest_store is not None
        services.manifest_store.write(Manifest.of(services.registry, services.started))
        assert messages() == []

    def test_a_worker_without_django_need_not_have_the_tasks_of_this_library(self) -> None:
        services = current_services()
        store = services.manifest_store
        assert store is not None
        here = Manifest.of(services.registry, services.started)
        own = {task.name for task in services.registry if task.__module__.startswith("django_integration.")}
        assert "declarative.deferred" in own
        store.write(replace(here, tasks={name: task for name, task in here.tasks.items() if name not in own}))
        assert messages() == []

    def test_it_is_one_read(self) -> None:
        with counted_calls("dynamodb") as calls:
            check_deployed_tasks(None)
        assert calls == {"GetItem": 1}

    def test_a_table_that_cannot_be_read_is_said_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(_: Any) -> None:
            raise AwsError("dynamodb.GetItem", "AccessDenied", "no", applied=False)

        monkeypatch.setattr("serverless_tasks.engine.aws.dynamodb.manifest.TableManifest.read", refuse)
        assert messages() == []
