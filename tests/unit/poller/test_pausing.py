"""A container's worker and paused queues."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.sqs.receiving import ReceivingQueue
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.services import Services, use
from serverless_tasks.engine.worker.pauses import QUEUE, Pause
from serverless_tasks.poller import Mapping, Poller
from serverless_tasks.poller.pausing import look_at_queues
from tests.support.aws import account, resources
from tests.support.calls import counted_calls
from tests.support.clock import FakeClock, until


@pytest.fixture
def config() -> Iterator[Config]:
    with account():
        yield resources()


def test_without_the_setting_nobody_looks(config: Config) -> None:
    assert look_at_queues(config) is None


def test_a_queue_is_known_by_its_url_and_looked_at_once_in_ten_seconds(config: Config) -> None:
    clock = FakeClock()
    with use(Services(Config(**{**_fields(config), "pauses": True}), clock=clock)) as services:
        is_paused = look_at_queues(services.config)
        assert is_paused is not None
        with counted_calls() as calls:
            assert [is_paused(url) for url in config.queue_urls.values() for _ in range(5)] == [False] * 15
        assert calls == {"GetItem": 1}
        assert services.pauses is not None
        Services(services.config, clock=clock).pauses.put(  # type: ignore[union-attr]
            Pause(kind=QUEUE, name="low", since=clock.ms)
        )
        clock.move(10)
        assert {name: is_paused(url) for name, url in config.queue_urls.items()} == {
            "high": False,
            "default": False,
            "low": True,
        }


def test_a_paused_queue_is_not_received_from_until_it_is_resumed(config: Config) -> None:
    clock, sqs, url = FakeClock(), session.client("sqs"), config.queue_urls["low"]
    paused = threading.Event()
    paused.set()
    seen: list[Any] = []
    poller = Poller(
        [Mapping(url, "handler")],
        wait=0,
        clock=clock,
        queue=lambda url: ReceivingQueue(url, sqs),
        handler=lambda name: lambda event, context: seen.append(event),
        is_paused=lambda each: each == url and paused.is_set(),
    )
    sqs.send_message(QueueUrl=url, MessageBody="a")
    with counted_calls("sqs") as calls:
        poller.start()
        clock.pass_wait(10)
        until(lambda: clock.waiting)
        assert "ReceiveMessage" not in calls
        assert seen == []
        paused.clear()
        clock.move(10)
        until(lambda: seen)
    poller.stop(grace=5)


def _fields(config: Config) -> dict[str, Any]:
    return {name: getattr(config, name) for name in Config.__dataclass_fields__}
