"""The wheel: what it holds, what it leaves out, and that the core works with nothing but its own requirements."""

import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support import release
from tests.support.release import run

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("serverless_tasks", "lambda_handlers", "django_integration")

SUM = """
import sys
import serverless_tasks
from serverless_tasks import Task
from serverless_tasks.params import ListParameter, NumberParameter

class SumNumbers(Task):
    name = "sum"
    inputs = {"numbers": ListParameter(NumberParameter())}
    outputs = {"sum": NumberParameter()}

    def run(self, numbers):
        return sum(numbers)

assert SumNumbers().run([1, 2]) == 3
assert "site-packages" in serverless_tasks.__file__, serverless_tasks.__file__
"""


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def bare(uv: str, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that holds the wheel without any extra."""
    return release.installed(tmp_path_factory.mktemp("bare"), str(wheel))


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_says_that_it_is_typed(names: list[str], package: str) -> None:
    assert f"{package}/py.typed" in names


def test_static_files_templates_and_translations_are_in_it(names: list[str]) -> None:
    assert "django_integration/static/django-task-api.min.js" in names
    assert "django_integration/locale/de/LC_MESSAGES/django.mo" in names
    committed = [
        path.relative_to(ROOT).as_posix()
        for folder in ("locale", "static", "templates")
        for path in (ROOT / "django_integration" / folder).rglob("*")
        if path.is_file()
    ]
    assert sorted(set(committed) - set(names)) == []


def test_the_source_distribution_has_the_translations_too(tmp_path: Path) -> None:
    with tarfile.open(release.build("sdist", tmp_path)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    catalogue = "django_integration/locale/de/LC_MESSAGES/django"
    assert {f"{catalogue}.po", f"{catalogue}.mo"} <= names


@pytest.mark.parametrize(
    "name", ["template.yaml", "samconfig.toml", "infra/lambda/artefact.py", "infra/lambda/x86_64/Makefile"]
)
def test_what_init_copies_is_in_it(names: list[str], name: str) -> None:
    assert f"serverless_tasks/cli/init/template/{name}" in names


def test_only_the_packages_are_in_it(names: list[str]) -> None:
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


def test_tests_checks_and_client_sources_are_left_out(names: list[str]) -> None:
    unwanted = {"tests", "node_modules", "__pycache__"}
    found = [name for name in names if unwanted & set(Path(name).parts[:-1])]
    found += [name for name in names if name.startswith("django_integration/client/")]
    assert found == []


def test_the_core_runs_with_its_own_requirements_alone(bare: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SUM)
    run(bare / "python", "-I", "-W", "error", script, cwd=tmp_path)


def test_the_command_without_its_extra_says_what_to_install(bare: Path, tmp_path: Path) -> None:
    said = run(bare / "serverless-tasks", "--help", cwd=tmp_path, status=2).strip()
    assert "serverless-tasks[cli]" in said
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1
