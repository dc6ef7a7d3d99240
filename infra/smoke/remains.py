"""The deletion of a run's stack and of what outlives it, found by its name."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.engine.aws import stacks
from serverless_tasks.engine.aws.session import call, client
from serverless_tasks.errors import AwsError, ServerlessTasksError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from serverless_tasks.engine.job.clock import Clock

# The stack that SAM makes for its bucket of artefacts, at the first `sam deploy` of an account and region.
SAM_STACK: Final = "aws-sam-cli-managed-default"
# Seconds between two looks at what is being deleted.
_PAUSE: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Remain:
    """Something of a run that is there.

    Attributes:
        what: what it is, with its name.
        command: the command that deletes it.
        delete: deletes it, or begins to.
    """

    what: str
    command: str
    delete: Callable[[], object] = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """The outcome of a deletion.

    Attributes:
        gone: what was deleted beside the stack's own resources.
        left: what is still there.
        problems: why something was not deleted, or could not be looked for.
    """

    gone: tuple[str, ...] = ()
    left: tuple[Remain, ...] = ()
    problems: tuple[str, ...] = ()


class Remains:
    """What a run has made.

    Args:
        stack: the stack's name.
        region: its region.
        clock: the time.
        sam_stack: whether SAM's own stack is the run's as well, since it was not there before.
    """

    def __init__(self, stack: str, region: str, clock: Clock, *, sam_stack: bool) -> None:
        self._stack = stack
        self._region = region
        self._clock = clock
        self._sam_stack = sam_stack

    def delete(self, seconds: float) -> Deleted:
        """Delete all that is there, and wait until it is gone.

        Args:
            seconds: how long it may take beside the stack's own deletion, which is followed to its end.
        """
        until = self._clock.now() + seconds
        gone: dict[str, None] = {}
        refused: dict[str, str] = {}
        while True:
            found, problems = self.find()
            there = {each.what for each in found}
            if not found or self._clock.now() > until:
                return Deleted(
                    gone=tuple(what for what in gone if what not in there),
                    left=tuple(found),
                    problems=(*problems, *(said for what, said in refused.items() if what in there)),
                )
            for each in found:
                gone[each.what] = None
                try:
                    each.delete()
                except ServerlessTasksError as error:
                    refused[each.what] = f"{each.what} could not be deleted: {error}"
            self._clock.sleep(_PAUSE)

    def find(self) -> tuple[list[Remain], list[str]]:
        """Look for what is there; also returns what could not be looked for, and why."""
        found: list[Remain] = []
        problems: list[str] = []
        looks = (
            self._stacks,
            self._tables,
            self._buckets,
            self._log_groups,
            self._schedules,
            self._artefacts,
        )
        for look in looks:
            try:
                found += look()
            except ServerlessTasksError as error:
                problems.append(
                    f"{look.__name__.strip('_').replace('_', ' ')} could not be looked for: {error}"
                )
        return found, problems

    def _stacks(self) -> Iterator[Remain]:
        if stack_is_there(self._stack):
            yield self._remain(
                f"the stack {self._stack}",
                f"cloudformation delete-stack --stack-name {self._stack}",
                partial(_delete_stack, self._stack, self._clock),
            )

    def _tables(self) -> Iterator[Remain]:
        dynamodb = client("dynamodb")
        for name in _pages(
            dynamodb.list_tables, "TableNames", "LastEvaluatedTableName", "ExclusiveStartTableName"
        ):
            if name.startswith(f"{self._stack}-"):
                yield self._remain(
                    f"the table {name}",
                    f"dynamodb delete-table --table-name {name}",
                    partial(call, dynamodb.delete_table, TableName=name),
                )

    def _buckets(self) -> Iterator[Remain]:
        s3 = client("s3")
        for bucket in call(s3.list_buckets)["Buckets"]:
            name = bucket["Name"]
            if name.startswith(f"{self._stack}-"):
                yield self._remain(
                    f"the bucket {name}", f"s3 rb s3://{name} --force", partial(_delete_bucket, name)
                )

    def _log_groups(self) -> Iterator[Remain]:
        logs = client("logs")
        # Ours, and those that Lambda makes for a function that names none.
        for prefix in (f"/serverless-tasks/{self._stack}/", f"/aws/lambda/{self._stack}-"):
            groups = _pages(
                logs.describe_log_groups, "logGroups", "nextToken", "nextToken", logGroupNamePrefix=prefix
            )
            for each in groups:
                name = each["logGroupName"]
                yield self._remain(
                    f"the log group {name}",
                    f"logs delete-log-group --log-group-name {name}",
                    partial(call, logs.delete_log_group, logGroupName=name),
                )

    def _schedules(self) -> Iterator[Remain]:
        scheduler = client("scheduler")
        groups = _pages(
            scheduler.list_schedule_groups,
            "ScheduleGroups",
            "NextToken",
            "NextToken",
            NamePrefix=f"{self._stack}-",
        )
        for each in groups:
            name = each["Name"]
            # One that is being deleted takes its time, and its schedules go with it.
            yield self._remain(
                f"the schedule group {name}",
                f"scheduler delete-schedule-group --name {name}",
                partial(call, scheduler.delete_schedule_group, Name=name),
            )

    def _artefacts(self) -> Iterator[Remain]:
        bucket = sam_bucket()
        if bucket is not None and _versions(bucket, f"{self._stack}/"):
            yield self._remain(
                f"artefacts in {bucket}",
                f"s3 rm s3://{bucket}/{self._stack}/ --recursive",
                partial(_empty, bucket, f"{self._stack}/"),
            )
        # Another deployment may have used it meanwhile: then it stays.
        elif self._sam_stack and stack_is_there(SAM_STACK) and (bucket is None or not _versions(bucket, "")):
            yield self._remain(
                f"the stack {SAM_STACK}",
                f"cloudformation delete-stack --stack-name {SAM_STACK}",
                partial(_delete_stack, SAM_STACK, self._clock),
            )

    def _remain(self, what: str, command: str, delete: Callable[[], object]) -> Remain:
        return Remain(what=what, command=f"aws {command} --region {self._region}", delete=delete)


def stack_is_there(name: str) -> bool:
    """Return whether there is a stack of a name.

    Raises:
        AwsError: CloudFormation could not be asked.
    """
    return stacks.status_of(name) != stacks.DELETED


def sam_bucket() -> str | None:
    """Return SAM's bucket of artefacts, or None where there is none.

    Raises:
        AwsError: CloudFormation could not be asked.
    """
    return stacks.describe(SAM_STACK).outputs.get("SourceBucket") if stack_is_there(SAM_STACK) else None


def _delete_stack(name: str, clock: Clock) -> None:
    stacks.delete_stack(stacks.describe(name), clock, lambda resource, status: None)


def _delete_bucket(name: str) -> None:
    _empty(name, "")
    call(client("s3").delete_bucket, Bucket=name)


def _empty(bucket: str, prefix: str) -> None:
    """Delete all versions of a bucket's objects below a prefix."""
    s3 = client("s3")
    while some := _versions(bucket, prefix):
        answer = call(s3.delete_objects, Bucket=bucket, Delete={"Objects": some, "Quiet": True})
        for error in answer.get("Errors", []):
            said = f"{error['Key']}: {error['Message']}"
            raise AwsError("s3.delete_objects", error["Code"], said, applied=False)


def _versions(bucket: str, prefix: str) -> list[dict[str, str]]:
    """Return versions and deletion marks below a prefix, a thousand at most; an unversioned object is one version."""
    page = call(client("s3").list_object_versions, Bucket=bucket, Prefix=prefix)
    found = (*page.get("Versions", []), *page.get("DeleteMarkers", []))
    return [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]


def _pages(
    method: Callable[..., Any], listed: str, token: str, start: str, **parameters: Any
) -> Iterator[Any]:
    """Yield the entries of a list that comes in pages."""
    more: dict[str, Any] = {}
    while True:
        page = call(method, **parameters, **more)
        yield from page.get(listed, [])
        if not page.get(token):
            return
        more = {start: page[token]}
