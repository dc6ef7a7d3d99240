"""The status function for browsers, deployed: a token of the job opens it, and nothing else does."""

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from serverless_tasks.client.task_client import TaskClient
from serverless_tasks.engine.tokens.keys import FixedKeys
from serverless_tasks.engine.tokens.token import job_token
from tests.e2e.conftest import ORIGIN
from tests.e2e.deployment import Stack

pytestmark = pytest.mark.usefixtures("as_publisher")
SECONDS = 30


def ask(stack: Stack, path: str, token: str | None = None, method: str = "GET", **headers: str) -> Any:
    """The status, the headers and the decoded body of an answer."""
    headers["Host"] = urlsplit(stack.outputs["BrowserStatusUrl"]).netloc
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(f"{stack.endpoint}/{path}", headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            body = answer.read()
            return answer.status, answer.headers, json.loads(body) if body else None
    except urllib.error.HTTPError as error:
        with error:
            body = error.read()
            return error.code, error.headers, json.loads(body) if body else None


def refused(answer: Any) -> tuple[int, str]:
    status, _, body = answer
    return status, body["error"]["type"]


def test_the_jobs_own_token_opens_it_and_no_other(stack: Stack, client: TaskClient) -> None:
    job, other = client.submit("sum", numbers=[20, 22]), client.submit("sum", numbers=[1])
    job.wait(SECONDS)
    token = job.browser_token(minutes=5)

    status, headers, record = ask(stack, f"{job.uuid}/", token)
    assert (status, record) == (200, client.get(job.uuid).to_json())
    unchanged, _, body = ask(stack, job.uuid, token, **{"If-None-Match": headers["ETag"]})
    assert (unchanged, body) == (304, None)

    keys, now = client.services.token_keys, client.services.clock.now()
    expired = job_token(job.uuid, minutes=1, allow=["read"], keys=keys, now=now - 61)
    payload = other.browser_token().split(".")[2]
    swapped = ".".join([*token.split(".")[:2], payload, token.split(".")[3]])
    assert refused(ask(stack, job.uuid)) == (401, "NotAuthenticated")
    assert refused(ask(stack, job.uuid, expired)) == (401, "TokenExpired")
    assert refused(ask(stack, other.uuid, swapped)) == (401, "InvalidToken")
    assert refused(ask(stack, job.uuid, job.browser_token(allow={"cancel"}))) == (403, "InsufficientToken")
    for uuid in (other.uuid, str(uuid4()), "no-id"):
        assert refused(ask(stack, uuid, token)) == (404, "TaskNotFound")


def test_a_rotation_of_the_key_is_noticed_by_no_browser(stack: Stack, client: TaskClient) -> None:
    job = client.submit("sum", numbers=[1])
    before, now = job.browser_token(), client.services.clock.now()
    root, secret = stack.client("secretsmanager"), stack.outputs["TokenSecretArn"]
    root.put_secret_value(SecretId=secret, SecretString="r" * 64)
    fresh = TaskClient.from_stack(stack.name).services.browser_token(job.uuid, minutes=5, allow=["read"])
    after = job_token(job.uuid, minutes=5, allow=["read"], keys=FixedKeys(["r" * 64]), now=now)
    assert [ask(stack, job.uuid, token)[0] for token in (after, fresh, before)] == [200, 200, 200]


def test_pages_of_the_named_origin_alone_are_let_in(stack: Stack, client: TaskClient) -> None:
    job = client.submit("sum", numbers=[1])
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    _, headers, _ = ask(stack, job.uuid, method="OPTIONS", Origin=ORIGIN, **asked)
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "authorization" in headers["Access-Control-Allow-Headers"].lower()
    assert headers["Access-Control-Allow-Credentials"] is None
    _, headers, _ = ask(stack, job.uuid, job.browser_token(), Origin=ORIGIN)
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "etag" in headers["Access-Control-Expose-Headers"].lower()
    _, headers, _ = ask(stack, job.uuid, method="OPTIONS", Origin="https://elsewhere.example", **asked)
    assert headers["Access-Control-Allow-Origin"] is None


def test_who_only_reads_by_signature_does_not_learn_the_key(stack: Stack, reader: dict[str, str]) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        stack.client("secretsmanager", reader).get_secret_value(SecretId=stack.outputs["TokenSecretArn"])


def test_a_token_of_a_foreign_key_is_refused(stack: Stack, client: TaskClient) -> None:
    job = client.submit("sum", numbers=[1])
    now = client.services.clock.now()
    foreign = job_token(job.uuid, minutes=5, allow=["read"], keys=FixedKeys(["x" * 64]), now=now)
    assert refused(ask(stack, job.uuid, foreign)) == (401, "InvalidToken")
