"""The deployed tasks as a process that submits by name sees them: one read, and another before anything is refused."""

import logging

import pytest

from serverless_tasks.engine.definition.manifest.build import Manifest
from serverless_tasks.engine.definition.manifest.deployed import FRESH, DeployedTasks
from serverless_tasks.engine.definition.manifest.entry import DeployedTask
from serverless_tasks.errors import AwsError
from tests.support.clock import FakeClock

DENIED = AwsError("dynamodb.get_item", "AccessDeniedException", "not allowed", applied=False)


class Kept:
    """A manifest, or what reading it raises."""

    def __init__(self, *tasks: str) -> None:
        self.reads = 0
        self.error: AwsError | None = None
        self.manifest: Manifest | None = None
        if tasks:
            self.deploy(*tasks)

    def deploy(self, *tasks: str) -> None:
        self.manifest = Manifest(build="b", since=0, tasks={name: DeployedTask(name=name) for name in tasks})

    def read(self) -> Manifest | None:
        self.reads += 1
        if self.error is not None:
            raise self.error
        return self.manifest

    def write(self, manifest: Manifest) -> None:
        raise NotImplementedError


def test_the_manifest_is_read_once(clock: FakeClock) -> None:
    kept = Kept("sum")
    tasks = DeployedTasks(kept, clock)
    for _ in range(3):
        assert tasks.find("sum") == DeployedTask(name="sum")
        clock.move(FRESH)
    assert kept.reads == 1


def test_a_task_that_is_not_found_is_looked_for_again_but_not_at_once(clock: FakeClock) -> None:
    kept = Kept()
    tasks = DeployedTasks(kept, clock)
    assert tasks.find("sum") is None
    kept.deploy("sum")
    assert tasks.find("sum") is None
    assert kept.reads == 1
    clock.move(FRESH)
    assert tasks.find("sum") is not None


@pytest.mark.parametrize(
    ("kept", "error", "told"),
    [
        (Kept(), None, "has no manifest yet"),
        (Kept("sum"), None, "the manifest of the deployed build does not have it"),
        (Kept("sum"), DENIED, "could not be read (dynamodb.get_item failed: AccessDeniedException"),
    ],
)
def test_what_is_not_known_is_said_once(
    clock: FakeClock, caplog: pytest.LogCaptureFixture, kept: Kept, error: AwsError | None, told: str
) -> None:
    kept.error = error
    tasks = DeployedTasks(kept, clock)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert tasks.find("count") is None
            tasks.warn("count")
    [said] = caplog.messages
    assert said.startswith("Task 'count' is not known here: ")
    assert told in said


def test_without_a_table_there_is_nothing_to_say(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    tasks = DeployedTasks(None, clock)
    assert tasks.find("sum") is None
    tasks.warn("sum")
    assert tasks.refresh() is False
    assert caplog.messages == []
