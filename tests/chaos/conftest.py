"""One account on moto for each module of these tests, and how long they search."""

import os
from collections.abc import Iterator

import pytest

from tests.chaos.world import quick_and_quiet
from tests.support.aws import account

LONG = os.environ.get("CHAOS") == "long"


@pytest.fixture(scope="module")
def aws() -> Iterator[None]:
    with account(), quick_and_quiet():
        yield
