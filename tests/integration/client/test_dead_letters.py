"""Dead letters: kept in the bucket, sent again, thrown away; from Python and from the command line."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from serverless_tasks import Task, TaskClient
from serverless_tasks.cli.app import app
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.backends.sqs import offload_inputs
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.dead_letter import DeadLetter
from serverless_tasks.engine.job.message import RETENTION, Message
from serverless_tasks.engine.job.record import Failure
from serverless_tasks.engine.services import Services, use
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.submission import submit_json
from serverless_tasks.errors import AwsError, LetterNotFound
from serverless_tasks.params import ListParameter, NumberParameter
from tests.support.calls import counted_calls
from tests.support.clock import FakeClock
from tests.support.jobs import a_message

LATE = Failure(type="Undeliverable", message="The job was delivered many times and never ended.")


class Sum(Task):
    name = "sum"
    inputs = {"numbers": ListParameter(NumberParameter())}
    outputs = {"sum": NumberParameter()}

    def run(self, numbers: list[float]) -> float:
        return sum(numbers)


class Reindex(Task):
    name = "reindex"
    inputs = {"n": NumberParameter()}
    unique = True

    def run(self, n: float) -> None:
        return None


@pytest.fixture
def services(
    config: Config, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Services]:
    monkeypatch.chdir(tmp_path)
    with use(Services(config, clock=clock)) as services:
        services.registry.add(Sum)
        yield services
        services.dead_letter_store.remove([letter.id for letter in services.dead_letter_store.all()])


@pytest.fixture
def client(services: Services) -> TaskClient:
    return TaskClient()


def settled(services: Services, message: Message, reason: str = "Undeliverable: late") -> DeadLetter:
    """A job that the dead-letter handler has settled, and its letter."""
    services.store.put_jobs([message])
    services.store.settle(message, LATE)
    letter = DeadLetter(id=f"jobs/{message.uuid}", reason=reason, task=message.task, queue=message.queue)
    services.dead_letter_store.keep(letter, message.encode())
    return letter


def undecodable(services: Services, body: str = "not ours", id: str = "1") -> DeadLetter:
    letter = DeadLetter(id=f"undecodable/{id}", reason="it is not JSON")
    services.dead_letter_store.keep(letter, body)
    return letter


def received(config: Config, queue: str = "default") -> list[str]:
    found: list[str] = []
    sqs = session.client("sqs")
    while batch := sqs.receive_message(QueueUrl=config.queue_urls[queue], MaxNumberOfMessages=10).get(
        "Messages"
    ):
        found += [message["Body"] for message in batch]
    return found


def ids(services: Services) -> list[str]:
    return sorted(letter.id for letter in services.dead_letter_store.all())


class TestKeeping:
    def test_a_letter_is_found_as_it_was_kept(self, services: Services) -> None:
        letter = DeadLetter(
            id="undecodable/1",
            reason='50 % of "ä" \n 日本 ' + "x" * 40,
            task="süß",
            queue="low",
            deliveries=101,
            sent=1_767_225_600_000,
        )

        services.dead_letter_store.keep(letter, "日本 \ud800")

        found = services.dead_letter_store.find("undecodable/1")
        assert found is not None
        assert replace(found, kept=0) == letter
        assert found.kept > letter.sent
        assert services.dead_letter_store.body("undecodable/1") == "日本 \ud800"

    def test_what_is_known_stays_within_the_limit_of_metadata(self, services: Services) -> None:
        long = DeadLetter(id="undecodable/1", reason="日" * 2000, task="語" * 200, queue="q" * 80)

        services.dead_letter_store.keep(long, "")

        metadata = session.client("s3").head_object(Bucket="payloads", Key="dead-letters/undecodable/1")[
            "Metadata"
        ]
        assert sum(len(name) + len(value) for name, value in metadata.items()) < 2048
        found = services.dead_letter_store.find("undecodable/1")
        assert found is not None
        assert long.reason.startswith(found.reason)
        assert len(found.reason) > 60

    def test_letters_are_listed_past_a_page(
        self, services: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(5):
            undecodable(services, id=str(number))
        s3 = session.client("s3")
        monkeypatch.setattr(
            s3, "list_objects_v2", lambda given=s3.list_objects_v2, **more: given(MaxKeys=2, **more)
        )

        assert ids(services) == [f"undecodable/{number}" for number in range(5)]

    def test_only_what_was_kept_before_is_asked_for(self, services: Services) -> None:
        letter = undecodable(services)
        kept = services.dead_letter_store.find(letter.id)
        assert kept is not None

        with counted_calls("s3") as calls:
            assert list(services.dead_letter_store.all(before=kept.kept)) == []
        assert calls == {"ListObjectsV2": 1}
        assert list(services.dead_letter_store.all(before=kept.kept + 1)) == [kept]

    def test_a_stranger_is_not_found(self, services: Services, client: TaskClient) -> None:
        assert services.dead_letter_store.find("jobs/none") is None
        with pytest.raises(LetterNotFound, match="No dead letter has the id none"):
            client.dead_letters.named(["none"])

    def test_a_bucket_that_may_not_be_read_is_an_error(
        self, services: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        undecodable(services)

        def refuse(**_: Any) -> Any:
            raise AwsError("s3.head_object", "403", "Forbidden", applied=False)

        monkeypatch.setattr(session.client("s3"), "head_object", refuse)
        with pytest.raises(AwsError):
            list(services.dead_letter_store.all())
        monkeypatch.undo()

    @pytest.mark.parametrize(("status", "known"), [("403", LetterNotFound), ("503", AwsError)])
    def test_to_an_operator_s3_refuses_a_letter_that_is_not_there(
        self, client: TaskClient, monkeypatch: pytest.MonkeyPatch, status: str, known: type[Exception]
    ) -> None:
        """Who may list some of a bucket is not told what it lacks."""

        def refuse(**_: Any) -> Any:
            raise AwsError("s3.head_object", status, "Forbidden", applied=False)

        monkeypatch.setattr(session.client("s3"), "head_object", refuse)
        with pytest.raises(known):
            client.dead_letters.named(["none"])
        monkeypatch.undo()

    def test_the_letter_of_a_deleted_job_goes_with_it(self, services: Services, clock: FakeClock) -> None:
        message = a_message(clock)
        settled(services, message)

        services.store.delete(message.uuid)

        assert ids(services) == []


class TestRetrying:
    def test_a_settled_job_is_submitted_once_more(
        self, services: Services, client: TaskClient, config: Config, clock: FakeClock
    ) -> None:
        message = a_message(clock, owner="7", tenant="t", queue="low")
        letter = settled(services, message)

        (resent,) = client.dead_letters.retry([letter])

        (body,) = received(config, "low")
        again = Message.decode(body)
        assert (resent.outcome, resent.uuid) == ("resubmitted", again.uuid)
        assert (again.retry_of, again.inputs, again.owner, again.options.tenant) == (
            message.uuid,
            message.inputs,
            "7",
            "t",
        )
        assert again.uuid != message.uuid
        assert client.get(again.uuid).status == "pending"
        assert ids(services) == []

    def test_in_whose_place_another_lives_tells_that_one(
        self, services: Services, client: TaskClient, config: Config, clock: FakeClock
    ) -> None:
        services.registry.add(Reindex)
        message = a_message(clock, task="reindex", owner="7", inputs={"n": 1})
        letter = settled(services, message)
        live = submit_json(services, "reindex", {"n": 1}, Options(owner="7"))

        (resent,) = client.dead_letters.retry([letter])

        assert (resent.outcome, resent.uuid) == ("resubmitted", live.uuid)
        assert len(received(config)) == 1

    def test_is_found_by_a_uuid_in_any_form(
        self, services: Services, client: TaskClient, clock: FakeClock
    ) -> None:
        message = a_message(clock)
        letter = settled(services, message)

        forms = [message.uuid.upper(), message.uuid.replace("-", ""), message.uuid, letter.id]
        assert [found.id for found in client.dead_letters.named(forms)] == [letter.id] * 4
        with pytest.raises(LetterNotFound):
            client.dead_letters.named(["nonsense"])

    def test_retrying_a_letter_twice_makes_one_job(
        self, services: Services, client: TaskClient, config: Config, clock: FakeClock
    ) -> None:
        letter = settled(services, a_message(clock))

        uuids = []
        for _ in range(2):
            services.dead_letter_store.keep(
                letter, a_message(clock, uuid=letter.id.removeprefix("jobs/")).encode()
            )
            uuids += [resent.uuid for resent in client.dead_letters.retry([letter])]

        assert len(set(uuids)) == 1
        assert {Message.decode(body).uuid for body in received(config)} == set(uuids)

    def test_inputs_in_the_bucket_are_fetched(
        self, services: Services, client: TaskClient, config: Config, clock: FakeClock
    ) -> None:
        message = a_message(clock, inputs={"numbers": list(range(100_000))})
        assert services.blobs is not None
        letter = settled(services, offload_inputs(message, services.blobs))

        (resent,) = client.dead_letters.retry([letter])

        job = services.store.job(resent.uuid)
        assert job is not None
        assert job.inputs == message.inputs

    def test_secret_inputs_go_along_and_are_masked_where_the_job_is_kept(
        self, services: Services, client: TaskClient, config: Config, clock: FakeClock
    ) -> None:
        message = a_message(clock, task="elsewhere", inputs={"password": "hunter22"}, secrets=("password",))
        letter = settled(services, message)

        (resent,) = client.dead_letters.retry([letter])

        (body,) = received(config)
        again = Message.decode(body)
        assert (again.inputs, again.secrets) == (message.inputs, ("password",))
        job = services.store.job(resent.uuid)
        assert job is not None
        assert job.inputs == {"password": "**********"}

    def test_inputs_that_are_gone_are_a_refusal(
        self, services: Services, client: TaskClient, config: Config, clock: FakeClock
    ) -> None:
        message = a_message(clock)
        letter = settled(services, replace(message, inputs={}, inputs_key=f"inputs/{message.uuid}"))

        (resent,) = client.dead_letters.retry([letter])

        assert (resent.outcome, resent.reason.split(": ")[1]) == (
            "refused",
            "the bucket no longer has its inputs. Submit it again with its inputs.",
        )
        assert ids(services) == [letter.id]

    def test_what_the_present_code_refuses_stays_and_the_others_go(
        self, services: Services, client: TaskClient, config: Config, clock: FakeClock
    ) -> None:
        refused = settled(services, a_message(clock, inputs={"numbers": "x"}))
        newer = a_message(clock)
        too_new = settled(services, newer)
        services.dead_letter_store.keep(too_new, json.dumps(json.loads(newer.encode()) | {"v": 3}))
        good = settled(services, a_message(clock))

        outcomes = {
            resent.letter.id: resent for resent in client.dead_letters.retry(services.dead_letter_store.all())
        }

        assert outcomes[good.id].outcome == "resubmitted"
        assert "Inputs of task 'sum' are invalid" in outcomes[refused.id].reason
        assert "version 3" in outcomes[too_new.id].reason
        assert ids(services) == sorted([refused.id, too_new.id])
        assert len(received(config)) == 1

    def test_a_body_that_can_be_read_by_now_goes_to_its_queue_as_it_is(
        self, services: Services, client: TaskClient, config: Config, clock: FakeClock
    ) -> None:
        message = a_message(clock, queue="high")
        body = json.dumps(json.loads(message.encode()) | {"unknown": 1})
        letter = undecodable(services, body)

        (resent,) = client.dead_letters.retry([letter])

        assert (resent.outcome, resent.uuid) == ("sent", message.uuid)
        assert received(config, "high") == [body]
        assert ids(services) == []

    def test_one_that_can_be_read_but_is_past_its_time_becomes_a_new_job(
        self, services: Services, client: TaskClient, config: Config, clock: FakeClock
    ) -> None:
        message = a_message(clock)
        letter = undecodable(services, message.encode())
        clock.move(RETENTION + 1)

        (resent,) = client.dead_letters.retry([letter])

        (body,) = received(config)
        assert resent.outcome == "resubmitted"
        assert Message.decode(body).retry_of == message.uuid

    def test_a_body_that_cannot_be_read_stays(
        self, services: Services, client: TaskClient, config: Config
    ) -> None:
        letter = undecodable(services)

        (resent,) = client.dead_letters.retry([letter])

        assert resent.outcome == "refused"
        assert "not JSON" in resent.reason
        assert ids(services) == [letter.id]

    def test_a_queue_that_does_not_take_it_leaves_the_letter(
        self, services: Services, client: TaskClient, config: Config, clock: FakeClock
    ) -> None:
        job = settled(services, a_message(clock, queue="nowhere"))
        body = undecodable(services, a_message(clock, queue="nowhere").encode())

        outcomes = [resent.outcome for resent in client.dead_letters.retry([job, body])]

        assert outcomes == ["refused", "refused"]
        assert ids(services) == sorted([job.id, body.id])

    def test_a_dry_run_sends_nothing(
        self, services: Services, client: TaskClient, config: Config, clock: FakeClock
    ) -> None:
        settled(services, a_message(clock))
        undecodable(services, a_message(clock).encode())
        undecodable(services, id="2")
        before = ids(services)

        outcomes = [
            resent.outcome
            for resent in client.dead_letters.retry(services.dead_letter_store.all(), dry_run=True)
        ]

        assert outcomes == ["resubmitted", "sent", "refused"]
        assert ids(services) == before
        assert received(config) == []


class TestCommandLine:
    @pytest.fixture(autouse=True)
    def here(self, services: Services, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)

    def call(self, *words: str, code: int = 0) -> Any:
        result = CliRunner().invoke(app, ["dead-letters", *words], env={"COLUMNS": "200", "NO_COLOR": "1"})
        assert result.exit_code == code, (result.exit_code, result.output, result.exception)
        return result

    def document(self, *words: str, code: int = 0) -> Any:
        return json.loads(self.call(*words, "--json", code=code).stdout)

    def test_lists_what_there_is_since_when_and_why(self, services: Services, clock: FakeClock) -> None:
        assert self.call("list").stdout == "No dead letters.\n"
        letter = settled(services, a_message(clock))
        undecodable(services)
        found = services.dead_letter_store.find(letter.id)
        assert found is not None
        clock.move(found.kept / 1000 - clock.now() + 3 * 3600)

        told = self.call("list").stdout

        lines = [line.rstrip() for line in told.splitlines()]
        assert f"3 h  sum   {letter.id}" in lines
        assert lines[lines.index(f"3 h  sum   {letter.id}") + 1].strip() == "Undeliverable: late"
        assert "undecodable/1" in told
        assert told.endswith("2 dead letters.\n")
        assert max(map(len, lines)) <= 80
        shown = {each["id"]: each for each in self.document("list")}
        assert shown[letter.id]["task"] == "sum"
        assert shown["undecodable/1"]["task"] is None
        assert self.document("list", "--before", "2026-01-01") == []

    def test_retries_by_id_or_all(self, services: Services, config: Config, clock: FakeClock) -> None:
        first, second = settled(services, a_message(clock)), settled(services, a_message(clock))
        uuid = first.id.removeprefix("jobs/")

        assert self.call("retry", uuid).stdout == "Sent 1 dead letter again; 0 refused.\n"
        assert ids(services) == [second.id]
        undecodable(services)
        result = self.call("retry", "--all", code=1)

        assert result.stdout == "Sent 1 dead letter again; 1 refused.\n"
        assert "undecodable/1 stays: The message body is not JSON" in result.stderr
        assert len(received(config)) == 2

    def test_tells_a_program_what_became_of_each(self, services: Services, clock: FakeClock) -> None:
        letter = settled(services, a_message(clock))
        undecodable(services)

        told = self.document("retry", "--all", "--dry-run", code=1)

        assert told["dry_run"] is True
        assert [each["id"] for each in told["sent"]] == [letter.id]
        assert [each["id"] for each in told["refused"]] == ["undecodable/1"]
        assert len(ids(services)) == 2

    def test_purges_by_id_by_date_or_all(self, services: Services, clock: FakeClock) -> None:
        for number in range(3):
            undecodable(services, id=str(number))

        assert self.call("purge", "--all", "--dry-run").stdout == "Would purge 3 dead letters.\n"
        assert self.document("purge", "--before", "2026-01-01")["purged"] == []
        assert self.call("purge", "undecodable/1").stdout == "Purged 1 dead letter.\n"
        assert ids(services) == ["undecodable/0", "undecodable/2"]
        assert self.document("purge", "--before", "2999-01-01")["purged"] == [
            "undecodable/0",
            "undecodable/2",
        ]
        assert ids(services) == []

    def test_a_purge_is_a_call_for_a_hundred(self, services: Services) -> None:
        for number in range(101):
            undecodable(services, id=str(number))
        with counted_calls("s3") as calls:
            self.call("purge", "--all")
        assert calls["DeleteObjects"] == 2
        assert ids(services) == []

    def test_wants_to_be_told_which(self, services: Services) -> None:
        for command in ("retry", "purge"):
            assert "Pass the ids of dead letters, --all" in self.call(command, code=2).stderr
            self.call(command, "undecodable/1", "--all", code=2)
            assert "No dead letter has the id x/y" in self.call(command, "x/y", code=3).stderr
