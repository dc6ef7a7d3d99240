"""The environment of processes that use a local stack."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_STRAY = ("AWS_PROFILE", "AWS_SESSION_TOKEN")


def process_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with a stack's variables, without what would lead AWS's client past them."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _STRAY and not name.startswith("AWS_ENDPOINT_URL_")
    }
    direct = ",".join(filter(None, [os.environ.get("NO_PROXY", ""), "127.0.0.1,localhost"]))
    return {**kept, "NO_PROXY": direct, "no_proxy": direct, **variables}
