"""A pytest fixture for one's own tests: ``pytest_plugins = ["serverless_tasks.pytest_plugin"]`` in ``conftest.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from serverless_tasks.testing import recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serverless_tasks.testing import RecordedTasks


@pytest.fixture
def recorded_tasks() -> Iterator[RecordedTasks]:
    """The jobs that the test submits, recorded instead of sent; see `serverless_tasks.testing`."""
    with recorded() as jobs:
        yield jobs
