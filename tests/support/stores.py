"""Fixtures: the stores, in memory and as a table of moto, and what they need."""

from collections.abc import Iterator

import pytest

from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.dynamodb.table import Table
from serverless_tasks.engine.aws.s3.payloads import BucketBlobs
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.store.base import Store
from serverless_tasks.engine.store.memory import MemoryStore
from tests.support.aws import account, resources
from tests.support.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="module")
def aws_account() -> Iterator[None]:
    with account():
        yield


@pytest.fixture
def config(aws_account: None) -> Config:
    return resources()


@pytest.fixture
def table(config: Config, clock: FakeClock) -> Table:
    return Table(session.client("dynamodb"), config.table, clock, BucketBlobs(config.bucket))


@pytest.fixture(params=["memory", "table"])
def store(request: pytest.FixtureRequest, clock: FakeClock) -> Store:
    """Each store in turn."""
    if request.param == "memory":
        return MemoryStore(clock)
    found: Table = request.getfixturevalue("table")
    return found
