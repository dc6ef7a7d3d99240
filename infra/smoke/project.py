"""The project of the run: README's quick start, made and deployed as its reader would."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.smoke.remains import stack_is_there
from infra.smoke.step import StepFailed
from serverless_tasks.engine.aws.stacks import status_of

if TYPE_CHECKING:
    from infra.smoke.stack import Stack
    from infra.smoke.step import Script

ROOT: Final = Path(__file__).resolve().parents[2]
# The least that the template takes: a job whose worker is lost runs again after it.
WORKER_TIMEOUT: Final = 60


def make(stack: Stack) -> Script:
    """Build the wheel, make the project of README's quick start with it, and run `serverless-tasks init`."""
    wait = yield
    stack.project.mkdir(exist_ok=True)
    wheel = _wheel(stack, wait.left)
    stack.run("-m", "django", "startproject", "website", ".", seconds=wait.left)
    shop = stack.project / "shop"
    shop.mkdir()
    (shop / "__init__.py").touch()
    (shop / "background.py").write_text(quick_start_task(), encoding="utf-8")
    shutil.copy(Path(__file__).with_name("tasks.py"), shop)
    stack.command(
        *("init", "--stack-name", stack.name, "--requirement", f"./{wheel}[lambda]"), seconds=wait.left
    )
    config = stack.project / "samconfig.toml"
    config.write_text(configured(config.read_text(encoding="utf-8"), stack), encoding="utf-8")
    return f"{wheel}, README's task and those of the smoke test"


def deploy(stack: Stack) -> Script:
    """Run `serverless-tasks deploy`, which builds, deploys and makes the schedules."""
    wait = yield
    stack.command("deploy", "--yes", seconds=wait.left)
    return f"{len(stack.outputs)} outputs"


def delete(stack: Stack) -> Script:
    """Run `serverless-tasks stack delete`, if there is a stack."""
    wait = yield
    # A deployment that was interrupted goes on in CloudFormation: half of a stack is no stack of ours yet.
    wait.until(
        "the end of what CloudFormation does", lambda: True if is_at_rest(status_of(stack.name)) else None
    )
    if not stack_is_there(stack.name):
        return "there is no stack"
    words = ("stack", "delete", stack.name, "--yes", "--accept-loss", "--detach-policies")
    stack.command(*words, seconds=wait.left)
    return "the stack is deleted"


def is_at_rest(status: str) -> bool:
    """Return whether a stack of this status stays as it is; one that has only a change set does."""
    return status == "REVIEW_IN_PROGRESS" or not status.endswith("_IN_PROGRESS")


def quick_start_task() -> str:
    """Return the task of README's quick start, word for word.

    Raises:
        StepFailed: README has none.
    """
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"## Quick start.*?```python\n(.*?)```", readme, re.DOTALL)
    if found is None:
        raise StepFailed("README.md has no task in its quick start")
    return found[1]


def configured(config: str, stack: Stack) -> str:
    """Return ``samconfig.toml`` with the run's own region, folder of artefacts and parameters.

    Raises:
        StepFailed: it is not what `init` writes.
    """
    for pattern, line in (
        (r"^region = .*$", f'region = "{stack.region}"'),
        # What is uploaded there is this stack's alone, and goes with it.
        (r"^s3_prefix = .*$", f's3_prefix = "{stack.name}"'),
        (r"^parameter_overrides = \[", f'parameter_overrides = ["WorkerTimeout={WORKER_TIMEOUT}", '),
    ):
        config, times = re.subn(pattern, line, config, flags=re.MULTILINE)
        if times != 1:
            raise StepFailed(f"samconfig.toml has {times} lines such as {line}; expected one")
    return config


def _wheel(stack: Stack, seconds: float) -> str:
    """Build the wheel into the project, unpack it for what is run here, and return its name."""
    stack.run("-m", "hatchling", "build", "-t", "wheel", "-d", stack.project, seconds=seconds, cwd=ROOT)
    [wheel] = stack.project.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(stack.released)
    return wheel.name
