"""The artefact of `sam build`: what is in it, and that it runs with nothing but Lambda's own runtime around it."""

import json
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from serverless_tasks.engine.job.message import Message
from tests.e2e.deployment import REGION, ROOT_KEY, Stack
from tests.e2e.runtime_api import function, runtime_packages

LIMIT = 15_600_000
FUNCTIONS = ("WorkerFunction", "InvokeFunction", "StatusFunction", "DeadLetterFunction")


@pytest.fixture(scope="module")
def artefact(project: Path) -> Path:
    return project / ".aws-sam/build/WorkerFunction"


@pytest.fixture(scope="module")
def read_only(artefact: Path) -> Iterator[Path]:
    """The artefact as Lambda mounts it. Root may write all the same, so what is there is compared afterwards."""
    before = snapshot(artefact)
    paths = [artefact, *artefact.rglob("*")]
    for path in paths:
        path.chmod(path.stat().st_mode & ~0o222)
    yield artefact
    for path in paths:
        path.chmod(path.stat().st_mode | 0o200)
    assert snapshot(artefact) == before


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runtime_packages(tmp_path_factory.mktemp("runtime") / "packages")


def snapshot(directory: Path) -> dict[str, int]:
    return {path.relative_to(directory).as_posix(): path.stat().st_mtime_ns for path in directory.rglob("*")}


def environment(stack: Stack, logical: str) -> dict[str, str]:
    """What the deployed function has."""
    found = stack.client("lambda").get_function_configuration(FunctionName=stack.physical(logical))
    variables: dict[str, str] = found["Environment"]["Variables"]
    return {**variables, **ROOT_KEY, "AWS_REGION": REGION, "AWS_ENDPOINT_URL": stack.endpoint}


def test_it_is_small(artefact: Path) -> None:
    assert sum(path.stat().st_size for path in artefact.rglob("*") if path.is_file()) <= LIMIT


def test_it_holds_what_lambda_runs_and_nothing_else(artefact: Path) -> None:
    top = {path.name for path in artefact.iterdir() if not path.name.endswith(".dist-info")}
    assert {"serverless_tasks", "lambda_handlers", "pydantic", "aws_lambda_powertools", "aws_xray_sdk"} <= top
    assert not top & {
        "django",
        "django_integration",
        "moto",
        "typer",
        "rich",
        "boto3",
        "botocore",
        "s3transfer",
        "urllib3",
    }
    ours = {path.name for path in (artefact / "serverless_tasks").iterdir()}
    assert not ours & {"cli", "cli.py", "init", "local", "poller", "testing", "testing.py"}
    assert [
        path for path in artefact.rglob("*") if path.name in ("tests", "RECORD", "direct_url.json", "bin")
    ] == []


def test_every_module_is_compiled_and_needs_no_look_at_its_source(artefact: Path) -> None:
    sources = list(artefact.rglob("*.py"))
    assert sources
    for source in sources:
        [compiled] = (source.parent / "__pycache__").glob(f"{source.stem}.cpython-*.pyc")
        # https://peps.python.org/pep-0552/: flags 1 is by hash, unchecked.
        assert compiled.read_bytes()[4:8] == b"\1\0\0\0", compiled


def test_nothing_in_it_tells_where_it_was_built(artefact: Path, project: Path) -> None:
    places = [str(project).encode(), b"/.aws-sam/"]
    told = [
        path for path in artefact.rglob("*") if path.is_file() and any(p in path.read_bytes() for p in places)
    ]
    assert told == []


def test_packages_still_tell_their_version(artefact: Path) -> None:
    for name in ("pydantic", "aws-lambda-powertools"):
        [found] = metadata.distributions(name=name, path=[str(artefact)])
        assert found.version == metadata.version(name)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_all_functions_share_one_artefact(project: Path, artefact: Path, name: str) -> None:
    assert snapshot(project / ".aws-sam/build" / name) == snapshot(artefact)


def test_invoke_runs_in_a_bare_interpreter(stack: Stack, read_only: Path, packages: Path) -> None:
    variables = environment(stack, "InvokeFunction")
    with function(read_only, "lambda_handlers.invoke.handler", packages, variables) as api:
        record = api.run({"task": "sum", "inputs": {"numbers": [1, 2]}})
        assert (record["status"], record["outputs"]) == ("succeeded", {"sum": 3})
        assert api.run({"task": "absent"})["error"]["type"] == "UnknownTask"


def test_worker_runs_a_batch_in_a_bare_interpreter(stack: Stack, read_only: Path, packages: Path) -> None:
    now = int(time.time() * 1000)
    job = Message(uuid=str(uuid4()), task="sum", inputs={"numbers": [1, 2]}, created=now, expires=now + 10**6)
    with function(
        read_only, "lambda_handlers.worker.handler", packages, environment(stack, "WorkerFunction")
    ) as api:
        assert api.run(batch(stack, "high", job.encode(), "no job")) == {"batchItemFailures": []}
    with function(
        read_only, "lambda_handlers.status.handler", packages, environment(stack, "StatusFunction")
    ) as api:
        answer = api.run(request(f"/{job.uuid}"))
        assert answer["statusCode"] == 200
        assert json.loads(answer["body"])["outputs"] == {"sum": 3}


def test_dead_letter_runs_in_a_bare_interpreter(stack: Stack, read_only: Path, packages: Path) -> None:
    now = int(time.time() * 1000)
    job = Message(uuid=str(uuid4()), task="absent", created=now, expires=now + 10**6)
    with function(
        read_only, "lambda_handlers.dead_letter.handler", packages, environment(stack, "DeadLetterFunction")
    ) as api:
        assert api.run(batch(stack, "high", job.encode(), "no job")) == {"batchItemFailures": []}


def batch(stack: Stack, queue: str, *bodies: str) -> dict[str, Any]:
    """An event as a queue's mapping makes it.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    """
    name = json.loads(stack.outputs["QueueUrls"])[queue].rpartition("/")[2]
    return {
        "Records": [
            {
                "messageId": str(uuid4()),
                "receiptHandle": str(uuid4()),
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183"},
                "messageAttributes": {},
                "md5OfBody": "",
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:000000000000:{name}",
                "awsRegion": REGION,
            }
            for body in bodies
        ]
    }


def request(path: str) -> dict[str, Any]:
    """A function URL's event, format 2.0.

    https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
    """
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"accept": "*/*"},
        "requestContext": {
            "http": {
                "method": "GET",
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "-",
            },
            "requestId": str(uuid4()),
            "routeKey": "$default",
            "stage": "$default",
        },
        "isBase64Encoded": False,
    }
