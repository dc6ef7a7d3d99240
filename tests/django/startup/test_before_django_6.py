"""Django 5.2: what needs `django.tasks` says so, and nothing else misses it. `make test-matrix` runs all with 5.2."""

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks

from django_integration.django_tasks import availability
from serverless_tasks.engine.services import current_services
from tests.django.conftest import queued
from tests.django.shop.background import SumNumbers

SENTENCE = "django.tasks came with Django 6.0, and this is Django"
BACKEND = "django_integration.tasks_backend.ServerlessBackend"


@pytest.fixture(autouse=True)
def before_6(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Django 5.2, as it is; elsewhere the app takes it for that."""
    from django_integration.django_tasks import deliveries
    from django_integration.startup import wiring

    for module in (availability, deliveries, wiring):
        monkeypatch.setattr(module, "HAS_TASKS", False)


def messages() -> list[tuple[str, str]]:
    found = [message for message in run_checks() if str(message.id).startswith("serverless_tasks")]
    return [(str(message.id).rpartition(".")[2], f"{message.msg} {message.hint}") for message in found]


def test_the_backend_of_djangos_tasks_cannot_be_imported_and_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backend = "django_integration.tasks_backend"
    monkeypatch.delitem(sys.modules, backend, raising=False)
    monkeypatch.setitem(sys.modules, "django.tasks.backends.base", None)
    with pytest.raises(ImportError, match=SENTENCE):
        importlib.import_module(backend)


def test_an_entry_of_tasks_is_an_error_of_the_check(settings: Any) -> None:
    settings.TASKS = {"default": {"BACKEND": BACKEND}}
    ((_, text),) = [found for found in messages() if found[0] == "E015"]
    assert text.startswith("TASKS['default'] names ServerlessBackend")
    assert SENTENCE in text


def test_a_module_of_tasks_made_with_it_is_an_error_of_the_check_with_the_sentence(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = "raise ModuleNotFoundError(\"No module named 'django.tasks'\", name='django.tasks')\n"
    (tmp_path / "decorated.py").write_text(missing)  # as `from django.tasks import task` does
    monkeypatch.syspath_prepend(tmp_path)
    settings.SERVERLESS_TASKS = {**settings.SERVERLESS_TASKS, "MODULES": ["decorated"]}
    ((_, text),) = [found for found in messages() if "'decorated'" in found[1]]
    assert "No module named 'django.tasks" in text
    assert SENTENCE in text
    assert current_services().registry.get("sum")


@pytest.mark.django_db
def test_a_site_without_it_has_nothing_to_say_and_runs_its_tasks(settings: Any) -> None:
    settings.TASKS = {}
    settings.SERVERLESS_TASKS = {**settings.SERVERLESS_TASKS}
    assert [found for found in messages() if SENTENCE in found[1]] == []
    handle = SumNumbers.options(on_commit=False).submit(numbers=[20, 22])
    (message,) = queued()
    current_services().runner.execute(message, request_id="request-1")
    assert handle.refresh().outputs == {"sum": 42}
