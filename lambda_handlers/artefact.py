"""What the build says of itself, beside the code: its id, its processor, and plain variables.

A checkout has no such file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

# As `infra/lambda/artefact.py` names it.
MANIFEST = "serverless_tasks_artefact.json"
# The variable that has the id, unless the function has another.
BUILD = "SERVERLESS_TASKS_BUILD"
# How the machine calls the processors that Lambda and the template name.
_NAMES = {"aarch64": "arm64", "amd64": "x86_64"}


class WrongArchitecture(Exception):
    """The code is built for another processor than the function has."""


def use_artefact(directory: Path = Path(__file__).parents[1]) -> None:
    """Check the processor, and set the variables that the environment does not have.

    Args:
        directory: where the artefact is.

    Raises:
        WrongArchitecture: the code is built for another processor.
    """
    try:
        manifest = json.loads((directory / MANIFEST).read_bytes())
    except FileNotFoundError:
        return
    machine = os.uname().machine
    here = _NAMES.get(machine, machine)
    if manifest["architecture"] != here:
        raise WrongArchitecture(
            f"The code is built for {manifest['architecture']}, and this function runs on {here}: give `sam build` and"
            " `sam deploy` the same Architecture, in samconfig.toml under [default.global.parameters], and run both."
        )
    for name, value in manifest["environment"].items():
        os.environ.setdefault(name, value)
    if build := manifest.get("build"):
        os.environ.setdefault(BUILD, build)
