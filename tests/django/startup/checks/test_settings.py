"""What `manage.py check` says, and what is registered."""

import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from django_integration import conf
from serverless_tasks import Task, rate
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import ConfigurationError
from serverless_tasks.params import StringParameter
from serverless_tasks.testing import recorded
from tests.django.shop.background import SumNumbers

ROOT = Path(__file__).resolve().parents[4]
QUEUES = {"default": "https://sqs.us-east-1.amazonaws.com/123456789012/default"}


def messages(deploy: bool = False) -> list[tuple[str, str]]:
    found = run_checks(tags=["serverless_tasks"], include_deployment_checks=deploy)
    return [(str(message.id).removeprefix("serverless_tasks."), message.msg) for message in found]


def test_a_good_configuration_has_no_message() -> None:
    assert messages() == []
    assert messages(deploy=True) == []


@pytest.mark.parametrize(
    ("given", "number", "named"),
    [
        ({"QUEUE_URLS": QUEUES}, "E002", "SERVERLESS_TASKS_TABLE"),
        ({"TABLE": "tasks"}, "E002", "SERVERLESS_TASKS_QUEUE_URLS"),
        ({"TABEL": "tasks"}, "E001", "TABEL"),
        ({"TABLE": 7}, "E001", "TABLE"),
        ({"BACKEND": "celery"}, "E001", "BACKEND"),
        ({"EXCLUDE_APPS": "shop"}, "E001", "EXCLUDE_APPS"),
        ({"EXCLUDE_APPS": [7]}, "E001", "EXCLUDE_APPS"),
        ({"ALLOW_ANONYMOUS": "no"}, "E001", "ALLOW_ANONYMOUS"),
        ({"MAX_BODY": "10 MB"}, "E001", "MAX_BODY"),
        ({"SHARED_READ": 1.5}, "E001", "SHARED_READ"),
        ({"SHARED_READ": -1}, "E001", "SHARED_READ"),
        ({"SHARED_READ": float("nan")}, "E001", "SHARED_READ"),
        ({"SHARED_READ": True}, "E001", "SHARED_READ"),
        ({"SHARED_READ": "1"}, "E001", "SHARED_READ"),
        ({"BACKEND": "immediate", "STATISTICS": "perhaps"}, "E001", "STATISTICS"),
        ({"BACKEND": "immediate", "ON_NEW_ERROR": "no.such.function"}, "E001", "no.such.function"),
        ({"BACKEND": "immediate", "ON_NEW_ERROR": "json.decoder"}, "E001", "ON_NEW_ERROR"),
        ("tasks", "E001", "SERVERLESS_TASKS"),
        ({"BACKEND": "immediate", "MODULES": "no.such.module"}, "E001", "no.such.module"),
    ],
)
def test_a_wrong_setting_is_named_in_one_sentence(settings: Any, given: Any, number: str, named: str) -> None:
    settings.SERVERLESS_TASKS = given
    ((found, sentence),) = messages()
    assert found == number
    assert named in sentence


@pytest.mark.parametrize("given", [{"BACKND": "threading"}, {"BACKND": "threading", 7: 7}])
def test_a_setting_that_there_is_not_is_told_all_that_there_are(settings: Any, given: Any) -> None:
    settings.SERVERLESS_TASKS = given
    ((_, sentence),) = messages()
    for name in ("BACKEND", "ALLOW_ANONYMOUS", "MAX_BODY", "SHARED_READ", "MODULES", "TABLE", "QUEUE_URLS"):
        assert re.search(rf"the settings are .*\b{name}\b", sentence)


@pytest.mark.parametrize("given", [{"QUEUE_URLS": QUEUES}, {"BACKEND": "celery"}])
def test_a_wrong_setting_is_raised_when_a_task_is_submitted(settings: Any, given: Any) -> None:
    settings.SERVERLESS_TASKS = given
    ((_, sentence),) = messages()
    with pytest.raises(ConfigurationError) as caught:
        SumNumbers.submit(numbers=[1])
    assert str(caught.value) == sentence


def test_a_site_that_has_no_stack_yet_is_warned_and_an_error_in_production(settings: Any) -> None:
    settings.SERVERLESS_TASKS = {}
    (warned,) = run_checks(tags=["serverless_tasks"])
    assert (warned.id, warned.is_serious()) == ("serverless_tasks.W005", False)
    assert "no TABLE and QUEUE_URLS" in warned.msg
    assert "serverless-tasks dev" in str(warned.hint)
    assert sorted(messages(deploy=True)) == [("E002", warned.msg), ("W005", warned.msg)]
    with pytest.raises(ConfigurationError):
        SumNumbers.submit(numbers=[1])


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that nothing tells its region, as a new user's is."""
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    session.reset()


@pytest.mark.parametrize("given", [{}, {"QUEUE_URLS": QUEUES}, {"TABLE": "tasks"}])
@pytest.mark.usefixtures("nowhere")
def test_a_missing_setting_is_said_before_a_missing_region(settings: Any, given: Any) -> None:
    settings.SERVERLESS_TASKS = given
    said = [sentence for _, sentence in messages()]
    assert not any("AWS_REGION" in sentence for sentence in said)
    with pytest.raises(ConfigurationError) as caught:
        SumNumbers.submit(numbers=[1])
    (missing,) = re.findall("SERVERLESS_TASKS_([A-Z_]+) is not set", str(caught.value))
    assert any(missing in sentence for sentence in said)


@pytest.mark.usefixtures("nowhere")
def test_a_missing_region_is_said_where_there_is_a_stack_and_is_an_error_in_production() -> None:
    ((number, sentence),) = messages()
    assert number == "W011"
    assert messages(deploy=True) == [(number, sentence), ("E014", sentence)]
    assert sentence.startswith("AWS_REGION is not set")
    with pytest.raises(ConfigurationError) as caught:
        SumNumbers.submit(numbers=[1])
    assert str(caught.value) == sentence


@pytest.mark.usefixtures("nowhere")
def test_a_region_is_found_where_the_clients_find_theirs(
    settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    profile = tmp_path / "config"
    profile.write_text("[profile shop]\nregion = eu-west-1\n")
    for name, value in (("AWS_CONFIG_FILE", str(profile)), ("AWS_PROFILE", "shop")):
        monkeypatch.setenv(name, value)
    assert messages() == []
    session.reset()
    monkeypatch.setenv("AWS_PROFILE", "elsewhere")
    ((number, sentence),) = messages()
    assert number == "W011"
    assert "(elsewhere) could not be found" in sentence
    session.reset()
    monkeypatch.delenv("AWS_PROFILE")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert messages() == []
    settings.SERVERLESS_TASKS = {"BACKEND": "threading"}
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert messages() == []


def test_the_in_process_backends_need_no_settings(settings: Any) -> None:
    settings.SERVERLESS_TASKS = {"BACKEND": "immediate"}
    assert messages() == []
    assert SumNumbers.submit(numbers=[1, 2]).refresh().outputs == {"sum": 3}


@pytest.mark.parametrize(
    "entry",
    [
        "tests.django.shop.background.Nothing",
        "tests.django.broken.tasks.Task",
        "tests.django.rivals.ForgetsRun",
        "nowhere.Task",
        "plain",
        "django.http.HttpRequest",
        7,
        {},
    ],
)
def test_an_entry_that_is_no_task_is_named_and_the_others_are_served(
    settings: Any, browser: Client, caplog: pytest.LogCaptureFixture, entry: Any
) -> None:
    settings.TASK_API_BACKGROUND_TASKS = [entry, "tests.django.shop.background.SumNumbers"]
    ((number, sentence),) = messages()
    assert number == "E003"
    assert "TASK_API_BACKGROUND_TASKS" in sentence
    assert repr(entry) in sentence
    assert sentence in caplog.messages
    for call, inputs in (
        ("", {"task": "sum", "inputs": {"numbers": [1]}}),
        ("resize/", {"box": {"width": 1, "height": 1}}),
    ):
        assert browser.post(f"/tasks/{call}", inputs, content_type="application/json").status_code == 201
    assert "/tasks/resize/" in browser.get("/tasks/openapi.json").json()["paths"]


@dataclass
class Unhashable:
    """Compares by value, and so has no hash."""

    word: str = "please"

    def __call__(self, request: Any) -> str:
        return self.word


@pytest.mark.parametrize("given", [["oidc"], {"oidc": True}, {"oidc"}])
def test_an_authentication_that_has_no_hash_is_named(settings: Any, given: Any) -> None:
    settings.TASKS_API_AUTHENTICATION = given
    ((number, sentence),) = messages()
    assert number == "E007"
    assert f"TASKS_API_AUTHENTICATION is {given!r}" in sentence


def test_an_authenticator_that_has_no_hash_is_as_good_as_others(settings: Any) -> None:
    settings.TASKS_API_AUTHENTICATION = Unhashable()
    assert messages() == []
    assert (
        Client().post("/tasks/resize/", {"box": {"width": 1, "height": 1}}, "application/json").status_code
        == 201
    )


def test_the_alias_is_read_too_and_named(settings: Any) -> None:
    settings.TASK_API_BACKGROUND_TASKS = [SumNumbers]
    settings.TASK_API_BACKGROUND_CLASSES = [SumNumbers, "tests.django.shop.background.Fails"]
    assert messages() == []
    assert set(conf.served_tasks()) == {"sum", "fails"}
    settings.TASK_API_BACKGROUND_CLASSES = ["tests.django.shop.background.Nothing"]
    ((number, sentence),) = messages()
    assert number == "E003"
    assert "TASK_API_BACKGROUND_CLASSES names 'tests.django.shop.background.Nothing'" in sentence


def test_a_class_is_as_good_as_a_path(settings: Any) -> None:
    settings.TASK_API_BACKGROUND_TASKS = [SumNumbers]
    assert messages() == []
    assert set(conf.served_tasks()) == {"sum"}


def test_two_tasks_of_one_name_are_an_error(settings: Any) -> None:
    settings.TASK_API_BACKGROUND_TASKS = ["tests.django.rivals.OtherSum"]
    ((number, sentence),) = messages()
    assert number == "E001"
    assert "'sum'" in sentence
    assert "tests.django.rivals.OtherSum" in sentence


@pytest.mark.parametrize("name", ["ForgetsAnInput", "GivesAThread"])
def test_a_task_that_contradicts_itself_is_named(settings: Any, name: str) -> None:
    settings.TASK_API_BACKGROUND_TASKS = [f"tests.django.rivals.{name}"]
    ((number, sentence),) = messages()
    assert number == "E005"
    assert name in sentence


def test_a_name_that_leaves_a_task_without_a_typed_call_is_named(settings: Any) -> None:
    settings.TASK_API_BACKGROUND_TASKS = ["tests.django.rivals.MonthlyReport"]
    ((number, sentence),) = messages()
    assert number == "W010"
    assert "'reports/monthly'" in sentence
    settings.TASK_API_BACKGROUND_TASKS = ["tests.django.rivals.MonthlyReportInside"]
    assert messages() == []


@pytest.mark.parametrize(("name", "value"), [("signature", "J. Doe"), ("group", "reports")])
def test_an_attribute_of_ones_own_that_workflows_have_a_name_of_is_ones_own(name: str, value: str) -> None:
    task = type(
        "Signed",
        (Task,),
        {"run": lambda self: getattr(self, name), "outputs": {"it": StringParameter()}, name: value},
    )
    with recorded(task) as jobs:
        ((number, sentence),) = messages()
        handle = task.submit()
        part = task.options().signature()
        jobs.drain()
        assert handle.refresh().outputs == {"it": value}
    assert number == "W014"
    assert f"Signed.{name} takes the place of" in sentence
    assert part.task is task


@pytest.mark.parametrize("setting", ["CSRF_COOKIE_HTTPONLY", "CSRF_USE_SESSIONS"])
def test_a_csrf_token_that_the_client_cannot_read_is_named(settings: Any, setting: str) -> None:
    setattr(settings, setting, True)
    ((number, sentence),) = messages()
    assert number == "W006"
    assert sentence.startswith(f"{setting} is True")
    settings.TASK_API_AUTHENTICATION_CLASSES = ["rest_framework.authentication.SessionAuthentication"]
    assert [number for number, _ in messages()] == ["W006"]
    settings.TASK_API_AUTHENTICATION_CLASSES = ["rest_framework.authentication.TokenAuthentication"]
    assert messages() == []


DRF_SETTINGS = [
    "TASK_API_AUTHENTICATION_CLASSES",
    "TASK_API_PERMISSIONS_CLASSES",
    "TASK_API_THROTTLE_CLASSES",
]


@pytest.mark.parametrize("setting", DRF_SETTINGS)
def test_a_drf_class_that_is_not_there_is_named(settings: Any, setting: str) -> None:
    setattr(settings, setting, ["rest_framework.permissions.Nothing"])
    ((number, sentence),) = messages()
    assert number == "E004"
    assert setting in sentence


@pytest.mark.parametrize("setting", DRF_SETTINGS)
def test_without_drf_its_settings_are_an_error(
    settings: Any, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    for name in [name for name in sys.modules if name.startswith("rest_framework")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rest_framework", None)
    monkeypatch.delitem(sys.modules, "django_integration.web.auth.drf", raising=False)
    monkeypatch.delattr("django_integration.web.auth.drf", raising=False)
    setattr(settings, setting, ["tests.django.drf_classes.Never"])
    ((number, sentence),) = messages()
    assert number == "E004"
    assert "serverless-tasks[drf]" in sentence


@pytest.mark.parametrize(
    "name",
    [
        "rest_framework.permissions.DjangoModelPermissions",
        "rest_framework.permissions.DjangoModelPermissionsOrAnonReadOnly",
        "rest_framework.permissions.DjangoObjectPermissions",
        "tests.django.drf_classes.ObjectPermissionsAlone",
        "tests.django.drf_classes.ComposedModel",
    ],
)
def test_permissions_on_rows_of_the_database_are_named(settings: Any, browser: Client, name: str) -> None:
    settings.TASK_API_PERMISSIONS_CLASSES = [name]
    ((number, sentence),) = messages()
    assert number == "E004"
    assert "'serverless_tasks.add_job'" in sentence
    assert "TASK_API_PERMISSIONS_CLASSES" in sentence
    answer = browser.get("/tasks/")
    assert (answer.status_code, answer.json()["error"]["type"]) == (500, "ConfigurationError")


@pytest.mark.parametrize(
    "name",
    ["rest_framework.permissions.IsAuthenticated"]
    + [f"tests.django.drf_classes.{name}" for name in ("OwnModelPermissions", "Composed", "Refuses")],
)
def test_permissions_that_users_can_have_are_not(settings: Any, name: str) -> None:
    settings.TASK_API_PERMISSIONS_CLASSES = [name]
    assert messages() == []


def test_a_throttle_without_a_rate_is_named(settings: Any) -> None:
    settings.TASK_API_THROTTLE_CLASSES = ["tests.django.drf_classes.WithoutRate"]
    ((number, sentence),) = messages()
    assert number == "E004"
    assert "WithoutRate" in sentence
    assert "DEFAULT_THROTTLE_RATES" in sentence
    settings.TASK_API_THROTTLE_CLASSES = None
    settings.REST_FRAMEWORK = {"DEFAULT_THROTTLE_CLASSES": ["tests.django.drf_classes.Nothing"]}
    ((number, sentence),) = messages()
    assert number == "E004"
    assert "DEFAULT_THROTTLE_CLASSES" in sentence
    settings.REST_FRAMEWORK = {"DEFAULT_THROTTLE_CLASSES": ["tests.django.drf_classes.TwoAMinute"]}
    assert messages() == []


def test_without_drf_its_own_setting_is_nothing_to_us(
    settings: Any, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conf, "find_spec", lambda name: None)
    settings.REST_FRAMEWORK = {"DEFAULT_THROTTLE_CLASSES": ["tests.django.drf_classes.Never"]}
    assert messages() == []
    assert browser.get("/tasks/").status_code == 200


def test_a_site_open_to_everybody_is_told(settings: Any) -> None:
    settings.SERVERLESS_TASKS = settings.SERVERLESS_TASKS | {"ALLOW_ANONYMOUS": True}
    ((number, sentence),) = messages(deploy=True)
    assert number == "W001"
    assert "ALLOW_ANONYMOUS" in sentence


def test_a_site_closed_to_everybody_is_told(settings: Any) -> None:
    settings.MIDDLEWARE = []
    ((number, _),) = messages(deploy=True)
    assert number == "W002"


SCHEDULER = {
    "SCHEDULE_GROUP": "tasks",
    "SCHEDULER_ROLE": "arn:aws:iam::123456789012:role/scheduler",
    "DEAD_LETTER_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/dead",
}


class TestScheduler:
    """What needs EventBridge Scheduler, where the settings name none."""

    @pytest.fixture
    def declare(self, settings: Any) -> Any:
        given = settings.SERVERLESS_TASKS

        def declare(scheduler: dict[str, str], **attributes: Any) -> None:
            settings.SERVERLESS_TASKS = given | scheduler
            current_services().registry.add(
                type("Report", (Task,), {"name": "report", "run": lambda self: 0, **attributes})
            )

        return declare

    @pytest.mark.parametrize(
        ("declared", "reason"),
        [
            ({"schedule": rate(hours=1)}, "task 'report' has a schedule"),
            ({"retries": 1, "backoff_cap": 901}, "task 'report' may wait 901 seconds for a retry"),
        ],
        ids=["schedule", "backoff"],
    )
    def test_a_task_that_needs_it_is_named(self, declare: Any, declared: dict[str, Any], reason: str) -> None:
        declare({}, **declared)
        ((number, sentence),) = messages(deploy=True)
        assert number == "W009"
        assert "SCHEDULE_GROUP and SCHEDULER_ROLE and DEAD_LETTER_QUEUE_URL" in sentence
        assert reason in sentence
        assert messages() == []

    @pytest.mark.parametrize("declared", [{"retries": 1}, {"backoff_cap": 5_000}], ids=["near", "never"])
    def test_a_task_that_does_not_is_not(self, declare: Any, declared: dict[str, Any]) -> None:
        declare({}, **declared)
        assert messages(deploy=True) == []

    def test_settings_that_are_all_there_are_good(self, declare: Any) -> None:
        declare(SCHEDULER, schedule=rate(hours=1))
        assert messages(deploy=True) == []

    @pytest.mark.parametrize("left_out", SCHEDULER)
    def test_some_of_the_settings_alone_are_named_whatever_the_tasks(
        self, declare: Any, left_out: str
    ) -> None:
        declare({name: value for name, value in SCHEDULER.items() if name != left_out})
        ((number, sentence),) = messages(deploy=True)
        assert number == "W009"
        assert f"lacks {left_out}," in sentence

    def test_a_site_without_a_stack_is_told_of_that_alone(self, settings: Any, declare: Any) -> None:
        declare({}, schedule=rate(hours=1))
        settings.SERVERLESS_TASKS = {}
        assert {number for number, _ in messages(deploy=True)} == {"E002", "W005"}

    def test_of_many_tasks_a_few_are_named(self, declare: Any) -> None:
        declare({}, schedule=rate(hours=1))
        for number in range(9):
            task = {"name": f"report{number}", "run": lambda self: 0, "schedule": rate(days=1)}
            current_services().registry.add(type(f"Report{number}", (Task,), task))
        ((_, sentence),) = messages(deploy=True)
        assert "'report1'" in sentence
        assert "(and 7 more)" in sentence


class TestRegistered:
    def test_the_background_and_tasks_modules_of_installed_apps(self) -> None:
        assert "hidden" in current_services().registry
        assert "later" in current_services().registry

    def test_configured_modules(self, settings: Any) -> None:
        assert "forgetful" not in current_services().registry
        settings.SERVERLESS_TASKS = settings.SERVERLESS_TASKS | {"MODULES": ["tests.django.configured"]}
        assert "configured" in current_services().registry


class TestCommand:
    def test_it_hands_its_words_over(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as caught:
            call_command("serverless_tasks", "list", "--json")
        assert caught.value.code == 0
        assert "sum" in capsys.readouterr().out

    @pytest.mark.django("6.0")
    def test_a_task_of_djangos_is_listed_with_its_queue_and_signature(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit):
            call_command("serverless_tasks", "list", "--json")
        tasks = {task["name"]: task for task in json.loads(capsys.readouterr().out)}
        app = "tests.django.newsletter.tasks"
        assert [tasks[f"{app}.{name}"]["queue"] for name in ("email_users", "email_users_soon")] == [
            "default",
            "low",
        ]
        assert tasks[f"{app}.email_users"]["signature"] == "(emails, subject, message)"
        assert tasks[f"{app}.email_users_in_context"]["signature"] == "(emails, subject, message)"
        assert tasks[f"{app}.calculate_meaning_of_life"]["signature"] == "()"
        with pytest.raises(SystemExit):
            call_command("serverless_tasks", "list")
        assert "(username)" in capsys.readouterr().out

    def test_without_a_command_line_it_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "serverless_tasks.cli", None)
        with pytest.raises(CommandError, match="serverless-tasks"):
            call_command("serverless_tasks", "list")


def test_the_app_has_the_label_of_the_templates() -> None:
    assert apps.get_app_config("serverless_tasks").name == "django_integration"
