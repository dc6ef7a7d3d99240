"""Groups of jobs on a deployed stack: who submits and follows them holds PublisherPolicy alone."""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from examples import workflows
from examples.demo import samples
from serverless_tasks.client.members import members_page
from serverless_tasks.client.task_client import TaskClient
from serverless_tasks.engine.job.place import continuation_id, member_id
from serverless_tasks.engine.services import use
from serverless_tasks.workflow import Chain, Group, GroupHandle, chain, group, previous, results
from tests.e2e.deployed_tasks import Number, Total
from tests.e2e.deployment import Stack, eventually

pytestmark = pytest.mark.usefixtures("as_publisher")
MEMBERS = 2_000
SECONDS = 60
FUNCTIONS = ("WorkerFunction", "DeadLetterFunction")


def submit(client: TaskClient, workflow: Group | Chain, **options: Any) -> GroupHandle:
    with use(client.services):
        return workflow.options(**options).submit()


def ended(client: TaskClient, uuid: str, seconds: float = SECONDS) -> dict[str, Any]:
    """Wait for a job's end; returns its record."""
    return eventually(
        lambda: (
            (record := client.services.store.read(uuid)) is not None and record.ended and record.to_json()
        ),
        seconds,
    )


def jobs_of(client: TaskClient, task: str) -> list[str]:
    """The ids of all jobs of a task."""
    return [record.uuid for record in client.services.store.list_tasks([task]).records]


def numbers(count: int) -> Iterator[Any]:
    return (Number.signature(number=number) for number in range(count))


def test_a_large_group_ends_and_what_follows_it_runs_once(
    stack: Stack, client: TaskClient, reader: dict[str, str]
) -> None:
    album = group(numbers(MEMBERS), name="album").then(Total.signature(numbers=results["number"]))
    handle = submit(client, album, owner="ada")
    code, record = stack.status(handle.uuid, reader)
    assert (code, record["status"], record["members"]["total"]) == (200, "running", MEMBERS)
    record = ended(client, handle.uuid, 400)
    assert record["members"] == {
        "total": MEMBERS,
        "ended": MEMBERS,
        "succeeded": MEMBERS,
        "failed": 0,
        "cancelled": 0,
    }
    assert record["outputs"] == {"continuation": continuation_id(handle.uuid)}
    following = ended(client, continuation_id(handle.uuid))
    assert following["error"] is None
    assert following["outputs"] == {"total": sum(range(MEMBERS)), "members": MEMBERS, "failed": 0}
    assert following["attempt"] == 1
    assert jobs_of(client, "total") == [continuation_id(handle.uuid)]


def test_what_failed_is_found_retried_and_followed(client: TaskClient) -> None:
    members = [Number.signature(number=number) for number in (1, -1, 2)]
    handle = submit(client, group(members).then(Total.signature(numbers=results["number"]), on="end"))
    assert ended(client, handle.uuid)["error"]["type"] == "MembersFailed"
    following = ended(client, continuation_id(handle.uuid))
    assert following["outputs"] == {"total": 3, "members": 3, "failed": 1}
    [failed] = members_page(client.services.store, handle.uuid, status="failed").records
    assert failed.uuid == member_id(handle.uuid, 1)
    with use(client.services):
        again = handle.refresh().retry_failed()  # type: ignore[attr-defined]
    assert ended(client, again.uuid)["members"]["succeeded"] == 2
    assert ended(client, continuation_id(again.uuid))["outputs"]["total"] == 3


def test_a_chain_passes_outputs_on(client: TaskClient) -> None:
    handle = submit(client, chain(Number.signature(number=20), Number.signature(number=previous["number"])))
    assert ended(client, handle.uuid)["status"] == "succeeded"
    assert ended(client, member_id(handle.uuid, 1))["outputs"] == {"number": 20}


def test_the_report_of_the_examples_is_made_of_200_files(client: TaskClient) -> None:
    with use(client.services):
        handle = workflows.report_sales("June", samples.sales(200))
    assert ended(client, handle.uuid, 120)["members"]["succeeded"] == 200
    report = ended(client, continuation_id(handle.uuid))["outputs"]
    with use(client.services):
        totals = [outputs["total"] for outputs in handle.results() if outputs is not None]
    assert (report["title"], report["total"]) == ("June: 200 shops", round(sum(totals), 2))


def test_the_chain_of_the_examples_stops_at_its_failing_middle(client: TaskClient) -> None:
    with use(client.services):
        handle = workflows.import_rates(samples.broken_rates())
    assert ended(client, handle.uuid)["error"]["type"] == "MembersFailed"
    steps = members_page(client.services.store, handle.uuid).records
    assert [step.status for step in steps] == ["succeeded", "failed", "cancelled"]
    assert steps[2].error == {
        "type": "Skipped",
        "message": "A step before it in the chain did not succeed, so that it was not run.",
    }


def test_a_publisher_cancels_what_waits(client: TaskClient) -> None:
    later = [Number.options(delay=600).signature(number=number) for number in range(3)]
    handle = submit(client, group(later).then(Total.signature(numbers=results["number"]), on="end"))
    client.cancel(handle.uuid)
    record = ended(client, handle.uuid)
    assert (record["status"], record["members"]["cancelled"]) == ("cancelled", 3)
    assert client.services.store.read(continuation_id(handle.uuid)) is None


# -- the release before, which knows no groups -----------------------------------------------------------------------


class Release:
    """The code of the stack's functions, and the code of before groups.

    Args:
        stack: the stack.
        project: what it was built of.
    """

    def __init__(self, stack: Stack, project: Path) -> None:
        self._stack = stack
        self._functions = stack.client("lambda")
        self._built = project / ".aws-sam/build"

    @contextmanager
    def before_groups(self) -> Iterator[None]:
        """The worker and the dead-letter function read messages of version 1 inside the block, and count no members."""
        for function in FUNCTIONS:
            self._deploy(function, before=True)
        yield
        for function in FUNCTIONS:
            self._deploy(function, before=False)

    def _deploy(self, function: str, *, before: bool) -> None:
        root, archive = self._built / function, io.BytesIO()
        with zipfile.ZipFile(archive, "w") as packed:
            for path in filter(Path.is_file, root.rglob("*")):
                name = path.relative_to(root).as_posix()
                if not before or _source(name) not in CHANGED:
                    packed.write(path, name)
                elif name in CHANGED:
                    packed.writestr(name, _as_before(name, path.read_text()))
        bucket = self._stack.outputs["PayloadBucketName"]
        self._stack.client("s3").put_object(Bucket=bucket, Key="inputs/code", Body=archive.getvalue())
        self._functions.update_function_code(
            FunctionName=self._stack.physical(function), S3Bucket=bucket, S3Key="inputs/code"
        )


# Where the release before differs, as far as these messages see it; but for the pause, which was a minute.
CHANGED = {
    "serverless_tasks/engine/job/message.py": ("VERSION = 2", "VERSION = 1"),
    "lambda_handlers/redelivery.py": ("NOT_YET_KNOWN = 60", "NOT_YET_KNOWN = 2"),
    "lambda_handlers/dead_letter.py": (
        "self._services.settle(message",
        "self._services.store.settle(message",
    ),
}


def _source(name: str) -> str:
    """The module that a file of the artefact belongs to: its bytecode is there as well, which is never checked."""
    return re.sub(r"__pycache__/(\w+)\.[^/]*pyc$", r"\1.py", name)


def _as_before(name: str, text: str) -> str:
    now, before = CHANGED[name]
    assert text.count(now) == 1, f"{name} has no {now!r}"
    return text.replace(now, before)


@contextmanager
def held_back(stack: Stack) -> Iterator[None]:
    """Nothing of the queue `default` is delivered inside the block."""
    functions = stack.client("lambda")
    found = functions.list_event_source_mappings(FunctionName=stack.physical("WorkerFunction"))
    [mapping] = [
        each["UUID"] for each in found["EventSourceMappings"] if "DefaultQueue" in each["EventSourceArn"]
    ]
    functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    eventually(lambda: functions.get_event_source_mapping(UUID=mapping)["State"] != "Enabled")
    yield
    functions.update_event_source_mapping(UUID=mapping, Enabled=True)


def take_out(stack: Stack, uuid: str) -> str:
    """Take a job's message off the queue; returns its body. All others are there at once."""
    sqs, url = stack.client("sqs"), json.loads(stack.outputs["QueueUrls"])["default"]
    found: list[str] = []

    def look() -> bool:
        for each in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            receipt = each["ReceiptHandle"]
            if json.loads(each["Body"])["uuid"] == uuid:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt)
                found.append(each["Body"])
            else:
                sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=0)
        return bool(found)

    eventually(look)
    return found[0]


def log(stack: Stack, function: str) -> str:
    name = f"/serverless-tasks/{stack.name}/{function}"
    events = stack.client("logs").filter_log_events(logGroupName=name, limit=10_000)["events"]
    return "\n".join(event["message"] for event in events)


def test_the_release_before_loses_no_member(stack: Stack, client: TaskClient, project: Path) -> None:
    """It gives them back, until the new one is there; what it has ended as a dead letter is counted at the deadline."""
    release, sqs = Release(stack, project), stack.client("sqs")
    following = Total.signature(numbers=results["number"])
    with release.before_groups():
        with held_back(stack):
            handle = submit(client, group(numbers(3), deadline=20).then(following, on="end"))
            body = take_out(stack, member_id(handle.uuid, 1))
        sqs.send_message(QueueUrl=stack.outputs["DeadLetterQueueUrl"], MessageBody=body)
        lost = ended(client, member_id(handle.uuid, 1))
        assert lost["error"]["type"] == "MessageTooNew"
        eventually(lambda: "this code reads up to 1" in log(stack, "worker"), SECONDS)
        record = client.get(handle.uuid).to_json()
        assert (record["status"], record["members"]["ended"]) == ("running", 0)
    record = ended(client, handle.uuid, 2 * SECONDS)
    assert (record["status"], record["members"]["succeeded"], record["members"]["failed"]) == ("failed", 2, 1)
    followed = ended(client, continuation_id(handle.uuid))
    assert (followed["outputs"], followed["attempt"]) == ({"total": 2, "members": 3, "failed": 1}, 1)
