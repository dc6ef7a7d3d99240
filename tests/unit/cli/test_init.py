"""`serverless-tasks init`: what it writes into a Django project, and what it leaves alone."""

import json
import tomllib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from serverless_tasks.cli.app import app
from serverless_tasks.cli.init import Action
from serverless_tasks.errors import ConfigurationError
from tests.support.init import init_project

MANAGE = 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_.settings")\n'
WRITTEN = {
    "template.yaml",
    "samconfig.toml",
    "infra/lambda/artefact.py",
    "infra/lambda/artefact.mk",
    "infra/lambda/artefact.toml",
    "infra/lambda/requirements.txt",
    "infra/lambda/x86_64/Makefile",
    "infra/lambda/arm64/Makefile",
}
TASK = "from serverless_tasks import Task\n\n\nclass Pack(Task):\n    def run(self): ...\n"
type Edit = Callable[[str, str], None]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return tmp_path / "my_shop.v2"


@pytest.fixture
def put(project: Path) -> Edit:
    """Writes a file of the project, with the packages around it."""

    def write(path: str, text: str) -> None:
        target = project / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        for package in list(target.relative_to(project).parents)[:-1]:
            (project / package / "__init__.py").touch()

    write("manage.py", MANAGE)
    write("site_/settings.py", "INSTALLED_APPS = ['django.contrib.auth', 'shop']\n")
    return write


def actions(project: Path, **options: str) -> dict[str, Action]:
    return {path.as_posix(): action for path, action in init_project(project, **options)}


def overrides(project: Path) -> list[str]:
    config = tomllib.loads((project / "samconfig.toml").read_text())
    values: list[str] = config["default"]["global"]["parameters"]["parameter_overrides"]
    return values


def requirements(project: Path) -> list[str]:
    lines = (project / "infra/lambda/requirements.txt").read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_a_new_project_gets_every_file(project: Path, put: Edit) -> None:
    assert actions(project) == dict.fromkeys(WRITTEN, Action.CREATED)
    assert all((project / path).stat().st_size for path in WRITTEN)


def test_the_template_is_the_one_that_is_tested(project: Path, put: Edit) -> None:
    init_project(project)
    original = Path(__file__).parents[3] / "template.yaml"
    assert (project / "template.yaml").read_text() == original.read_text()


def test_the_stack_is_named_after_the_directory_or_as_asked(project: Path, put: Edit) -> None:
    init_project(project)
    assert 'stack_name = "my-shop-v2"\n' in (project / "samconfig.toml").read_text()
    init_project(project, stack_name="other")
    assert 'stack_name = "other"\n' in (project / "samconfig.toml").read_text()


@pytest.mark.parametrize("name", ["my stack", "2nd", "a/b", "a" * 129])
def test_a_name_that_no_stack_can_have_is_refused(project: Path, put: Edit, name: str) -> None:
    with pytest.raises(ConfigurationError, match="letters, digits and hyphens"):
        init_project(project, stack_name=name)
    assert not (project / "samconfig.toml").exists()


def test_task_modules_are_found_wherever_they_are(project: Path, put: Edit) -> None:
    put("shop/background.py", "from serverless_tasks import Task\n")
    put("shop/deep/tasks/__init__.py", "import serverless_tasks\n")
    put("shop/tasks.py", "from celery import shared_task\n")
    put("venv/pyvenv.cfg", "")
    put("venv/lib/background.py", "import serverless_tasks\n")
    init_project(project)
    assert overrides(project) == ["TaskModules=shop.background,shop.deep.tasks"]


@pytest.mark.parametrize(
    "apart",
    [
        "other/.git/HEAD",
        "other/.git",
        "other/pyproject.toml",
        "other/manage.py",
        "other/.venv/pyvenv.cfg",
        "other/env/pyvenv.cfg",
        "other/pyvenv.cfg",
        "other/deep/.git",
    ],
)
def test_what_is_a_project_of_its_own_is_left_alone(project: Path, put: Edit, apart: str) -> None:
    put("shop/tasks.py", "from serverless_tasks import Task\n")
    put("other/deep/tasks.py", "from serverless_tasks import Task\n")
    put("other/deep/background.py", "not Python at all\n")
    (project / apart).parent.mkdir(parents=True, exist_ok=True)
    (project / apart).write_text("")
    init_project(project)
    assert overrides(project)[0] == "TaskModules=shop.tasks"


def test_the_projects_own_marks_change_nothing(project: Path, put: Edit) -> None:
    put("shop/tasks.py", "from serverless_tasks import Task\n")
    for name in (".git/HEAD", "pyproject.toml", ".venv/pyvenv.cfg", "shop/README"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("")
    init_project(project)
    assert overrides(project)[0] == "TaskModules=shop.tasks"


@pytest.mark.parametrize("folder", ["tests", "shop/tests", "shop/tests/deep"])
def test_tasks_of_tests_are_left_alone(project: Path, put: Edit, folder: str) -> None:
    put("shop/tasks.py", "from serverless_tasks import Task\n")
    put(f"{folder}/tasks.py", "from serverless_tasks import Task\n")
    put(f"{folder}/background.py", "not Python at all\n")
    init_project(project)
    assert overrides(project)[0] == "TaskModules=shop.tasks"


def test_tasks_without_django_are_shipped_without_it(project: Path, put: Edit) -> None:
    put("shop/background.py", "from serverless_tasks import Task\nimport csv, boto3\n")
    init_project(project)
    [own] = requirements(project)
    assert own.startswith("serverless-tasks[lambda]")
    trimmed = tomllib.loads((project / "infra/lambda/artefact.toml").read_text())["trim"]
    assert "django_integration" in trimmed


@pytest.mark.parametrize("imported", ["from shop.models import Order", "from .models import Order"])
def test_tasks_that_reach_django_by_way_of_another_module_bring_it(
    project: Path, put: Edit, imported: str
) -> None:
    put("shop/background.py", f"from serverless_tasks import Task\n{imported}\n")
    put("shop/models.py", "from django.db import models\n")
    init_project(project)
    assert overrides(project) == ["TaskModules=shop.background", "DjangoSettingsModule=site_.settings"]
    own, django = requirements(project)[-1], requirements(project)[0]
    assert {own.split("==")[0], django.split("==")[0]} == {"serverless-tasks[lambda]", "Django"}
    trimmed = tomllib.loads((project / "infra/lambda/artefact.toml").read_text())["trim"]
    assert "django_integration" not in trimmed


def test_functions_of_djangos_own_tasks_are_tasks(project: Path, put: Edit) -> None:
    put("shop/tasks.py", "from django.tasks import task\n")
    init_project(project)
    assert "TaskModules=shop.tasks" in overrides(project)
    assert "DjangoSettingsModule=site_.settings" in overrides(project)


def test_settings_that_name_the_backend_of_djangos_tasks_bring_django(project: Path, put: Edit) -> None:
    backend = "django_integration.tasks_backend.ServerlessBackend"
    put("site_/settings.py", f"INSTALLED_APPS = []\nTASKS = {{'default': {{'BACKEND': '{backend}'}}}}\n")
    init_project(project)
    assert "DjangoSettingsModule=site_.settings" in overrides(project)


def test_settings_can_be_named_or_refused(project: Path, put: Edit) -> None:
    put("site_/production.py", "from .settings import *\nINSTALLED_APPS += ['rest_framework']\n")
    init_project(project, django_settings="site_.production")
    assert "DjangoSettingsModule=site_.production" in overrides(project)
    assert f"djangorestframework=={version('djangorestframework')}" in requirements(project)
    put("shop/background.py", "from serverless_tasks import Task\nimport django\n")
    init_project(project, django_settings="")
    assert overrides(project) == ["TaskModules=shop.background"]


def test_an_unknown_settings_module_is_refused(project: Path, put: Edit) -> None:
    with pytest.raises(ConfigurationError, match=r"no settings module 'site_\.absent'"):
        init_project(project, django_settings="site_.absent")


def test_what_tasks_import_is_pinned_to_what_is_installed(project: Path, put: Edit) -> None:
    put("shop/background.py", "import serverless_tasks, PIL.Image, no_such_package\n")
    init_project(project)
    assert requirements(project)[1:] == [f"pillow=={version('pillow')}"]
    text = (project / "infra/lambda/requirements.txt").read_text()
    assert "# no_such_package is imported but not installed here" in text


def test_the_package_itself_can_come_from_elsewhere(project: Path, put: Edit) -> None:
    init_project(project, requirement="./serverless_tasks-1-py3-none-any.whl[lambda]")
    assert requirements(project) == ["./serverless_tasks-1-py3-none-any.whl[lambda]"]


def test_options_hold_for_later_runs_too(project: Path, put: Edit) -> None:
    put("shop/background.py", "from serverless_tasks import Task\nimport django\n")
    asked = {"requirement": "./wheels/a.whl[lambda]", "stack_name": "other", "django_settings": ""}
    init_project(project, **asked)
    assert actions(project) == dict.fromkeys(WRITTEN, Action.UNCHANGED)

    init_project(project, requirement="", django_settings="site_.settings")
    assert any(line.startswith("serverless-tasks[lambda]") for line in requirements(project))
    assert "DjangoSettingsModule=site_.settings" in overrides(project)
    assert 'stack_name = "other"\n' in (project / "samconfig.toml").read_text()


def test_running_again_changes_nothing(project: Path, put: Edit) -> None:
    init_project(project)
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    assert actions(project) == dict.fromkeys(WRITTEN, Action.UNCHANGED)
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


def test_a_file_as_it_was_written_is_updated(project: Path, put: Edit) -> None:
    init_project(project)
    put("shop/background.py", "import serverless_tasks\n")
    assert actions(project)["samconfig.toml"] == Action.UPDATED
    assert overrides(project) == ["TaskModules=shop.background"]


def test_an_edited_file_is_kept_and_the_new_version_offered_beside_it_once(project: Path, put: Edit) -> None:
    init_project(project)
    config = project / "samconfig.toml"
    config.write_text(config.read_text().replace("us-east-1", "eu-west-1"))
    edited = config.read_text()

    assert actions(project)["samconfig.toml"] == Action.KEPT
    assert not (project / "samconfig.toml.new").exists()

    put("shop/background.py", "import serverless_tasks\n")
    assert actions(project)["samconfig.toml"] == Action.OFFERED
    assert config.read_text() == edited
    assert "TaskModules=shop.background" in (project / "samconfig.toml.new").read_text()

    (project / "samconfig.toml.new").unlink()
    assert actions(project)["samconfig.toml"] == Action.KEPT
    assert not (project / "samconfig.toml.new").exists()


def test_a_file_that_was_there_before_is_kept(project: Path, put: Edit) -> None:
    (project / "template.yaml").write_text("Resources: {}\n")
    assert actions(project)["template.yaml"] == Action.OFFERED
    assert (project / "template.yaml").read_text() == "Resources: {}\n"
    assert (project / "template.yaml.new").exists()


def test_a_removed_file_comes_back(project: Path, put: Edit) -> None:
    init_project(project)
    (project / "infra/lambda/artefact.py").unlink()
    assert actions(project)["infra/lambda/artefact.py"] == Action.CREATED


def test_the_record_of_what_was_written_holds_no_place_of_this_machine(project: Path, put: Edit) -> None:
    init_project(project)
    state = json.loads((project / "infra/lambda/.generated.json").read_text())
    assert set(state["digests"]) == WRITTEN


def test_a_broken_record_is_named(project: Path, put: Edit) -> None:
    init_project(project)
    (project / "infra/lambda/.generated.json").write_text("<<<<<<< HEAD")
    with pytest.raises(ConfigurationError, match=r"\.generated\.json cannot be read"):
        init_project(project)


def test_outside_a_django_project_it_says_where_to_go(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"has no manage\.py.*Run .* in the directory of manage\.py"):
        init_project(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_task_module_that_is_no_python_is_named_and_nothing_is_written(project: Path, put: Edit) -> None:
    put("shop/background.py", "class Sum(:\n")
    with pytest.raises(ConfigurationError, match=r"background\.py:1 is not valid Python"):
        init_project(project)
    assert not (project / "template.yaml").exists()


LONG = """
from serverless_tasks import Task

class Sum(Task):
    {timeout}
    def run(self): ...
"""


@pytest.mark.parametrize(
    ("timeout", "parameter", "told"),
    [
        ("timeout = 240", None, "The worker has 300 seconds (WorkerTimeout), less than 485"),
        ("timeout: float = 240.0", "WorkerTimeout=600", ""),
        ("", "WorkerTimeout=60", "less than 125: twice the timeout of task 'Sum' (60 seconds) and 5"),
        ("timeout = 20", "WorkerTimeout=60", ""),
        ("", None, ""),
    ],
)
def test_a_worker_with_time_for_one_message_of_a_batch_alone_is_told(
    project: Path, put: Edit, timeout: str, parameter: str | None, told: str
) -> None:
    put("shop/background.py", LONG.format(timeout=timeout))
    init_project(project)
    if parameter:
        config = project / "samconfig.toml"
        config.write_text(config.read_text().replace('["TaskModules', f'["{parameter}", "TaskModules'))
    done = CliRunner().invoke(app, ["init", str(project)], env={"COLUMNS": "500"})
    assert done.exit_code == 0
    assert told in done.stderr
    assert ("WorkerTimeout" in done.stderr) == bool(told)


REEXPORTS = {
    "a class": ("from shop.impl import Sum\n", True),
    "a class among others": ("from .impl import Helper, Sum as Add\n", True),
    "all of a module": ("from shop.impl import *\n", True),
    "a class by way of another module": ("from shop.more import Sum\n", True),
    "a function": ("from shop.impl import mail\n", True),
    "no task": ("from shop.impl import Helper, ShopError\n", False),
    "a module": ("from celery import shared_task\nimport shop.impl\n", False),
}
IMPL = """
from django.tasks import task
from serverless_tasks import Task, TaskError

class ShopError(TaskError): ...

class Helper: ...

class Sum(Task):
    def run(self): ...

@task
def mail(): ...
"""


@pytest.mark.parametrize("case", REEXPORTS)
def test_a_module_that_imports_its_tasks_is_deployed(project: Path, put: Edit, case: str) -> None:
    text, deployed = REEXPORTS[case]
    put("shop/impl.py", IMPL)
    put("shop/more.py", "from shop.impl import Sum\nfrom shop.more import Other\n")
    put("shop/background.py", text)
    init_project(project)
    assert overrides(project)[0] == f"TaskModules={'shop.background' if deployed else ''}"


class TestEnvironments:
    def test_one_is_a_copy_of_the_default_with_a_stack_of_its_own(self, project: Path, put: Edit) -> None:
        put("shop/background.py", TASK)
        init_project(project, environment="prod")
        said = tomllib.loads((project / "samconfig.toml").read_text())
        assert said["prod"]["global"]["parameters"].pop("stack_name") == "my-shop-v2-prod"
        assert said["default"]["global"]["parameters"].pop("stack_name") == "my-shop-v2"
        assert said["prod"] == said["default"]

    def test_it_is_added_once_and_later_runs_leave_it_alone(self, project: Path, put: Edit) -> None:
        put("shop/background.py", TASK)
        init_project(project, environment="prod")
        config = project / "samconfig.toml"
        config.write_text(config.read_text().replace('"my-shop-v2-prod"', '"live"'))
        assert actions(project, environment="prod")["samconfig.toml"] == Action.UNCHANGED
        assert actions(project, environment="staging")["samconfig.toml"] == Action.UPDATED
        assert actions(project)["samconfig.toml"] == Action.UNCHANGED
        said = tomllib.loads(config.read_text())
        stacks = [each["global"]["parameters"]["stack_name"] for each in list(said.values())[1:]]
        assert stacks == ["my-shop-v2", "live", "my-shop-v2-staging"]

    def test_new_task_modules_reach_it_where_it_has_the_defaults(self, project: Path, put: Edit) -> None:
        put("shop/background.py", TASK)
        init_project(project, environment="prod")
        init_project(project, environment="staging")
        config = project / "samconfig.toml"
        text = config.read_text()
        start = text.index("[staging.")
        config.write_text(
            text[:start] + text[start:].replace("TaskModules=shop.background", "TaskModules=shop.only")
        )
        put("shop/tasks.py", TASK.replace("Pack", "Ship"))
        assert actions(project)["samconfig.toml"] == Action.UPDATED
        said = tomllib.loads(config.read_text())
        modules = [
            said[name]["global"]["parameters"]["parameter_overrides"][0]
            for name in ("default", "prod", "staging")
        ]
        assert modules == [
            "TaskModules=shop.background,shop.tasks",
            "TaskModules=shop.background,shop.tasks",
            "TaskModules=shop.only",
        ]

    def test_django_reaches_it_when_tasks_begin_to_need_it_and_leaves_it_when_none_does(
        self, project: Path, put: Edit
    ) -> None:
        put("shop/background.py", TASK)
        for name in ("prod", "staging", "live"):
            init_project(project, environment=name)
        config = project / "samconfig.toml"
        before, live = config.read_text().split("# The environment live")
        one_line = live.replace('[\n    "TaskModules=shop.background",\n]', '["TaskModules=shop.only"]')
        assert one_line != live
        config.write_text(
            before.replace(
                'region = "us-east-1"\nparameter_overrides = [\n',
                'region = "us-east-1"\nparameter_overrides = [\n    "DjangoSettingsModule=site_.prod",\n',
                1,
            )
            + "# The environment live"
            + one_line
        )

        def parameters() -> dict[str, list[str]]:
            said = tomllib.loads(config.read_text())
            del said["version"]
            return {name: each["global"]["parameters"]["parameter_overrides"] for name, each in said.items()}

        background = "TaskModules=shop.background"
        without = parameters()
        assert without["default"] == without["staging"] == [background]
        put("shop/background.py", "import django\n" + TASK)
        assert actions(project)["samconfig.toml"] == Action.UPDATED
        settings = "DjangoSettingsModule=site_.settings"
        assert parameters() == {
            "default": [background, settings],
            "prod": ["DjangoSettingsModule=site_.prod", background],
            "staging": [background, settings],
            "live": ["TaskModules=shop.only", settings],
        }
        put("shop/background.py", TASK)
        assert actions(project)["samconfig.toml"] == Action.UPDATED
        assert parameters() == without

    def test_tables_of_the_default_environment_are_copied_too(self, project: Path, put: Edit) -> None:
        init_project(project)
        config = project / "samconfig.toml"
        config.write_text(config.read_text() + 'tags = { team = "shop", "cost centre" = "7" }\n')
        init_project(project, environment="prod")
        said = tomllib.loads(config.read_text())
        assert said["prod"]["deploy"]["parameters"]["tags"] == {"team": "shop", "cost centre": "7"}

    def test_an_edited_default_is_kept_and_the_environment_is_a_copy_of_it(
        self, project: Path, put: Edit
    ) -> None:
        put("shop/background.py", TASK)
        init_project(project)
        config = project / "samconfig.toml"
        config.write_text(config.read_text().replace('region = "us-east-1"', 'region = "eu-west-1"'))
        assert actions(project, environment="prod")["samconfig.toml"] == Action.UPDATED
        said = tomllib.loads(config.read_text())
        assert said["prod"]["global"]["parameters"]["region"] == "eu-west-1"
        put("shop/tasks.py", TASK.replace("Pack", "Ship"))
        assert actions(project)["samconfig.toml"] == Action.OFFERED
        offered = tomllib.loads((project / "samconfig.toml.new").read_text())
        assert offered["prod"]["global"]["parameters"]["region"] == "eu-west-1"

    @pytest.mark.parametrize("name", ["default", "Prod", "a b", "", "-x"])
    def test_a_name_that_is_none(self, project: Path, put: Edit, name: str) -> None:
        with pytest.raises(ConfigurationError, match="give a name of small letters"):
            init_project(project, environment=name)
