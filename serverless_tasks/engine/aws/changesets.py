"""Change sets: what a deployment would change in a stack, and its execution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.engine.aws.session import call, client
from serverless_tasks.engine.aws.stacks import events, follow
from serverless_tasks.errors import DeploymentFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from serverless_tasks.engine.job.clock import Clock

# What holds jobs, or their records: taken away or made anew, it is empty.
KEEPS_DATA: Final = frozenset({"AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SQS::Queue"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One resource that a change set changes.

    Attributes:
        action: ``Add``, ``Modify``, ``Remove``, ``Import`` or ``Dynamic``.
        resource: its name in the template.
        type: its type, such as ``AWS::SQS::Queue``.
        replaced: whether it is certainly, or may be, made anew.
    """

    action: str
    resource: str
    type: str
    replaced: bool

    @property
    def loses_data(self) -> bool:
        """True if what the resource holds may be gone afterwards."""
        return self.type in KEEPS_DATA and (self.replaced or self.action == "Remove")


def changes_of(change_set: str, stack: str) -> list[Change]:
    """Return what a change set changes.

    Args:
        change_set: its ARN.
        stack: the stack's name: policies are about stacks.

    Raises:
        AwsError: it could not be read.
    """
    found: list[Change] = []
    more: dict[str, Any] = {}
    while True:
        page = call(
            client("cloudformation").describe_change_set, ChangeSetName=change_set, StackName=stack, **more
        )
        for each in page.get("Changes", []):
            change = each["ResourceChange"]
            found.append(
                Change(
                    action=change["Action"],
                    resource=change["LogicalResourceId"],
                    type=change["ResourceType"],
                    replaced=change.get("Replacement", "False") in ("True", "Conditional"),
                )
            )
        if not page.get("NextToken"):
            return found
        more = {"NextToken": page["NextToken"]}


def discard(change_set: str, stack: str) -> None:
    """Delete a change set that is not to be executed. A stack that it would have made stays, without any resource.

    Raises:
        AwsError: it could not be deleted.
    """
    call(client("cloudformation").delete_change_set, ChangeSetName=change_set, StackName=stack)


def execute(change_set: str, stack: str, clock: Clock, told: Callable[[str, str], None]) -> None:
    """Execute a change set and wait for its end.

    Args:
        change_set: its ARN.
        stack: the stack's name.
        clock: the time.
        told: is called with each resource and its status, as CloudFormation tells of them.

    Raises:
        DeploymentFailed: the stack was not brought to what the change set says, and rolled back.
        AwsError: it could not be executed, or the stack not be asked; the deployment may go on.
    """
    seen = {event["EventId"] for event in events(stack)}
    call(client("cloudformation").execute_change_set, ChangeSetName=change_set, StackName=stack)
    status, reasons = follow(stack, clock, told, seen)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise DeploymentFailed(stack, status, reasons)
