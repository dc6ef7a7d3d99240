"""The example site in front of the deployed stack, with no more rights than PublisherPolicy, over HTTP."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.deployment import REGION, ROOT, Stack, eventually

# The site under the standard library's server, on a port that the system chooses and that it tells on its first line.
SERVE = """
from wsgiref.simple_server import WSGIRequestHandler, make_server
from django.core.wsgi import get_wsgi_application

WSGIRequestHandler.log_message = lambda *_: None
with make_server("127.0.0.1", 0, get_wsgi_application()) as server:
    print(server.server_port, flush=True)
    server.serve_forever()
"""
type Call = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def call(stack: Stack, publisher: dict[str, str]) -> Iterator[Call]:
    """Calls the site: method, path and what to send; the status code and the decoded answer."""
    outputs = stack.outputs
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "examples.website.settings",
        "AWS_ENDPOINT_URL": stack.endpoint,
        "AWS_REGION": REGION,
        **publisher,
        "SERVERLESS_TASKS_TABLE": outputs["TableName"],
        "SERVERLESS_TASKS_QUEUE_URLS": outputs["QueueUrls"],
        "SERVERLESS_TASKS_BUCKET": outputs["PayloadBucketName"],
        "SERVERLESS_TASKS_INVOKE_FUNCTION": outputs["InvokeFunctionName"],
    }
    with subprocess.Popen(
        [sys.executable, "-c", SERVE], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as site:
        assert site.stdout
        port = int(site.stdout.readline())

        def send(method: str, path: str, body: Any = None) -> tuple[int, Any]:
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, method=method)
            request.add_header("Content-Type", "application/json")
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, json.load(error)

        yield send
        site.kill()


def ended(call: Call, uuid: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        code, record = call("GET", f"/tasks/{uuid}/")
        assert code == 200, record
        return record if record["status"] not in ("pending", "running") else None

    found = eventually(look)
    assert found is not None
    return found


def test_a_task_goes_from_http_to_the_worker_and_back(call: Call) -> None:
    code, record = call("POST", "/tasks/", {"task": "sum", "inputs": {"numbers": [1, 2, 3.5]}})
    assert (code, record["status"]) == (201, "pending")
    assert ended(call, record["uuid"])["outputs"] == {"sum": 6.5}


def test_a_file_past_the_limit_of_a_message_arrives_whole(call: Call) -> None:
    text = "station,degrees\n" + "Birchwood,12.5\n" * 80_000
    code, record = call("POST", "/tasks/", {"task": "summarise-columns", "inputs": {"text": text}})
    assert code == 201
    record = ended(call, record["uuid"])
    assert (record["status"], record["outputs"]["rows"]) == ("succeeded", 80_000), record["error"]
    assert record["progress"] == record["target"] == len(text)


def test_bad_inputs_are_refused_by_name(call: Call) -> None:
    code, answer = call("POST", "/tasks/", {"task": "sum", "inputs": {"numbers": "many"}})
    assert code == 400
    assert "numbers" in json.dumps(answer)


def test_an_unknown_id_is_not_found(call: Call) -> None:
    assert call("GET", f"/tasks/{uuid4()}/")[0] == 404


def test_what_has_ended_cannot_be_cancelled(call: Call) -> None:
    _, record = call("POST", "/tasks/", {"task": "sum", "inputs": {"numbers": []}})
    ended(call, record["uuid"])
    assert call("POST", f"/tasks/{record['uuid']}/cancel/")[0] == 409
