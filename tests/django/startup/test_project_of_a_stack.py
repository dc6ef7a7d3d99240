"""The command line in a Django project whose environment says nothing of it, and `manage.py serverless_tasks`."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]

SCRIPT = """
import json, os, sys
from tests.support.aws import account, resources

with account():
    config = resources()
    from serverless_tasks.engine.aws import session
    from serverless_tasks.engine.definition.recurring import schedule_name
    outputs = {
        "TableName": config.table, "QueueUrls": json.dumps(config.queue_urls), "PayloadBucketName": config.bucket,
        "InvokeFunctionName": "invoke", "DeadLetterQueueUrl": config.dead_letter_queue_url,
        "ScheduleGroupName": config.schedule_group, "SchedulerRoleArn": config.scheduler_role,
    }
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
                "Outputs": {name: {"Value": value} for name, value in outputs.items()}}
    session.client("cloudformation").create_stack(StackName="shop", TemplateBody=json.dumps(template))
    scheduler = session.client("scheduler")
    for name in ("of_app", "of_module"):
        scheduler.create_schedule(
            Name=schedule_name(name), GroupName=config.schedule_group, Description=name,
            ScheduleExpression="rate(1 minutes)", FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": "arn:aws:sqs:us-east-1:123456789012:default", "RoleArn": config.scheduler_role,
                    "Input": "{}"})
    way, *words = sys.argv[1:]
    try:
        if way == "manage.py":
            from django.core.management import execute_from_command_line
            execute_from_command_line(["manage.py", "serverless_tasks", *words])
        else:
            from serverless_tasks.cli import main
            sys.argv = ["serverless-tasks", *words]
            main()
    except SystemExit as end:
        code = end.code
    left = scheduler.list_schedules(GroupName=config.schedule_group)["Schedules"]
    print()
    print(json.dumps([code, sorted(each["Name"].rsplit("-", 1)[0] for each in left)]))
"""
TASK = """
from serverless_tasks import Task, rate

class Mine(Task):
    name = "{}"
    schedule = rate(minutes=5)

    def run(self): ...
"""
SETTINGS = """
from pathlib import Path
BASE_DIR = Path(__file__).resolve().parent.parent
INSTALLED_APPS = ["django_integration", "shop"]
SECRET_KEY = "not a secret"
"""
MANAGE = 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_.settings")\n'
SYNC = ("schedules", "sync", "--stack", "shop")
BOTH = ["task-of_app", "task-of_module"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Tasks of an app, and of a module that no app has; deployed with settings that are not here."""
    files = {
        "project/manage.py": MANAGE,
        "project/site_/__init__.py": "",
        "project/site_/settings.py": SETTINGS,
        "project/shop/__init__.py": "",
        "project/shop/tasks.py": TASK.format("of_app"),
        "project/nightly.py": TASK.format("of_module"),
        "project/samconfig.toml": (
            "[default.global.parameters]\n"
            'parameter_overrides = ["TaskModules=nightly", "DjangoSettingsModule=site_.production"]\n'
        ),
        "elsewhere/readme": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "project"


def run(directory: Path, *words: str, **environment: str) -> tuple[int, list[str], str]:
    """The exit code, the schedules that are left, and what was said."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "SERVERLESS_TASKS_", "DJANGO_"))
    }
    path = environment.pop("PYTHONPATH", "")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words],
        cwd=directory,
        env=kept | environment | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), path]))},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told: Any = json.loads(done.stdout.splitlines()[-1])
    return told[0], told[1], done.stderr


def test_settings_are_those_of_manage_py_and_modules_those_that_are_deployed(project: Path) -> None:
    assert run(project, "", *SYNC)[:2] == (0, BOTH)


def test_the_management_command_finds_them_from_any_directory(project: Path) -> None:
    named = {"DJANGO_SETTINGS_MODULE": "site_.settings", "PYTHONPATH": str(project)}
    assert run(project.parent / "elsewhere", "manage.py", *SYNC, **named)[:2] == (0, BOTH)


@pytest.mark.parametrize(
    ("way", "more", "said"),
    [
        ("", 'SERVERLESS_TASKS = {"MODULES": ["gone"]}', "names 'gone', which cannot be imported"),
        ("", 'SERVERLESS_TASKS = {"BACKND": "sqs"}', "SERVERLESS_TASKS has no setting 'BACKND'"),
        ("manage.py", 'TASK_API_BACKGROUND_TASKS = ["shop.tasks.Gone"]', "shop.tasks.Gone"),
    ],
)
def test_settings_with_which_not_all_tasks_are_known_delete_nothing(
    project: Path, way: str, more: str, said: str
) -> None:
    with (project / "site_/settings.py").open("a") as settings:
        settings.write(more)
    named = {"DJANGO_SETTINGS_MODULE": "site_.settings"} if way else {}
    code, left, told = run(project, way, *SYNC, "--yes", **named)

    assert (code, left) == (2, BOTH)
    assert said in told


@pytest.mark.parametrize(
    "broken", ["site_/settings.py", "shop/tasks.py", "nightly.py"], ids=["settings", "app", "module"]
)
def test_code_that_cannot_be_loaded_deletes_nothing(project: Path, broken: str) -> None:
    (project / broken).write_text("1 / 0\n")

    code, left, told = run(project, "", *SYNC, "--yes")

    assert (code, left) == (2, BOTH)
    assert re.search("cannot be (loaded|imported).*: ZeroDivisionError", told)


def test_a_project_without_tasks_deletes_nothing(project: Path) -> None:
    """What this library brings along is no task of the project."""
    (project / "shop/tasks.py").unlink()
    (project / "samconfig.toml").unlink()

    code, left, told = run(project, "", *SYNC, "--yes", DJANGO_SETTINGS_MODULE="site_.settings")

    assert (code, left) == (2, BOTH)
    assert "No tasks were found" in told


def test_settings_that_leave_an_app_out_keep_its_schedules(project: Path) -> None:
    """Those for tests, say: the deployment has the app's module as well."""
    (project / "site_/tests.py").write_text(SETTINGS.replace(', "shop"', ""))
    (project / "samconfig.toml").write_text(
        '[default.deploy.parameters]\nparameter_overrides = "TaskModules=nightly,shop.tasks"\n'
    )
    named = {"DJANGO_SETTINGS_MODULE": "site_.tests", "SERVERLESS_TASKS_MODULES": "nightly"}

    code, left, told = run(project, "", *SYNC, **named)

    assert (code, left) == (2, BOTH)
    assert "shop.tasks, which samconfig.toml deploys, was not loaded" in told


def test_a_management_command_below_the_deployments_file_keeps_what_it_does_not_find(project: Path) -> None:
    """As of a site in a directory of its own: the file is beside it, and names what is no app's."""
    site = project.parent / "site"
    site.mkdir()
    for name in ("manage.py", "site_", "shop"):
        (project / name).rename(site / name)
    named = {"DJANGO_SETTINGS_MODULE": "site_.settings", "PYTHONPATH": str(site)}

    code, left, told = run(project, "manage.py", *SYNC, **named)

    assert (code, left) == (2, BOTH)
    assert "nightly, which samconfig.toml deploys, was not loaded" in told
