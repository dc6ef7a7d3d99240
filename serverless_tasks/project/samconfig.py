"""The parameters that ``samconfig.toml`` gives `sam deploy`.

https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-config.html
"""

from __future__ import annotations

import shlex
import tomllib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FILE = "samconfig.toml"


def deployed_parameters(directory: Path) -> dict[str, str]:
    """The template's parameters as the default environment's deployment gives them.

    Args:
        directory: where the file is.

    Returns:
        Nothing, when there is no such file, or it cannot be read: `sam` itself says what is wrong with it.
    """
    try:
        said = tomllib.loads((directory / FILE).read_text(encoding="utf-8"))["default"]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError):
        return {}
    pairs: list[str] = []
    for command in ("global", "deploy"):
        given = said.get(command, {}).get("parameters", {}).get("parameter_overrides", [])
        pairs += shlex.split(given) if isinstance(given, str) else given
    return {name: value.strip('"') for name, _, value in (pair.partition("=") for pair in pairs) if value}
