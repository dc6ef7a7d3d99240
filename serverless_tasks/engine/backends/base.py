"""The protocol of backends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.errors import ServerlessTasksError


class Backend(Protocol):
    """Takes jobs and sees to it that they are run."""

    def publish(self, messages: Sequence[Message]) -> list[ServerlessTasksError | None]:
        """Publish messages.

        Returns:
            For each message None, or the error that says why it was not (or perhaps not) published.
        """
