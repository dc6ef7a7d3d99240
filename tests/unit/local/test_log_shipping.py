"""What the child writes, sent to the local log group line by line."""

import sys
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from serverless_tasks.local.processes import log_shipping
from serverless_tasks.local.processes.log_shipping import LogShipping

ENVIRONMENT = {"SERVERLESS_TASKS_LOG_GROUP": "/g", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}


class Logs:
    """CloudWatch Logs, as far as it is asked."""

    def __init__(self) -> None:
        self.streams: dict[str, list[str]] = defaultdict(list)
        self.fails = False

    def create_log_stream(self, **asked: Any) -> None:
        assert asked["logStreamName"] not in self.streams
        self.streams[asked["logStreamName"]] = []

    def delete_log_stream(self, **asked: Any) -> None:
        del self.streams[asked["logStreamName"]]

    def put_log_events(self, **asked: Any) -> None:
        if self.fails:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        self.streams[asked["logStreamName"]] += [event["message"] for event in asked["logEvents"]]


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Logs:
    made = Logs()
    monkeypatch.setattr(log_shipping, "local_client", lambda service, endpoint: made)
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    return made


def in_a_thread(name: str, call: Callable[[], object]) -> None:
    thread = threading.Thread(target=call, name=name)
    thread.start()
    thread.join()


def test_each_thread_has_a_stream_of_whole_lines(logs: Logs, capsys: pytest.CaptureFixture[str]) -> None:
    shipping = LogShipping.start(ENVIRONMENT)
    assert shipping is not None
    sys.stdout.write("first ")
    in_a_thread("one", lambda: sys.stdout.write("another thread's\n\n"))
    sys.stdout.write("line\nand ")
    sys.stderr.write("an error\n")
    shipping.close()

    by_thread = {stream.partition("-")[2]: lines for stream, lines in logs.streams.items()}
    assert by_thread == {"0-one": ["another thread's"], "0-MainThread": ["first line", "an error"]}
    assert capsys.readouterr() == ("first another thread's\n\nline\nand ", "an error\n")


@pytest.mark.parametrize("missing", ENVIRONMENT)
def test_without_a_local_log_group_nothing_is_sent(logs: Logs, missing: str) -> None:
    before = sys.stdout
    assert LogShipping.start({name: value for name, value in ENVIRONMENT.items() if name != missing}) is None
    assert sys.stdout is before


def test_the_last_lines_are_kept(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_shipping, "MOST_KEPT", 10)
    monkeypatch.setattr(log_shipping, "MOST_SENT", 4)
    shipping = LogShipping(logs, "/g")
    for number in range(40):
        shipping.add(f"line {number}")
    shipping._thread.start()
    shipping.close()
    kept = [line for lines in logs.streams.values() for line in lines]
    assert kept[-1] == "line 39"
    assert len(kept) < 28
    assert len(logs.streams) == 3 - 1


def test_a_server_that_has_gone_stops_nothing(logs: Logs) -> None:
    shipping = LogShipping.start(ENVIRONMENT)
    assert shipping is not None
    logs.fails = True
    sys.stdout.write("lost\n")
    shipping.close()
    assert not shipping._thread.is_alive()
