"""A call is made while another one is on its way: over real connections, with and without TLS."""

from __future__ import annotations

import json
import os
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore import awsrequest

from serverless_tasks.engine.aws import session
from serverless_tasks.engine.store.overlap import allows_overlap, overlapping, sent
from serverless_tasks.errors import AwsError
from tests.support.certificate import certificate

# What the stand-in waits before it says that a call did not come, in seconds; a passing test never does.
LONG = 10


class Aws(ThreadingHTTPServer):
    """Answers a call for a table; for "first" only once one for "second" is there, too."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.second = threading.Event()
        self.order: list[str] = []
        self.statuses: dict[str, list[int]] = {}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that its client has closed is none."""


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Aws

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = body["TableName"]
        self.server.order.append(f"{name} asked")
        if name == "second":
            self.server.second.set()
        elif name == "first":
            self.server.second.wait(LONG)
        status = self.server.statuses.get(name, []).pop(0) if self.server.statuses.get(name) else 200
        answer = b"{}" if status == 200 else b'{"__type": "InternalServerError"}'
        self.server.order.append(f"{name} answered")
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""


@pytest.fixture(params=["http", "https"])
def aws(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    server = Aws()
    if request.param == "https":
        bundle = certificate(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(bundle)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"{request.param}://127.0.0.1:{server.server_port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    session.reset()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
    session.reset()


def ask(table: str) -> None:
    client = session.client("dynamodb")
    with allows_overlap():
        session.call(client.get_item, TableName=table, Key={"pk": {"S": "1"}})


def test_a_call_is_made_while_another_is_on_its_way(aws):
    with overlapping(lambda: ask("second")):
        ask("first")
    assert aws.order.index("second asked") < aws.order.index("first answered")
    assert sorted(aws.order) == ["first answered", "first asked", "second answered", "second asked"]


def test_it_is_made_on_the_caller_s_thread_and_once_though_the_first_is_tried_again(aws, monkeypatch):
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    aws.statuses["first"] = [500]
    threads: list[threading.Thread] = []

    def second() -> None:
        threads.append(threading.current_thread())
        ask("second")

    with overlapping(second):
        ask("first")
        ask("third")
    assert threads == [threading.current_thread()]
    assert [event for event in aws.order if event.endswith("asked")].count("first asked") == 2
    assert aws.order.count("second asked") == 1


def test_the_first_call_s_error_is_its_own(aws, monkeypatch):
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    aws.statuses["first"] = [500] * 4
    with pytest.raises(AwsError), overlapping(lambda: ask("second")):
        ask("first")
    assert aws.order.count("second answered") == 1
    ask("second")
    assert aws.order.count("second answered") == 2


def test_an_interruption_of_the_second_leaves_the_connections_usable(aws):
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), overlapping(interrupted):
        ask("third")
    ask("third")
    assert aws.order.count("third asked") == 2


def test_a_botocore_that_keeps_its_connections_otherwise_is_left_as_it_is(aws, monkeypatch):
    class Other(awsrequest.AWSHTTPConnectionPool):  # type: ignore[misc]
        """Another pool."""

    monkeypatch.setattr(awsrequest, "AWSHTTPConnectionPool", Other)
    done: list[str] = []
    with overlapping(lambda: done.append("second")):
        ask("third")
    assert (done, aws.order) == ([], ["third asked", "third answered"])


def test_connections_that_a_recorder_has_put_in_the_place_of_botocore_s_are_used(aws, monkeypatch):
    made: list[str] = []

    class Plain(awsrequest.AWSHTTPConnection):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            made.append("http")
            super().__init__(*args, **options)

    class Secure(awsrequest.AWSHTTPSConnection):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            made.append("https")
            super().__init__(*args, **options)

    session.client("dynamodb")
    monkeypatch.setattr(awsrequest.AWSHTTPConnectionPool, "ConnectionCls", Plain)
    monkeypatch.setattr(awsrequest.AWSHTTPSConnectionPool, "ConnectionCls", Secure)
    ask("third")
    assert [os.environ["AWS_ENDPOINT_URL"].partition(":")[0]] == made


def test_a_call_that_others_wait_behind_carries_nothing(aws):
    done: list[str] = []
    client = session.client("dynamodb")
    with overlapping(lambda: done.append("work")):
        session.call(client.get_item, TableName="third", Key={"pk": {"S": "1"}})
        assert done == []
        ask("fourth")
    assert done == ["work"]


def test_work_is_done_by_the_thread_that_has_it_and_only_in_its_block():
    def call() -> None:
        with allows_overlap():
            sent()

    done: list[str] = []
    with overlapping(lambda: done.append("here")):
        other = threading.Thread(target=call)
        other.start()
        other.join()
        assert done == []
    call()
    assert done == []
    with overlapping(None):
        call()
    with overlapping(lambda: done.append("here")):
        sent()
        assert done == []
        call()
        call()
    assert done == ["here"]
