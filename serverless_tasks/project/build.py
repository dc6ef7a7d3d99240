"""What `sam build` has made of a project, and what the project bakes into it."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

# As `infra/lambda/artefact.py` writes it.
MANIFEST: Final = "serverless_tasks_artefact.json"
DEFAULT_ARCHITECTURE: Final = "x86_64"


def built_architecture(directory: Path) -> str | None:
    """Return the processor that the project was last built for, None where it was not built.

    Args:
        directory: where template.yaml is.
    """
    for path in sorted((directory / ".aws-sam/build").glob(f"*/{MANIFEST}")):
        try:
            return str(json.loads(path.read_bytes())["architecture"])
        except (OSError, ValueError, KeyError):
            continue  # a build that is under way
    return None


def baked_variables(directory: Path) -> dict[str, str]:
    """Return the plain variables of `artefact.toml`; none where it cannot be read, which the build says.

    Args:
        directory: where template.yaml is.
    """
    try:
        said = tomllib.loads((directory / "infra/lambda/artefact.toml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}
    return {name: value for name, value in said.get("environment", {}).items() if isinstance(value, str)}
