"""AWS clients: how they are made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from serverless_tasks.aws import session

ROOT = Path(session.__file__).parents[1]


@pytest.fixture(autouse=True)
def anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    session.reset()
    yield
    session.reset()


def test_every_service_that_is_called_is_known() -> None:
    called = {
        name for file in ROOT.rglob("*.py") for name in re.findall(r'\bclient\("(\w+)"', file.read_text())
    }
    assert called >= {"dynamodb", "sqs", "scheduler"}
    for service in sorted(called):
        assert session.client(service).meta.service_model.service_name == service


def test_the_default_session_that_a_script_has_set_up_is_used() -> None:
    boto3.setup_default_session(aws_access_key_id="mine", aws_secret_access_key="secret")
    assert session.client("sqs")._request_signer._credentials.access_key == "mine"
