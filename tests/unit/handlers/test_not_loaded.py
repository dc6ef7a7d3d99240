"""A deployment whose tasks cannot be loaded: its messages come back soon, then ever later, and their jobs say why."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lambda_handlers import bootstrap, worker
from serverless_tasks import configure
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import ConfigurationError
from serverless_tasks.poller.mapping import load_handler
from tests.unit.handlers.conftest import Context
from tests.unit.handlers.tasks import Sum

START = """
import lambda_handlers.worker
print("imported")
lambda_handlers.worker.handler.ready()
"""


def deploy_broken(site) -> None:
    """Let the worker name a module that cannot be imported, and no other."""
    configure(replace(site.services.config, modules=("tests.unit.handlers.no_such_module",)))


def delivered(site, times: int = 1) -> dict:
    event = site.event()
    for record in event["Records"]:
        record["attributes"] = record["attributes"] | {"ApproximateReceiveCount": str(times)}
    return event


@pytest.mark.parametrize(("times", "seconds"), [(1, 60), (2, 120), (3, 240), (5, 900), (99, 900)])
def test_a_batch_comes_back_after_a_minute_and_then_after_twice_as_long(site, times, seconds):
    jobs = [Sum.submit(numbers=[1]), Sum.submit(numbers=[2])]
    event = delivered(site, times)
    deploy_broken(site)
    with pytest.raises(SystemExit, match="The tasks could not be loaded"):
        worker.handler(event, Context())
    assert site.visibility == [[seconds, seconds]]
    for job in jobs:
        record = job.refresh().record
        assert (record.status, record.returned.type) == ("pending", "TasksNotLoaded")
        assert "'tests.unit.handlers.no_such_module', which cannot be imported" in record.returned.message
        assert "No module named" in record.returned.message


def test_a_job_that_waited_runs_when_the_code_can_be_imported(site):
    job = Sum.submit(numbers=[1, 2])
    event = delivered(site)
    deploy_broken(site)
    with pytest.raises(SystemExit):
        worker.handler(event, Context())
    services = configure(site.services.config)
    services.registry.add(Sum)
    assert worker.handler(event, Context()) == {"batchItemFailures": []}
    assert (job.refresh().status, job.record.returned) == ("succeeded", None)


def test_a_settings_module_that_exits_is_one_that_cannot_be_loaded(site, monkeypatch):
    def exits() -> None:
        raise SystemExit("DATABASE_URL is not set")

    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "shop.settings")
    monkeypatch.setattr(bootstrap, "_set_up_django", exits)
    job = Sum.submit(numbers=[1])
    with pytest.raises(SystemExit):
        worker.handler(delivered(site), Context())
    assert site.hidden_for() == [60]
    assert "SystemExit: DATABASE_URL is not set" in job.refresh().record.returned.message


def test_what_is_no_job_goes_back_with_its_batch(site):
    site.put("no job")
    deploy_broken(site)
    with pytest.raises(SystemExit):
        worker.handler(delivered(site), Context())
    assert site.hidden_for() == [60]


@pytest.mark.parametrize("module", ["no_such_module", "exits"])
def test_the_start_of_a_function_leaves_the_error_to_its_first_event(module: str, tmp_path: Path) -> None:
    (tmp_path / "exits.py").write_text("raise SystemExit('not here')")
    environment = {
        "AWS_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": "worker",
        "SERVERLESS_TASKS_TABLE": "jobs",
        "SERVERLESS_TASKS_QUEUE_URLS": '{"default": "https://sqs.us-east-1.amazonaws.com/1/default"}',
        "SERVERLESS_TASKS_MODULES": module,
        "PYTHONPATH": f"{Path.cwd()}:{tmp_path}",
    }
    done = subprocess.run(
        [sys.executable, "-c", START],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "imported\n"
    assert f"names '{module}', which cannot be imported" in done.stderr.splitlines()[-1]


def test_a_container_whose_tasks_cannot_be_loaded_does_not_start(site):
    deploy_broken(site)
    with pytest.raises(ConfigurationError, match="no_such_module"):
        load_handler("lambda_handlers.worker.handler")
    configure(site.services.config).registry.add(Sum)
    assert load_handler("lambda_handlers.worker.handler") is worker.handler
    assert Sum.name in current_services().registry
