"""The event source mappings by which Lambda receives from a queue: found by the queue, switched off and on.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from serverless_tasks.engine.aws.session import call, client
from serverless_tasks.engine.aws.sqs.receiving import ReceivingQueue

# States of a mapping that receives nothing, or soon will not.
_OFF: Final = ("Disabled", "Disabling")


@dataclass(frozen=True, slots=True)
class SourceMapping:
    """One event source mapping.

    Attributes:
        id: its UUID.
        function: the name of the function that it calls.
        state: as Lambda names it: ``Enabled``, ``Disabled``, ``Disabling`` and the like.
    """

    id: str
    function: str
    state: str

    @property
    def enabled(self) -> bool:
        """True if it receives messages, or soon will."""
        return self.state not in _OFF


def mappings_of(queue_url: str) -> list[SourceMapping]:
    """Return the mappings of a queue: two calls, and one more for each hundred mappings.

    Raises:
        AwsError: SQS or Lambda could not be asked.
    """
    arn = ReceivingQueue(queue_url, client("sqs")).attributes().arn
    found: list[SourceMapping] = []
    more: dict[str, str] = {}
    while True:
        page = call(client("lambda").list_event_source_mappings, EventSourceArn=arn, **more)
        found += [
            SourceMapping(
                each["UUID"],
                each.get("FunctionArn", "").partition(":function:")[2].partition(":")[0],
                each.get("State", "Enabled"),
            )
            for each in page["EventSourceMappings"]
        ]
        if not page.get("NextMarker"):
            return found
        more = {"Marker": page["NextMarker"]}


def switch(mapping: SourceMapping, *, on: bool) -> None:
    """Enable or disable a mapping; what it has received already is run to its end.

    Raises:
        AwsError: Lambda refused; ``ResourceInUseException`` while an earlier change is under way.
    """
    call(client("lambda").update_event_source_mapping, UUID=mapping.id, Enabled=on)
