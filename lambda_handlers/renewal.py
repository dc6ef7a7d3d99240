"""The end of a process whose secrets are too old: settings that were loaded do not change in it.

A function's process that ends between two invocations counts as a crash. So it answers the invocation itself, by the
Runtime API, and then becomes a new process, with the same id and the environment that it was started with, which loads
everything anew and asks for the next event: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import os
import sys
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambda_handlers.telemetry import flush_statistics, logger
from serverless_tasks.engine.aws.secrets import seconds_left

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

# Seconds that are to be left of an invocation for the new process to start in, since Lambda counts them to it.
TO_START = 20
_RUNTIME_API = "AWS_LAMBDA_RUNTIME_API"
_START = Path("/proc/self/environ")


def renew(response: Any, context: LambdaContext) -> None:
    """Answer an invocation and start anew, if this process's secrets are older than they may be.

    Returns where they are not, where there is no Runtime API, as in a container, or where the invocation is nearly
    over: it is the next one's turn then.

    Args:
        response: of the invocation.
        context: Lambda's context.
    """
    address = os.environ.get(_RUNTIME_API)
    if not address or not is_old() or context.get_remaining_time_in_millis() < TO_START * 1000:
        return
    flush_statistics(last=True)
    if _answered(address, context.aws_request_id, response):
        logger.info("the secrets are as old as they may be: the process starts anew")
        sys.stdout.flush()
        os.execve(sys.executable, sys.orig_argv, _environment())  # noqa: S606 - the same program


def is_old() -> bool:
    """Return whether this process's secrets are older than they may be."""
    left = seconds_left()
    return left is not None and left <= 0


def outlived(context: LambdaContext) -> bool:
    """Return whether the secrets are too old in a function whose process cannot start anew, for want of a Runtime API.

    AWS always has one; emulators that run functions in a way of their own may not. A container's worker ends itself.

    Args:
        context: Lambda's context.
    """
    return not os.environ.get(_RUNTIME_API) and getattr(context, "has_deadline", True) and is_old()


def _answered(address: str, request_id: str, response: Any) -> bool:
    connection = HTTPConnection(address, timeout=10)
    try:
        connection.request(
            "POST",
            f"/2018-06-01/runtime/invocation/{request_id}/response",
            json.dumps(response),
            {"Content-Type": "application/json"},
        )
        return 200 <= connection.getresponse().status < 300
    except (OSError, HTTPException):  # the runtime answers, as always
        logger.warning("the process could not start anew for new secrets", exc_info=True)
        return False
    finally:
        connection.close()


def _environment() -> dict[bytes, bytes]:
    """The environment that the process was started with: without the secrets, and with what its runtime took out."""
    try:
        pairs = [pair.partition(b"=") for pair in _START.read_bytes().split(b"\0")]
    except OSError:
        return dict(os.environb)
    return {name: value for name, _, value in pairs if name}
