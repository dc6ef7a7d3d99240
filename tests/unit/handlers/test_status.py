"""The status function: a record by its id."""

from __future__ import annotations

import json

import pytest

from lambda_handlers import status
from tests.unit.handlers.conftest import EVENTS, Context
from tests.unit.handlers.tasks import Sum


def get(path, **headers):
    event = json.loads((EVENTS / "function_url.json").read_text())
    event["rawPath"] = event["requestContext"]["http"]["path"] = path
    event["headers"] |= headers
    return status.handler(event, Context())


def test_a_known_job_is_served(site):
    job = Sum.submit(numbers=[1])
    answer = get(f"/{job.uuid}")
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"]) == job.refresh().record.to_json()


def test_an_unchanged_record_is_not_served_again(site):
    job = Sum.submit(numbers=[1])
    etag = get(f"/{job.uuid}")["headers"]["ETag"]
    assert get(f"/{job.uuid}", **{"if-none-match": etag})["statusCode"] == 304
    job.cancel()
    assert get(f"/{job.uuid}", **{"if-none-match": etag})["statusCode"] == 200


@pytest.mark.parametrize("path", ["/11111111-2222-4333-8444-555555555555", "/nonsense", "/"])
def test_what_is_not_known_is_not_found(site, path):
    assert get(path)["statusCode"] == 404
