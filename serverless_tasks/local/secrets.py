"""Secrets of a deployment on a laptop: the developer's own values, or those of the local stand-in; never AWS's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from serverless_tasks.engine.aws.secrets import EACH, LIST, MAX_AGE, Reference, references
from serverless_tasks.local.aws.client import local_client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def local_secrets(
    environment: Mapping[str, str], endpoint: str, say: Callable[[str], None]
) -> dict[str, str]:
    """Return an environment with those references to secrets alone that the local stand-in has.

    A variable that this process has is left as it is here. Processes do not end when their secrets are old.

    Args:
        environment: the stack's.
        endpoint: the stand-in's URL.
        say: where to tell which secrets are missing.

    Raises:
        ConfigurationError: a reference is none.
    """
    wanted = references(environment)
    elsewhere = [each for each in wanted if each.name not in os.environ]
    held = [each for each in elsewhere if _has(endpoint, each)]
    for each in elsewhere:
        if each not in held:
            say(
                f"The secret {each.name} is not known here, and AWS is not asked: set the variable {each.name}."
            )
    kept = {name: value for name, value in environment.items() if not name.startswith((LIST, EACH, MAX_AGE))}
    return kept | ({LIST: ",".join(f"{each.name}={each.text}" for each in held)} if held else {})


def _has(endpoint: str, reference: Reference) -> bool:
    client = local_client(reference.service, endpoint)
    try:
        if reference.service == "ssm":
            client.get_parameter(Name=reference.id)
        else:
            client.describe_secret(SecretId=reference.id)
    except ClientError:
        return False
    return True
