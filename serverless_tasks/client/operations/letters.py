"""The message of a dead letter as it may be shown: without the secrets among its inputs."""

from __future__ import annotations

import json
from typing import Any, Final

from serverless_tasks.engine.job.masking import masked

# Characters of a body that is no message.
LONGEST: Final = 2_000


def shown_body(body: str) -> str:
    """Return a dead letter's body to be read by an operator, its secret inputs masked.

    A message names its secret inputs. Of one whose names cannot be read all inputs are masked; what is no JSON object
    is no message of ours, and its beginning is shown as it is.

    Args:
        body: the body, as it was in the queue.
    """
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        return (
            body if len(body) <= LONGEST else f"{body[:LONGEST]}\n... ({len(body) - LONGEST} more characters)"
        )
    return json.dumps({**message, **_masked_inputs(message)}, indent=2, ensure_ascii=False)


def _masked_inputs(message: dict[str, Any]) -> dict[str, Any]:
    if "inputs" not in message:
        return {}
    inputs, secrets = message["inputs"], message.get("secrets", [])
    if not isinstance(inputs, dict):
        return {"inputs": masked({"inputs": inputs}, ["inputs"])["inputs"]}
    readable = isinstance(secrets, list) and all(isinstance(name, str) for name in secrets)
    return {"inputs": masked(inputs, secrets if readable else inputs)}
