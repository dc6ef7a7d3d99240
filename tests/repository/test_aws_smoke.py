"""The smoke test on AWS begins only when it is told to, deletes whatever has failed, and reports nothing secret.

What it does against a stack is tests/e2e/test_aws_smoke.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import boto3
import pytest
from rich.console import Console

from infra.smoke import __main__ as program
from infra.smoke import project, report
from infra.smoke.account import Account
from infra.smoke.bill import AT_MOST, dollars
from infra.smoke.masking import masked
from infra.smoke.remains import SAM_STACK, Deleted, Remain, Remains
from infra.smoke.run import CLEANING, Outcome, Result, Run, State
from infra.smoke.stack import Stack
from infra.smoke.step import Script, Step, StepFailed, Wait
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.job.record import Record
from serverless_tasks.errors import AwsError
from tests.support.aws import account
from tests.support.clock import FakeClock

ACCOUNT = "123456789012"
NAME = "tasks-smoke-1a2b3c4d"
DENIED = AwsError("dynamodb.delete_table", "AccessDeniedException", "not authorized", applied=False)


# -- whether it begins -------------------------------------------------------------------------------------------------


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("CI", raising=False)
    with account():
        yield


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stacks of which a run was begun."""
    begun: list[str] = []

    def run(_console: object, _account: object, name: str, *_: object) -> int:
        begun.append(name)
        return 0

    monkeypatch.setattr(program, "_run", run)
    monkeypatch.setattr(program, "missing_tools", lambda _: [])
    return begun


@pytest.mark.usefixtures("aws")
def test_without_a_confirmation_it_says_what_it_would_do_and_does_nothing(
    runs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main([]) == 0
    said = capsys.readouterr().out
    assert f"Account {ACCOUNT}, region us-east-1, on AWS." in said
    assert f"costs at most ${AT_MOST:.2f}" in said
    assert f"Nothing was done. To do it: make aws-smoke CONFIRM={ACCOUNT}\n" in said
    assert runs == []


@pytest.mark.usefixtures("aws")
def test_the_number_of_another_account_is_no_confirmation(
    runs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["--confirm", "210987654321"]) == 2
    assert f"these credentials are of the account {ACCOUNT}" in capsys.readouterr().out
    assert runs == []


@pytest.mark.usefixtures("aws")
def test_the_number_of_the_account_begins_a_run_with_a_name_of_its_own(runs: list[str]) -> None:
    assert [program.main(["--confirm", ACCOUNT]) for _ in range(2)] == [0, 0]
    assert len(set(runs)) == 2
    assert all(name.startswith("tasks-smoke-") for name in runs)


@pytest.mark.usefixtures("aws")
def test_in_ci_it_runs_on_a_stand_in_of_this_machine_alone(
    runs: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI", "true")
    for endpoint in (None, "https://sqs.us-east-1.amazonaws.com", "http://127.0.0.1.example.com:4566"):
        if endpoint is not None:
            monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        # Before anything is asked.
        monkeypatch.setattr(program.Account, "read", _never)
        assert program.main(["--confirm", ACCOUNT]) == 2
        assert "This is CI" in capsys.readouterr().out
    assert runs == []
    here = program.Account(id=ACCOUNT, caller="", region="us-east-1", endpoint="http://127.0.0.1:4566")
    monkeypatch.setattr(program.Account, "read", lambda: here)
    monkeypatch.setenv("AWS_ENDPOINT_URL", here.endpoint)
    assert program.main(["--confirm", ACCOUNT]) == 0
    assert len(runs) == 1


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("name", "code"), [(NAME, 0), ("tasks-smoke-", 2), ("tasks-smoke-a", 2), (f"{NAME}-b", 2), ("shop", 2)]
)
def test_only_stacks_of_its_own_are_deleted(runs: list[str], name: str, code: int) -> None:
    assert program.main(["--delete", name, "--confirm", ACCOUNT]) == code
    assert runs == ([name] if code == 0 else [])


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("there", [True, False])
def test_sams_own_stack_is_the_runs_only_where_there_was_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    """One that somebody else's first deployment is just making has no bucket yet."""
    if there:
        template = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
        boto3.client("cloudformation").create_stack(StackName=SAM_STACK, TemplateBody=template)
    taken: list[bool] = []

    def remains(*words: Any, sam_stack: bool) -> NoReturn:
        taken.append(sam_stack)
        raise InterruptedError

    monkeypatch.setattr(program, "Remains", remains)
    monkeypatch.setattr(program.signal, "signal", lambda *given: None)
    whose = Account(id=ACCOUNT, region="us-east-1", caller="", endpoint="")
    with pytest.raises(InterruptedError):
        program._run(Console(), whose, NAME, tmp_path / "report.md", program.STEPS)
    assert taken == [not there]


def test_without_a_region_it_says_so(
    runs: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("CI", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    session.reset()
    assert program.main([]) == 2
    assert "AWS_REGION is not set" in capsys.readouterr().out
    assert runs == []


def _never() -> NoReturn:
    raise AssertionError("AWS was asked")


# -- what is done whatever fails ---------------------------------------------------------------------------------------


class Cleaner:
    """In place of what looks for remains and deletes them."""

    def __init__(self, *answers: Deleted | BaseException) -> None:
        self.answers = list(answers) or [Deleted()]
        self.calls: list[float] = []

    def delete(self, seconds: float) -> Deleted:
        self.calls.append(seconds)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def find(self) -> tuple[list[Remain], list[str]]:
        return [TABLE], []


TABLE = Remain(what="the table t", command="aws dynamodb delete-table --table-name t", delete=_never)


def step(name: str, *, needed: bool = False, begins: BaseException | None = None, ends: Any = "seen") -> Step:
    """A step that does nothing, or raises as it begins or ends."""

    def script(_: Stack) -> Script:
        if begins is not None:
            raise begins
        wait = yield
        assert wait.left == 60
        if isinstance(ends, BaseException):
            raise ends
        return str(ends)

    return Step(name=name, seconds=60, script=script, needed=needed)


def go(
    *steps: Step, deletion: Step | None = None, cleaner: Cleaner | None = None
) -> tuple[Result, dict[str, str], list[object]]:
    """Run steps; returns the result, each step's outcome, and what was told."""
    told: list[object] = []
    stack: Any = None
    last = step("deletion", ends="the stack is deleted") if deletion is None else deletion
    result = Run(steps, last, cleaner or Cleaner(), stack, FakeClock(), told.append).go()
    return result, {each.name: str(each.state) for each in result.outcomes}, told


def test_all_steps_begin_before_the_first_is_waited_for() -> None:
    order: list[str] = []

    def noted(name: str) -> Callable[[Stack], Script]:
        def script(_: Stack) -> Script:
            order.append(f"{name} begins")
            yield
            order.append(f"{name} ends")
            return ""

        return script

    steps = [
        Step(name=name, seconds=1, script=noted(name), needed=name == "deployment")
        for name in ("deployment", "a", "b")
    ]
    result, outcomes, _ = go(*steps)
    assert order == ["deployment begins", "deployment ends", "a begins", "b begins", "a ends", "b ends"]
    assert set(outcomes.values()) == {"passed"}
    assert (result.passed, result.code) == (True, 0)


@pytest.mark.parametrize("when", ["begins", "ends"])
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StepFailed("the sum of 1 and 2 is 4"), "the sum of 1 and 2 is 4"),
        (DENIED, str(DENIED)),
        (KeyError("sum"), "KeyError: 'sum'"),
    ],
)
def test_a_step_that_fails_is_told_of_and_the_others_and_the_deletion_follow(
    when: str, error: Exception, said: str
) -> None:
    cleaner = Cleaner()
    broken = step("queue", begins=error) if when == "begins" else step("queue", ends=error)
    result, outcomes, told = go(step("deployment", needed=True), broken, step("group"), cleaner=cleaner)
    assert outcomes == {"deployment": "passed", "queue": "failed", "group": "passed", "deletion": "passed"}
    assert result.outcomes[1].said == said
    assert result.outcomes[1] in told
    assert cleaner.calls == [CLEANING]
    assert (result.verdict, result.code) == ("failed", 1)


def test_without_a_deployment_nothing_is_tried_and_all_is_deleted() -> None:
    cleaner = Cleaner()
    deployment = step("deployment", needed=True, ends=StepFailed("no"))
    result, outcomes, _ = go(step("project", needed=True), deployment, step("queue"), cleaner=cleaner)
    assert outcomes == {"project": "passed", "deployment": "failed", "queue": "not run", "deletion": "passed"}
    assert (len(cleaner.calls), result.code) == (1, 1)


@pytest.mark.parametrize("needed", [True, False])
def test_what_is_interrupted_is_deleted(needed: bool) -> None:
    cleaner = Cleaner()
    result, outcomes, _ = go(
        step("first", needed=needed, ends=KeyboardInterrupt()), step("second"), cleaner=cleaner
    )
    assert outcomes == {"first": "interrupted", "second": "not run", "deletion": "passed"}
    assert (len(cleaner.calls), result.verdict, result.code) == (1, "interrupted", 130)


def test_a_terminal_that_is_gone_does_not_keep_it_from_deleting() -> None:
    cleaner = Cleaner()

    def told(_: object) -> None:
        raise BrokenPipeError

    stack: Any = None
    result = Run(
        [step("queue", ends=StepFailed("no"))], step("deletion"), cleaner, stack, FakeClock(), told
    ).go()
    assert [str(each.state) for each in result.outcomes] == ["failed", "passed"]
    assert cleaner.calls == [CLEANING]


def test_an_error_of_the_run_itself_does_not_keep_it_from_deleting() -> None:
    cleaner = Cleaner()

    def told(said: object) -> None:
        if said == "queue":
            raise ZeroDivisionError

    stack: Any = None
    with pytest.raises(ZeroDivisionError):
        Run([step("queue")], step("deletion"), cleaner, stack, FakeClock(), told).go()
    assert cleaner.calls == [CLEANING]


def test_a_deletion_that_fails_is_followed_by_that_of_each_part() -> None:
    cleaner = Cleaner()
    result, outcomes, _ = go(deletion=step("deletion", ends=StepFailed("DELETE_FAILED")), cleaner=cleaner)
    assert outcomes == {"deletion": "failed"}
    assert (len(cleaner.calls), result.code) == (1, 1)


@pytest.mark.parametrize(
    "deleted", [Deleted(left=(TABLE,)), Deleted(problems=("tables could not be looked for",))]
)
def test_what_is_left_fails_the_run(deleted: Deleted) -> None:
    result, outcomes, _ = go(step("queue"), cleaner=Cleaner(deleted))
    assert set(outcomes.values()) == {"passed"}
    assert (result.verdict, result.code) == ("failed", 1)


def test_a_deletion_that_is_interrupted_says_what_is_left() -> None:
    result, _, _ = go(step("queue"), cleaner=Cleaner(KeyboardInterrupt()))
    assert result.deleted == Deleted(left=(TABLE,), problems=("the deletion was interrupted",))
    assert result.code == 1


def test_a_deletion_that_ends_with_any_error_says_so() -> None:
    result, _, _ = go(step("queue"), cleaner=Cleaner(KeyError("Buckets")))
    assert result.deleted.problems == ("the deletion ended with KeyError: 'Buckets'",)
    assert result.code == 1


def test_a_step_waits_until_its_time_is_over() -> None:
    clock = FakeClock()
    seen = iter([None, None, "it"])
    assert Wait(10, clock).until("it", lambda: next(seen)) == "it"
    began = clock.now()
    with pytest.raises(StepFailed, match="the dead letter was not seen within 10 seconds"):
        Wait(10, clock).until("the dead letter", lambda: None)
    assert clock.now() - began == pytest.approx(10)


# -- what is deleted ---------------------------------------------------------------------------------------------------


def make_remains(stack: str) -> None:
    """What outlives a stack, and with it the stack."""
    boto3.client("cloudformation").create_stack(
        StackName=stack, TemplateBody='{"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}'
    )
    boto3.client("dynamodb").create_table(
        TableName=f"{stack}-Table-1",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=f"{stack}-payloadbucket-1")
    s3.put_object(Bucket=f"{stack}-payloadbucket-1", Key="dead-letters/undecodable/1", Body=b"x")
    for name in (f"/serverless-tasks/{stack}/worker", f"/aws/lambda/{stack}-Other"):
        boto3.client("logs").create_log_group(logGroupName=name)
    boto3.client("scheduler").create_schedule_group(Name=f"{stack}-ScheduleGroup-1")


def make_sam_stack(*prefixes: str) -> None:
    """SAM's bucket with artefacts of stacks, each in two versions, one of which is deleted."""
    boto3.client("cloudformation").create_stack(
        StackName=SAM_STACK,
        TemplateBody="""{
            "Resources": {"SourceBucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "artefacts"}}},
            "Outputs": {"SourceBucket": {"Value": {"Ref": "SourceBucket"}}}
        }""",
    )
    s3 = boto3.client("s3")
    s3.put_bucket_versioning(Bucket="artefacts", VersioningConfiguration={"Status": "Enabled"})
    for prefix in prefixes:
        for body in (b"1", b"2"):
            s3.put_object(Bucket="artefacts", Key=f"{prefix}/0a1b", Body=body)
        s3.delete_object(Bucket="artefacts", Key=f"{prefix}/0a1b")


def names() -> set[str]:
    """All that there is in the account, but for moto's own."""
    s3 = boto3.client("s3")
    buckets = [each["Name"] for each in s3.list_buckets()["Buckets"] if each["Name"] != "payloads"]
    versions = [
        each["Key"]
        for bucket in buckets
        for kind in ("Versions", "DeleteMarkers")
        for each in s3.list_object_versions(Bucket=bucket).get(kind, [])
    ]
    groups = boto3.client("scheduler").list_schedule_groups()["ScheduleGroups"]
    return {
        *(each["StackName"] for each in boto3.client("cloudformation").describe_stacks()["Stacks"]),
        *boto3.client("dynamodb").list_tables()["TableNames"],
        *buckets,
        *versions,
        *(each["logGroupName"] for each in boto3.client("logs").describe_log_groups()["logGroups"]),
        *(each["Name"] for each in groups if each["Name"] != "default"),
    }


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("sam_stack", [True, False])
def test_what_outlives_a_stack_is_deleted_and_what_is_others_stays(sam_stack: bool) -> None:
    # One whose name begins in the same way is another's.
    make_remains(f"{NAME}5")
    make_sam_stack("shop")
    others = names()
    make_remains(NAME)
    for body in (b"1", b"2"):
        boto3.client("s3").put_object(Bucket="artefacts", Key=f"{NAME}/0a1b", Body=body)
    deleted = Remains(NAME, "us-east-1", FakeClock(), sam_stack=sam_stack).delete(300)
    assert names() == others
    assert (deleted.left, deleted.problems) == ((), ())
    assert f"the table {NAME}-Table-1" in deleted.gone
    assert "artefacts in artefacts" in deleted.gone


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(("sam_stack", "left"), [(True, set()), (False, {SAM_STACK, "artefacts"})])
def test_sams_own_stack_goes_if_the_run_has_made_it_and_nobody_else_uses_it(
    sam_stack: bool, left: set[str]
) -> None:
    make_sam_stack(NAME)
    Remains(NAME, "us-east-1", FakeClock(), sam_stack=sam_stack).delete(300)
    assert names() == left


@pytest.mark.usefixtures("aws")
def test_what_cannot_be_deleted_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    make_remains(NAME)

    def refused(method: Any, /, **parameters: Any) -> dict[str, Any]:
        if method.__name__ == "delete_table":
            raise DENIED
        if method.__name__ == "list_schedule_groups":
            raise AwsError("scheduler.list_schedule_groups", "AccessDeniedException", "no", applied=False)
        answer: dict[str, Any] = session.call(method, **parameters)
        return answer

    monkeypatch.setattr("infra.smoke.remains.call", refused)
    clock = FakeClock()
    began = clock.now()
    deleted = Remains(NAME, "us-east-1", clock, sam_stack=True).delete(60)
    assert [(each.what, each.command) for each in deleted.left] == [
        (
            f"the table {NAME}-Table-1",
            f"aws dynamodb delete-table --table-name {NAME}-Table-1 --region us-east-1",
        )
    ]
    said = "\n".join(deleted.problems)
    assert "schedules could not be looked for" in said
    assert f"the table {NAME}-Table-1 could not be deleted" in said
    assert "not authorized" in said
    assert 60 < clock.now() - began < 90


# -- what is reported --------------------------------------------------------------------------------------------------

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
HIDDEN = {
    "the account of a queue's URL": (
        f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/{NAME}-HighQueue-1",
        f"https://sqs.eu-west-1.amazonaws.com/***/{NAME}-HighQueue-1",
    ),
    "the account of an ARN": (
        f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/{NAME}-Table-1",
        f"arn:aws:dynamodb:eu-west-1:***:table/{NAME}-Table-1",
    ),
    "another account": ("account=210987654321.", "account=***."),
    "an account with hyphens": ("1234-5678-9012", "***"),
    "who was refused": (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_Admin_0a/ada@example.com is not authorized",
        "User: arn:*** is not authorized",
    ),
    "a role": (f"arn:aws:iam::{ACCOUNT}:role/payroll-admin, x", "arn:***, x"),
    "an address": ("Contact ada.l@mail.example.com now", "Contact *** now"),
    "an access key": ("the key AKIAIOSFODNN7EXAMPLE is", "the key *** is"),
    "a temporary one": ("ASIAY34FZKBOKMUTVV7A", "***"),
    "a secret": (f"aws_secret_access_key = {SECRET}", "aws_secret_access_key = ***"),
    "a secret in JSON": ('{"SecretAccessKey": "abc/def", "a": 1}', '{"SecretAccessKey": "***", "a": 1}'),
    "a session token": ("AWS_SESSION_TOKEN=IQoJb3JpZ2luX2VjE", "AWS_SESSION_TOKEN=***"),
    "a signed URL": (
        "https://b.s3.amazonaws.com/k?X-Amz-Credential=ASIA%2Fx&X-Amz-Security-Token=IQoJ&X-Amz-Signature=0a1b&x=1",
        "https://b.s3.amazonaws.com/k?X-Amz-Credential=***&X-Amz-Security-Token=***&X-Amz-Signature=***&x=1",
    ),
    "a signature": ("Credential=abc/20260131, Signature=0a1b", "Credential=***, Signature=***"),
    "a JSON web token": ("of eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2ln is", "of *** is"),
    "a function's URL": (
        "https://abcdefghij1234567890.lambda-url.eu-west-1.on.aws/",
        "https://***.lambda-url.eu-west-1.on.aws/",
    ),
    "what is known to be secret": ("a0b1c2d3e4f5g6h7 and more", "*** and more"),
}


@pytest.mark.parametrize(("text", "left"), HIDDEN.values(), ids=HIDDEN)
def test_what_identifies_an_account_or_a_person_is_masked(text: str, left: str) -> None:
    assert masked(text, ["a0b1c2d3e4f5g6h7"]) == left


@pytest.mark.parametrize(
    "text",
    [
        "attempt 2 has succeeded; ended 71.3 s after it was submitted",
        f"the table {NAME}-Table-1ABCDEFGHIJKL could not be deleted: dynamodb.delete_table: AccessDeniedException",
        "the job 5f0f1c5e-6f34-4c26-9c5c-0d3f5a3f9b1a ended at 1767225600123",
        "$0.00058 for 32 jobs at list prices of us-east-1 of 2026-11-27",
    ],
)
def test_what_says_what_is_wrong_stays(text: str) -> None:
    assert masked(text, ["test", ""]) == text


def test_the_home_directory_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert masked("No such file: /home/ada/.aws/config") == "No such file: ~/.aws/config"


def test_nothing_of_it_is_in_a_report_wherever_it_was_said() -> None:
    said = "\n".join(text for text, _ in HIDDEN.values())
    failed = Outcome(name="queue", state=State.FAILED, seconds=1.25, said=f"It failed | badly\n{said}")
    passed = Outcome(name="cost", state=State.PASSED, seconds=0.5, said=f"{ACCOUNT} {SECRET}")
    remain = Remain(
        what="the bucket b", command=f"aws s3 rb s3://b --profile {ACCOUNT} --region r", delete=_never
    )
    deleted = Deleted(gone=(said,), left=(remain,), problems=(said, f"arn:aws:iam::{ACCOUNT}:user/ada"))
    text = report.rendered(
        Result(outcomes=(failed, passed), deleted=deleted),
        {"region": "eu-west-1", "AWS": f"a stand-in at {ACCOUNT}"},
        [SECRET, "a0b1c2d3e4f5g6h7"],
    )
    for hidden in (ACCOUNT, "210987654321", SECRET, "ada", "AKIA", "IQoJ", "payroll", "a0b1c2d3", "0a1b&x"):
        assert hidden not in text
    assert "# Smoke test on AWS: failed" in text
    assert "| queue | failed | 1.2 | see below: It failed \\| badly |" in text
    assert "## queue\n\n```\nIt failed | badly\n" in text
    assert "- **left**: the bucket b: `aws s3 rb s3://b --profile *** --region r`" in text


def test_a_report_says_what_was_run() -> None:
    found = report.facts("eu-west-1", "", "2026-01-31T12:00:00Z")
    assert found["serverless-tasks"].startswith(f"{report.version()}, commit ")
    assert (found["region"], found["AWS"]) == ("eu-west-1", "itself")


# -- the project and the bill ------------------------------------------------------------------------------------------


def test_samconfig_has_the_runs_own_region_artefacts_and_timeout(tmp_path: Any) -> None:
    config = (project.ROOT / "samconfig.toml").read_text()
    made = project.configured(config, Stack(NAME, "eu-west-1", tmp_path))
    assert 'region = "eu-west-1"' in made
    assert f's3_prefix = "{NAME}"' in made
    assert 'parameter_overrides = ["WorkerTimeout=60", "TaskModules=' in made
    with pytest.raises(StepFailed, match="has 0 lines"):
        project.configured(config.replace("s3_prefix", "prefix"), Stack(NAME, "eu-west-1", tmp_path))


@pytest.mark.parametrize(
    ("status", "at_rest"),
    [
        ("CREATE_IN_PROGRESS", False),
        ("ROLLBACK_IN_PROGRESS", False),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", False),
        ("REVIEW_IN_PROGRESS", True),
        ("CREATE_COMPLETE", True),
        ("ROLLBACK_COMPLETE", True),
        ("DELETE_COMPLETE", True),
    ],
)
def test_a_stack_is_deleted_when_cloudformation_is_done_with_it(status: str, at_rest: bool) -> None:
    assert project.is_at_rest(status) is at_rest


def test_the_bill_counts_time_attempts_and_groups() -> None:
    job = {"task": "sum", "started": 1_000_000, "finished": 1_002_000, "attempt": 1}
    once = dollars([Record(uuid="a", **job)])  # type: ignore[arg-type]
    twice = dollars([Record(uuid="a", **{**job, "attempt": 2})])  # type: ignore[arg-type]
    longer = dollars([Record(uuid="a", **{**job, "finished": 1_004_000})])  # type: ignore[arg-type]
    member = dollars([Record(uuid="a", group="g", **job)])  # type: ignore[arg-type]
    waiting = dollars([Record(uuid="a", task="sum")])
    assert 0 < waiting < once < min(twice, longer, member)
    assert dollars([Record(uuid="a", **job)] * 40) < AT_MOST  # type: ignore[arg-type]
