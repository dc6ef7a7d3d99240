"""The targets of schedules, as EventBridge Scheduler names them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from serverless_tasks.engine.job.message import SCHEDULER_TRIES

if TYPE_CHECKING:
    from serverless_tasks.engine.config import Config

RETRY_ATTEMPTS = 185


@dataclass(frozen=True, slots=True)
class Targets:
    """The targets of a stack's schedules.

    Attributes:
        config: the role, and where the queues are.
        region: the region of them all.
    """

    config: Config
    region: str

    def queue(self, name: str, body: str) -> dict[str, Any]:
        """A queue, which is sent a body.

        Raises:
            ConfigurationError: a setting is missing, or the queue has no URL.
        """
        return {"Arn": self._arn(self.config.queue_url(name)), "Input": body, **self._delivery()}

    def send_message(self, call_of_sqs: str) -> dict[str, Any]:
        """SQS itself, which is called with all the parameters that SendMessage has.

        https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html

        Args:
            call_of_sqs: the parameters, as JSON.

        Raises:
            ConfigurationError: a setting is missing.
        """
        arn = f"arn:{self._partition}:scheduler:::aws-sdk:sqs:sendMessage"
        return {"Arn": arn, "Input": call_of_sqs, **self._delivery()}

    def _delivery(self) -> dict[str, Any]:
        dead_letters = self._arn(self.config.require("dead_letter_queue_url"))
        return {
            "RoleArn": self.config.require("scheduler_role"),
            "DeadLetterConfig": {"Arn": dead_letters},
            "RetryPolicy": {
                "MaximumEventAgeInSeconds": SCHEDULER_TRIES,
                "MaximumRetryAttempts": RETRY_ATTEMPTS,
            },
        }

    def _arn(self, url: str) -> str:
        """The ARN of a queue: its URL ends with the account and the name."""
        account, name = urlsplit(url).path.strip("/").split("/")[-2:]
        return f"arn:{self._partition}:sqs:{self.region}:{account}:{name}"

    @property
    def _partition(self) -> str:
        role: str = self.config.require("scheduler_role")
        return role.split(":")[1]
