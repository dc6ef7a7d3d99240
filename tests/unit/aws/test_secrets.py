"""Secrets that the environment refers to, with moto's AWS behind them."""

from __future__ import annotations

import json
import os
import re
import threading
from typing import TYPE_CHECKING, Any

import pytest
from moto import mock_aws

from serverless_tasks.engine.aws import secrets, session
from serverless_tasks.engine.aws.secrets import Reference, put_secrets, references, seconds_left
from serverless_tasks.errors import ConfigurationError, SecretUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/prod-AbCdEf"
VALUE = "postgres://shop:hunter2@db/shop"


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr(secrets, "_read", secrets._Read())
    before = dict(os.environ)
    with mock_aws():
        session.reset()
        yield
        session.reset()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def calls() -> list[str]:
    """The calls of AWS."""
    made: list[str] = []
    for service in ("secretsmanager", "ssm"):
        session.client(service).meta.events.register(
            f"before-call.{service}", lambda model, **_: made.append(model.name)
        )
    return made


def secret(value: str | bytes, name: str = "shop") -> str:
    kind = "SecretString" if isinstance(value, str) else "SecretBinary"
    arn: str = session.client("secretsmanager").create_secret(Name=name, **{kind: value})["ARN"]
    return arn


def parameter(value: str, name: str = "/shop/token") -> str:
    session.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString")
    return f"arn:aws:ssm:us-east-1:123456789012:parameter{name}"


def test_a_secret_its_keys_and_parameters_reach_the_environment() -> None:
    arn = secret(json.dumps({"url": VALUE, "port": 5432, "tls": True}))
    by_arn = parameter("letmein")
    os.environ["SERVERLESS_TASKS_SECRETS"] = (
        f"DATABASE_URL={arn}:url, PORT={arn}:port,TLS={arn}:tls,ALL={arn},TOKEN=/shop/token,SAME={by_arn}"
    )
    put_secrets()
    assert os.environ["DATABASE_URL"] == VALUE
    assert (os.environ["PORT"], os.environ["TLS"]) == ("5432", "true")
    assert json.loads(os.environ["ALL"])["port"] == 5432
    assert (os.environ["TOKEN"], os.environ["SAME"]) == ("letmein", "letmein")


def test_a_variable_of_its_own_overrides_the_list() -> None:
    environ = {"SERVERLESS_TASKS_SECRETS": f"A={ARN},B=/b", "SERVERLESS_TASKS_SECRET_A": f"{ARN}:key"}
    assert references(environ) == [
        Reference("A", f"{ARN}:key", "secretsmanager", ARN, "key"),
        Reference("B", "/b", "ssm", "/b"),
    ]


def test_each_secret_is_asked_for_once_beside_the_others_and_once_a_process(calls: list[str]) -> None:
    arn = secret(json.dumps({"one": "1", "two": "2"}))
    parameter("letmein")
    calls.clear()
    together = threading.Barrier(2)

    def meet(**_: Any) -> None:
        together.wait(timeout=30)

    for service in ("secretsmanager", "ssm"):
        session.client(service).meta.events.register(f"before-call.{service}", meet)
    os.environ["SERVERLESS_TASKS_SECRETS"] = f"ONE={arn}:one,TWO={arn}:two,TOKEN=/shop/token"
    put_secrets()
    put_secrets()
    assert sorted(calls) == ["GetParameter", "GetSecretValue"]


def test_nothing_is_asked_where_nothing_is_referred_to(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "_providers", None)
    os.environ["SERVERLESS_TASKS_SECRETS_MAX_AGE"] = "60"
    put_secrets()
    assert calls == []
    assert seconds_left() is None


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        (f"{ARN}:url", "Secrets Manager can't find the specified secret"),
        ("/no/such", "ParameterNotFound"),
        ("SHOP:absent", "the JSON of .* has no key 'absent'"),
        ("TEXT:url", "is no JSON object, and has no key 'url'"),
        ("BINARY", "is binary, and a variable holds text"),
        ("NULL", "it has a null byte"),
    ],
)
def test_a_secret_that_cannot_be_read_is_named_and_its_value_is_not(reference: str, reason: str) -> None:
    made = {
        "SHOP": secret(json.dumps({"url": VALUE}), "shop"),
        "TEXT": secret(f'"{VALUE}"', "text"),
        "BINARY": secret(VALUE.encode(), "binary"),
        "NULL": secret(f"{VALUE}\0", "null"),
    }
    name, colon, key = (
        reference.rpartition(":") if reference in ("SHOP:absent", "TEXT:url") else (reference, "", "")
    )
    os.environ["SERVERLESS_TASKS_SECRET_DATABASE_URL"] = f"{made.get(name, name)}{colon}{key}"
    with pytest.raises(SecretUnavailable, match="variable DATABASE_URL cannot be read: ") as caught:
        put_secrets()
    assert re.search(reason, str(caught.value))
    shown: Any = caught.value
    while shown is not None:
        assert "hunter2" not in repr(shown)
        shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)
    assert "DATABASE_URL" not in os.environ


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A=/a, hunter2", "Item 2 of SERVERLESS_TASKS_SECRETS has no name; expected NAME=reference"),
        ("DATABASE_URL=postgres://shop:hunter2@db", "secret DATABASE_URL is no reference: give the ARN"),
        (f"DATABASE_URL={ARN}:key:AWSPREVIOUS", "is no reference: give the ARN of a secret"),
        ("AWS_REGION=/region", "cannot be given to the variable 'AWS_REGION'"),
        ("SERVERLESS_TASKS_TABLE=/table", "cannot be given to the variable"),
        ("NO-NAME=/x", "cannot be given to the variable 'NO-NAME'"),
    ],
)
def test_what_is_no_reference_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as caught:
        references({"SERVERLESS_TASKS_SECRETS": text})
    # It may be the secret itself that was given.
    assert "hunter2" not in str(caught.value)


def test_an_age_that_is_no_number_is_refused() -> None:
    parameter("letmein")
    os.environ |= {"SERVERLESS_TASKS_SECRETS": "T=/shop/token", "SERVERLESS_TASKS_SECRETS_MAX_AGE": "1h"}
    with pytest.raises(ConfigurationError, match="MAX_AGE is '1h'; expected a number of seconds"):
        put_secrets()


@pytest.mark.parametrize(("age", "after", "left"), [("60", 20, 40), ("60", 61, -1), ("0", 10**6, None)])
def test_a_process_may_use_them_for_so_long(
    age: str, after: float, left: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameter("letmein")
    os.environ |= {"SERVERLESS_TASKS_SECRETS": "T=/shop/token", "SERVERLESS_TASKS_SECRETS_MAX_AGE": age}
    put_secrets()
    assert secrets._read.at is not None
    now = secrets._read.at + after
    monkeypatch.setattr("serverless_tasks.engine.aws.secrets.time.time", lambda: now)
    assert seconds_left() == (None if left is None else pytest.approx(left))
