"""Direct invocation of the deployed function."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from serverless_tasks.engine.aws.session import call, client
from serverless_tasks.engine.job.record import SUCCEEDED
from serverless_tasks.errors import FieldError, InvalidInputs, InvokeFailed, PayloadTooLarge, TaskFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

# Lambda's longest run and a margin: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
INVOKE_TIMEOUT = 15 * 60 + 30
# Bytes of a synchronous invocation's event, on the same page.
LARGEST_EVENT = 6 * 1024 * 1024


def invoke(function: str, payload: dict[str, Any], beside: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Invoke a function, wait, and return its answer. It is never invoked twice.

    Args:
        function: its name or ARN.
        payload: the event.
        beside: what the function finds in its context as ``client_context.custom``.

    Raises:
        PayloadTooLarge: the event is larger than Lambda takes; the function was not invoked.
        InvokeFailed: the function itself failed.
        AwsError: it could not be invoked, or its answer did not come.
    """
    event = json.dumps(payload, allow_nan=False).encode()
    if len(event) > LARGEST_EVENT:
        raise PayloadTooLarge("inputs of a direct invoke", len(event), LARGEST_EVENT)
    context = {"ClientContext": b64encode(json.dumps({"custom": beside}).encode()).decode()} if beside else {}
    response = call(
        client("lambda", attempts=1, read_timeout=INVOKE_TIMEOUT).invoke,
        FunctionName=function,
        Payload=event,
        **context,
    )
    body: dict[str, Any] = json.loads(response["Payload"].read())
    if response.get("FunctionError"):
        raise InvokeFailed(str(body.get("errorType", "FunctionError")), str(body.get("errorMessage", body)))
    return body


def run_once(
    function: str, task: str, inputs: dict[str, Any], trace: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run a task by a direct invoke and return its outputs; see `TaskClient.run`.

    Args:
        function: the function's name or ARN.
        task: the task's name.
        inputs: the inputs as they travel.
        trace: the caller's trace context.
    """
    event = {"task": task, "inputs": inputs, "uuid": str(uuid4())}
    response = invoke(function, event, trace) if trace else invoke(function, event)
    if "uuid" not in response:
        error = response.get("error") or {}
        if fields := error.get("fields"):
            raise InvalidInputs(task, [FieldError(found["field"], found["message"]) for found in fields])
        raise InvokeFailed(str(error.get("type", "Error")), str(error.get("message", response)))
    if response["status"] != SUCCEEDED:
        raise TaskFailed(response["uuid"], response["status"], response["error"])
    outputs: dict[str, Any] = response["outputs"]
    return outputs
