"""What unit tests share: a clock that is moved by hand, and services without AWS."""

from collections.abc import Iterator

import pytest

from serverless_tasks.engine.config import Config
from serverless_tasks.engine.services import Services, use
from tests.support.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def immediate(clock: FakeClock) -> Iterator[Services]:
    """The process's services for a test: jobs run as they are submitted, and are kept in memory."""
    with use(Services(Config(), backend="immediate", clock=clock)) as services:
        yield services
