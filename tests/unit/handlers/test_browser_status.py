"""The status function for browsers: a record by its id and its token."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from lambda_handlers import browser_status
from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.tokens.keys import FixedKeys
from serverless_tasks.engine.tokens.token import job_token
from serverless_tasks.errors import AwsError
from tests.unit.handlers.conftest import EVENTS, Context
from tests.unit.handlers.tasks import Sum

KEYS = FixedKeys(["k" * 32])
UNKNOWN = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def job(site, monkeypatch):
    monkeypatch.setitem(current_services().__dict__, "token_keys", KEYS)
    return Sum.submit(numbers=[1])


def get(path, token=None, **headers):
    event = json.loads((EVENTS / "function_url.json").read_text())
    event["rawPath"] = event["requestContext"]["http"]["path"] = path
    event["headers"] = {name: value for name, value in event["headers"].items() if name != "authorization"}
    event["headers"] |= headers | ({} if token is None else {"authorization": f"Bearer {token}"})
    return browser_status.handler(event, Context())


def refused(answer):
    return answer["statusCode"], json.loads(answer["body"])["error"]["type"]


@pytest.mark.parametrize("end", ["", "/"])
def test_a_job_is_served_to_its_token_as_django_serves_it(job, end):
    answer = get(f"/{job.uuid}{end}", job.browser_token())
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"]) == job.refresh().record.to_json()
    assert answer["headers"]["Cache-Control"] == "private, no-cache"


def test_an_unchanged_record_is_not_served_again_and_only_to_its_token(job):
    token = job.browser_token()
    etag = get(f"/{job.uuid}", token)["headers"]["ETag"]
    assert get(f"/{job.uuid}", token, **{"if-none-match": etag})["statusCode"] == 304
    assert get(f"/{job.uuid}", **{"if-none-match": etag})["statusCode"] == 401
    job.cancel()
    assert get(f"/{job.uuid}", token, **{"if-none-match": etag})["statusCode"] == 200


def test_without_a_valid_token_nothing_is_read(job, monkeypatch):
    expired = job_token(job.uuid, minutes=1, allow=["read"], keys=KEYS, now=0)
    foreign = job_token(job.uuid, minutes=1, allow=["read"], keys=FixedKeys(["x" * 32]), now=9e9)
    cancels = job.browser_token(allow={"cancel"})
    token = job.browser_token()
    monkeypatch.setattr(current_services().store, "read", lambda *_: pytest.fail("it was read"))
    assert refused(get(f"/{job.uuid}")) == (401, "NotAuthenticated")
    assert refused(get(f"/{job.uuid}", "eyJhbGciOi.J9.x")) == (401, "NotAuthenticated")
    assert refused(get(f"/{job.uuid}", expired)) == (401, "TokenExpired")
    assert refused(get(f"/{job.uuid}", foreign)) == (401, "InvalidToken")
    assert refused(get(f"/{job.uuid}", token[:-2] + "zz")) == (401, "InvalidToken")
    assert refused(get(f"/{job.uuid}", cancels)) == (403, "InsufficientToken")


def test_another_job_is_as_unknown_as_one_that_is_not_there(job):
    other = Sum.submit(numbers=[2])
    answers = [get(f"/{uuid}", job.browser_token()) for uuid in (other.uuid, UNKNOWN)]
    assert [refused(each) for each in answers] == [(404, "TaskNotFound")] * 2
    assert answers[0]["body"].replace(other.uuid, UNKNOWN) == answers[1]["body"]
    assert refused(get("/nonsense", job.browser_token())) == (404, "TaskNotFound")


def test_what_cannot_be_read_is_to_be_tried_again(job, monkeypatch, caplog):
    def fails(uuid):
        raise AwsError("dynamodb.Query", "Throttled", "of table shop", applied=False)

    token = job.browser_token()
    monkeypatch.setattr(current_services().store, "read", fails)
    answer = get(f"/{job.uuid}", token)
    assert (refused(answer), answer["headers"]["Retry-After"]) == ((503, "Unavailable"), "5")
    assert "shop" not in answer["body"]
    assert "of table shop" in caplog.text


def test_it_loads_little_more_than_the_other_status_function():
    """What it has besides: tokens, and their keys; a cold start is mostly imports."""
    script = "import sys, lambda_handlers.{}; print(*sorted(sys.modules))"
    loaded = []
    for name in ("status", "browser_status"):
        command = [sys.executable, "-c", script.format(name)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        loaded.append({each for each in done.stdout.split() if not each.startswith("lambda_handlers")})
    more = {name for name in loaded[1] - loaded[0] if not name.startswith("serverless_tasks.engine.tokens")}
    assert more <= {"hmac", "_hmac", "_hashlib", "_blake2", "hashlib"}
