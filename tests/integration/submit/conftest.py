"""SQS and the table, with the tasks of the test's module."""

from collections.abc import Iterator

import pytest

from serverless_tasks.engine.config import Config
from serverless_tasks.engine.services import Services, use
from tests.support.clock import FakeClock


@pytest.fixture
def services(request: pytest.FixtureRequest, config: Config, clock: FakeClock) -> Iterator[Services]:
    with use(Services(config, clock=clock)) as services:
        for task in request.module.TASKS:
            services.registry.add(task)
        yield services
