"""A world of its own for each test of a runner."""

import pytest

from tests.support.clock import FakeClock
from tests.support.worker import World


@pytest.fixture
def world(clock: FakeClock) -> World:
    return World(clock)
