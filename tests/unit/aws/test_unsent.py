"""What goes wrong before a request is sent: an error of ours says that nothing was sent, and what to do."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.utils import ContainerMetadataFetcher

from serverless_tasks.cli.exit_codes import Exit, exit_code
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.sqs.sending import QueueSender
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.services import Services
from serverless_tasks.engine.submit.by_name import submit_by_name
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.errors import (
    AwsError,
    ConfigurationError,
    ServerlessTasksError,
    SubmitFailed,
    SubmitUncertain,
)
from tests.support.certificate import certificate
from tests.support.clock import FakeClock
from tests.support.jobs import a_message

NOWHERE = "http://127.0.0.1:1"
CONFIG = {
    "a program that fails": "[default]\ncredential_process = false",
    "a program that is not there": "[default]\ncredential_process = /not/there",
    "a program that writes no JSON": "[default]\ncredential_process = echo hello",
    "a program that writes something else": "[default]\ncredential_process = echo []",
    "a login that was never made": (
        "[default]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = r\n"
        "[sso-session s]\nsso_region = us-east-1\nsso_start_url = https://example.com/start"
    ),
    "a file that is none": "this is no file of settings",
    "a role of no source": "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = absent",
}
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
IDENTITY = {
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/not/there",
    "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/site",
}
ENVIRONMENT = {
    "half a key pair": ({"AWS_ACCESS_KEY_ID": "a"}, "AWS_SECRET_ACCESS_KEY together"),
    "a profile that is not there": ({**KEYS, "AWS_PROFILE": "absent"}, "Unset AWS_PROFILE"),
    "a region that is none": ({**KEYS, "AWS_REGION": "us east 1"}, "Set AWS_REGION"),
    "an endpoint without a scheme": ({**KEYS, "AWS_ENDPOINT_URL": "localhost:4566"}, "AWS_"),
    "an identity without its file": (IDENTITY, "/not/there"),
    "a container that does not answer": ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": NOWHERE}, "AWS_"),
    "a container elsewhere": ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com"}, "AWS_"),
    "certificates that are not there": (
        {**KEYS, "AWS_CA_BUNDLE": "/not/there", "AWS_ENDPOINT_URL": "https://127.0.0.1:1"},
        "",
    ),
    "no credentials": ({"AWS_EC2_METADATA_DISABLED": "true"}, "AWS_"),
}
CASES = [*CONFIG, *ENVIRONMENT]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(ContainerMetadataFetcher, "SLEEP_TIME", 0)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", NOWHERE)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    session.reset()
    yield
    session.reset()


@pytest.fixture
def advice(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """What the error of a case says; the case is set up."""
    if request.param in CONFIG:
        (tmp_path / "config").write_text(CONFIG[request.param])
        return "aws sso login" if "login" in request.param else ""
    environment, said = ENVIRONMENT[request.param]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return said


@pytest.mark.parametrize("advice", CASES, indirect=True)
def test_settings_that_cannot_be_used_are_an_error_of_ours(advice: str) -> None:
    with pytest.raises(AwsError) as raised:
        session.call(session.client("sqs", attempts=1).send_message, QueueUrl=f"{NOWHERE}/q", MessageBody="b")
    assert not raised.value.applied
    assert advice in str(raised.value)
    assert exit_code(raised.value) == Exit.UNAVAILABLE


@pytest.mark.parametrize("advice", CASES, indirect=True)
@pytest.mark.parametrize("key", [None, "a-key"])
def test_a_job_that_is_submitted_with_them_has_certainly_not_been_sent(advice: str, key: str | None) -> None:
    config = Config(table="tasks", queue_urls={"default": f"{NOWHERE}/q"})
    services = Services(config, clock=FakeClock())
    # With a key the table is asked first; where a client could be made, it is the table that could not be asked.
    with pytest.raises(SubmitFailed if key is None else (SubmitFailed, AwsError)) as raised:
        submit_by_name(services, "sum", [{}], Options(idempotency_key=key))
    assert advice in str(raised.value)
    assert exit_code(raised.value) == Exit.UNAVAILABLE


@pytest.mark.parametrize("advice", ["a profile that is not there", "a file that is none"], indirect=True)
def test_a_region_that_cannot_be_looked_for_is_an_error_of_ours(
    advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_REGION")
    with pytest.raises(ConfigurationError) as raised:
        session.require_region()
    assert advice in str(raised.value)
    with pytest.raises(ServerlessTasksError):
        session.client("sqs")


def test_the_session_of_a_script_is_no_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    boto3.setup_default_session(aws_access_key_id="a", aws_secret_access_key="b")
    monkeypatch.setenv("AWS_REGION", "us east 1")
    with pytest.raises(AwsError, match="Set AWS_REGION"):
        session.client("sqs")


@contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server of 127.0.0.1 that does the same with every connection; gives its port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                answer(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def says(text: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(text)

    return answer


def hangs_up(connection: socket.socket) -> None:
    """End a connection before anything is read of it."""


def send(monkeypatch: pytest.MonkeyPatch, url: str, **environment: str) -> ServerlessTasksError | None:
    for name, value in {**KEYS, **environment, "AWS_ENDPOINT_URL": url}.items():
        monkeypatch.setenv(name, value)
    clock = FakeClock()
    queue_urls = {"default": f"{url}/q"}
    sender = QueueSender(session.client("sqs", attempts=1), Config(queue_urls=queue_urls), clock)
    [error] = sender.send([a_message(clock)])
    return error


@pytest.mark.parametrize("answer", [says(b"no TLS\r\n"), says(b""), hangs_up], ids=["text", "an end", "none"])
@pytest.mark.parametrize("overrides", ["on", "off"])
def test_a_tls_handshake_that_is_refused_sends_nothing(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[socket.socket], None], overrides: str
) -> None:
    monkeypatch.setenv("SERVERLESS_TASKS_BOTOCORE_OVERRIDES", overrides)
    with server(answer) as port:
        assert isinstance(send(monkeypatch, f"https://127.0.0.1:{port}"), SubmitFailed)


def test_a_certificate_that_is_not_trusted_sends_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path))

    def handshake(connection: socket.socket) -> None:
        with pytest.raises(ssl.SSLError), context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(65_536)

    with server(handshake) as port:
        error = send(monkeypatch, f"https://127.0.0.1:{port}")
    assert isinstance(error, SubmitFailed)
    assert "CERTIFICATE_VERIFY_FAILED" in str(error)


@pytest.mark.parametrize("answer", [says(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"), hangs_up])
def test_a_proxy_that_refuses_sends_nothing(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[socket.socket], None]
) -> None:
    with server(answer) as port:
        proxy = f"http://127.0.0.1:{port}"
        assert isinstance(send(monkeypatch, "https://sqs.test", HTTPS_PROXY=proxy), SubmitFailed)


def test_a_proxy_that_is_not_there_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("https://sqs.test", "http://sqs.test"):
        error = send(monkeypatch, url, HTTPS_PROXY=NOWHERE, HTTP_PROXY=NOWHERE)
        assert isinstance(error, SubmitFailed)
        session.reset()


def test_a_host_without_an_address_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(send(monkeypatch, "http://sqs.invalid"), SubmitFailed)


@pytest.mark.parametrize(
    "answer",
    [
        says(b""),
        says(b"no HTTP\r\n\r\n"),
        says(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>"),
    ],
    ids=["none", "text", "a gateway's"],
)
def test_a_request_whose_answer_does_not_come_may_have_been_sent(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[socket.socket], None]
) -> None:
    with server(answer) as port:
        assert isinstance(send(monkeypatch, f"http://127.0.0.1:{port}"), SubmitUncertain)


def test_a_call_that_fails_unsent_says_nothing_of_the_one_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    outer, inner = session.client("sqs", attempts=1), session.client("dynamodb")
    inner.meta.events.register("request-created", _fails)

    def interrupts(request: Any, **_: Any) -> None:
        with pytest.raises(AwsError) as raised:
            session.call(inner.get_item, TableName="t", Key={})
        assert not raised.value.applied
        raise ValueError("the answer cannot be read")

    outer.meta.events.register("before-send", interrupts)
    with pytest.raises(AwsError, match="the answer cannot be read") as raised:
        session.call(outer.send_message, QueueUrl=f"{NOWHERE}/q", MessageBody="b")
    assert raised.value.applied


def _fails(**_: Any) -> None:
    raise OSError("no credentials")
