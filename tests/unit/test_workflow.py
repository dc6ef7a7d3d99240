"""The door of groups and chains, which nobody passes who needs none."""

import subprocess
import sys

import pytest

import serverless_tasks
from serverless_tasks import workflow


@pytest.mark.parametrize("name", ["chain", "group", "previous", "results"])
def test_the_package_has_what_the_door_has(name: str) -> None:
    assert getattr(serverless_tasks, name) is getattr(workflow, name)


def test_it_has_nothing_else() -> None:
    with pytest.raises(AttributeError, match="module 'serverless_tasks' has no attribute 'chord'"):
        serverless_tasks.chord  # noqa: B018


def test_importing_the_package_imports_no_workflow() -> None:
    script = "import sys, serverless_tasks; print([name for name in sys.modules if 'workflow' in name])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
