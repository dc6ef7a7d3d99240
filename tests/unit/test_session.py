"""AWS clients: how they are made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

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


def test_a_role_is_taken_by_a_web_identity_as_in_a_container_of_kubernetes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("who I am")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/site")
    with mock_aws(config={"core": {"mock_credentials": False}}):
        credentials = session.client("sqs")._request_signer._credentials
        assert credentials.method == "assume-role-with-web-identity"
        assert credentials.get_frozen_credentials().token


@pytest.mark.parametrize("service", ["signin", "sso", "sso-oidc"])
def test_a_login_is_asked_for_its_credentials(service: str) -> None:
    assert session._session().create_client(service, region_name="us-east-1")


def test_the_default_session_that_a_script_has_set_up_is_used() -> None:
    boto3.setup_default_session(aws_access_key_id="mine", aws_secret_access_key="secret")
    assert session.client("sqs")._request_signer._credentials.access_key == "mine"
