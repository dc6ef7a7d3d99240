"""A pytest fixture for one's own tests: ``pytest_plugins = ["serverless_tasks.pytest_plugin"]`` in ``conftest.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from serverless_tasks.testing import recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serverless_tasks.testing import RecordedTasks


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "repeatable_tasks(reset=None): each job that recorded_tasks runs goes through check_repeatable first; "
        "reset is called before each of its runs",
    )


@pytest.fixture
def recorded_tasks(request: pytest.FixtureRequest) -> Iterator[RecordedTasks]:
    """The jobs that the test submits, recorded instead of sent; see `serverless_tasks.testing`."""
    marker = request.node.get_closest_marker("repeatable_tasks")
    with recorded() as jobs:
        if marker is not None:
            jobs.reset = marker.kwargs.get("reset") or _nothing
        yield jobs


def _nothing() -> None:
    """Reset nothing: databases are taken back anyway."""
