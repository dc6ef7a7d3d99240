"""Change sets: what a deployment would change in a stack, and its execution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.engine.aws.session import call, client
from serverless_tasks.errors import AwsError, DeploymentFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from serverless_tasks.engine.job.clock import Clock

# Seconds between two looks at a stack that is under way.
LOOK: Final = 5.0
# Looks that may fail one after another while a stack is under way: the deployment goes on without being watched.
_FAILED_LOOKS: Final = 10
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


def changes_of(change_set: str) -> list[Change]:
    """Return what a change set changes.

    Args:
        change_set: its ARN.

    Raises:
        AwsError: it could not be read.
    """
    found: list[Change] = []
    more: dict[str, Any] = {}
    while True:
        page = call(client("cloudformation").describe_change_set, ChangeSetName=change_set, **more)
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


def discard(change_set: str) -> None:
    """Delete a change set that is not to be executed. A stack that it would have made stays, without any resource.

    Raises:
        AwsError: it could not be deleted.
    """
    call(client("cloudformation").delete_change_set, ChangeSetName=change_set)


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
    cloudformation = client("cloudformation")
    seen = {event["EventId"] for event in _events(stack)}
    call(cloudformation.execute_change_set, ChangeSetName=change_set)
    reasons: list[str] = []
    failed = 0
    while True:
        clock.sleep(LOOK)
        try:
            status = call(cloudformation.describe_stacks, StackName=stack)["Stacks"][0]["StackStatus"]
            events = _events(stack)
        except AwsError:
            failed += 1
            if failed == _FAILED_LOOKS:
                raise
            continue
        failed = 0
        for event in reversed(events):
            if event["EventId"] in seen:
                continue
            seen.add(event["EventId"])
            told(event["LogicalResourceId"], event["ResourceStatus"])
            reason = event.get("ResourceStatusReason", "")
            # Of what was under way when another resource failed CloudFormation says only that it was cancelled.
            if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in reason.lower():
                reasons.append(f"{event['LogicalResourceId']}: {reason or event['ResourceStatus']}")
        if status.endswith("_IN_PROGRESS"):
            continue
        if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            raise DeploymentFailed(stack, status, reasons)
        return


def _events(stack: str) -> list[dict[str, Any]]:
    """The last events of a stack, the latest first; none of one that is only to be made."""
    try:
        events: list[dict[str, Any]] = call(
            client("cloudformation").describe_stack_events, StackName=stack
        ).get("StackEvents", [])
    except AwsError as error:
        if error.code == "ValidationError":
            return []
        raise
    return events
