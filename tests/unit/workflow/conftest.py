"""Recorded jobs for each test of groups and chains."""

from collections.abc import Iterator

import pytest

from serverless_tasks.testing import RecordedTasks, recorded
from tests.unit.workflow.tasks import TASKS, Only, Works


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordedTasks]:
    monkeypatch.setattr(Works, "meanwhile", lambda: None)
    monkeypatch.setattr(Only, "runs", [])
    with recorded(*TASKS) as jobs:
        yield jobs
