"""The environment of processes that use a local stack."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from serverless_tasks.engine.aws import session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REGION = "us-east-1"

LOCAL_AWS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""What every client of a local stack is told: no real account can be reached with it."""

_STRAY = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN")
_STRAY_PREFIXES = ("AWS_ENDPOINT_URL_", "SERVERLESS_TASKS_")
_MODULES = "SERVERLESS_TASKS_MODULES"


def process_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with a stack's variables, without what would lead AWS's clients past them."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name == _MODULES or not (name in _STRAY or name.startswith(_STRAY_PREFIXES))
    }
    direct = ",".join(filter(None, [os.environ.get("NO_PROXY", ""), "127.0.0.1,localhost"]))
    return {**kept, "NO_PROXY": direct, "no_proxy": direct, **LOCAL_AWS, **variables}


@contextmanager
def local_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Give this process the environment of a local stack until the block ends; clients are made anew for it."""
    before = dict(os.environ)
    _become(process_environment(variables))
    try:
        yield
    finally:
        _become(before)


def _become(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    session.reset()
