"""SQS standard queues on an injected clock, as their documentation describes them, for tests that move time.

Delivered at least once; a received message is hidden for its visibility timeout, a refused one comes back, and one
that was received more often than ``maxReceiveCount`` goes to the dead-letter queue, keeping its age. What a real queue
may do at its own will (a second delivery, another order) the test decides. `test_queue_contract` holds these queues and
moto's to the same behaviour.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues-at-least-once-delivery.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues-detailed.html
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from serverless_tasks.engine.job.clock import Clock

REGION = "us-east-1"
ACCOUNT = "123456789012"
# A group is noisy with more than this share of what is in flight, and at least so many messages.
NOISY_SHARE = 0.1
NOISY_COUNT = 30


class Refused(Exception):
    """An error of AWS's own: its code and text, and what else its body says."""

    def __init__(self, code: str, text: str, **more: Any) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
        self.more = more


@dataclass
class Held:
    """One message in a queue; times in seconds since the epoch."""

    id: str
    body: str
    sent: float
    visible: float
    group: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    received: int = 0
    first_received: float | None = None
    receipt: str = ""


class Queue:
    """One queue.

    Args:
        name: its name.
        clock: the time.
        visibility: seconds for which a received message is hidden.
        retention: seconds until a message is dropped.
        dead_letters: where messages go that were received ``max_receives`` times, or None.
        max_receives: see ``dead_letters``.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        *,
        visibility: float = 30,
        retention: float = 4 * 86_400,
        dead_letters: Queue | None = None,
        max_receives: int = 100,
    ) -> None:
        self.name = name
        self.url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"
        self.arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
        self.messages: list[Held] = []
        self.dropped: list[Held] = []
        self._clock = clock
        self._visibility = visibility
        self._retention = retention
        self._dead_letters = dead_letters
        self._max_receives = max_receives
        self._numbers = 0

    @property
    def visibility(self) -> float:
        """Seconds for which a received message is hidden unless the receiver says otherwise."""
        return self._visibility

    def send(
        self,
        body: str,
        *,
        delay: float = 0,
        group: str | None = None,
        attributes: dict[str, Any] | None = None,
    ) -> Held:
        """Add a message."""
        if not 0 <= delay <= 900:
            raise Refused("InvalidParameterValue", f"Value {delay} for parameter DelaySeconds is invalid.")
        now = self._clock.now()
        held = Held(str(UUID(int=self._next())), body, now, now + delay, group, attributes or {})
        self.messages.append(held)
        return held

    def receive(self, limit: int, visibility: float | None = None) -> list[Held]:
        """Take messages, quiet groups' before noisy ones'."""
        now = self._clock.now()
        self._tidy(now)
        taken: list[Held] = []
        while len(taken) < limit and (held := self._choose(now)) is not None:
            held.received += 1
            held.first_received = held.first_received or now
            held.visible = now + (self._visibility if visibility is None else visibility)
            held.receipt = f"{held.id}:{self._next()}"
            taken.append(held)
        return taken

    def delete(self, receipt: str) -> None:
        """Delete a message; a receipt of a delivery before its latest one has no effect, and deleting twice none."""
        self.messages = [held for held in self.messages if held.receipt != receipt]

    def hide(self, receipt: str, seconds: float) -> None:
        """Change when a message that is in flight comes back."""
        now = self._clock.now()
        for held in self.messages:
            if held.receipt == receipt:
                if held.visible <= now:
                    raise Refused("MessageNotInflight", "The message is not in flight.")
                held.visible = now + seconds
                return
        raise Refused("InvalidParameterValue", f"{receipt} is no receipt of a message in this queue.")

    def due(self) -> float | None:
        """When the next message can be received, or None when there is none at all."""
        self._tidy(self._clock.now())
        return min((held.visible for held in self.messages), default=None)

    def duplicate(self, held: Held) -> None:
        """Let a message be delivered once more now, although it is in flight: a standard queue may."""
        held.visible = self._clock.now()

    def _choose(self, now: float) -> Held | None:
        ready = [held for held in self.messages if held.visible <= now]
        if not ready:
            return None
        noisy = self._noisy(now)
        quiet = [held for held in ready if held.group not in noisy]
        if quiet or len(noisy) < 2:
            return (quiet or ready)[0]
        return min(ready, key=lambda held: noisy[held.group or ""])

    def _noisy(self, now: float) -> dict[str, int]:
        """The noisy groups, and how many messages of theirs are in flight; one without a group is its own."""
        flying = [held.group for held in self.messages if held.received and held.visible > now]
        counts = {group: flying.count(group) for group in set(flying) if group is not None}
        return {
            group: count
            for group, count in counts.items()
            if count >= NOISY_COUNT and count > NOISY_SHARE * len(flying)
        }

    def _tidy(self, now: float) -> None:
        """Drop what is too old, and move what was received too often."""
        for held in list(self.messages):
            if held.sent + self._retention <= now:
                self.messages.remove(held)
                self.dropped.append(held)
            elif self._dead_letters and held.visible <= now and held.received >= self._max_receives:
                self.messages.remove(held)
                moved = Held(held.id, held.body, held.sent, now, held.group, held.attributes)
                self._dead_letters.messages.append(moved)

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers


class Sqs:
    """The SQS of one account: answers the calls that this library makes.

    Args:
        queues: the queues that there are.
    """

    def __init__(self, *queues: Queue) -> None:
        self.by_url = {queue.url: queue for queue in queues}

    def answer(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        """The answer to a call, as JSON.

        Raises:
            Refused: SQS would refuse it.
        """
        queue = self.by_url.get(given["QueueUrl"])
        if queue is None:
            raise Refused("QueueDoesNotExist", f"There is no queue {given['QueueUrl']}.")
        answer: dict[str, Any] = getattr(self, f"_{operation}")(queue, given)
        return answer

    def _SendMessage(self, queue: Queue, given: dict[str, Any]) -> dict[str, Any]:
        held = queue.send(
            given["MessageBody"],
            delay=given.get("DelaySeconds", 0),
            group=given.get("MessageGroupId"),
            attributes=given.get("MessageAttributes"),
        )
        return {"MessageId": held.id, "MD5OfMessageBody": _md5(held.body)}

    def _SendMessageBatch(self, queue: Queue, given: dict[str, Any]) -> dict[str, Any]:
        return self._each(queue, given, self._SendMessage)

    def _ReceiveMessage(self, queue: Queue, given: dict[str, Any]) -> dict[str, Any]:
        taken = queue.receive(given.get("MaxNumberOfMessages", 1), given.get("VisibilityTimeout"))
        return {"Messages": [_shown(held) for held in taken]} if taken else {}

    def _DeleteMessageBatch(self, queue: Queue, given: dict[str, Any]) -> dict[str, Any]:
        return self._each(queue, given, lambda queue, entry: queue.delete(entry["ReceiptHandle"]) or {})

    def _ChangeMessageVisibilityBatch(self, queue: Queue, given: dict[str, Any]) -> dict[str, Any]:
        def hide(queue: Queue, entry: dict[str, Any]) -> dict[str, Any]:
            queue.hide(entry["ReceiptHandle"], entry["VisibilityTimeout"])
            return {}

        return self._each(queue, given, hide)

    def _GetQueueAttributes(self, queue: Queue, given: dict[str, Any]) -> dict[str, Any]:
        known = {
            "QueueArn": queue.arn,
            "VisibilityTimeout": str(round(queue.visibility)),
            "ApproximateNumberOfMessages": str(len(queue.messages)),
        }
        return {"Attributes": {name: known[name] for name in given["AttributeNames"]}}

    @staticmethod
    def _each(queue: Queue, given: dict[str, Any], do: Any) -> dict[str, Any]:
        done: list[dict[str, Any]] = []
        failed: list[dict[str, Any]] = []
        for entry in given["Entries"]:
            try:
                done.append({"Id": entry["Id"], **do(queue, entry)})
            except Refused as error:
                failed.append(
                    {"Id": entry["Id"], "Code": error.code, "Message": error.text, "SenderFault": True}
                )
        return {"Successful": done, **({"Failed": failed} if failed else {})}


class Scheduler:
    """EventBridge Scheduler, for schedules of one time whose target is a queue.

    https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html

    Args:
        queues: the queues that there are.
    """

    def __init__(self, *queues: Queue) -> None:
        self._queues = {key: queue for queue in queues for key in (queue.arn, queue.url)}
        self.waiting: dict[str, tuple[float, dict[str, Any]]] = {}

    def create(self, name: str, given: dict[str, Any]) -> None:
        """Keep a schedule.

        Raises:
            Refused: one of that name is there.
        """
        if name in self.waiting:
            raise Refused("ConflictException", f"Schedule {name} already exists.")
        expression = given["ScheduleExpression"]
        moment = datetime.fromisoformat(expression.removeprefix("at(").removesuffix(")"))
        self.waiting[name] = moment.replace(tzinfo=UTC).timestamp(), given["Target"]

    def due(self) -> float | None:
        """When the next schedule is due, or None."""
        return min((when for when, _ in self.waiting.values()), default=None)

    def fire(self, now: float) -> None:
        """Send what is due; a schedule that has been is gone."""
        for name, (when, target) in list(self.waiting.items()):
            if when > now:
                continue
            del self.waiting[name]
            if target["Arn"] in self._queues:
                self._queues[target["Arn"]].send(target["Input"])
            else:
                given = json.loads(target["Input"])
                self._queues[given["QueueUrl"]].send(given["MessageBody"], group=given.get("MessageGroupId"))


def _shown(held: Held) -> dict[str, Any]:
    attributes = {
        "SentTimestamp": str(round(held.sent * 1000)),
        "ApproximateReceiveCount": str(held.received),
        "ApproximateFirstReceiveTimestamp": str(round((held.first_received or 0) * 1000)),
        "SenderId": ACCOUNT,
    }
    if held.group is not None:
        attributes["MessageGroupId"] = held.group
    return {
        "MessageId": held.id,
        "ReceiptHandle": held.receipt,
        "Body": held.body,
        "MD5OfBody": _md5(held.body),
        "Attributes": attributes,
        **({"MessageAttributes": held.attributes} if held.attributes else {}),
    }


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
