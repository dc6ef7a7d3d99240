"""AWS clients: how they are made."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.model import StructureShape
from moto import mock_aws

from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.botocore_overrides.documents import pass_items_through

ROOT = Path(session.__file__).parents[2]
UNCHECKED = Config(parameter_validation=False)
KEY = {"pk": {"S": "p"}, "sk": {"S": "s"}}
ITEM = {**KEY, "text": {"S": "é\u2028"}, "empty": {"S": ""}, "n": {"N": "-1.5E+3"}, "no": {"BOOL": False}}


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


@pytest.fixture(scope="module")
def items() -> tuple[Any, Any]:
    """A client of ours, and one as botocore makes it."""
    credentials = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    return (
        session._session().create_client("dynamodb", "us-east-1", config=UNCHECKED, **credentials),
        botocore.session.Session().create_client("dynamodb", "us-east-1", config=UNCHECKED, **credentials),
    )


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("put_item", {"Item": ITEM, "ConditionExpression": "attribute_not_exists(pk)"}),
        ("get_item", {"Key": KEY, "ConsistentRead": True}),
        ("delete_item", {"Key": KEY, "ReturnValues": "ALL_OLD"}),
        (
            "update_item",
            {
                "Key": KEY,
                "UpdateExpression": "SET #a = :a",
                "ExpressionAttributeNames": {"#a": "a"},
                "ExpressionAttributeValues": {":a": {"S": "é"}, ":none": {"S": ""}},
            },
        ),
        (
            "query",
            {
                "KeyConditionExpression": "pk = :pk",
                "ExpressionAttributeValues": {":pk": {"S": "p"}},
                "ExclusiveStartKey": KEY,
            },
        ),
    ],
)
def test_items_are_sent_as_botocore_sends_them(
    items: tuple[Any, Any], operation: str, parameters: dict[str, Any]
) -> None:
    ours, theirs = (_sent(client, operation, {"TableName": "t", **parameters}) for client in items)
    assert json.loads(ours) == json.loads(theirs)
    assert len(json.loads(ours)) == len(parameters) + 1


def test_items_of_batches_and_transactions_are_sent_as_botocore_sends_them(items: tuple[Any, Any]) -> None:
    batch = {"RequestItems": {"t": [{"PutRequest": {"Item": ITEM}}, {"DeleteRequest": {"Key": KEY}}]}}
    put = {"TableName": "t", "Item": ITEM, "ExpressionAttributeValues": {":n": {"N": "1"}}}
    writes = {
        "TransactItems": [{"Put": put}, {"Delete": {"TableName": "t", "Key": KEY}}],
        "ClientRequestToken": "x",
    }
    for operation, parameters in (("batch_write_item", batch), ("transact_write_items", writes)):
        ours, theirs = (json.loads(_sent(client, operation, parameters)) for client in items)
        assert ours == theirs == parameters


@pytest.mark.parametrize(
    ("operation", "status", "answer"),
    [
        ("update_item", 200, {"Attributes": ITEM, "Unknown": 1}),
        ("get_item", 200, {"Item": ITEM}),
        ("query", 200, {"Items": [ITEM, KEY], "Count": 2, "LastEvaluatedKey": KEY}),
        ("batch_get_item", 200, {"Responses": {"t": [ITEM]}, "UnprocessedKeys": {"t": {"Keys": [KEY]}}}),
        (
            "update_item",
            400,
            {"__type": "a#ConditionalCheckFailedException", "message": "no", "Item": ITEM},
        ),
        (
            "transact_write_items",
            400,
            {
                "__type": "a#TransactionCanceledException",
                "Message": "no",
                "CancellationReasons": [{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Item": ITEM}],
            },
        ),
    ],
)
def test_items_are_read_as_botocore_reads_them(
    items: tuple[Any, Any], operation: str, status: int, answer: dict[str, Any]
) -> None:
    ours, theirs = (_read(client, operation, status, json.dumps(answer).encode()) for client in items)
    assert ours == theirs
    assert json.dumps(ITEM) in json.dumps(ours)


def test_a_botocore_that_knows_nothing_of_whole_structures_takes_items_apart_as_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def described() -> dict[str, Any]:
        loader = Loader()
        pass_items_through(loader)
        shape: dict[str, Any] = loader.load_service_model("dynamodb", "service-2")["shapes"]["AttributeMap"]
        return shape

    assert described()["document"]
    monkeypatch.delattr(StructureShape, "is_document_type")
    assert described()["type"] == "map"


def test_no_handler_of_botocores_is_missing() -> None:
    theirs = botocore.session.Session().create_client(
        "sqs", "us-east-1", config=Config(retries={"mode": "standard"})
    )
    ours = session.client("sqs")
    for event in ("before-call", "request-created", "needs-retry", "after-call", "response-received"):
        name = f"{event}.sqs.SendMessage"
        assert _handlers(ours, name) == _handlers(theirs, name)


def _handlers(client: Any, event: str) -> list[str]:
    return [handler.__qualname__ for handler in client.meta.events._emitter._handlers.prefix_search(event)]


def _sent(client: Any, operation: str, parameters: dict[str, Any]) -> bytes:
    with _answered(client, 200, b"{}") as sent:
        getattr(client, operation)(**parameters)
    (body,) = sent
    return body


def _read(client: Any, operation: str, status: int, body: bytes) -> Any:
    parameters = {"TableName": "t", "Key": KEY, "RequestItems": {}, "TransactItems": []}
    wanted = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
    given = {name: value for name, value in parameters.items() if name in wanted.input_shape.members}
    with _answered(client, status, body):
        try:
            answer = getattr(client, operation)(**given)
        except ClientError as error:
            answer = error.response
    del answer["ResponseMetadata"]
    return answer


@contextmanager
def _answered(client: Any, status: int, body: bytes) -> Iterator[list[bytes]]:
    """Answer a client's calls in place of the network; gives the bodies that they send."""
    sent: list[bytes] = []

    def answer(request: Any, **_: Any) -> AWSResponse:
        sent.append(request.body)
        response = AWSResponse("", status, {}, None)
        response._content = body
        return response

    client.meta.events.register_first("before-send", answer)
    try:
        yield sent
    finally:
        client.meta.events.unregister("before-send", answer)
