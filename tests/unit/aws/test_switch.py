"""The overrides of botocore can be switched off: then none is loaded, and the same work is done."""

import json
import subprocess
import sys
from typing import Any

import pytest

from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.botocore_overrides import switch

ROOM = "serverless_tasks.engine.aws.botocore_overrides"
LOADED = f"""
import json, sys
from serverless_tasks.engine.aws.session import client
made = client("dynamodb")
from botocore.awsrequest import AWSHTTPConnectionPool
from botocore.auth import AUTH_TYPE_MAPS
pools = made._endpoint.http_session._pool_classes_by_scheme
shape = made.meta.service_model.shape_for("AttributeMap").type_name
print(json.dumps({{
    "modules": sorted(name for name in sys.modules if name.startswith("{ROOM}.")),
    "pool": pools["http"] is AWSHTTPConnectionPool,
    "signers": "serverless-tasks-v4" in AUTH_TYPE_MAPS,
    "items": shape,
}}))
"""


def loaded(monkeypatch: pytest.MonkeyPatch, value: str | None) -> dict[str, Any]:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    if value is None:
        monkeypatch.delenv(switch.VARIABLE, raising=False)
    else:
        monkeypatch.setenv(switch.VARIABLE, value)
    done = subprocess.run([sys.executable, "-c", LOADED], check=True, capture_output=True, text=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("value", [None, "on"])
def test_botocore_is_overridden_unless_it_is_switched_off(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    assert loaded(monkeypatch, value) == {
        "modules": [f"{ROOM}.{name}" for name in ("connections", "documents", "signing", "switch")],
        "pool": False,
        "signers": True,
        "items": "structure",
    }


def test_switched_off_none_is_loaded_and_botocore_is_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert loaded(monkeypatch, "off") == {
        "modules": [f"{ROOM}.switch"],
        "pool": True,
        "signers": False,
        "items": "map",
    }


@pytest.mark.parametrize("value", ["off", " OFF "])
def test_off_is_understood_however_it_is_written(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(switch.VARIABLE, value)
    session.reset()
    assert not switch.overrides()
