"""How calls are signed: as botocore signs them, whatever changes between one and the next."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import botocore
import pytest
from botocore import auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest, AWSResponse
from botocore.credentials import ReadOnlyCredentials

from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.botocore_overrides import signing

UPDATE = {"TableName": "t", "Key": {"pk": {"S": "clé"}}, "UpdateExpression": "SET a = :a"}
SEND = {"QueueUrl": "http://127.0.0.1:9/1/q", "MessageBody": '{"a": "é  b"}'}
ADDED_AFTERWARDS = ("Authorization", "Content-Length", "amz-sdk-invocation-id", "amz-sdk-request")
CALLS = pytest.mark.parametrize(
    ("service", "method", "parameters"),
    [("dynamodb", "update_item", UPDATE), ("sqs", "send_message", SEND)],
)


class Wire:
    """Stands in for the network: keeps what is sent, and answers."""

    def __init__(self, client: Any, *statuses: int) -> None:
        self.sent: list[AWSPreparedRequest] = []
        self._statuses = list(statuses)
        client.meta.events.register("before-send", self._answer)

    def _answer(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        self.sent.append(request)
        status = self._statuses.pop(0) if self._statuses else 200
        answer = AWSResponse(request.url, status, {}, None)
        answer._content = b"{}"
        return answer


@pytest.fixture(autouse=True)
def anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    _become(monkeypatch, "first")
    session.reset()
    signing._agrees.cache_clear()
    yield
    session.reset()
    signing._agrees.cache_clear()


@CALLS
def test_a_call_is_signed_as_botocore_signs_it(service: str, method: str, parameters: dict[str, Any]) -> None:
    client = session.client(service)
    chosen = _chosen(client)
    wire = Wire(client)
    getattr(client, method)(**parameters)
    assert chosen == [signing._NAME]
    (request,) = wire.sent
    assert _signature(request) == _botocores_own(request, service, "first")


@CALLS
def test_signing_follows_credentials_that_rotate(
    service: str, method: str, parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = session.client(service)
    wire = Wire(client)
    getattr(client, method)(**parameters)
    credentials = client._request_signer._credentials
    credentials.access_key, credentials.secret_key, credentials.token = "key-second", "second", "token-second"
    getattr(client, method)(**parameters)
    first, second = wire.sent
    assert b"Credential=key-first/" in first.headers["Authorization"]
    assert b"Credential=key-second/" in second.headers["Authorization"]
    assert second.headers["X-Amz-Security-Token"] == b"token-second"
    assert _signature(second) == _botocores_own(second, service, "second")


def test_signing_follows_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    client = session.client("dynamodb")
    wire = Wire(client)
    for day in (1, 2, 1):
        now = dt.datetime(2026, 5, day, 23, 59, 59, tzinfo=dt.UTC)
        monkeypatch.setattr(auth, "get_current_datetime", lambda now=now: now)
        client.update_item(**UPDATE)
    for request in wire.sent:
        assert _signature(request) == _botocores_own(request, "dynamodb", "first")
    assert [request.headers["X-Amz-Date"][:8] for request in wire.sent] == [
        b"20260501",
        b"20260502",
        b"20260501",
    ]


def test_a_call_is_tried_again_and_signed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    moments = iter(dt.datetime(2026, 5, 1, 12, minute, tzinfo=dt.UTC) for minute in range(60))
    monkeypatch.setattr(auth, "get_current_datetime", lambda: next(moments))
    client = session.client("dynamodb")
    wire = Wire(client, 500, 503, 200)
    assert client.update_item(**UPDATE)["ResponseMetadata"]["RetryAttempts"] == 2
    assert len({_signature(request) for request in wire.sent}) == 3
    for request in wire.sent:
        assert _signature(request) == _botocores_own(request, "dynamodb", "first")


def test_any_headers_are_signed_as_botocore_signs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "get_current_datetime", lambda: dt.datetime(2026, 5, 1, tzinfo=dt.UTC))
    request = AWSRequest("POST", "https://127.0.0.1:443/a%20b/?c=d", {"X-Mine": "  one   two "}, b"{}")
    signers = [
        signer(ReadOnlyCredentials("k", "s", None), "sqs", "us-east-1")
        for signer in (signing._Signer, auth.SigV4Auth)
    ]
    for name, value in (("X-Mine", "three"), ("User-Agent", "anyone"), ("Host", "elsewhere")):
        request.headers[name] = value
        signed = []
        for signer in signers:
            signer.add_auth(request)
            signed.append(request.headers["Authorization"])
        assert signed[0] == signed[1]
    assert ";x-mine," in signed[0]
    assert "user-agent" not in signed[0]


def test_where_a_handler_chooses_another_signer_it_holds() -> None:
    client = session.client("dynamodb")
    client.meta.events.register("choose-signer.dynamodb", lambda **_: botocore.UNSIGNED)
    wire = Wire(client)
    client.update_item(**UPDATE)
    assert "Authorization" not in wire.sent[0].headers


def test_where_botocore_has_another_signer_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class InC(auth.SigV4Auth):  # type: ignore[misc]
        pass

    monkeypatch.setitem(auth.AUTH_TYPE_MAPS, "v4", InC)
    client = session.client("dynamodb")
    chosen = _chosen(client)
    Wire(client)
    client.update_item(**UPDATE)
    assert chosen == ["v4"]


@pytest.mark.parametrize("part", ["string_to_sign", "canonical_headers"])
def test_a_botocore_that_signs_otherwise_signs_for_itself(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    own = getattr(auth.SigV4Auth, part)

    def otherwise(self: auth.SigV4Auth, *given: Any) -> str:
        if isinstance(self, signing._Signer) and part == "string_to_sign":
            raise TypeError("no such argument")
        return f"{own(self, *given)} "

    monkeypatch.setattr(auth.SigV4Auth, part, otherwise)
    client = session.client("dynamodb")
    chosen = _chosen(client)
    wire = Wire(client)
    client.update_item(**UPDATE)
    assert chosen == ["v4"]
    assert "Authorization" in wire.sent[0].headers


def test_a_body_that_is_not_to_be_signed_is_left_to_botocore() -> None:
    request = AWSRequest("POST", "https://127.0.0.1:9/", {}, b"{}")
    request.context["payload_signing_enabled"] = False
    signer = signing._Signer(ReadOnlyCredentials("k", "s", None), "sqs", "us-east-1")
    assert signer.payload(request) == "UNSIGNED-PAYLOAD"


def _become(monkeypatch: pytest.MonkeyPatch, who: str) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", f"key-{who}")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", who)
    monkeypatch.setenv("AWS_SESSION_TOKEN", f"token-{who}")
    monkeypatch.delenv("AWS_PROFILE", raising=False)


def _chosen(client: Any) -> list[str]:
    """The names of the signers that a client's calls are signed by from now on."""
    chosen: list[str] = []
    client.meta.events.register(
        "before-sign", lambda signature_version, **_: chosen.append(signature_version)
    )
    return chosen


def _signature(request: AWSPreparedRequest) -> str:
    return str(request.headers["Authorization"].decode())


def _botocores_own(sent: AWSPreparedRequest, service: str, who: str) -> str:
    """What botocore's own signer makes of a request that was sent, at the time at which it was signed."""
    headers = {
        name: value.decode() if isinstance(value, bytes) else value
        for name, value in sent.headers.items()
        if name not in ADDED_AFTERWARDS
    }
    request = AWSRequest(sent.method, sent.url, headers, sent.body)
    request.context["timestamp"] = headers["X-Amz-Date"]
    signer = auth.SigV4Auth(ReadOnlyCredentials(f"key-{who}", who, f"token-{who}"), service, "eu-central-1")
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    signer._inject_signature_to_request(request, signature)
    return str(request.headers["Authorization"])
