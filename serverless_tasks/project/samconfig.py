"""The environments of ``samconfig.toml``: the stack, the region and the template's parameters of each.

https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-config.html
"""

from __future__ import annotations

import shlex
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE = "samconfig.toml"
DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One deployment of a project, as ``samconfig.toml`` has it.

    Attributes:
        name: what `sam` calls it, its ``--config-env``.
        stack: the CloudFormation stack's name.
        region: the stack's region, or "" for that of whoever deploys.
        profile: the profile of the AWS command line, or "".
        parameters: the template's parameters.
    """

    name: str
    stack: str
    region: str = ""
    profile: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, directory: Path, name: str = DEFAULT) -> Environment:
        """Read an environment.

        Args:
            directory: where the file is.
            name: the environment's name.

        Raises:
            ConfigurationError: there is no such file or environment, or it names no stack.
        """
        path = directory / FILE
        try:
            said = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigurationError(
                f"{directory.absolute()} has no {FILE}: run `serverless-tasks init` in the directory of manage.py."
            ) from None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigurationError(f"{path} cannot be read: {error}.") from None
        if not isinstance(said.get(name), dict):
            there = ", ".join(each for each, value in said.items() if isinstance(value, dict))
            raise ConfigurationError(
                f"{path} has no environment {name!r}; it has {there or 'none'}. `serverless-tasks init --env {name}`"
                " adds it."
            )
        settings = _settings(said[name])
        if not settings.get("stack_name"):
            raise ConfigurationError(f"{path} names no stack_name for the environment {name!r}: add one.")
        return cls(
            name=name,
            stack=str(settings["stack_name"]),
            region=str(settings.get("region", "")),
            profile=str(settings.get("profile", "")),
            parameters=_parameters(said[name]),
        )

    @property
    def sam(self) -> list[str]:
        """The arguments with which `sam` reads this environment."""
        return [] if self.name == DEFAULT else ["--config-env", self.name]

    @property
    def variables(self) -> dict[str, str]:
        """The variables with which AWS's clients find the stack's account and region."""
        found = {"AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region, "AWS_PROFILE": self.profile}
        return {name: value for name, value in found.items() if value}


def deployed_parameters(directory: Path) -> dict[str, str]:
    """The template's parameters as the default environment's deployment gives them.

    Args:
        directory: where the file is.

    Returns:
        Nothing, when there is no such file, or it cannot be read: `sam` itself says what is wrong with it.
    """
    try:
        return _parameters(tomllib.loads((directory / FILE).read_text(encoding="utf-8"))[DEFAULT])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError):
        return {}


def _settings(environment: Mapping[str, Any]) -> dict[str, Any]:
    """What is said for all commands, and over it what is said for `sam deploy` alone."""
    said: dict[str, Any] = {}
    for command in ("global", "deploy"):
        said |= environment.get(command, {}).get("parameters", {})
    return said


def _parameters(environment: Mapping[str, Any]) -> dict[str, str]:
    pairs: list[str] = []
    for command in ("global", "deploy"):
        given = environment.get(command, {}).get("parameters", {}).get("parameter_overrides", [])
        pairs += shlex.split(given) if isinstance(given, str) else given
    return {name: value.strip('"') for name, _, value in (pair.partition("=") for pair in pairs) if value}
