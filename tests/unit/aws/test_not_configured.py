"""Whatever is wrong with AWS's settings or credentials is one of our errors, and says that nothing was sent."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.utils import ContainerMetadataFetcher
from typer.testing import CliRunner

from serverless_tasks import ServerlessTasksError, SubmitFailed, SubmitUncertain, configure
from serverless_tasks.cli.app import app
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.services import Services, reset
from serverless_tasks.errors import AwsError, ConfigurationError
from tests.support.tasks import Double

CLOSED = "http://127.0.0.1:9"
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
# What is set, and what is in the file of AWS's settings.
WRONG: dict[str, tuple[dict[str, str], str]] = {
    "a credential process that fails": ({}, "[default]\ncredential_process = false\n"),
    "a credential process that is not there": ({}, "[default]\ncredential_process = /there/is/none\n"),
    "a credential process that answers something else": ({}, "[default]\ncredential_process = echo hello\n"),
    "half a key pair": ({"AWS_ACCESS_KEY_ID": "key"}, ""),
    "no credentials": ({}, ""),
    "a web identity file that is missing": (
        {"AWS_WEB_IDENTITY_TOKEN_FILE": "/there/is/none", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/r"},
        "",
    ),
    "a container's credentials out of reach": ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{CLOSED}/creds"}, ""),
    "an endpoint without a scheme": ({**KEYS, "AWS_ENDPOINT_URL": "localhost:4566"}, ""),
    "a region that is none": ({**KEYS, "AWS_REGION": "us east 1!"}, ""),
    "a profile that is not there": ({"AWS_PROFILE": "nobody"}, ""),
    "settings that cannot be read": (KEYS, "region = us-east-1\n[default"),
    "no SSO token": (
        {},
        (
            "[default]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n"
            "[sso-session s]\nsso_start_url = https://example.com/start\nsso_region = us-east-1\n"
        ),
    ),
    "a role to assume from a profile that is not there": (
        {},
        "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = nobody\n",
    ),
}


@pytest.fixture(params=WRONG.values(), ids=WRONG)
def services(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Services]:
    environment, settings = request.param
    (tmp_path / "config").write_text(settings)
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    made = {
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": CLOSED,
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(tmp_path),
        "SERVERLESS_TASKS_TABLE": "table",
        "SERVERLESS_TASKS_QUEUE_URLS": f"{CLOSED}/1/default",
        **environment,
    }
    for name, value in made.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr(ContainerMetadataFetcher, "SLEEP_TIME", 0)
    session.reset()
    yield configure(Config.from_environ())
    session.reset()
    reset()


def test_a_job_that_is_submitted_was_not_sent(services: Services) -> None:
    with pytest.raises(SubmitFailed) as raised:
        Double.submit(number=1)
    assert len(str(raised.value)) > 40


def test_of_several_jobs_none_was_sent(services: Services) -> None:
    try:
        handles = Double.submit_many([{"number": 1}, {"number": 2}])
    except SubmitFailed:
        return
    assert [type(handle.publication_error) for handle in handles] == [SubmitFailed, SubmitFailed]


def test_a_key_and_a_unique_job_are_none_of_botocores_errors_either(services: Services) -> None:
    for options in ({"idempotency_key": "k"}, {"unique": True}, {"delay": 60}):
        with pytest.raises(ServerlessTasksError) as raised:
            Double.options(**options).submit(number=1)
        assert not isinstance(raised.value, SubmitUncertain)


def test_reading_is_an_error_of_ours(services: Services) -> None:
    with pytest.raises((AwsError, ConfigurationError)) as raised:
        services.store.read("0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11")
    if isinstance(raised.value, AwsError):
        assert not raised.value.applied


def test_the_command_line_says_that_aws_could_not_be_asked(services: Services) -> None:
    result = CliRunner().invoke(app, ["status", "0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11"])
    assert result.exit_code == 5, result.output
    assert "Traceback" not in result.output


def test_where_no_client_can_be_made_the_settings_to_look_at_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    session.reset()
    with pytest.raises(AwsError, match=r"ProfileNotFound: .*nobody.* AWS_PROFILE"):
        session.client("sqs")
    session.reset()


class Refuses:
    """A server that takes a connection and refuses what it was made for."""

    def __init__(self, answer: Callable[[socket.socket], None]) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._answer = answer
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection:
                self._answer(connection)

    def close(self) -> None:
        self._server.close()


def no_tls(connection: socket.socket) -> None:
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def no_proxy(connection: socket.socket) -> None:
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize("refusal", ["tls", "proxy", "no proxy there"])
def test_what_was_refused_before_the_request_was_sent_was_not_sent(
    monkeypatch: pytest.MonkeyPatch, refusal: str
) -> None:
    server = Refuses(no_tls if refusal == "tls" else no_proxy)
    for name, value in {**KEYS, "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    port = 9 if refusal == "no proxy there" else server.port
    if refusal == "tls":
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://127.0.0.1:{port}")
    else:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "https://sqs.example.com")
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
    session.reset()
    try:
        client = session.client("sqs", attempts=1)
        with pytest.raises(AwsError) as raised:
            session.call(client.send_message, QueueUrl=f"https://127.0.0.1:{port}/1/q", MessageBody="{}")
        assert not raised.value.applied, raised.value
    finally:
        server.close()
        session.reset()


def test_an_answer_that_is_none_of_aws_s_may_have_been_a_proxy_s_for_a_send_that_arrived() -> None:
    from botocore.parsers import ResponseParserError

    def answered(**parameters: Any) -> Any:
        raise ResponseParserError("<html>")

    with pytest.raises(AwsError) as raised:
        session.call(answered)
    assert raised.value.applied


def test_tls_that_breaks_after_the_handshake_is_uncertain() -> None:
    from botocore.exceptions import SSLError

    def broken(**parameters: Any) -> Any:
        raise SSLError(endpoint_url="https://sqs", error=ssl.SSLError(1, "bad record mac"))

    with pytest.raises(AwsError) as raised:
        session.call(broken)
    assert raised.value.applied
