"""Stacks of CloudFormation: what is in one, who else holds its policies, its deletion, and the wait for its end."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.engine.aws.session import call, client
from serverless_tasks.errors import AwsError, DeploymentFailed, StackNotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from serverless_tasks.engine.job.clock import Clock

# Seconds between two looks at a stack that is under way.
LOOK: Final = 5.0
# Looks that may fail one after another: what is under way goes on without being watched.
_FAILED_LOOKS: Final = 10
# How CloudFormation answers where there is no such stack, among others.
_NO_STACK: Final = "ValidationError"
# The status of one that no deployment has made yet: a change set waits, or was declined.
_TO_COME: Final = "REVIEW_IN_PROGRESS"
DELETED: Final = "DELETE_COMPLETE"
# What IAM calls those who hold a policy: the kind -> the list in its answer, and the name in each of its entries.
_HOLDERS: Final = {
    "role": ("PolicyRoles", "RoleName"),
    "user": ("PolicyUsers", "UserName"),
    "group": ("PolicyGroups", "GroupName"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StackState:
    """A stack as CloudFormation describes it.

    Attributes:
        id: its ARN, by which a deleted stack can still be described.
        name: its name.
        status: such as ``UPDATE_COMPLETE``.
        protected: whether termination protection is on.
        outputs: the names and values of its outputs.
    """

    id: str
    name: str
    status: str
    protected: bool
    outputs: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource of a stack: its name in the template, the name or ARN that it has, and its type."""

    logical: str
    physical: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A managed policy of a stack that somebody holds.

    Attributes:
        policy: the policy's name in the template.
        arn: its ARN.
        kind: ``role``, ``user`` or ``group``.
        holder: the name of the one who holds it.
    """

    policy: str
    arn: str
    kind: str
    holder: str

    @property
    def command(self) -> str:
        """The command that detaches it."""
        return f"aws iam detach-{self.kind}-policy --{self.kind}-name {self.holder} --policy-arn {self.arn}"


def describe(stack: str) -> StackState:
    """Return a stack by its name or ARN.

    Raises:
        StackNotFound: there is no such stack.
        AwsError: it may not be read.
    """
    found = _described(stack)
    return StackState(
        id=found["StackId"],
        name=found["StackName"],
        status=found["StackStatus"],
        protected=bool(found.get("EnableTerminationProtection")),
        outputs={each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])},
    )


def stack_outputs(stack: str) -> dict[str, str]:
    """The outputs of a stack.

    Raises:
        StackNotFound: there is no such stack, or only the change set of a first deployment.
        AwsError: it may not be read.
    """
    found = _described(stack)
    if found.get("StackStatus") == _TO_COME:
        raise StackNotFound(stack, _region())
    return {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}


def status_of(stack: str) -> str:
    """Return the status of a stack; where there is none, that of one that was deleted.

    Raises:
        AwsError: it may not be read.
    """
    try:
        status: str = _described(stack)["StackStatus"]
    except StackNotFound:
        return DELETED
    return status


def _described(stack: str) -> dict[str, Any]:
    try:
        stacks = call(client("cloudformation").describe_stacks, StackName=stack)["Stacks"]
    except AwsError as error:
        if error.code == _NO_STACK and "does not exist" in str(error):
            raise StackNotFound(stack, _region()) from error
        raise
    description: dict[str, Any] = stacks[0]
    return description


def _region() -> str:
    return str(client("cloudformation").meta.region_name)


def resources_of(stack: str) -> list[Resource]:
    """Return the resources that a stack has now.

    Raises:
        AwsError: they could not be listed.
    """
    found: list[Resource] = []
    more: dict[str, str] = {}
    while True:
        page = call(client("cloudformation").list_stack_resources, StackName=stack, **more)
        found += [
            Resource(
                logical=each["LogicalResourceId"],
                physical=each["PhysicalResourceId"],
                type=each["ResourceType"],
            )
            for each in page["StackResourceSummaries"]
            if each.get("PhysicalResourceId") and each.get("ResourceStatus") != DELETED
        ]
        if not page.get("NextToken"):
            return found
        more = {"NextToken": page["NextToken"]}


def deletion_policies(stack: str) -> dict[str, str] | None:
    """Return the ``DeletionPolicy`` of each resource in a deployed template; None if it cannot be told.

    Raises:
        AwsError: the template could not be read.
    """
    body = call(client("cloudformation").get_template, StackName=stack, TemplateStage="Processed")[
        "TemplateBody"
    ]
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError:
            return None
    return {name: each.get("DeletionPolicy", "Delete") for name, each in body.get("Resources", {}).items()}


def attachments(resources: Sequence[Resource]) -> list[Attachment]:
    """Return who else holds the managed policies among a stack's resources: a call for each policy and page.

    A holder that belongs to the stack is not among them: CloudFormation deletes it first.

    Raises:
        AwsError: IAM could not be asked.
    """
    iam = client("iam")
    own = {each.physical for each in resources}
    found: list[Attachment] = []
    for policy in resources:
        if policy.type != "AWS::IAM::ManagedPolicy":
            continue
        more: dict[str, Any] = {}
        while True:
            page = call(iam.list_entities_for_policy, PolicyArn=policy.physical, **more)
            found += [
                Attachment(policy=policy.logical, arn=policy.physical, kind=kind, holder=each[name])
                for kind, (listed, name) in _HOLDERS.items()
                for each in page.get(listed, [])
                if each[name] not in own
            ]
            if not page.get("IsTruncated"):
                break
            more = {"Marker": page["Marker"]}
    return found


def detach(attachment: Attachment) -> None:
    """Take a policy from one who holds it; one that is not held counts as detached.

    Raises:
        AwsError: IAM refused.
    """
    iam = client("iam")
    name = _HOLDERS[attachment.kind][1]
    try:
        call(
            getattr(iam, f"detach_{attachment.kind}_policy"),
            **{name: attachment.holder, "PolicyArn": attachment.arn},
        )
    except AwsError as error:
        if error.code != "NoSuchEntity":
            raise


def delete_stack(stack: StackState, clock: Clock, told: Callable[[str, str], None]) -> None:
    """Delete a stack and wait for its end.

    Args:
        stack: the stack.
        clock: the time.
        told: is called with each resource and its status, as CloudFormation tells of them.

    Raises:
        DeploymentFailed: something of it could not be deleted; the rest may be gone.
        AwsError: it could not be deleted, or not be asked; the deletion may go on.
    """
    seen = {event["EventId"] for event in events(stack.id)}
    call(client("cloudformation").delete_stack, StackName=stack.id)
    status, reasons = follow(stack.id, clock, told, seen)
    if status != DELETED:
        raise DeploymentFailed(stack.name, status, reasons, of="deletion")


def follow(
    stack: str, clock: Clock, told: Callable[[str, str], None], seen: set[str]
) -> tuple[str, list[str]]:
    """Wait until a stack is no longer under way.

    Args:
        stack: its name or, where it is deleted, its ARN.
        clock: the time.
        told: is called with each resource and its status, as CloudFormation tells of them.
        seen: ids of the events that are not to be told.

    Returns:
        Its status, and why resources failed.

    Raises:
        AwsError: it could not be asked.
    """
    reasons: list[str] = []
    failed = 0
    while True:
        clock.sleep(LOOK)
        try:
            status, told_now = status_of(stack), events(stack)
        except AwsError:
            failed += 1
            if failed == _FAILED_LOOKS:
                raise
            continue
        failed = 0
        for event in reversed(told_now):
            if event["EventId"] in seen:
                continue
            seen.add(event["EventId"])
            told(event["LogicalResourceId"], event["ResourceStatus"])
            reason = event.get("ResourceStatusReason", "")
            # Of what was under way when another resource failed CloudFormation says only that it was cancelled.
            if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in reason.lower():
                reasons.append(f"{event['LogicalResourceId']}: {reason or event['ResourceStatus']}")
        if not status.endswith("_IN_PROGRESS"):
            return status, reasons


def events(stack: str) -> list[dict[str, Any]]:
    """Return the last events of a stack, the latest first; none of one that is only to be made, or gone.

    Raises:
        AwsError: they could not be read.
    """
    try:
        found: list[dict[str, Any]] = call(
            client("cloudformation").describe_stack_events, StackName=stack
        ).get("StackEvents", [])
    except AwsError as error:
        if error.code == _NO_STACK:
            return []
        raise
    return found
