"""Traces of real batches: a span of sending, and one of each record, linked to it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from lambda_handlers import invoke, worker
from serverless_tasks import Task, TaskClient, TaskFailed
from serverless_tasks.engine.aws import functions, session
from serverless_tasks.engine.job.message import Message
from serverless_tasks.errors import InvokeFailed, SubmitFailed
from serverless_tasks.params import StringParameter
from serverless_tasks.workflow import chain, group, results
from tests.support.calls import counted_calls
from tests.support.traces import Traces, id_of, links_of, trace_of, traced
from tests.unit.handlers.conftest import Container, Context, Site
from tests.unit.handlers.tasks import Again, Quiet, Refuse, SignIn, Sum

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Traced(Task):
    """Makes a span of its own, and asks to be run again as often as it may."""

    name = "traced"
    retries = 1

    def run(self) -> None:
        with trace.get_tracer("the project's").start_as_current_span("the task's own"):
            if self.execution.attempt == 1:
                self.retry(after=0)


class Waiting(Task):
    name = "waiting"

    async def run(self) -> None:
        with trace.get_tracer("the project's").start_as_current_span("the coroutine's own"):
            pass


class Submits(Task):
    name = "submits"

    def run(self) -> None:
        Quiet.submit()


class Tell(Task):
    name = "tell"
    inputs = {"text": StringParameter(secret=True)}

    def run(self, text: Any) -> None:
        raise ValueError(f"no {text.get_secret_value()}")


@pytest.fixture(autouse=True)
def known(site: Site) -> None:
    for task in (Traced, Waiting, Submits, Tell):
        site.services.registry.add(task)


@pytest.fixture
def traces() -> Iterator[Traces]:
    with traced() as made:
        yield made


@pytest.fixture
def bodies(site: Site) -> list[dict[str, Any]]:
    """What was sent to the queues."""
    sent: list[dict[str, Any]] = []

    def note(params: Any, **_: Any) -> None:
        sent.extend(json.loads(entry["MessageBody"]) for entry in params.get("Entries", [params]))

    events = session.client("sqs", attempts=1).meta.events
    for name in ("SendMessage", "SendMessageBatch"):
        events.register(f"provide-client-params.sqs.{name}", note)
    return sent


class TestABatch:
    def test_of_ten_jobs_is_ten_traces_that_are_linked_to_what_has_sent_them(
        self, site: Site, traces: Traces
    ) -> None:
        with trace.get_tracer("site").start_as_current_span("POST /sums") as request:
            Sum.submit_many([{"numbers": [number]} for number in range(10)])
        assert site.deliver(worker.handler) == []
        sent = traces.one("send default", SpanKind.PRODUCER)
        assert sent.parent is not None
        assert sent.parent.span_id == request.get_span_context().span_id
        processed = traces.ended("process default", SpanKind.CONSUMER)
        assert len(processed) == 10
        assert len({trace_of(span) for span in processed} | {trace_of(sent)}) == 11
        assert [(span.parent, links_of(span)) for span in processed] == [(None, [id_of(sent)])] * 10

    def test_spans_say_what_the_conventions_ask_for(self, site: Site, traces: Traces) -> None:
        handle = Sum.options(owner="the owner", tenant="the-tenant").submit(numbers=[1])
        assert site.deliver(worker.handler) == []
        messaging = {
            "messaging.system": "aws_sqs",
            "messaging.destination.name": "default",
            "aws.sqs.queue.url": site.url("default"),
            "messaging.message.conversation_id": handle.uuid,
            "serverless_tasks.task": "sum",
        }
        operation = "messaging.operation.name", "messaging.operation.type"
        assert dict(traces.one("send").attributes or {}) == messaging | dict.fromkeys(operation, "send")
        assert dict(traces.one("process").attributes or {}) == messaging | dict.fromkeys(
            operation, "process"
        ) | {
            "messaging.message.id": site.delivered[0]["MessageId"],
            "faas.trigger": "pubsub",
            "faas.invocation_id": Context().aws_request_id,
            "faas.coldstart": True,
            "serverless_tasks.status": "succeeded",
            "serverless_tasks.attempt": 1,
        }
        assert traces.one("process").status.status_code is StatusCode.UNSET
        assert "the owner" not in traces.text()
        assert "the-tenant" not in traces.text()

    def test_only_the_first_invocation_of_a_process_is_a_cold_start(self, site: Site, traces: Traces) -> None:
        for request_id in ("one", "two"):
            Quiet.submit_many([{}, {}])
            worker.handler(site.event(), Context(aws_request_id=request_id))
        cold = [(span.attributes or {})["faas.coldstart"] for span in traces.ended("process")]
        assert cold == [True, True, False, False]

    def test_in_a_container_nothing_is_said_of_a_function(
        self, site: Site, traces: Traces, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "worker")  # as `initialise_as_lambda_does` sets it
        Quiet.submit()
        worker.handler(site.event(), Container())
        assert not [name for name in traces.one("process").attributes or {} if name.startswith("faas.")]

    def test_a_bulk_over_several_queues_names_none(self, site: Site, traces: Traces) -> None:
        messages = [
            Message(
                uuid=f"6f3f5cf2-0000-4000-8000-00000000000{number}", task="quiet", queue=queue, expires=2**42
            )
            for number, queue in enumerate(("low", "high"))
        ]
        assert site.services.publish(messages) == [None, None]
        attributes = dict(traces.one("send").attributes or {})
        assert traces.one("send").name == "send"
        assert attributes["messaging.batch.message_count"] == 2
        assert "messaging.destination.name" not in attributes

    def test_the_span_of_the_invocation_is_linked_too(self, site: Site, traces: Traces) -> None:
        Quiet.submit()
        with trace.get_tracer("adot").start_as_current_span("worker") as invocation:
            site.deliver(worker.handler)
        span = traces.one("process")
        assert span.parent is None
        assert links_of(span) == [id_of(traces.one("send")), invocation.get_span_context().span_id]

    def test_a_duplicate_has_a_span_that_says_so(self, site: Site, traces: Traces, bodies: Any) -> None:
        Quiet.submit()
        site.put(json.dumps(bodies[0]))
        site.deliver(worker.handler)
        statuses = [(span.attributes or {})["serverless_tasks.status"] for span in traces.ended("process")]
        assert statuses == ["succeeded", "ended"]

    def test_spans_are_exported_before_lambda_freezes_the_process(
        self, site: Site, traces: Traces, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        flushed: list[int] = []
        monkeypatch.setattr(traces.provider, "force_flush", flushed.append)
        Quiet.submit()
        site.deliver(worker.handler)
        site.deliver(worker.handler, seconds=1)
        assert flushed == [2000, 500]

    def test_a_container_which_is_not_frozen_does_not_wait_for_their_export(
        self, site: Site, traces: Traces, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        flushed: list[int] = []
        monkeypatch.setattr(traces.provider, "force_flush", flushed.append)
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "worker")  # as `initialise_as_lambda_does` sets it
        Quiet.submit()
        worker.handler(site.event(), Container())
        assert (len(traces.ended("process")), flushed) == (1, [])

    def test_what_cannot_be_exported_is_no_fault_of_the_jobs(
        self, site: Site, traces: Traces, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(traces.provider, "force_flush", lambda milliseconds: 1 / 0)
        Quiet.submit()
        assert site.deliver(worker.handler) == []


class TestTasks:
    def test_their_own_spans_are_children(self, site: Site, traces: Traces) -> None:
        Traced.submit()
        site.deliver(worker.handler)
        own = traces.one("the task's own")
        assert own.parent is not None
        assert own.parent.span_id == id_of(traces.one("process"))

    def test_so_are_those_of_coroutines(self, site: Site, traces: Traces) -> None:
        Waiting.submit()
        site.deliver(worker.handler)
        own = traces.one("the coroutine's own")
        assert own.parent is not None
        assert own.parent.span_id == id_of(traces.one("process"))

    def test_so_is_what_they_submit(self, site: Site, traces: Traces) -> None:
        Submits.submit()
        site.deliver(worker.handler)
        first, second = sorted(traces.ended("send"), key=lambda span: span.start_time or 0)
        process = traces.one("process")
        assert links_of(process) == [id_of(first)]
        assert second.parent is not None
        assert second.parent.span_id == id_of(process)

    def test_the_next_attempt_is_linked_to_the_submission(
        self, site: Site, traces: Traces, bodies: Any
    ) -> None:
        Traced.submit()
        site.deliver(worker.handler)
        site.deliver(worker.handler)
        sent = traces.one("send")
        attempts = traces.ended("process")
        assert [(span.attributes or {})["serverless_tasks.attempt"] for span in attempts] == [1, 2]
        assert [links_of(span) for span in attempts] == [[id_of(sent)]] * 2
        assert trace_of(attempts[0]) != trace_of(attempts[1])
        assert bodies[0]["traceparent"] == bodies[1]["traceparent"]
        # To ask to be run again is no error.
        assert [span.status.status_code for span in attempts] == [StatusCode.UNSET] * 2

    def test_an_attempt_that_fails_is_an_error_although_it_is_retried(
        self, site: Site, traces: Traces
    ) -> None:
        Again.submit()
        site.deliver(worker.handler)
        span = traces.one("process")
        assert (span.attributes or {})["serverless_tasks.status"] == "pending"
        assert (span.attributes or {})["error.type"] == "builtins.RuntimeError"
        assert span.status.status_code is StatusCode.ERROR

    def test_a_failure_is_told_as_in_the_record(self, site: Site, traces: Traces) -> None:
        Refuse.submit(text="spinach")
        site.deliver(worker.handler)
        span = traces.one("process")
        (event,) = span.events
        attributes = dict(event.attributes or {})
        assert span.status.description == "I do not like spinach."
        assert attributes["exception.type"] == "serverless_tasks.errors.TaskError"
        assert attributes["exception.message"] == "I do not like spinach."
        assert "tasks.py" in str(attributes["exception.stacktrace"])

    @pytest.mark.parametrize(
        ("task", "inputs"), [(SignIn, {"password": "swordfish"}), (Tell, {"text": "swordfish"})]
    )
    def test_secrets_and_inputs_are_in_no_span(
        self, site: Site, traces: Traces, task: type[Task], inputs: Any
    ) -> None:
        task.submit(**inputs)
        Sum.submit(numbers=[8_675_309])
        site.deliver(worker.handler)
        assert len(traces.ended("process")) == 2
        assert "was refused" in traces.text() or "ValueError" in traces.text()
        assert "swordfish" not in traces.text()
        assert "8675309" not in traces.text()


class TestMessages:
    def test_of_the_version_before_have_no_link(self, site: Site, traces: Traces, message: Any) -> None:
        site.put(message("quiet").encode())
        assert site.deliver(worker.handler) == []
        assert (traces.one("process").parent, links_of(traces.one("process"))) == (None, [])

    @pytest.mark.parametrize("traceparent", ["nonsense", "", 7, None, "00-0-0-0", "x" * 200_000])
    def test_run_whatever_their_trace_is(
        self, site: Site, traces: Traces, message: Any, traceparent: Any
    ) -> None:
        site.put(json.dumps(json.loads(message("quiet").encode()) | {"traceparent": traceparent}))
        assert site.deliver(worker.handler) == []
        assert links_of(traces.one("process")) == []

    def test_keep_their_trace_where_nobody_traces(self, site: Site, message: Any, bodies: Any) -> None:
        site.put(replace(message("traced"), traceparent=TRACEPARENT, tracestate="a=b").encode())
        assert site.deliver(worker.handler) == []
        assert [(body["traceparent"], body["tracestate"]) for body in bodies] == [(TRACEPARENT, "a=b")]

    def test_a_send_that_fails_is_an_error(
        self, site: Site, traces: Traces, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refused = SubmitFailed("no")
        monkeypatch.setattr(site.services.backend, "publish", lambda messages: [refused])
        with pytest.raises(SubmitFailed):
            Quiet.submit()
        span = traces.one("send")
        assert (span.attributes or {})["error.type"] == "serverless_tasks.errors.SubmitFailed"
        assert span.status.status_code is StatusCode.ERROR


class TestGroups:
    @pytest.fixture(autouse=True)
    def scheduler(self, site: Site) -> None:
        session.client("scheduler").create_schedule_group(Name="group")
        role = "arn:aws:iam::123456789012:role/scheduler"
        site.services.config = replace(site.services.config, schedule_group="group", scheduler_role=role)

    def test_what_follows_is_linked_to_the_members_that_ended(self, site: Site, traces: Traces) -> None:
        members = group(Sum.signature(numbers=[number]) for number in range(3))
        handle = members.then(Sum.signature(numbers=results["sum"])).submit()
        other = group(Quiet.signature() for _ in range(2)).then(Quiet.signature()).submit()
        site.deliver(worker.handler)
        ended = [span for span in traces.ended("process") if _of_group(span) == handle.uuid]
        others = [span for span in traces.ended("process") if _of_group(span) == other.uuid]
        assert (len(ended), len(others)) == (3, 2)
        follows = [span for span in traces.ended("send") if span.links]
        assert sorted(map(sorted, map(links_of, follows))) == sorted(
            sorted(map(id_of, spans)) for spans in (ended, others)
        )
        traces.clear()
        site.deliver(worker.handler)
        assert {links_of(span)[0] for span in traces.ended("process")} == set(map(id_of, follows))

    def test_a_step_is_linked_to_the_one_before(self, site: Site, traces: Traces) -> None:
        chain(Quiet.signature(), Quiet.signature()).submit()
        site.deliver(worker.handler)
        (second,) = (span for span in traces.ended("send") if span.links)
        assert links_of(second) == [id_of(traces.one("process"))]
        site.deliver(worker.handler)
        assert links_of(traces.ended("process")[1]) == [id_of(second)]

    def test_what_follows_a_group_of_groups(self, site: Site, traces: Traces) -> None:
        group([group(Quiet.signature())]).then(Quiet.signature()).submit()
        site.deliver(worker.handler)  # opens the inner group
        site.deliver(worker.handler)
        inner = traces.ended("process")[-1]
        (follows,) = (span for span in traces.ended("send") if span.links)
        assert links_of(follows) == [id_of(inner)]


class TestDirectInvokes:
    @dataclass
    class Invoked(Context):
        """Lambda's context of an invocation that came with something beside its event."""

        client_context: Any = None

    @dataclass
    class Beside:
        custom: Any = field(default_factory=dict)

    @pytest.fixture
    def client(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> TaskClient:
        """A client whose Lambda is the handler."""
        test = self

        class Lambda:
            def invoke(self, **given: Any) -> Any:
                beside = None
                if "ClientContext" in given:
                    beside = test.Beside(json.loads(base64.b64decode(given["ClientContext"]))["custom"])
                before = trace.context_api.attach(trace.context_api.Context())  # another process's
                try:
                    answer = invoke.handler(json.loads(given["Payload"]), test.Invoked(client_context=beside))
                finally:
                    trace.context_api.detach(before)
                return {"Payload": BytesIO(json.dumps(answer).encode())}

        monkeypatch.setattr(functions, "client", lambda *names, **options: Lambda())
        return TaskClient(services=site.services, function="a:function:invoke")

    def test_are_children_of_their_caller(self, client: TaskClient, traces: Traces) -> None:
        assert client.run("sum", numbers=[1, 2]) == {"sum": 3}
        called, ran = traces.one("invoke sum", SpanKind.CLIENT), traces.one("run sum")
        assert ran.parent is not None
        assert (trace_of(ran), ran.parent.span_id) == (trace_of(called), id_of(called))
        assert (called.attributes or {})["faas.invoked_name"] == "invoke"

    def test_that_fail_are_errors(self, client: TaskClient, traces: Traces) -> None:
        with pytest.raises(TaskFailed):
            client.run("refuse", text="spinach")
        assert [span.status.status_code for span in traces.ended()] == [StatusCode.ERROR] * 2
        assert (traces.one("invoke").attributes or {})["error.type"] == "serverless_tasks.errors.TaskFailed"

    def test_are_exported_before_lambda_freezes_the_process(
        self, client: TaskClient, site: Site, traces: Traces, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        flushed: list[int] = []
        monkeypatch.setattr(traces.provider, "force_flush", flushed.append)
        client.run("sum", numbers=[1])
        assert (traces.one("run sum").attributes or {})["faas.trigger"] == "other"
        assert traces.one("run sum").kind is SpanKind.SERVER
        monkeypatch.setattr(site.services.runner, "claim", lambda *given, **options: 1 / 0)
        with pytest.raises(InvokeFailed):
            client.run("sum", numbers=[2])
        assert flushed == [2000, 2000]

    def test_say_nothing_beside_their_event_where_nobody_traces(self, client: TaskClient) -> None:
        assert client.run("sum", numbers=[1, 2]) == {"sum": 3}

    @pytest.mark.parametrize("custom", [None, {}, [], {"traceparent": "nonsense"}])
    def test_run_whatever_comes_beside_their_event(self, site: Site, traces: Traces, custom: Any) -> None:
        context = self.Invoked(client_context=self.Beside(custom))
        assert invoke.handler({"task": "sum", "inputs": {"numbers": [1]}}, context)["status"] == "succeeded"
        assert traces.one("run sum").parent is None


class TestOff:
    def test_by_the_setting_although_the_process_traces(
        self, site: Site, traces: Traces, bodies: Any
    ) -> None:
        site.services.config = replace(site.services.config, traces=False)
        Quiet.submit()
        site.deliver(worker.handler)
        assert traces.ended() == []
        assert "traceparent" not in bodies[0]

    def test_where_a_library_has_imported_it_and_nobody_has_set_it_up(self, site: Site, bodies: Any) -> None:
        assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
        assert site.services.spans is None
        Quiet.submit()
        assert "traceparent" not in bodies[0]

    def test_on_by_the_setting_where_nothing_is_set_up_the_job_runs(self, site: Site, bodies: Any) -> None:
        site.services.config = replace(site.services.config, traces=True)
        handle = Quiet.submit()
        assert site.deliver(worker.handler) == []
        assert handle.refresh().status == "succeeded"
        assert "traceparent" not in bodies[0]  # no tracer, no trace

    def test_it_makes_the_same_calls(self, site: Site) -> None:
        def calls() -> tuple[Any, Any]:
            with counted_calls("dynamodb", "sqs") as submitted:
                Quiet.submit_many([{}, {}])
            with counted_calls("dynamodb", "sqs") as delivered:
                site.deliver(worker.handler)
            return submitted, delivered

        calls()
        without = calls()
        with traced():
            assert calls() == without


def _of_group(span: Any) -> Any:
    return (span.attributes or {}).get("serverless_tasks.group")


WITHOUT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import serverless_tasks
from serverless_tasks import Task

class Plain(Task):
    name = "plain"

    def run(self):
        return None

serverless_tasks.configure(backend="immediate")
assert Plain.submit().status == "succeeded"
loaded = [name for name in sys.modules if "opentelemetry" in name or "tracing" in name]
assert loaded == [], loaded
"""


@pytest.mark.parametrize("setting", ["", "false"])
def test_without_the_package_jobs_run_and_nothing_is_imported(setting: str) -> None:
    _python(WITHOUT, SERVERLESS_TASKS_TRACES=setting)


def test_without_the_package_the_setting_is_refused_with_what_to_install() -> None:
    with pytest.raises(subprocess.CalledProcessError) as raised:
        _python(WITHOUT, SERVERLESS_TASKS_TRACES="true")
    assert "install serverless-tasks[otel]" in raised.value.stderr


def test_where_nobody_traces_an_installed_package_is_not_imported() -> None:
    _python(WITHOUT.replace("sys.meta_path.insert(0, Absent())", ""))


def _python(code: str, **environment: str) -> None:
    subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        cwd=Path(__file__).parents[3],
        check=True,
        capture_output=True,
        text=True,
    )
