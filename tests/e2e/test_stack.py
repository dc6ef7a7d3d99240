"""The repository's own stack, deployed by SAM with its policies enforced, and driven by its public ways alone."""

import json
import re
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from botocore.exceptions import ClientError

from serverless_tasks.client.task_client import TaskClient
from serverless_tasks.engine.job.message import Message
from serverless_tasks.errors import AlreadyFinished, InvalidInputs, InvokeFailed, TaskFailed
from tests.e2e.deployment import Stack, eventually

pytestmark = pytest.mark.usefixtures("as_publisher")
SECONDS = 30


def test_a_submitted_task_travels_to_its_end_and_leaves_its_progress(client: TaskClient) -> None:
    text = "name,score\nada,1\ngrace,2\n"
    handle = client.submit("summarise-columns", text=text)
    assert handle.wait(SECONDS)["rows"] == 2
    record = client.get(handle.uuid).to_json()
    assert {key: record[key] for key in ("status", "progress", "target", "messages", "attempt", "error")} == {
        "status": "succeeded",
        "progress": len(text),
        "target": len(text),
        "messages": ["Found 2 columns.", "Read 2 rows."],
        "attempt": 1,
        "error": None,
    }
    assert record["created"] <= record["started"] <= record["finished"]


@pytest.mark.parametrize("queue", ["high", "default", "low"])
def test_every_queue_has_a_worker(client: TaskClient, queue: str) -> None:
    [handle] = client.submit_many("sum", [{"numbers": [20, 22]}], queue=queue)
    assert handle.wait(SECONDS) == {"sum": 42}


def test_a_task_submitted_by_name_is_what_the_deployed_build_says(
    stack: Stack, client: TaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    client.submit("sum", numbers=[1]).wait(SECONDS)
    assert eventually(lambda: TaskClient.from_stack(stack.name).services.deployed_tasks.find("repeat"))
    asked = TaskClient.from_stack(stack.name)

    handle = asked.submit("repeat", text="x", times="2")

    job = asked.services.store.job(handle.uuid)
    assert job is not None
    assert job.queue == "low"
    assert handle.wait(SECONDS) == {"text": "xx"}
    with pytest.raises(InvalidInputs, match="more"):
        asked.submit("repeat", text="x", more=1)
    assert caplog.messages == []


def test_each_queue_has_its_own_concurrency(stack: Stack) -> None:
    mappings = stack.client("lambda").list_event_source_mappings(
        FunctionName=stack.physical("WorkerFunction")
    )
    limits = {
        each["EventSourceArn"].split("-")[-2]: each["ScalingConfig"]["MaximumConcurrency"]
        for each in mappings["EventSourceMappings"]
    }
    assert limits == {"HighQueue": 10, "DefaultQueue": 5, "LowQueue": 2}


def test_many_jobs_all_end(client: TaskClient) -> None:
    records = list(client.map("sum", [{"numbers": [n, n]} for n in range(25)]))
    assert sorted(record.outputs["sum"] for record in records) == [2 * n for n in range(25)]


def test_a_failure_tells_its_reason(client: TaskClient) -> None:
    handle = client.submit("refuse")
    with pytest.raises(TaskFailed, match="this one never works"):
        handle.wait(SECONDS)
    error = client.get(handle.uuid).to_json()["error"]
    assert error == {"type": "TaskError", "message": "this one never works"}


def test_payloads_past_what_a_message_or_an_item_holds_go_by_way_of_the_bucket(client: TaskClient) -> None:
    text = "ä" * 700_000
    assert client.submit("repeat", text=text, times=2).wait(SECONDS) == {"text": text * 2}


def test_a_delayed_job_can_be_cancelled(client: TaskClient) -> None:
    [handle] = client.submit_many("sum", [{"numbers": [1]}], delay=600)
    assert client.cancel(handle.uuid).status == "cancelled"
    with pytest.raises(AlreadyFinished):
        client.cancel(handle.uuid)


def test_a_direct_invoke_answers_with_the_record(stack: Stack, publisher: dict[str, str]) -> None:
    failed, record = stack.invoke({"task": "sum", "inputs": {"numbers": [1, 2]}}, publisher)
    assert failed is None
    assert (record["status"], record["outputs"]) == ("succeeded", {"sum": 3})
    assert UUID(str(record["uuid"]))
    assert re.fullmatch("[0-9a-f]{12}", str(record["build"]))


def test_a_client_runs_a_task_and_gets_its_outputs(client: TaskClient) -> None:
    assert client.run("sum", numbers=[4, 5]) == {"sum": 9}
    with pytest.raises(TaskFailed, match="this one never works"):
        client.run("refuse")
    with pytest.raises(InvokeFailed, match="no_such_task"):
        client.run("no_such_task")


@pytest.mark.parametrize(
    ("event", "kind", "named"),
    [
        ({"task": "sum", "inputs": {"numbers": "x"}}, "InvalidInputs", "numbers"),
        ({"task": "sum", "inputs": {}}, "InvalidInputs", "numbers"),
        ({"task": "sum", "inputs": {"numbers": [], "more": 1}}, "InvalidInputs", "more"),
        ({"task": "no_such_task", "inputs": {}}, "UnknownTask", "no_such_task"),
        ({"inputs": {}}, "InvalidEvent", "task"),
        (["sum"], "InvalidEvent", "task"),
        ({"task": "sum", "inputs": {"numbers": []}, "uuid": "1"}, "InvalidEvent", "uuid"),
    ],
)
def test_a_bad_direct_invoke_says_what_is_wrong_and_no_more(
    stack: Stack, publisher: dict[str, str], event: object, kind: str, named: str
) -> None:
    failed, answer = stack.invoke(event, publisher)
    assert failed is None
    assert set(answer) == {"error"}
    error = answer["error"]
    assert isinstance(error, dict)
    assert error["type"] == kind
    assert named in json.dumps(error)
    assert "Traceback" not in json.dumps(answer)


def test_the_status_url_serves_the_record_to_who_may_call_it(
    stack: Stack, client: TaskClient, reader: dict[str, str], publisher: dict[str, str]
) -> None:
    handle = client.submit("sum", numbers=[1])
    handle.wait(SECONDS)
    assert stack.status(handle.uuid, reader) == (200, client.get(handle.uuid).to_json())
    assert stack.status(str(uuid4()), reader)[0] == 404
    assert stack.status("no-id", reader)[0] == 404
    assert stack.status(handle.uuid)[0] == 403
    assert stack.status(handle.uuid, publisher)[0] == 403
    assert stack.status(handle.uuid, {**reader, "AWS_SECRET_ACCESS_KEY": "wrong"})[0] == 403
    assert stack.status(handle.uuid, {**reader, "AWS_ACCESS_KEY_ID": "AKIAUNKNOWN"})[0] == 403
    # A signature is good for what it was made for.
    assert stack.status(handle.uuid, reader, signed_path=str(uuid4()))[0] == 403


def test_a_task_that_this_deployment_lacks_waits_and_then_ends_with_the_reason(
    stack: Stack, client: TaskClient, publisher: dict[str, str]
) -> None:
    unknown = client.submit("no_such_task")
    beside = client.submit("sum", numbers=[1])
    assert beside.wait(SECONDS) == {"sum": 1}
    urls = json.loads(stack.outputs["QueueUrls"])
    assert eventually(in_flight(stack, urls["default"]))
    waiting = eventually(lambda: (found := client.get(unknown.uuid)).returned and found)
    assert (waiting.status, waiting.attempt) == ("pending", 0)
    assert "no task named 'no_such_task'" in waiting.returned.message

    # What the queue does after a hundred deliveries, a minute apart: the body goes to the dead-letter queue as it is.
    body = Message(uuid=unknown.uuid, task="no_such_task", created=1, expires=2**45).encode()
    stack.client("sqs").send_message(QueueUrl=stack.outputs["DeadLetterQueueUrl"], MessageBody=body)
    record = eventually(lambda: (found := client.get(unknown.uuid)).ended and found)
    assert record.status == "failed"
    assert record.to_json()["error"]["type"] == "UnknownTask"
    assert "'no_such_task' (build: worker '" in record.to_json()["error"]["message"]


def in_flight(stack: Stack, url: str) -> Callable[[], int]:
    name = "ApproximateNumberOfMessagesNotVisible"
    sqs = stack.client("sqs")
    return lambda: int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


def test_a_body_that_is_no_job_is_kept_in_the_bucket(
    stack: Stack, client: TaskClient, publisher: dict[str, str]
) -> None:
    body = f"this is no job: {uuid4()}"
    urls = json.loads(stack.outputs["QueueUrls"])
    stack.client("sqs", publisher).send_message(QueueUrl=urls["high"], MessageBody=body)
    [beside] = client.submit_many("sum", [{"numbers": [1]}], queue="high")
    s3, bucket = stack.client("s3"), stack.outputs["PayloadBucketName"]

    def kept() -> bool:
        found = s3.list_objects_v2(Bucket=bucket, Prefix="dead-letters/").get("Contents", [])
        return any(
            s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read() == body.encode() for each in found
        )

    assert eventually(kept)
    assert beside.wait(SECONDS) == {"sum": 1}


def test_a_publisher_may_do_nothing_else(stack: Stack, publisher: dict[str, str]) -> None:
    urls = json.loads(stack.outputs["QueueUrls"])
    refused = {
        "receive": lambda: stack.client("sqs", publisher).receive_message(QueueUrl=urls["high"]),
        "dead letters": lambda: stack.client("sqs", publisher).send_message(
            QueueUrl=stack.outputs["DeadLetterQueueUrl"], MessageBody="x"
        ),
        "delete": lambda: stack.client("dynamodb", publisher).delete_item(
            TableName=stack.outputs["TableName"], Key={"pk": {"S": "a"}, "sk": {"S": "job"}}
        ),
        "list": lambda: stack.client("s3", publisher).list_objects_v2(
            Bucket=stack.outputs["PayloadBucketName"]
        ),
        "write outputs": lambda: stack.client("s3", publisher).put_object(
            Bucket=stack.outputs["PayloadBucketName"], Key="outputs/a/b", Body=b"x"
        ),
        "worker": lambda: stack.client("lambda", publisher).invoke(
            FunctionName=stack.physical("WorkerFunction")
        ),
    }
    for what, act in refused.items():
        with pytest.raises(ClientError) as caught:
            act()
        code = caught.value.response["Error"]["Code"]
        assert "AccessDenied" in code or code == "403", (what, code)
