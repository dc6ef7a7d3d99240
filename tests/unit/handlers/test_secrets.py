"""Secrets reach the settings and tasks of a function; a process whose secrets are old makes way for another."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lambda_handlers import bootstrap, renewal, status, worker
from serverless_tasks import configure
from serverless_tasks.engine.aws import secrets, session
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import SecretUnavailable
from tests.unit.handlers.conftest import EVENTS, Container, Context
from tests.unit.handlers.tasks import Sum

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "TESTS_DATABASE_URL"


@pytest.fixture(autouse=True)
def unread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process that has read no secrets, and has not looked whether there are any."""
    monkeypatch.setattr(secrets, "_read", secrets._Read())
    bootstrap.has_secrets.cache_clear()
    yield
    bootstrap.has_secrets.cache_clear()
    os.environ.pop(NAME, None)


@pytest.fixture
def told(site: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """The environment refers to a secret."""
    arn: str = session.client("secretsmanager").create_secret(Name="shop", SecretString="postgres://db")[
        "ARN"
    ]
    monkeypatch.setenv("SERVERLESS_TASKS_SECRETS", f"{NAME}={arn}")
    monkeypatch.setenv("SERVERLESS_TASKS_SECRETS_MAX_AGE", "3600")
    return arn


def grow_old(monkeypatch: pytest.MonkeyPatch) -> None:
    assert secrets._read.at is not None
    monkeypatch.setattr(secrets._read, "at", secrets._read.at - 3601)


def test_they_are_there_before_the_settings_and_the_tasks(
    told: str, site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str | None] = []
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "shop.settings")
    monkeypatch.setattr(bootstrap, "_set_up_django", lambda: seen.append(os.environ.get(NAME)))
    bootstrap.ready()
    assert seen == ["postgres://db"]


def test_a_secret_that_cannot_be_read_gives_the_batch_back_with_the_reason(
    told: str, site: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    session.client("secretsmanager").delete_secret(SecretId=told, ForceDeleteWithoutRecovery=True)
    job = Sum.submit(numbers=[1])
    with pytest.raises(SystemExit, match="The tasks could not be loaded"):
        worker.handler(site.event(), Context())
    record = job.refresh().record
    assert site.hidden_for() == [60]
    assert (record.status, record.returned.type) == ("pending", "TasksNotLoaded")
    assert f"The secret for the variable {NAME} cannot be read: {told}" in record.returned.message


def test_no_line_of_the_log_has_them(told: str, site: Any, capsys: pytest.CaptureFixture[str]) -> None:
    Sum.submit(numbers=[1])
    assert site.deliver(worker.handler) == []
    assert os.environ[NAME] == "postgres://db"
    said = capsys.readouterr()
    assert "postgres" not in said.out + said.err


def test_a_function_whose_first_secrets_cannot_be_read_fails_its_start(told: str, site: Any) -> None:
    session.client("secretsmanager").delete_secret(SecretId=told, ForceDeleteWithoutRecovery=True)
    with pytest.raises(SecretUnavailable):
        bootstrap.ready()


@pytest.mark.parametrize(
    ("variable", "refers"),
    [
        ("SERVERLESS_TASKS_SECRETS", True),
        ("SERVERLESS_TASKS_SECRET_DATABASE_URL", True),
        ("SERVERLESS_TASKS_SECRET_SESSION_MAX_AGE", True),
        ("SERVERLESS_TASKS_SECRETS_MAX_AGE", False),
    ],
)
def test_an_age_alone_is_no_reference(variable: str, refers: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "3600")
    assert bootstrap.has_secrets() is refers


class Answer:
    """Stands where the Runtime API would answer."""

    def __init__(self, status: int) -> None:
        self.status = status


class TestRenewal:
    @pytest.fixture
    def runtime(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        """The answers that were posted to the Runtime API, and what was started then."""
        seen: dict[str, Any] = {"posted": [], "started": [], "status": 202}

        class Connection:
            def __init__(self, address: str, timeout: float) -> None:
                self.address = address

            def request(self, method: str, path: str, body: str, headers: dict[str, str]) -> None:
                seen["posted"].append((self.address, method, path, json.loads(body)))

            def getresponse(self) -> Answer:
                return Answer(seen["status"])

            def close(self) -> None: ...

        monkeypatch.setattr(renewal, "HTTPConnection", Connection)
        monkeypatch.setattr(renewal.os, "execve", lambda *words: seen["started"].append(words))
        monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")
        return seen

    def test_a_process_with_old_secrets_answers_and_starts_anew(
        self, told: str, site: Any, runtime: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job = Sum.submit(numbers=[1, 2])
        bootstrap.ready()
        grow_old(monkeypatch)
        answer = worker.handler(site.event(), Context())
        assert job.refresh().status == "succeeded"
        path = "/2018-06-01/runtime/invocation/8c9a5d5e-request/response"
        assert runtime["posted"] == [("127.0.0.1:9001", "POST", path, answer)]
        [(program, arguments, environment)] = runtime["started"]
        assert (program, arguments) == (sys.executable, sys.orig_argv)
        # As it was when this process was started: the secrets came later.
        assert NAME.encode() not in environment
        assert environment[b"PATH"]

    def test_what_it_has_counted_is_written_before(
        self, told: str, site: Any, runtime: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        configure(replace(site.services.config, statistics=True)).registry.add(Sum)
        bootstrap.ready()
        statistics = current_services().statistics
        assert statistics is not None
        flushed: list[bool] = []
        monkeypatch.setattr(statistics, "flush", lambda *, last: flushed.append(last))
        grow_old(monkeypatch)
        worker.handler(site.event(), Context())
        assert (flushed, len(runtime["started"])) == ([True], 1)

    def test_one_with_fresh_secrets_or_little_time_goes_on(
        self, told: str, site: Any, runtime: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        worker.handler(site.event(), Context())
        grow_old(monkeypatch)
        worker.handler(site.event(), Context(seconds=19))
        assert runtime["posted"] == []

    def test_one_without_an_age_goes_on(
        self, told: str, site: Any, runtime: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SERVERLESS_TASKS_SECRETS_MAX_AGE", "0")
        bootstrap.ready()
        grow_old(monkeypatch)
        worker.handler(site.event(), Context())
        assert runtime["posted"] == []

    def test_where_the_answer_is_not_taken_the_runtime_gives_it(
        self, told: str, site: Any, runtime: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runtime["status"] = 403
        bootstrap.ready()
        grow_old(monkeypatch)
        assert worker.handler(site.event(), Context()) == {"batchItemFailures": []}
        assert (len(runtime["posted"]), runtime["started"]) == (1, [])

    def test_without_secrets_nothing_of_it_is_imported(
        self, site: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "lambda_handlers.renewal", None)
        monkeypatch.setitem(sys.modules, "serverless_tasks.engine.aws.secrets", None)
        Sum.submit(numbers=[1])
        assert site.deliver(worker.handler) == []


class TestWithoutARuntimeApi:
    def test_the_next_batch_goes_to_another_process_at_once(
        self, told: str, site: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AWS_LAMBDA_RUNTIME_API", raising=False)
        Sum.submit(numbers=[1])
        assert site.deliver(worker.handler) == []
        grow_old(monkeypatch)
        job = Sum.submit(numbers=[1])
        with pytest.raises(SystemExit, match="older than SERVERLESS_TASKS_SECRETS_MAX_AGE"):
            worker.handler(site.event(), Context())
        assert site.hidden_for() == [0]
        assert job.refresh().record.returned is None

    def test_a_container_ends_itself_and_runs_what_it_has_received(
        self, told: str, site: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AWS_LAMBDA_RUNTIME_API", raising=False)
        bootstrap.ready()
        grow_old(monkeypatch)
        job = Sum.submit(numbers=[1])
        assert worker.handler(site.event(), Container()) == {"batchItemFailures": []}
        assert job.refresh().status == "succeeded"


def test_the_status_needs_neither_tasks_nor_secrets(
    told: str, site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its role has no right to read secrets, and settings without them may not load."""
    job = Sum.submit(numbers=[1])
    session.client("secretsmanager").delete_secret(SecretId=told, ForceDeleteWithoutRecovery=True)
    configure(site.services.config)
    event = json.loads((EVENTS / "function_url.json").read_text())
    event["rawPath"] = event["requestContext"]["http"]["path"] = f"/{job.uuid}"
    answer = status.handler(event, Context())
    assert json.loads(answer["body"])["status"] == "pending"
