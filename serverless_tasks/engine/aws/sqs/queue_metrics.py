"""Metrics of the queues: waiting messages, and the age of the oldest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.engine.aws.session import call
from serverless_tasks.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serverless_tasks.engine.job.clock import Clock

# The name that the dead-letter queue has among the queues.
DEAD_LETTERS: Final = "dead letters"
# CloudWatch writes the age of the oldest message once a minute, some minutes late.
LOOK_BACK = timedelta(minutes=15)
_COUNTS = {
    "waiting": "ApproximateNumberOfMessages",
    "running": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepth:
    """The number of messages in one queue; approximate, as SQS gives it.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html

    Attributes:
        queue: its name.
        waiting: messages that a worker may take.
        running: messages that a worker has taken.
        delayed: messages that are held back.
        oldest: seconds that the oldest message has waited; None when CloudWatch does not say.
    """

    queue: str
    waiting: int
    running: int
    delayed: int
    oldest: float | None = None


class QueueMetrics:
    """Reads the depths of queues.

    Args:
        sqs: an SQS client.
        cloudwatch: a CloudWatch client.
        urls: queue name -> URL.
        clock: the time.
    """

    def __init__(self, sqs: Any, cloudwatch: Any, urls: Mapping[str, str], clock: Clock) -> None:
        self._sqs = sqs
        self._cloudwatch = cloudwatch
        self._urls = urls
        self._clock = clock

    def read(self) -> list[QueueDepth]:
        """The depths, in the order of the settings: one call a queue, and one for all ages.

        Raises:
            AwsError: SQS could not be asked. Without CloudWatch the ages are None.
        """
        ages = self._ages()
        queue_metrics = []
        for name, url in self._urls.items():
            response = call(
                self._sqs.get_queue_attributes, QueueUrl=url, AttributeNames=list(_COUNTS.values())
            )
            counts = {ours: int(response["Attributes"][theirs]) for ours, theirs in _COUNTS.items()}
            queue_metrics.append(QueueDepth(queue=name, **counts, oldest=ages.get(name)))
        return queue_metrics

    def _ages(self) -> dict[str, float]:
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        names = {f"q{index}": name for index, name in enumerate(self._urls)}
        questions = [
            {
                "Id": key,
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/SQS",
                        "MetricName": "ApproximateAgeOfOldestMessage",
                        "Dimensions": [{"Name": "QueueName", "Value": self._urls[name].rsplit("/", 1)[-1]}],
                    },
                    "Period": 60,
                    "Stat": "Maximum",
                },
            }
            for key, name in names.items()
        ]
        try:
            response = call(
                self._cloudwatch.get_metric_data,
                MetricDataQueries=questions,
                StartTime=now - LOOK_BACK,
                EndTime=now,
                ScanBy="TimestampDescending",
            )
        except AwsError:
            return {}  # a figure more, for those who may read it; the counts do not depend on it
        return {
            names[series["Id"]]: series["Values"][0]
            for series in response["MetricDataResults"]
            if series["Values"]
        }
