"""The wiring of statistics, for processes that count or that read counts."""

from __future__ import annotations

import os
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from serverless_tasks.engine.config import Config
    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.engine.statistics.base import StatisticsStore
    from serverless_tasks.engine.statistics.errors import NewError
    from serverless_tasks.engine.statistics.gatherer import Gatherer

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html: megabytes.
MEMORY = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"
# The machine of an arm64 function, as Linux names it.
ARM = "aarch64"


def statistics_store_of(config: Config, clock: Clock, *, in_process: bool) -> StatisticsStore:
    """Return the store of statistics: the table or, of in-process backends without one, memory.

    Raises:
        ConfigurationError: no table is configured.
    """
    if in_process and not config.table:
        from serverless_tasks.engine.statistics.memory import MemoryStatistics

        return MemoryStatistics()
    from serverless_tasks.engine.aws.dynamodb.items import TableItems
    from serverless_tasks.engine.aws.dynamodb.statistics import TableStatistics
    from serverless_tasks.engine.aws.session import client

    table = config.require("table")
    # One try and a short wait: what is not counted is missed less than a worker that waits.
    writer = partial(client, "dynamodb", attempts=1, read_timeout=1)
    return TableStatistics(TableItems(client("dynamodb"), table, clock), table, writer)


def gatherer_of(config: Config, store: StatisticsStore, clock: Clock) -> Gatherer:
    """Return what counts in a worker process, and count the calls of AWS that the process makes from now on.

    Raises:
        ConfigurationError: what is to be called with new kinds of failures cannot be imported.
    """
    from serverless_tasks.engine.aws.metering import Meter
    from serverless_tasks.engine.aws.session import meter
    from serverless_tasks.engine.statistics.gatherer import Gatherer

    memory = int(os.environ.get(MEMORY) or 0)
    gatherer = Gatherer(
        store,
        clock,
        name=uuid4().hex,
        memory=memory,
        arm=bool(memory) and os.uname().machine == ARM,
        on_new=announcers(config),
    )
    meter(Meter(gatherer.count_call))
    return gatherer


def announcers(config: Config) -> list[Callable[[NewError], object]]:
    """Return what is called with each kind of failure that is new.

    Raises:
        ConfigurationError: the callable that is named cannot be imported.
    """
    calls: list[Callable[[NewError], object]] = []
    if config.on_new_error:
        calls.append(named_hook(config.on_new_error))
    if config.error_topic:
        from serverless_tasks.engine.aws.session import client
        from serverless_tasks.engine.aws.topic import ErrorTopic

        stack = os.environ.get("POWERTOOLS_SERVICE_NAME", "serverless-tasks")
        topic = partial(client, "sns", attempts=2, read_timeout=1)
        calls.append(ErrorTopic(topic, config.error_topic, stack))
    return calls


def named_hook(name: str) -> Callable[[NewError], object]:
    """Return the callable of a dotted name.

    Raises:
        ConfigurationError: it cannot be imported, or is none.
    """
    module, _, attribute = name.rpartition(".")
    try:
        found: Any = getattr(import_module(module), attribute) if module else None
    except Exception as error:
        raise ConfigurationError(
            f"SERVERLESS_TASKS_ON_NEW_ERROR is {name!r}, which cannot be imported: {type(error).__name__}: {error}."
        ) from error
    if not callable(found):
        raise ConfigurationError(
            f"SERVERLESS_TASKS_ON_NEW_ERROR is {name!r}; expected the dotted name of a function, such as"
            " shop.alerts.new_error."
        )
    call: Callable[[NewError], object] = found
    return call
