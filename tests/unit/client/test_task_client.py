"""Jobs from scripts."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import BaseModel, Field

from serverless_tasks import (
    InvalidInputs,
    NotFinished,
    Task,
    TaskClient,
    TaskFailed,
    TaskNotFound,
    WaitTimeout,
)
from serverless_tasks.engine.aws import functions, stacks
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.place import member_id
from serverless_tasks.engine.job.record import Members
from serverless_tasks.engine.services import Services
from serverless_tasks.errors import ConfigurationError, InvokeFailed, SubmitFailed, WorkflowError
from serverless_tasks.params import ListParameter, NumberParameter
from serverless_tasks.testing import RecordedTasks, recorded
from serverless_tasks.workflow import group
from tests.support.clock import FakeClock


class SumNumbers(Task):
    name = "sum"
    inputs = {"numbers": ListParameter(NumberParameter())}
    outputs = {"sum": NumberParameter()}

    def run(self, numbers: list[float]) -> float:
        if not numbers:
            raise ValueError("no numbers")
        return sum(numbers)


@pytest.fixture
def jobs() -> Iterator[RecordedTasks]:
    with recorded(SumNumbers) as jobs:
        yield jobs


@pytest.fixture
def client(jobs: RecordedTasks) -> TaskClient:
    return TaskClient()


class TestSubmitting:
    @pytest.mark.parametrize("task", [SumNumbers, "sum"], ids=["class", "name"])
    def test_a_task_by_class_or_name(self, client: TaskClient, jobs: RecordedTasks, task: Any) -> None:
        handle = client.submit(task, numbers=[1, 2])
        jobs.drain()

        assert handle.wait() == {"sum": 3}
        assert client.get(handle.uuid).outputs == {"sum": 3}

    def test_inputs_that_do_not_fit_are_refused_here(self, client: TaskClient, jobs: RecordedTasks) -> None:
        with pytest.raises(InvalidInputs):
            client.submit("sum", numbers=["x"])

        jobs.assert_nothing_submitted()

    @pytest.mark.parametrize("inputs", [{"x": {1: 1, "1": 2}}, {"x": [{1: 1, "b": 2}]}, {1: 2}])
    def test_of_one_too_the_names_are_texts(self, client: TaskClient, inputs: Any) -> None:
        with pytest.raises(InvalidInputs, match="has the name 1 that is no text"):
            client.submit_many("elsewhere", [inputs], idempotency_key="k")

    def test_a_task_without_its_code_is_sent_unchecked(self, client: TaskClient, jobs: RecordedTasks) -> None:
        client.submit("elsewhere", anything=1)

        assert (jobs.submitted[0].task, jobs.submitted[0].inputs) == ("elsewhere", {"anything": 1})

    def test_options_are_for_all_of_a_bulk(self, client: TaskClient, jobs: RecordedTasks) -> None:
        client.submit_many("sum", [{"numbers": [1]}, {"numbers": [2]}], owner="7", priority=-1)

        assert [(one.owner, one.queue) for one in jobs.submitted] == [("7", "low")] * 2


class TestRetrying:
    def test_an_ended_job_is_submitted_once_more(self, client: TaskClient, jobs: RecordedTasks) -> None:
        (first,) = client.submit_many("sum", [{"numbers": []}], owner="7")
        jobs.drain()

        again = client.retry(first.uuid)

        assert again.uuid != first.uuid
        assert (jobs.submitted[-1].inputs, jobs.submitted[-1].owner) == ({"numbers": []}, "7")
        assert jobs.submitted[-1].retry_of == first.uuid

    def test_a_retry_that_may_have_been_sent_is_repeated_under_its_id(
        self, client: TaskClient, jobs: RecordedTasks
    ) -> None:
        first = client.submit("sum", numbers=[1])
        jobs.drain()
        new = "0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11"

        client.retry(first.uuid, new_uuid=new)
        client.retry(first.uuid, new_uuid=new)

        assert [message.uuid for message in jobs.submitted] == [first.uuid, new, new]

    def test_a_job_that_has_not_ended_is_refused(self, client: TaskClient, jobs: RecordedTasks) -> None:
        uuid = client.submit("sum", numbers=[1]).uuid

        with pytest.raises(NotFinished, match=f"Job {uuid} is pending; cancel it"):
            client.retry(uuid)


class TestFollowing:
    def test_nothing_is_known_of_a_stranger(self, client: TaskClient) -> None:
        with pytest.raises(TaskNotFound):
            client.get("0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11")
        with pytest.raises(TaskNotFound):
            client.wait("0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11")
        with pytest.raises(TaskNotFound):
            client.cancel("0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11")

    def test_wait_by_id(self, client: TaskClient, jobs: RecordedTasks) -> None:
        uuid = client.submit("sum", numbers=[1, 2]).uuid
        jobs.drain()

        assert client.wait(uuid) == {"sum": 3}

    @pytest.mark.parametrize("form", [UUID, str.upper], ids=["UUID", "capitals"])
    def test_an_id_has_more_than_one_form(
        self, client: TaskClient, jobs: RecordedTasks, form: Callable[[str], Any]
    ) -> None:
        first, second = client.submit_many("sum", [{"numbers": [1]}, {"numbers": [2]}])
        assert client.cancel(form(second.uuid)).status == "cancelled"
        jobs.drain()

        assert client.get(form(first.uuid)).uuid == first.uuid
        assert client.wait(form(first.uuid)) == {"sum": 1}
        assert [record.uuid for record in client.as_ended([form(first.uuid)])] == [first.uuid]
        assert client.retry(form(first.uuid)).uuid != first.uuid
        client.delete(form(first.uuid))
        with pytest.raises(TaskNotFound):
            client.get(first.uuid)

    def test_wait_for_a_failure(self, client: TaskClient, jobs: RecordedTasks) -> None:
        uuid = client.submit("sum", numbers=[]).uuid
        jobs.drain()

        with pytest.raises(TaskFailed, match="ValueError: no numbers"):
            client.wait(uuid)

    def test_cancel(self, client: TaskClient, jobs: RecordedTasks) -> None:
        assert client.cancel(client.submit("sum", numbers=[1]).uuid).status == "cancelled"

    def test_map_yields_records_as_they_end(
        self, client: TaskClient, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        slept: list[float] = []

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            jobs.run_due() if len(slept) == 2 else None

        monkeypatch.setattr(jobs.clock, "sleep", sleep)

        records = list(client.map("sum", [{"numbers": [1]}, {"numbers": []}, {"numbers": [3]}]))

        assert sorted((one.status, one.outputs.get("sum", 0)) for one in records) == [
            ("failed", 0),
            ("succeeded", 1),
            ("succeeded", 3),
        ]
        assert len(slept) == 2

    def test_map_raises_what_could_not_be_published(
        self, client: TaskClient, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(jobs, "publish", lambda messages: [None, SubmitFailed("down")])

        with pytest.raises(SubmitFailed):
            list(client.map("sum", [{"numbers": [1]}, {"numbers": [2]}]))

    def test_waiting_for_many_ends_in_time(self, client: TaskClient, jobs: RecordedTasks) -> None:
        handles = client.submit_many("sum", [{"numbers": [1]}] * 3)

        with pytest.raises(WaitTimeout, match="3 of 3 jobs have not ended after 10 seconds"):
            list(client.as_ended([handle.uuid for handle in handles], timeout=10))

    def test_jobs_past_the_first_window_are_seen_while_those_in_it_go_on(
        self, client: TaskClient, jobs: RecordedTasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("serverless_tasks.client.completed.WINDOW", 2)
        waiting = [client.submit("sum", numbers=[1]) for _ in range(3)]
        last = client.submit("sum", numbers=[2]).cancel()

        ended = client.as_ended([handle.uuid for handle in (*waiting, last)], timeout=10)

        assert next(ended).uuid == last.uuid

    def test_a_job_of_which_nothing_is_known_is_said(self, client: TaskClient) -> None:
        with pytest.raises(TaskNotFound):
            list(client.as_ended(["0b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c6d"]))


class Lambda:
    """Answers invocations as it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answer: dict[str, Any] = {}
        monkeypatch.setattr(functions, "invoke", self.invoke)

    def invoke(self, function: str, payload: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((function, json.loads(json.dumps(payload))))
        return {"uuid": payload["uuid"], **self.answer} if "status" in self.answer else self.answer


class TestDirectInvocation:
    @pytest.fixture
    def deployed(self, monkeypatch: pytest.MonkeyPatch) -> Lambda:
        deployed = Lambda(monkeypatch)
        deployed.answer = {"status": "succeeded", "outputs": {"sum": 0}, "error": None}
        return deployed

    @pytest.fixture
    def client(self, deployed: Lambda, clock: FakeClock) -> TaskClient:
        services = Services(Config(invoke_function="invoke-me"), backend="immediate", clock=clock)
        services.registry.add(SumNumbers)
        return TaskClient(services=services)

    def test_returns_the_outputs(self, client: TaskClient, deployed: Lambda) -> None:
        assert client.run(SumNumbers, numbers=["1", 2]) == {"sum": 0}

        ((function, payload),) = deployed.calls
        assert function == "invoke-me"
        assert (payload["task"], payload["inputs"]) == ("sum", {"numbers": [1, 2]})

    def test_carries_a_default_that_is_made_anew(self, client: TaskClient, deployed: Lambda) -> None:
        class Order(BaseModel):
            order: int
            payment: UUID = Field(default_factory=uuid4)

        class Charge(Task[Order]):
            name = "charge"

            def run(self) -> None:
                return None

        client.run(Charge, order="5")
        client.run_json(Charge, {"order": "5"})

        assert [payload["inputs"]["order"] for _, payload in deployed.calls] == [5, 5]
        assert all(UUID(payload["inputs"]["payment"]) for _, payload in deployed.calls)

    def test_carries_a_uuid_of_its_own(self, client: TaskClient, deployed: Lambda) -> None:
        client.run("sum", numbers=[1])
        client.run("sum", numbers=[1])

        assert len({payload["uuid"] for _, payload in deployed.calls}) == 2

    def test_of_a_task_that_fails_raises(self, client: TaskClient, deployed: Lambda) -> None:
        error = {"type": "ValueError", "message": "no numbers"}
        deployed.answer = {"status": "failed", "outputs": {}, "error": error}

        with pytest.raises(TaskFailed, match="ValueError: no numbers") as raised:
            client.run("sum", numbers=[1])

        assert raised.value.error == error

    def test_that_is_refused_raises_the_reason(self, client: TaskClient, deployed: Lambda) -> None:
        deployed.answer = {"error": {"type": "UnknownTask", "message": "No task is named 'x'."}}

        with pytest.raises(InvokeFailed, match="UnknownTask: No task is named 'x'") as raised:
            client.run("x")

        assert raised.value.type == "UnknownTask"

    def test_of_inputs_that_only_the_function_can_check_names_the_fields(
        self, client: TaskClient, deployed: Lambda
    ) -> None:
        refused = {"field": "width", "message": "Field required"}
        deployed.answer = {"error": {"type": "InvalidInputs", "message": "...", "fields": [refused]}}

        with pytest.raises(InvalidInputs, match="'elsewhere' are invalid: width: Field required") as raised:
            client.run("elsewhere")

        assert [found.field for found in raised.value.fields] == ["width"]

    @pytest.mark.parametrize("task", ["sum", "elsewhere"])
    def test_of_inputs_that_are_not_json_is_refused_here(
        self, client: TaskClient, deployed: Lambda, task: str
    ) -> None:
        with pytest.raises(InvalidInputs):
            client.run(task, numbers=[datetime(2026, 1, 1, tzinfo=UTC)])

        assert deployed.calls == []

    def test_without_a_function_names_the_setting(self, deployed: Lambda, clock: FakeClock) -> None:
        client = TaskClient(services=Services(Config(), backend="immediate", clock=clock))

        with pytest.raises(ConfigurationError, match="SERVERLESS_TASKS_INVOKE_FUNCTION"):
            client.run("sum", numbers=[])

    def test_of_a_function_that_is_named(self, deployed: Lambda, clock: FakeClock) -> None:
        TaskClient("other", services=Services(Config(), backend="immediate", clock=clock)).run("x")

        assert deployed.calls[0][0] == "other"


def test_a_client_of_a_stack_takes_the_stacks_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = {
        "TableName": "jobs",
        "QueueUrls": '{"default": "https://sqs/default"}',
        "PayloadBucketName": "payloads",
        "InvokeFunctionName": "invoke",
        "DeadLetterQueueUrl": "https://sqs/dead",
        "ScheduleGroupName": "group",
        "SchedulerRoleArn": "role",
    }
    monkeypatch.setattr(stacks, "stack_outputs", lambda stack: outputs if stack == "mine" else {})
    made: list[Config] = []
    here = Services(Config(table="of-this-process", compress_inputs=False))
    monkeypatch.setattr("serverless_tasks.client.task_client.Services", made.append)
    monkeypatch.setattr("serverless_tasks.client.task_client.current_services", lambda: here)

    TaskClient.from_stack("mine")

    assert made == [
        Config(
            table="jobs",
            queue_urls={"default": "https://sqs/default"},
            bucket="payloads",
            invoke_function="invoke",
            dead_letter_queue_url="https://sqs/dead",
            schedule_group="group",
            scheduler_role="role",
            compress_inputs=False,
        )
    ]


class TestGroups:
    @pytest.fixture
    def uuid(self, jobs: RecordedTasks) -> str:
        """A group of which the second member fails, and that has not begun."""
        return group(SumNumbers.signature(numbers=numbers) for numbers in ([1], [], [2, 3])).submit().uuid

    def test_its_record_counts_its_members(self, client: TaskClient, jobs: RecordedTasks, uuid: str) -> None:
        jobs.drain()
        assert client.get(uuid).members == Members(total=3, succeeded=2, failed=1)

    def test_members_in_their_order(self, client: TaskClient, jobs: RecordedTasks, uuid: str) -> None:
        assert [member.status for member in client.members(uuid)] == ["pending"] * 3
        jobs.drain()
        assert [member.outputs for member in client.members(uuid)] == [{"sum": 1}, {}, {"sum": 5}]
        assert [member.uuid for member in client.members(UUID(uuid), status="failed")] == [member_id(uuid, 1)]

    def test_all_pages_of_members(
        self, client: TaskClient, jobs: RecordedTasks, uuid: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("serverless_tasks.client.task_client.MEMBERS_PAGE", 2)
        assert [member.uuid for member in client.members(uuid)] == [
            member_id(uuid, index) for index in range(3)
        ]

    def test_waiting_raises_how_it_ended(self, client: TaskClient, jobs: RecordedTasks, uuid: str) -> None:
        with pytest.raises(WaitTimeout):
            client.wait(uuid, timeout=1)
        jobs.drain()
        with pytest.raises(TaskFailed, match="1 of 3 members did not succeed: 1"):
            client.wait(uuid)

    def test_cancelling_asks_its_members(self, client: TaskClient, jobs: RecordedTasks, uuid: str) -> None:
        assert client.cancel(uuid).cancel_requested
        jobs.run_due()
        assert client.get(uuid).members == Members(total=3, cancelled=3)

    def test_what_failed_is_retried_in_a_new_group(
        self, client: TaskClient, jobs: RecordedTasks, uuid: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        jobs.drain()
        monkeypatch.setattr(SumNumbers, "run", lambda self, numbers: sum(numbers))
        again = client.retry_failed(UUID(uuid))
        jobs.drain()
        assert again.refresh().record.members == Members(total=3, succeeded=3)
        assert client.wait(again.uuid) == {}
        assert [outputs["sum"] for outputs in again.results() if outputs] == [1, 0, 5]
        with pytest.raises(WorkflowError, match="nothing to retry"):
            client.retry_failed(again.uuid)

    def test_a_plain_job_is_waited_for_without_what_groups_need(self) -> None:
        script = (
            "import sys, serverless_tasks as s;"
            "from serverless_tasks.params import NumberParameter\n"
            "class T(s.Task):\n    name = 't'\n    outputs = {'n': NumberParameter()}\n    def run(self): return 1\n"
            "s.configure(backend='immediate');"
            "print(s.TaskClient().wait(T.submit().uuid));"
            "print(sorted(m for m in sys.modules if '.workflow' in m or m.endswith('submit.groups')))"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines() == ["{'n': 1}", "[]"]
