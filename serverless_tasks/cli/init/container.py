"""The files of a container's worker on ECS Fargate, which `init --container` writes."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LONG_WORK: Final = "LongWork=true"
"""The parameter of template.yaml that adds the queue which the container works on."""

CONTAINER_TEMPLATE: Final = "infra/container/template.yaml"
"""The template of the containers' stack."""

_COPIED = (
    CONTAINER_TEMPLATE,
    "infra/container/Dockerfile",
    "infra/container/Dockerfile.dockerignore",
    "infra/container/requirements.txt",
)
_CONFIG = "infra/container/samconfig.toml"
# What the functions' parameters and the container's have in common, and `init` knows.
_SHARED = ("TaskModules=", "DjangoSettingsModule=")


def container_files(source: Path, stack_name: str, parameters: Iterable[str]) -> dict[str, str]:
    """Return the texts of the container's files by their paths.

    Args:
        source: where the package keeps the files that `init` copies.
        stack_name: the stack of the functions, whose queues, table and bucket the container imports.
        parameters: those of the functions' stack, as NAME=VALUE.
    """
    files = {path: (source / path).read_text(encoding="utf-8") for path in _COPIED}
    given = [f"StackName={stack_name}", *(each for each in parameters if each.startswith(_SHARED))]
    config = (source / _CONFIG).read_text(encoding="utf-8")
    for key, value in (
        ("stack_name", json.dumps(f"{stack_name}-container")),
        ("s3_prefix", json.dumps(f"{stack_name}-container")),
        ("parameter_overrides", json.dumps(given)),
    ):
        config = re.sub(rf"(?m)^{key} = .*$", f"{key} = {value}", config)
    return files | {_CONFIG: config}
