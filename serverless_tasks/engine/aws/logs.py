"""Log lines in CloudWatch Logs.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.aws.session import call, client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serverless_tasks.engine.config import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEvent:
    """A line of a log.

    Attributes:
        id: its id in the log group.
        at: when it was written, in milliseconds since the epoch.
        stream: the log stream: of Lambda, one execution environment.
        text: the line.
    """

    id: str
    at: int
    stream: str
    text: str


class LogGroup:
    """A log group.

    Args:
        logs: a CloudWatch Logs client.
        name: the log group's name.
    """

    def __init__(self, logs: Any, name: str) -> None:
        self._client = logs
        self.name = name

    @classmethod
    def of(cls, config: Config) -> LogGroup:
        """The log group of the workers.

        Raises:
            ConfigurationError: none is configured.
        """
        name = config.require("log_group")
        return cls(client("logs"), name)

    def events(
        self, since: int, until: int, *, phrase: str = "", stream: str = "", most: int
    ) -> Iterator[LogEvent]:
        """Yield lines of a time, oldest first within a stream; CloudWatch may return pages without any.

        Args:
            since: the beginning, in milliseconds since the epoch, inclusive.
            until: the end, inclusive.
            phrase: a text that each line has; all lines unless given.
            stream: the log stream; all of them unless given.
            most: at most so many lines.

        Raises:
            AwsError: the log could not be read.
        """
        parameters: dict[str, Any] = {"logGroupName": self.name, "startTime": since, "endTime": until}
        if phrase:
            parameters["filterPattern"] = f'"{phrase}"'
        if stream:
            parameters["logStreamNames"] = [stream]
        while most > 0:
            response = call(self._client.filter_log_events, **parameters, limit=min(most, 10_000))
            for event in response["events"]:
                most -= 1
                stream_name, at, text = event.get("logStreamName", ""), event["timestamp"], event["message"]
                # CloudWatch gives each line an id; stand-ins may not.
                line = event.get("eventId") or f"{stream_name} {at} {text}"
                yield LogEvent(id=line, at=at, stream=stream_name, text=text.rstrip("\n"))
            if "nextToken" not in response:
                return
            parameters["nextToken"] = response["nextToken"]
