"""The members of groups that end within a batch: those of one shard are counted in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambda_handlers.redelivery import after_error
from lambda_handlers.telemetry import logger
from serverless_tasks.errors import ServerlessTasksError

if TYPE_CHECKING:
    from lambda_handlers.redelivery import Redelivery
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.place import Place
    from serverless_tasks.engine.services import Services


class EndedMembers:
    """Members whose end is recorded and that are still to be counted. Their messages may only be deleted then.

    Args:
        services: the services to use.
        redelivery: gives messages back.
    """

    def __init__(self, services: Services, redelivery: Redelivery) -> None:
        self._services = services
        self._redelivery = redelivery
        self._records: dict[Place, dict[str, Any]] = {}
        self._statuses: dict[Place, str] = {}
        self._since = 0.0
        self._failed: list[str] = []

    def add(self, record: dict[str, Any], member: Place, status: str) -> None:
        """Note a member that has ended, and its message."""
        if not self._statuses:
            self._since = self._services.clock.now()
        self._statuses[member] = status
        self._records[member] = record

    def count_before(self, following: Message, seconds: float, usual: float) -> None:
        """Count what was noted, unless what follows can be counted with it soon.

        Args:
            following: the message that is handled next.
            seconds: how long a member that has ended may wait to be counted.
            usual: how long the job before has run, and the next may run as well, in seconds.
        """
        if not self._statuses:
            return
        alike = following.group is not None and any(
            place.group == following.group for place in self._statuses
        )
        if not alike or self._services.clock.now() + usual - self._since >= seconds:
            self._count()

    def count(self) -> list[str]:
        """Count what was noted; return the ids of the messages that must be delivered again."""
        self._count()
        return self._failed

    def _count(self) -> None:
        if not self._statuses:
            return
        try:
            self._services.runner.count_all(self._statuses)
        except ServerlessTasksError as error:
            logger.exception("members of groups could not be counted")
            for record in self._records.values():
                self._redelivery.back(record, after_error(record), type(error).__name__)
                self._failed.append(record["messageId"])
        self._statuses, self._records = {}, {}
