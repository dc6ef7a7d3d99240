"""Names that are stored or sent are never renamed: jobs in flight, dashboards, alarms and log queries rest on them.

How whole messages and items of the version before are read is in `tests/integration/aws/dynamodb/test_version_before`.
"""

import ast
import json
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from django_integration.web.http import signed_job
from lambda_handlers import telemetry
from serverless_tasks import errors
from serverless_tasks.engine.aws.dynamodb import manifest, pauses
from serverless_tasks.engine.definition import recurring
from serverless_tasks.engine.definition.manifest.build import READS, Manifest
from serverless_tasks.engine.definition.manifest.entry import DeployedTask
from serverless_tasks.engine.job import dead_letter, message
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.options import JobOptions
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import Failure
from serverless_tasks.engine.statistics import counts
from serverless_tasks.engine.statistics import items as statistics
from serverless_tasks.engine.statistics.errors import Occurrences
from serverless_tasks.engine.statistics.fingerprint import kind_of
from serverless_tasks.engine.store import items, transitions
from serverless_tasks.engine.store.base import Claim, ClaimAnswer
from serverless_tasks.engine.store.hashes import lock_id
from serverless_tasks.engine.worker.pauses import QUEUE, TASK, Pause, _key

ROOT = Path(__file__).resolve().parents[2]
ID = "0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11"
WHOLE = Message(
    uuid=ID,
    task="sum",
    inputs={},
    owner="7",
    queue="low",
    created=1,
    expires=2,
    inputs_key=f"inputs/{ID}",
    secrets=("pin",),
    retry_of=ID,
    schedule="s",
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    tracestate="vendor=x",
    build="2026-11.3",
    run_at=3,
    uncertain=True,
    options=JobOptions(tenant="acme", track=False),
)
ERRORS = {
    *("AlreadyFinished", "AlreadyRunning", "AwsError", "ConfigurationError", "IdempotencyConflict"),
    *(
        "InputsUnavailable",
        "InvalidCursor",
        "InvalidEvent",
        "InvalidInputs",
        "InvalidOutputs",
        "InvokeFailed",
    ),
    *("LeaseLost", "LetterNotFound", "MessageTooNew", "MessageUndecodable", "NotFinished", "NotPublished"),
    *("ParameterNotValidError", "PayloadTooLarge", "RetriesExhausted", "SubmitFailed", "SubmitUncertain"),
    *("TaskCancelled", "TaskDefinitionError", "TaskError", "TaskFailed", "TaskNotFound", "TaskRetry"),
    *("TaskStopped", "TaskTimeout", "UnknownOption", "UnknownSchedule", "UnknownTask", "WaitTimeout"),
}
METRICS = {
    *("DeadLettered", "TaskCancelled", "TaskDuration", "TaskFailed", "TaskLost", "TaskRetried"),
    *("MessageReturned", "TaskSucceeded", "Undecodable", "UnknownTask"),
}


def test_the_members_of_a_message() -> None:
    body = json.loads(WHOLE.encode())
    assert set(body) == {
        *("v", "uuid", "task", "inputs", "owner", "inputs_key", "secrets", "retry_of", "schedule", "options"),
        *("created", "expires", "traceparent", "tracestate", "build"),
    }
    assert set(body["options"]) == {"queue", "tenant", "track"}


def test_the_attributes_of_a_job_item() -> None:
    assert set(items.job_item(WHOLE)) == {
        *("pk", "sk", "task", "queue", "created", "expires", "ttl", "inputs", "created_uuid", "task_day"),
        *("inputs_key", "run_at", "tenant", "track", "schedule", "secrets", "retry_of", "uncertain"),
        *("owner", "owner_day"),
    }


def test_the_attribute_of_compressed_inputs() -> None:
    item = items.job_item(replace(WHOLE, inputs={"text": "x" * 5_000}))
    assert set(items.compressed(item)) == set(item) - {"inputs"} | {"inputs_zlib"}


def test_the_build_in_a_state() -> None:
    claimed = transitions.claimed(WHOLE, token="t", lease=9, request_id="r", now=5, build="b")
    assert claimed.put["build"] == "b"


def test_what_is_kept_of_a_failure_of_messages_and_of_retries() -> None:
    failure = Failure(type="KeyError", message="no", fingerprint="f")
    assert set(items.failure_fields(failure)) == {
        *("error_type", "error", "error_public", "failure_fingerprint"),
    }
    claim = Claim(answer=ClaimAnswer.CLAIMED, token="t", attempt=1, started=1)
    assert set(items.ended_item(ID, claim, failure, 2, due=3)) == {
        *("pk", "sk", "number", "started", "ended", "request_id", "type", "message", "public", "traceback"),
        "due",
    }
    [kept] = items.message_items(ID, "t", Snapshot(messages=("half way",), times=(1,)))
    assert set(kept) == {"pk", "sk", "n", "messages", "times"}
    assert set(transitions.retry_noted("", ID).put) == {"retried_as"}
    assert items.index_fields(ID, items.WAITING, 1) == {
        "task_day": f"#waiting#{items.shard(ID, 4)}",
        "created_uuid": f"0000000000001#{ID}",
    }


def test_keys_and_prefixes() -> None:
    assert (items.JOB, items.STATE, items.STATE_PREFIX) == ("job", "s#state", "s#")
    assert (message.inputs_key(ID), message.outputs_prefix(ID)) == (f"inputs/{ID}", f"outputs/{ID}/")
    assert (dead_letter.PREFIX, recurring.PREFIX) == ("dead-letters/", "task-")


def test_statistics_and_errors() -> None:
    moment = 1_769_860_800_000
    keys = (statistics.hours_key("sum"), statistics.errors_key("2026-01-31"), statistics.first_key("f"))
    assert keys == ("stats#sum", "errors#2026-01-31", "error#f")
    assert statistics.hour_of(moment) == "2026-01-31T12"
    assert statistics.hour_attribute(moment) == "h12"
    assert counts.ENDS == ("submitted", "succeeded", "failed", "retried", "cancelled", "lost")
    assert (
        *("seconds", "gb_seconds"),
        *("d", "q"),
    ) == (counts.SECONDS, counts.GB_SECONDS, counts.DURATION, counts.QUEUE_WAIT)
    calls = {"wu", "ru", "sqs", "lam", "s3p", "s3g", "sch", "own"}
    submissions = {"sub_wu", "sub_sqs", "sub_s3p", "sub_sch"}
    assert set(counts.CALLS) == {*calls, *submissions, "arm"}
    kind = kind_of("sum", "ValueError", "no 7")
    assert kind.fingerprint == "38b0eccf19f4"
    assert set(statistics.kind_fields(kind)) == {"task", "type", "frame"}
    assert (statistics.example_key("f"), statistics.EXAMPLES) == ("f#e", ("x1", "x2", "x3"))
    example = Occurrences(kind=kind, count=1, first=1, last=1, text="no 7", text_of=ID)
    assert set(statistics.example_fields(example)) == {"text", "text_of", "x1"}


def test_the_manifest() -> None:
    assert (manifest.PK, manifest.SK) == ("manifest", "manifest")
    written = Manifest(build="b", since=1, indexed_since=1, first=1, reads=dict.fromkeys(READS, 1))
    assert set(written.to_item()) == {
        "build",
        "build_id",
        "since",
        "tasks",
        "indexed_since",
        "first",
        "reads",
    }
    assert json.loads(written.to_item()["reads"]) == {"build": "b", "inputs_zlib": 1}
    assert set(DeployedTask(name="sum").to_json()) == {
        *("name", "queue", "priority", "unique", "secrets", "closed", "defaults", "schema", "schema_hash"),
    }
    assert DeployedTask(name="sum", aliases=("add",)).to_json()["aliases"] == ("add",)


def test_hashes_salts_and_namespaces() -> None:
    assert lock_id("unique", ["7", "sum", {"a": 1}]) == (
        "unique#a4ff9517820abb17cdf6b9069b7b372f818e2e57a8d8a0ffb25437eff9b43ae6"
    )
    assert signed_job._SALT == "serverless_tasks.job"
    assert UUID("8f3c1f0a-52b4-4c57-9a62-6f2d6c1b7e90") == message._TICKS


def test_the_types_of_errors() -> None:
    assert sorted(name for name in ERRORS if not hasattr(errors, name)) == []


def test_the_metrics() -> None:
    counted = set(telemetry._COUNTED.values())
    for path in (ROOT / "lambda_handlers").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("count", "_add"):
                [name, *_] = node.args
                if isinstance(name, ast.Constant):
                    counted.add(name.value)
    assert counted == METRICS


def test_the_item_of_pauses() -> None:
    pause = Pause(kind=TASK, name="sum", since=1, by="ada", why="so", until=2)
    assert (pauses.PK, pauses.SK) == ("control", "pauses")
    assert json.loads(pause.encode()) == {
        "kind": "task",
        "name": "sum",
        "since": 1,
        "by": "ada",
        "why": "so",
        "until": 2,
    }
    assert (_key(TASK, "sum"), _key(QUEUE, "low")) == (
        "task_09f5ffef28309853265c4a98",
        "queue_6c1ff09db3a73dc4a854f695",
    )
    assert pause.failure.type == "TaskPaused"
