"""What it costs to follow many jobs of the table."""

import asyncio
from collections import Counter

import pytest

from serverless_tasks import Handle, as_completed
from serverless_tasks.client.completed import Completed
from serverless_tasks.engine.aws.dynamodb.table import Table
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.submit.publication import Publication
from tests.support.calls import counted_calls
from tests.support.clock import FakeClock
from tests.support.jobs import a_message
from tests.support.stores import aws_account, config, table

__all__ = ["aws_account", "config", "table"]
JOBS = 250


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def submitted(table: Table, clock: FakeClock) -> tuple[list[Message], list[Handle]]:
    messages = [a_message(clock) for _ in range(JOBS)]
    table.put_jobs(messages)
    handles = []
    for message in messages:
        publication = Publication(message)
        publication.settle(None)
        handles.append(Handle(publication, table, clock))
    return messages, handles


def taken(completed: Completed, *, in_a_coroutine: bool) -> list[Handle]:
    async def gathered() -> list[Handle]:
        return [handle async for handle in completed]

    return asyncio.run(gathered()) if in_a_coroutine else list(completed)


@pytest.mark.parametrize("in_a_coroutine", [False, True], ids=["for", "async for"])
def test_a_look_at_250_jobs_is_three_reads_and_their_ends_are_read_together(
    table: Table, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, in_a_coroutine: bool
) -> None:
    messages, handles = submitted(table, clock)
    looks: list[Counter[str]] = []

    with counted_calls() as calls:

        def sleep(seconds: float) -> None:
            looks.append(calls.copy())
            clock.move(seconds)
            calls.clear()
            if len(looks) == 2:
                for message in messages:
                    claim = table.claim(message, token="t", lease=clock.ms + 60_000, request_id="r")
                    table.succeed(message.uuid, claim, Snapshot(1), {"n": 1})
                calls.clear()

        monkeypatch.setattr(clock, "sleep", sleep)
        found = taken(as_completed(handles), in_a_coroutine=in_a_coroutine)
        looks.append(calls.copy())
        assert [handle.wait() for handle in found] == [{"n": 1}] * JOBS
        after = calls - looks[-1]

    assert sorted(found, key=handles.index) == handles
    assert looks == [{"BatchGetItem": 3}, {"BatchGetItem": 3}, {"BatchGetItem": 6}]
    assert after == {}  # what has succeeded is not read again
