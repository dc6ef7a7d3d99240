"""What a deployed stack does when functions die, when its table is gone, and when a permission is missing.

The stack is one of these tests' own, with functions that run for seconds and not for minutes.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from serverless_tasks.client.task_client import TaskClient
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.place import continuation_id, member_id
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import Members, Record
from serverless_tasks.engine.services import use
from serverless_tasks.engine.worker.runner import LOST_LIMIT
from serverless_tasks.workflow import Group, group
from tests.e2e import deployment
from tests.e2e.deployed_tasks import Quick
from tests.e2e.deployment import REGION, ROOT_KEY, Stack, eventually
from tests.support.template import decided, read

TIMEOUT = 5
# After a kill a message comes back 10 s after the function's timeout.
SECONDS = 60


class Faulty:
    """The stack, and ways to see what it does.

    Args:
        stack: as deployed.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.client = TaskClient.from_stack(stack.name)
        self.queue_urls: dict[str, str] = json.loads(stack.outputs["QueueUrls"])
        self.dead_letters = stack.outputs["DeadLetterQueueUrl"]

    def submit(self, task: str, queue: str = "default", **inputs: Any) -> str:
        [handle] = self.client.submit_many(task, [inputs], queue=queue)
        return handle.uuid

    def end(self, uuid: str, seconds: float = SECONDS) -> Record:
        """Wait for the job's end; nothing may be known of it before it begins."""
        return eventually(
            lambda: (record := self.read(uuid)) is not None and record.ended and record, seconds
        )

    def read(self, uuid: str) -> Record | None:
        return self.client._services.store.read(uuid)

    def log(self, function: str) -> list[str]:
        """The function's log lines."""
        group = f"/serverless-tasks/{self.stack.name}/{function}"
        events = self.stack.client("logs").filter_log_events(logGroupName=group, limit=10_000)["events"]
        return [event["message"] for event in events]

    def lines(self, function: str, text: str) -> int:
        """How many lines of the function's log hold a text."""
        return sum(text in line for line in self.log(function))

    def said(self, function: str, *texts: str) -> bool:
        """Wait for a line of the function's log that holds all these texts."""
        return eventually(
            lambda: any(all(text in line for text in texts) for line in self.log(function)), SECONDS
        )

    def messages(self, url: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.stack.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
        return sum(map(int, answer["Attributes"].values()))

    def bury(self, body: str) -> None:
        """Put a body in the dead-letter queue, as a queue does after a hundred deliveries."""
        self.stack.client("sqs").send_message(QueueUrl=self.dead_letters, MessageBody=body)

    def kept(self) -> set[str]:
        """The bodies in the bucket's drawer for what could not be decoded."""
        s3, bucket = self.stack.client("s3"), self.stack.outputs["PayloadBucketName"]
        found = s3.list_objects_v2(Bucket=bucket, Prefix="dead-letters/").get("Contents", [])
        return {s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read().decode() for each in found}

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """Nothing of the queue `default` is delivered inside the block; then all of it is there at once."""
        functions = self.stack.client("lambda")
        found = functions.list_event_source_mappings(FunctionName=self.stack.physical("WorkerFunction"))
        [mapping] = [
            each["UUID"] for each in found["EventSourceMappings"] if "DefaultQueue" in each["EventSourceArn"]
        ]
        functions.update_event_source_mapping(UUID=mapping, Enabled=False)
        time.sleep(1.5)  # a pass of the poller that had begun before
        yield
        functions.update_event_source_mapping(UUID=mapping, Enabled=True)

    def submit_group(self, workflow: Group) -> str:
        with use(self.client.services):
            return workflow.submit().uuid

    def take_out(self, uuid: str) -> str:
        """Take a job's message off the queue `default`, inside `held_back`; returns its body."""
        sqs, url = self.stack.client("sqs"), self.queue_urls["default"]
        found: list[str] = []

        def look() -> bool:
            for each in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
                receipt = each["ReceiptHandle"]
                if json.loads(each["Body"])["uuid"] == uuid:
                    found.append(each["Body"])
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt)
                else:
                    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=0)
            return bool(found)

        eventually(look)
        return found[0]

    @contextmanager
    def without(self, role: str, sid: str, action: str) -> Iterator[None]:
        """The role lacks a permission of its own policy inside the block."""
        iam, name = self.stack.client("iam"), self.stack.physical(role)
        [policy] = iam.list_role_policies(RoleName=name)["PolicyNames"]
        whole = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        statements, taken = [], False
        for statement in whole["Statement"]:
            actions = deployment.actions(statement)
            if statement["Sid"] == sid:
                # MiniStack's own names for batches: see deployment.py.
                left = [each for each in actions if each not in (action, f"{action}Batch")]
                taken = len(left) < len(actions)
                actions = left
            if actions:
                statements.append({**statement, "Action": actions})
        assert taken, f"{role} has no {action} in its statement {sid}"
        reduced = json.dumps({**whole, "Statement": statements})
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=reduced)
        try:
            yield
        finally:
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(whole))


@pytest.fixture(scope="module")
def faulty(project: Path, endpoint: str) -> Iterator[Faulty]:
    stack = deployment.deploy(project, "faulty", endpoint)
    functions = stack.client("lambda")
    for name in ("WorkerFunction", "InvokeFunction"):
        functions.update_function_configuration(FunctionName=stack.physical(name), Timeout=TIMEOUT)
    # What the dead-letter function fails on comes back after seconds, not after the 6 minutes of the template.
    stack.client("sqs").set_queue_attributes(
        QueueUrl=stack.outputs["DeadLetterQueueUrl"], Attributes={"VisibilityTimeout": "3"}
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**ROOT_KEY, "AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": REGION}.items():
            patch.setenv(name, value)
        session.reset()
        yield Faulty(stack)
        session.reset()


@pytest.fixture(scope="module")
def poison(faulty: Faulty) -> str:
    """A job that kills every worker that takes it. It needs a minute, in which other tests run."""
    return faulty.submit("kill-worker", queue="high", deaths=99)


@pytest.mark.usefixtures("poison")
def test_a_function_that_times_out_in_mid_batch_loses_one_attempt_and_nothing_else(faulty: Faulty) -> None:
    with faulty.held_back():
        before = faulty.client.submit_many("quick", [{}] * 3)
        stubborn = faulty.submit("stubborn")
        behind = faulty.client.submit_many("quick", [{}] * 6)
    record = faulty.end(stubborn)
    assert (record.status, record.attempt) == ("succeeded", 2)
    assert [attempt.failure.type for attempt in record.history] == ["WorkerLost"]
    others = [faulty.end(handle.uuid) for handle in (*before, *behind)]
    assert {(other.status, other.attempt) for other in others} == {("succeeded", 1)}
    # They were of one batch: three had ended when the function died, six were begun only when it was over.
    assert record.started is not None
    died = record.started + (TIMEOUT - 1) * 1000
    assert [other.finished < died for other in others] == [True] * 3 + [False] * 6


@pytest.mark.usefixtures("poison")
def test_a_killed_function_costs_its_job_one_attempt(faulty: Faulty) -> None:
    record = faulty.end(faulty.submit("kill-worker", queue="low", deaths=1))
    assert (record.status, record.attempt) == ("succeeded", 2)
    assert [attempt.failure.type for attempt in record.history] == ["WorkerLost"]


# -- permissions -----------------------------------------------------------------------------------------------------

type Without = Callable[[], AbstractContextManager[None]]
type Scenario = Callable[[Faulty, Without], None]

# What Lambda asks the role for on the function's behalf: MiniStack's mapping and its log do not ask.
NOT_ASKED = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
NOT_ASKED_OF = ("logs:", "xray:")

LARGE = {"text": "x" * 1000, "times": 400}
"""Inputs of `repeat` whose outputs go to the bucket."""


def comes_back(task: str, status: str = "succeeded", **inputs: Any) -> Scenario:
    """The worker says what it could not do, the job waits, and ends once the permission is there."""

    def scenario(faulty: Faulty, without: Without) -> None:
        with without():
            uuid = faulty.submit(task, **inputs)
            faulty.said("worker", uuid, "could not be claimed or recorded", "AccessDenied")
            assert not faulty.client.get(uuid).ended
        assert faulty.end(uuid).status == status

    return scenario


def ends(task: str, attempt: int = 1, says: str = "", **inputs: Any) -> Scenario:
    """The job succeeds all the same."""

    def scenario(faulty: Faulty, without: Without) -> None:
        with without():
            record = faulty.end(faulty.submit(task, **inputs))
            if says:
                faulty.said("worker", says, "AccessDenied")
        assert (record.status, record.attempt) == ("succeeded", attempt)

    return scenario


def fails(task: str, **inputs: Any) -> Scenario:
    """The job ends with the reason."""

    def scenario(faulty: Faulty, without: Without) -> None:
        with without():
            record = faulty.end(faulty.submit(task, **inputs))
        assert record.status == "failed"
        assert record.failure is not None
        assert "AccessDenied" in record.failure.message

    return scenario


def children_run(faulty: Faulty, without: Without) -> None:
    """Jobs that a task submits are sent, though none can be listed."""
    with without():
        parent = faulty.end(faulty.submit("parent", children=2, size=0))
    assert parent.status == "succeeded"
    assert {faulty.end(uuid).status for uuid in parent.outputs["uuids"]} == {"succeeded"}


def undecodable_waits(faulty: Faulty, without: Without) -> None:
    """What is no job is said to be undeliverable, comes back, and is kept once that is allowed."""
    body = f"no job: {uuid4()}"
    with without():
        url = faulty.queue_urls["default"]
        faulty.stack.client("sqs").send_message(QueueUrl=url, MessageBody=body)
        faulty.said("worker", "could not be sent to the dead-letter queue", "AccessDenied")
    assert eventually(lambda: body in faulty.kept(), SECONDS)


def invoked(task: str, **inputs: Any) -> Scenario:
    """A direct invoke succeeds all the same."""

    def scenario(faulty: Faulty, without: Without) -> None:
        with without():
            failed, answer = faulty.stack.invoke({"task": task, "inputs": inputs})
        assert (failed, answer.get("status")) == (None, "succeeded"), answer

    return scenario


def invoke_fails(task: str, **inputs: Any) -> Scenario:
    """A direct invoke answers with the record of a failed job that says why."""

    def scenario(faulty: Faulty, without: Without) -> None:
        with without():
            failed, answer = faulty.stack.invoke({"task": task, "inputs": inputs})
        assert (failed, answer.get("status")) == (None, "failed"), answer
        assert "AccessDenied" in answer["error"]["message"]

    return scenario


def invoke_is_refused(task: str, status: str = "succeeded", **inputs: Any) -> Scenario:
    """A direct invoke answers with an error that says why; again with its uuid it is the same job, and ends."""

    def scenario(faulty: Faulty, without: Without) -> None:
        event = {"task": task, "inputs": inputs, "uuid": str(uuid4())}
        with without():
            failed, answer = faulty.stack.invoke(event)
            assert (failed, set(answer)) == (None, {"error"}), answer
            assert "AccessDenied" in answer["error"]["message"]
        answer = eventually(lambda: told(faulty.stack.invoke(event)[1]))
        assert answer["status"] == status, answer

    return scenario


def told(answer: dict[str, Any]) -> dict[str, Any] | None:
    """The record of a job that has ended. A lease that ends while it is asked for reads as a lost worker; who asks once
    more takes the job over.
    """
    lost = (answer.get("error") or {}).get("type") == "WorkerLost"
    return answer if answer.get("status") in ("succeeded", "failed") and not lost else None


def settled(faulty: Faulty, without: Without) -> None:
    """A dead letter is settled all the same."""
    with without():
        uuid = bury_unknown(faulty)
        known_as_unknown(faulty, uuid)


def settled_later(faulty: Faulty, without: Without) -> None:
    """A dead letter that could not be settled comes back, and is settled once that is allowed."""
    with without():
        uuid = bury_unknown(faulty)
        faulty.said("dead-letter", uuid, "could not be settled or kept", "AccessDenied")
    known_as_unknown(faulty, uuid)


def bury_unknown(faulty: Faulty) -> str:
    uuid = str(uuid4())
    faulty.bury(Message(uuid=uuid, task="no_such_task", created=1, expires=2**45).encode())
    return uuid


def known_as_unknown(faulty: Faulty, uuid: str) -> None:
    record = faulty.end(uuid)
    assert record.failure is not None
    assert (record.status, record.failure.type) == ("failed", "UnknownTask")


def lease_is_respected(faulty: Faulty, without: Without) -> None:
    """The dead letter of a running job returns when the queue lets it, and leaves the job alone."""
    store = faulty.client._services.store
    message = Message(uuid=str(uuid4()), task="quick", created=1, expires=2**45)
    claim = store.claim(message, token=uuid4().hex, lease=to_ms(time.time() + 900), request_id="")
    with without():
        faulty.bury(message.encode())
        faulty.said("dead-letter", "visibility could not be changed", "AccessDenied")
        assert faulty.client.get(message.uuid).status == "running"
    store.succeed(message.uuid, claim, Snapshot(seq=1), {})
    assert eventually(lambda: faulty.messages(faulty.dead_letters) == 0, SECONDS)
    assert faulty.client.get(message.uuid).status == "succeeded"


def body_is_kept_later(faulty: Faulty, without: Without) -> None:
    """An undecodable body that could not be kept comes back, and is kept once that is allowed."""
    body = f"no job: {uuid4()}"
    with without():
        faulty.bury(body)
        faulty.said("dead-letter", "could not be settled or kept", "AccessDenied", "PutObject")
        assert body not in faulty.kept()
    assert eventually(lambda: body in faulty.kept(), SECONDS)


SCENARIOS: dict[tuple[str, str, str], Scenario] = {
    ("WorkerRole", "Messages", "sqs:ChangeMessageVisibility"): ends("quick", says="visibility could not be"),
    ("WorkerRole", "Messages", "sqs:SendMessage"): ends("second-try", attempt=2),
    ("WorkerRole", "DeadLetters", "sqs:SendMessage"): undecodable_waits,
    ("WorkerRole", "State", "dynamodb:UpdateItem"): comes_back("quick"),
    ("WorkerRole", "State", "dynamodb:PutItem"): comes_back("refuse", "failed"),
    ("WorkerRole", "State", "dynamodb:GetItem"): ends("busy", seconds=0),
    ("WorkerRole", "State", "dynamodb:Query"): fails("parent", children=1, size=0),
    ("WorkerRole", "State", "dynamodb:BatchWriteItem"): children_run,
    ("WorkerRole", "Inputs", "s3:GetObject"): fails("repeat", text="x" * 300_000, times=1),
    ("WorkerRole", "Inputs", "s3:PutObject"): fails("parent", children=1, size=300_000),
    ("WorkerRole", "Outputs", "s3:PutObject"): comes_back("repeat", **LARGE),
    ("InvokeRole", "Messages", "sqs:SendMessage"): invoke_fails("parent", children=1, size=0),
    ("InvokeRole", "State", "dynamodb:UpdateItem"): invoke_is_refused("quick"),
    ("InvokeRole", "State", "dynamodb:PutItem"): invoke_is_refused("refuse", "failed"),
    ("InvokeRole", "State", "dynamodb:Query"): invoke_is_refused("quick"),
    ("InvokeRole", "Inputs", "s3:PutObject"): invoke_fails("parent", children=1, size=300_000),
    ("InvokeRole", "Outputs", "s3:PutObject"): invoke_is_refused("repeat", **LARGE),
    ("InvokeRole", "Outputs", "s3:GetObject"): invoke_is_refused("repeat", **LARGE),
    ("DeadLetterRole", "Messages", "sqs:ChangeMessageVisibility"): lease_is_respected,
    ("DeadLetterRole", "State", "dynamodb:UpdateItem"): settled_later,
    ("DeadLetterRole", "Letters", "s3:PutObject"): body_is_kept_later,
}
"""What shows where a permission is missed."""

OTHERWISE: dict[str, Scenario] = {
    "WorkerRole": ends("quick"),
    "InvokeRole": invoked("busy", seconds=0),
    "DeadLetterRole": settled,
}
"""A permission that the common path does without does not hurt it."""


def permissions() -> list[tuple[str, str, str]]:
    """Every permission of the three roles, as the template has them; the worker's last, since poison needs a minute."""
    resources = decided(read(), {})["Resources"]
    return [
        (role, statement["Sid"], action)
        for role in ("InvokeRole", "DeadLetterRole", "WorkerRole")
        for policy in resources[role]["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in deployment.actions(statement)
        if action not in NOT_ASKED and not action.startswith(NOT_ASKED_OF)
    ]


def test_every_scenario_is_of_a_permission_that_the_template_gives() -> None:
    assert set(SCENARIOS) | set(OF_MEMBERS) <= set(permissions())


@pytest.mark.usefixtures("poison")
@pytest.mark.parametrize(("role", "sid", "action"), permissions())
def test_a_missing_permission_loses_nothing(faulty: Faulty, role: str, sid: str, action: str) -> None:
    scenario = SCENARIOS.get((role, sid, action), OTHERWISE[role])
    scenario(faulty, lambda: faulty.without(role, sid, action))


# -- the step after the end of a member of a group ---------------------------------------------------------------------


def buried_member_is_followed(size: int = 0, delay: int = 0, says: str = "AccessDenied") -> Scenario:
    """The dead-letter function ends the last member, cannot do what follows, and does it once that is allowed."""

    def scenario(faulty: Faulty, without: Without) -> None:
        following = Quick.options(delay=delay).signature(text="x" * size)
        with faulty.held_back():
            uuid = faulty.submit_group(group(Quick.signature()).then(following, on="end"))
            body = faulty.take_out(member_id(uuid, 0))
        with without():
            faulty.bury(body)
            faulty.said("dead-letter", member_id(uuid, 0), "could not be settled or kept", says)
            assert faulty.end(member_id(uuid, 0)).status == "failed"
            assert not faulty.client.get(uuid).ended
        assert faulty.end(uuid).outputs == {"continuation": continuation_id(uuid)}
        if delay:
            assert faulty.client.get(continuation_id(uuid)).run_at is not None
        else:
            followed = faulty.end(continuation_id(uuid))
            assert (followed.status, followed.attempt) == ("succeeded", 1)

    return scenario


def members_are_counted(
    size: int = 0, delay: int = 0, says: str = "AccessDenied", *, waits: bool = True
) -> Scenario:
    """A worker cannot do all of what members and the end of their group ask for, and does it once that is allowed.

    Args:
        size: of the inputs of what follows.
        delay: of what follows.
        says: what the worker's log has of it.
        waits: whether the group cannot end before.
    """

    def scenario(faulty: Faulty, without: Without) -> None:
        following = Quick.options(delay=delay).signature(text="x" * size)
        nested = group(Quick.signature() for _ in range(2))
        with without():
            before = faulty.lines("worker", says)
            uuid = faulty.submit_group(group(Quick.signature(), nested).then(following))
            assert eventually(lambda: faulty.lines("worker", says) > before, SECONDS)
            assert not (waits and faulty.client.get(uuid).ended)
        record = faulty.end(uuid)
        assert (record.status, record.members) == ("succeeded", Members(total=2, succeeded=2))
        if delay:
            assert faulty.client.get(continuation_id(uuid)).run_at is not None
        else:
            followed = faulty.end(continuation_id(uuid))
            assert (followed.status, followed.attempt) == ("succeeded", 1)

    return scenario


OF_MEMBERS: dict[tuple[str, str, str], Scenario] = {
    ("DeadLetterRole", "Following", "sqs:SendMessage"): buried_member_is_followed(),
    ("DeadLetterRole", "State", "dynamodb:GetItem"): buried_member_is_followed(),
    ("DeadLetterRole", "State", "dynamodb:BatchGetItem"): buried_member_is_followed(),
    ("DeadLetterRole", "State", "dynamodb:PutItem"): buried_member_is_followed(),
    # S3 says of what may not be read the same as of what is not there.
    ("DeadLetterRole", "Inputs", "s3:GetObject"): buried_member_is_followed(300_000, says="cannot be read"),
    ("DeadLetterRole", "Inputs", "s3:PutObject"): buried_member_is_followed(size=300_000),
    ("DeadLetterRole", "Schedules", "scheduler:CreateSchedule"): buried_member_is_followed(delay=7200),
    ("WorkerRole", "Messages", "sqs:SendMessage"): members_are_counted(),
    ("WorkerRole", "State", "dynamodb:UpdateItem"): members_are_counted(),
    ("WorkerRole", "State", "dynamodb:GetItem"): members_are_counted(),
    ("WorkerRole", "State", "dynamodb:BatchGetItem"): members_are_counted(),
    ("WorkerRole", "State", "dynamodb:PutItem"): members_are_counted(),
    ("WorkerRole", "State", "dynamodb:BatchWriteItem"): members_are_counted(waits=False),
    ("WorkerRole", "Inputs", "s3:GetObject"): members_are_counted(300_000, says="cannot be read"),
    ("WorkerRole", "Inputs", "s3:PutObject"): members_are_counted(size=300_000),
    ("WorkerRole", "Schedules", "scheduler:CreateSchedule"): members_are_counted(delay=7200),
}
"""What shows where a permission is missed by what counts members, ends groups and sends what follows."""


@pytest.mark.usefixtures("poison")
@pytest.mark.parametrize(("role", "sid", "action"), OF_MEMBERS)
def test_a_missing_permission_loses_no_member(faulty: Faulty, role: str, sid: str, action: str) -> None:
    OF_MEMBERS[role, sid, action](faulty, lambda: faulty.without(role, sid, action))


# -- what needs long -------------------------------------------------------------------------------------------------


def test_a_job_that_kills_every_worker_ends_with_the_reason(faulty: Faulty, poison: str) -> None:
    record = faulty.end(poison, 2 * SECONDS)
    assert record.failure is not None
    assert (record.status, record.failure.type) == ("failed", "WorkerLost")
    assert record.attempt > LOST_LIMIT
    assert faulty.end(faulty.submit("quick", queue="high")).status == "succeeded"
    assert eventually(lambda: faulty.messages(faulty.queue_urls["high"]) == 0)


def test_jobs_outlive_their_table(faulty: Faulty) -> None:
    dynamodb, table = faulty.stack.client("dynamodb"), faulty.stack.outputs["TableName"]
    with faulty.held_back():
        uuids = [handle.uuid for handle in faulty.client.submit_many("quick", [{}] * 3)]
        made_of = dynamodb.describe_table(TableName=table)["Table"]
        dynamodb.delete_table(TableName=table)
    faulty.said("worker", "could not be claimed or recorded", "ResourceNotFoundException")
    dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=made_of["AttributeDefinitions"],
        KeySchema=made_of["KeySchema"],
        GlobalSecondaryIndexes=[
            {name: index[name] for name in ("IndexName", "KeySchema", "Projection")}
            for index in made_of["GlobalSecondaryIndexes"]
        ],
    )
    assert {faulty.end(uuid).status for uuid in uuids} == {"succeeded"}
    assert eventually(lambda: faulty.messages(faulty.queue_urls["default"]) == 0)
