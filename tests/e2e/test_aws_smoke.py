"""`make aws-smoke`, whole, on the stand-in: every step passes, and nothing is left in the account."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from serverless_tasks.engine.definition.recurring import SCHEDULED_TIME
from tests.e2e import deployment
from tests.e2e.deployment import REGION, ROOT, ROOT_KEY, Stack, eventually

ACCOUNT = "000000000000"
STEPS = {
    "project",
    "deployment",
    "direct invoke",
    "queue",
    "status URL",
    "group",
    "dead letter",
    "one-time schedule",
    "recurring schedule",
    "lost worker",
    "cost",
    "deletion",
}
# Far more than it takes: other tests may have the machine.
SECONDS = 600


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[str]:
    """A MiniStack of this test alone, as empty as a new account."""
    with deployment.emulator(tmp_path / "ministack") as url:
        yield url


@pytest.fixture
def environment(endpoint: str) -> dict[str, str]:
    program = deployment.tool("SAM_BIN", "sam", "sam").parent
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        **ROOT_KEY,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "BUILD_PYTHON": sys.executable,
        "PATH": f"{os.environ['PATH']}{os.pathsep}{program}",
    }


def smoke(environment: dict[str, str], *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "infra.smoke", *words],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_every_step_passes_and_nothing_is_left(
    tmp_path: Path, endpoint: str, environment: dict[str, str]
) -> None:
    account = Stack("", endpoint, {})
    empty = inventory(account)
    asked = smoke(environment)
    said, _ = asked.communicate(timeout=60)
    assert asked.returncode == 0, said
    assert f"make aws-smoke CONFIRM={ACCOUNT}" in said
    assert inventory(account) == empty

    path = tmp_path / "report.md"
    with smoke(environment, "--confirm", ACCOUNT, "--report", str(path)) as run:
        try:
            make_good(eventually(lambda: deployed(account, run), SECONDS))
            said, _ = run.communicate(timeout=SECONDS)
        finally:
            run.kill()
    assert run.returncode == 0, said
    report = path.read_text()
    steps = re.findall(r"^\| ([^|]+) \| passed \| [\d.]+ \| (.+) \|$", report, re.MULTILINE)
    assert {name for name, _ in steps} == STEPS, report
    assert "# Smoke test on AWS: passed" in report
    assert "nothing is left" in report
    assert ACCOUNT not in report
    assert inventory(account) == empty


def deployed(account: Stack, run: subprocess.Popen[str]) -> Stack | None:
    """The stack of the run, once it is deployed."""
    assert run.poll() is None, run.stdout and run.stdout.read()
    stacks = account.client("cloudformation").list_stacks(StackStatusFilter=["CREATE_COMPLETE"])
    names = [each["StackName"] for each in stacks["StackSummaries"]]
    return next(
        (Stack(name, account.endpoint, {}) for name in names if name.startswith("tasks-smoke-")), None
    )


def make_good(stack: Stack) -> None:
    """Bring the stack to what AWS would have made of it while the run waits for its jobs; and be the scheduler once."""
    # A killed function's message comes back ten seconds after this, and not after a minute.
    stack.client("lambda").update_function_configuration(
        FunctionName=stack.physical("WorkerFunction"), Timeout=5
    )
    outputs = deployment.deployed_stack(stack.name, stack.endpoint).outputs
    tick(stack, outputs["ScheduleGroupName"])


def tick(stack: Stack, group: str) -> None:
    """Send what the recurring schedule would send, with its time, which MiniStack does not put there."""
    scheduler, sqs = stack.client("scheduler"), stack.client("sqs")
    [found] = eventually(lambda: scheduler.list_schedules(GroupName=group, NamePrefix="task-")["Schedules"])
    schedule = scheduler.get_schedule(GroupName=group, Name=found["Name"])
    assert schedule["ScheduleExpression"] == "rate(1 minute)"
    kept = ("Name", "GroupName", "ScheduleExpression", "FlexibleTimeWindow", "Target")
    scheduler.update_schedule(State="DISABLED", **{name: schedule[name] for name in kept})
    target: dict[str, Any] = schedule["Target"]
    due = f"{datetime.now(UTC).replace(second=0):%Y-%m-%dT%H:%M:%SZ}"
    url = sqs.get_queue_url(QueueName=target["Arn"].rsplit(":", 1)[-1])["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=target["Input"].replace(SCHEDULED_TIME, due))


def inventory(account: Stack) -> dict[str, list[str]]:
    """What there is in the account, by its kind."""
    stacks = account.client("cloudformation").describe_stacks()["Stacks"]
    iam = account.client("iam")
    return {
        "stacks": [each["StackName"] for each in stacks if each["StackStatus"] != "DELETE_COMPLETE"],
        "tables": account.client("dynamodb").list_tables()["TableNames"],
        "buckets": [each["Name"] for each in account.client("s3").list_buckets()["Buckets"]],
        "queues": account.client("sqs").list_queues().get("QueueUrls", []),
        "functions": [
            each["FunctionName"] for each in account.client("lambda").list_functions()["Functions"]
        ],
        "mappings": [
            each["UUID"]
            for each in account.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        ],
        "logs": [each["logGroupName"] for each in account.client("logs").describe_log_groups()["logGroups"]],
        "schedules": [each["Name"] for each in account.client("scheduler").list_schedules()["Schedules"]],
        "groups": [
            each["Name"] for each in account.client("scheduler").list_schedule_groups()["ScheduleGroups"]
        ],
        "roles": [each["RoleName"] for each in iam.list_roles()["Roles"]],
        "policies": [each["PolicyName"] for each in iam.list_policies(Scope="Local")["Policies"]],
        "alarms": [
            each["AlarmName"] for each in account.client("cloudwatch").describe_alarms()["MetricAlarms"]
        ],
    }
