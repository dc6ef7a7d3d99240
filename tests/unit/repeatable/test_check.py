"""Checks that a task may run twice: calls of AWS, submitted tasks, and the second run itself."""

import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from typing import Any

import boto3
import pytest
from moto import mock_aws
from pydantic import BaseModel

from serverless_tasks import Task
from serverless_tasks.params import IntParameter, Parameter
from serverless_tasks.testing import check_repeatable, recorded


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="shop")
        boto3.client("sqs").create_queue(QueueName="orders")
        boto3.client("dynamodb").create_table(
            TableName="stock",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield boto3.client("s3")


def task_of(work: Any, **attributes: Any) -> type[Task]:
    def run(self: Task, order: int) -> None:
        work(self, order)

    members = {"name": "work", "inputs": {"order": IntParameter()}, "run": run, **attributes}
    return type("Work", (Task,), members)


def test_the_same_object_put_twice_is_no_repetition(bucket: Any) -> None:
    def work(task: Task, order: int) -> None:
        bucket.put_object(Bucket="shop", Key=f"{order}.txt", Body=b"paid")
        bucket.put_object(Bucket="shop", Key=f"{order}.log", Body=b"paid")
        bucket.get_object(Bucket="shop", Key=f"{order}.txt")
        bucket.delete_object(Bucket="shop", Key=f"{order}.txt")

    report = check_repeatable(task_of(work), {"order": 7})

    assert [write.what for write in report.writes] == [
        "S3 PutObject shop",
        "S3 PutObject shop",
        "S3 DeleteObject shop",
    ]
    assert report.is_repeatable
    assert "lost after each of its 3 writes" in str(report)


def test_other_bytes_under_the_same_key_are_one(bucket: Any) -> None:
    runs = count()

    def work(task: Task, order: int) -> None:
        bucket.put_object(Bucket="shop", Key="one", Body=str(next(runs)).encode())

    report = check_repeatable(task_of(work), {"order": 7}, fail=False)
    assert [each.write.what for each in report.repeated] == ["S3 PutObject shop"]


def test_a_message_that_is_sent_twice_is_named_with_its_line(bucket: Any) -> None:
    def work(task: Task, order: int) -> None:
        sqs = boto3.client("sqs")
        url = sqs.get_queue_url(QueueName="orders")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=str(order))
        bucket.put_object(Bucket="shop", Key="one", Body=b"1")

    with pytest.raises(AssertionError) as raised:
        check_repeatable(task_of(work), {"order": 7})

    line = work.__code__.co_firstlineno + 3
    text = str(raised.value)
    assert f"SQS SendMessage orders at tests/unit/repeatable/test_check.py:{line} in work (done twice" in text
    assert text.count("done twice") == 1
    assert "PutObject shop at" in text.partition("undisturbed run:")[2]


def test_a_token_makes_a_call_once_only(bucket: Any) -> None:
    url = boto3.client("sqs").create_queue(QueueName="a.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]

    def work(task: Task, order: int) -> None:
        token = task.execution.uuid
        sqs = boto3.client("sqs")
        sqs.send_message(QueueUrl=url, MessageBody="a", MessageGroupId="g", MessageDeduplicationId=token)

    assert check_repeatable(task_of(work), {"order": 7}).is_repeatable


@pytest.mark.parametrize(
    ("expression", "repeated"), [("SET n = n + :one", True), ("ADD n :one", True), ("SET n = :one", False)]
)
def test_a_counter_in_dynamodb_is_no_value(bucket: Any, expression: str, repeated: bool) -> None:
    table = boto3.client("dynamodb")

    def reset() -> None:
        table.put_item(TableName="stock", Item={"pk": {"S": "a"}, "n": {"N": "0"}})

    def work(task: Task, order: int) -> None:
        table.update_item(
            TableName="stock",
            Key={"pk": {"S": "a"}},
            UpdateExpression=expression,
            ExpressionAttributeValues={":one": {"N": "1"}},
        )

    report = check_repeatable(task_of(work), {"order": 7}, reset=reset, fail=False)
    assert bool(report.repeated) is repeated
    assert report.problems == ()


def test_a_condition_that_refuses_the_second_time_is_a_write_once(bucket: Any) -> None:
    def work(task: Task, order: int) -> None:
        table = boto3.client("dynamodb")
        try:
            table.put_item(
                TableName="stock",
                Item={"pk": {"S": task.execution.uuid}},
                ConditionExpression="attribute_not_exists(pk)",
            )
        except table.exceptions.ConditionalCheckFailedException:
            return
        table.put_item(TableName="stock", Item={"pk": {"S": "last"}})

    assert check_repeatable(task_of(work), {"order": 7}).is_repeatable


def test_a_world_that_remembers_earlier_runs_asks_for_reset(bucket: Any) -> None:
    def work(task: Task, order: int) -> None:
        table = boto3.client("dynamodb")
        if "Item" not in table.get_item(TableName="stock", Key={"pk": {"S": str(order)}}):
            table.put_item(TableName="stock", Item={"pk": {"S": str(order)}})

    with pytest.raises(AssertionError, match="pass reset="):
        check_repeatable(task_of(work), {"order": 7})

    def reset() -> None:
        boto3.client("dynamodb").delete_item(TableName="stock", Key={"pk": {"S": "7"}})

    assert check_repeatable(task_of(work), {"order": 7}, reset=reset).is_repeatable


def test_nothing_is_written_by_a_worker_that_is_lost(bucket: Any) -> None:
    kept: list[str] = []

    def reset() -> None:
        kept.append(
            ",".join(each["Key"] for each in bucket.list_objects_v2(Bucket="shop").get("Contents", ()))
        )
        for name in ("a", "b", "c"):
            bucket.delete_object(Bucket="shop", Key=name)

    def work(task: Task, order: int) -> None:
        if task.execution.attempt > 1:
            return
        try:
            bucket.put_object(Bucket="shop", Key="a", Body=b"")
            bucket.put_object(Bucket="shop", Key="b", Body=b"")
        finally:
            bucket.put_object(Bucket="shop", Key="c", Body=b"")

    check_repeatable(task_of(work), {"order": 7}, reset=reset)
    reset()
    assert kept == ["", "a,b,c", "a,b,c", "a", "a,b", "a,b,c"]


def test_a_submitted_task_needs_a_key() -> None:
    class Receipt(Task):
        name = "receipt"

        def run(self) -> None:
            raise AssertionError("it is only submitted")

    def work(task: Task, order: int) -> None:
        Receipt.submit()

    def once(task: Task, order: int) -> None:
        Receipt.options(idempotency_key=task.execution.uuid).submit()

    with recorded(Receipt) as jobs:
        report = check_repeatable(task_of(work), {"order": 7}, fail=False)
        assert check_repeatable(task_of(once), {"order": 7}).is_repeatable
        jobs.assert_nothing_submitted()
    (twice,) = report.repeated
    assert str(twice).startswith("submit receipt at tests/unit/repeatable/test_check.py:")


def test_a_second_run_that_fails_is_told() -> None:
    done: set[str] = set()

    def work(task: Task, order: int) -> None:
        if task.execution.uuid in done:
            raise ValueError(f"{order} is paid")
        done.add(task.execution.uuid)

    with pytest.raises(AssertionError, match="ValueError: 7 is paid"):
        check_repeatable(task_of(work), {"order": 7})
    assert check_repeatable(task_of(work, on_lost="fail"), {"order": 7}).is_repeatable


def test_a_first_run_that_fails_is_no_report() -> None:
    def work(task: Task, order: int) -> None:
        raise ValueError("no such order")

    with pytest.raises(
        AssertionError, match="work did not succeed in its first, undisturbed run: ValueError"
    ) as raised:
        check_repeatable(task_of(work), {"order": 7})
    assert isinstance(raised.value.__cause__, ValueError)


def test_retries_belong_to_the_run() -> None:
    def work(task: Task, order: int) -> None:
        if task.execution.attempt == 1:
            raise OSError("busy")

    assert check_repeatable(task_of(work, retries=2), {"order": 7}).is_repeatable


def test_a_write_of_another_thread_loses_the_worker_and_hangs_nothing(bucket: Any) -> None:
    from io import BytesIO

    def work(task: Task, order: int) -> None:
        bucket.upload_fileobj(BytesIO(b"picture"), "shop", "one")
        bucket.put_object(Bucket="shop", Key="two", Body=b"")

    report = check_repeatable(task_of(work), {"order": 7})
    assert [write.what for write in report.writes] == ["S3 PutObject shop"] * 2


def test_what_can_be_read_once_is_sent_whole_and_compared(bucket: Any) -> None:
    bucket.put_object(Bucket="shop", Key="source", Body=b"picture")

    def work(task: Task, order: int) -> None:
        source = bucket.get_object(Bucket="shop", Key="source")
        size = source["ContentLength"]
        bucket.put_object(Bucket="shop", Key=f"{order}", Body=source["Body"], ContentLength=size)

    assert check_repeatable(task_of(work), {"order": 7}).is_repeatable
    assert bucket.get_object(Bucket="shop", Key="7")["Body"].read() == b"picture"


def test_an_open_file_is_sent_from_where_it_stands(bucket: Any) -> None:
    from io import BytesIO

    def work(task: Task, order: int) -> None:
        body = BytesIO(b"head,picture")
        body.seek(5)
        bucket.put_object(Bucket="shop", Key="one", Body=body)

    assert check_repeatable(task_of(work), {"order": 7}).is_repeatable
    assert bucket.get_object(Bucket="shop", Key="one")["Body"].read() == b"picture"


def test_an_answer_is_left_to_the_task(bucket: Any) -> None:
    read: list[bytes] = []

    def work(task: Task, order: int) -> None:
        bucket.put_object(Bucket="shop", Key="one", Body=b"picture")
        read.append(bucket.get_object(Bucket="shop", Key="one")["Body"].read())

    check_repeatable(task_of(work), {"order": 7})
    assert set(read) == {b"picture"}


def test_a_run_that_changes_its_inputs_does_not_change_those_of_the_next(bucket: Any) -> None:
    class Ship(Task):
        name = "ship"
        inputs = {"orders": Parameter()}

        def run(self, orders: Any) -> None:
            while orders:
                bucket.put_object(Bucket="shop", Key=f"{orders.pop()}", Body=b"shipped")

    report = check_repeatable(Ship, {"orders": [1, 2, 3]})
    assert len(report.writes) == 3


def test_inputs_that_can_be_read_once_are_those_of_every_run() -> None:
    seen: list[list[int]] = []

    class Numbers(BaseModel):
        numbers: list[int]

    class Add(Task[Numbers]):
        name = "add"

        def run(self) -> None:
            seen.append(self.params.numbers)

    check_repeatable(Add, {"numbers": (number for number in (1, 2))})
    assert seen == [[1, 2]] * 3


def test_of_many_writes_some_are_tried(bucket: Any) -> None:
    runs = count()

    def work(task: Task, order: int) -> None:
        next(runs)
        for number in range(10):
            bucket.put_object(Bucket="shop", Key=str(number), Body=b"")

    check_repeatable(task_of(work), {"order": 7}, crashes=3)
    assert next(runs) == 1 + 2 + 3 * 2


def test_neither_django_nor_boto3_is_imported_for_it() -> None:
    code = """
import sys
from serverless_tasks import Task
from serverless_tasks.testing import check_repeatable
class Nothing(Task):
    name = "nothing"
    def run(self):
        return None
check_repeatable(Nothing)
print(sorted({"django", "boto3", "botocore", "pytest"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
