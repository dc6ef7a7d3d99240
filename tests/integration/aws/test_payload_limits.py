"""What is too large even for the bucket is refused with its size, before anything is sent, and never retried."""

from collections.abc import Iterator

import pytest

from serverless_tasks import PayloadTooLarge, Task
from serverless_tasks.engine.aws import functions
from serverless_tasks.engine.aws.dynamodb import table
from serverless_tasks.engine.aws.s3.payloads import BucketBlobs
from serverless_tasks.engine.aws.sqs import sending as queue
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.progress import LONGEST_MESSAGE
from serverless_tasks.engine.services import Services, use
from serverless_tasks.engine.store import payloads
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.submission import Submission
from serverless_tasks.params import IntParameter, StringParameter
from tests.integration.submit.test_submission import received
from tests.support.calls import counted_calls
from tests.support.clock import FakeClock


class Repeat(Task):
    name = "repeat"
    inputs = {"text": StringParameter(), "times": IntParameter(required=False)}
    outputs = {"text": StringParameter()}
    retries = 3

    def run(self, text: str, times: int = 1) -> str:
        self.add_message(text)
        return text * times


@pytest.fixture
def services(config: Config, clock: FakeClock) -> Iterator[Services]:
    with use(Services(config, clock=clock)) as services:
        services.registry.add(Repeat)
        yield services


@pytest.mark.parametrize(("more", "refused"), [(0, False), (1, True)])
def test_inputs_past_the_bucket_s_limit_are_refused_before_anything_is_sent(
    services: Services, config: Config, monkeypatch: pytest.MonkeyPatch, more: int, refused: bool
) -> None:
    monkeypatch.setattr(payloads, "LARGEST_INPUTS", 300_000)
    text = "x" * (300_000 - len('{"text":""}') + more)

    with counted_calls("dynamodb", "s3") as calls:
        if refused:
            with pytest.raises(PayloadTooLarge, match="have 300,001 bytes; the limit is 300,000"):
                Repeat.submit(text=text)
            assert calls == {}
            assert received(config) == []
        else:
            Repeat.submit(text=text)
            assert calls == {"PutObject": 1, "SendMessage": 1, "PutItem": 1}


def test_of_a_bulk_the_one_that_is_too_large_is_refused_alone(
    services: Services, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payloads, "LARGEST_INPUTS", 300_000)

    small, large = Repeat.submit_many([{"text": "x"}, {"text": "x" * 300_000}])

    assert (small.published, large.published) == (True, False)
    assert isinstance(large.publication_error, PayloadTooLarge)
    assert [message.uuid for message in received(config)] == [small.uuid]


@pytest.mark.parametrize(("more", "status"), [(0, "succeeded"), (1, "failed")])
def test_outputs_past_the_bucket_s_limit_fail_the_job_once(
    services: Services, config: Config, monkeypatch: pytest.MonkeyPatch, more: int, status: str
) -> None:
    monkeypatch.setattr(table, "LARGEST_OUTPUTS", 400_000)
    handle = Repeat.submit(text="x", times=400_000 - len('{"text":""}') + more)

    services.runner.execute(received(config)[0])

    record = handle.refresh().record
    assert record.status == status
    assert received(config) == []
    if status == "failed":
        said = f"The outputs of job {handle.uuid} have 400,001 bytes; the limit is 400,000."
        assert record.error is not None
        assert record.error["type"] == "PayloadTooLarge"
        assert record.error["message"].startswith(said)
        assert record.attempt == 1
        assert BucketBlobs(config.bucket).list(f"outputs/{handle.uuid}/") == []


def test_the_largest_message_fits_its_queue_with_every_option_at_its_longest(
    services: Services, config: Config
) -> None:
    text = "\uffff" * ((payloads.INLINE_INPUTS - len('{"text":""}')) // 3)  # three bytes that become six
    options = Options.parse({"owner": "\U0001f600" * 200, "tenant": "t" * 128, "queue": "default"})

    handle = Submission(Repeat, options).submit(text=text)

    (message,) = received(config)
    assert message.inputs_key is None
    assert len(message.encode().encode()) < queue.BODY_LIMIT // 2
    assert services.store.job(handle.uuid) == message


def test_of_a_long_message_its_beginning_is_kept(services: Services, config: Config) -> None:
    handle = Repeat.submit(text="\U0001f600" * (LONGEST_MESSAGE + 1))

    services.runner.execute(received(config)[0])

    assert handle.refresh().messages == ("\U0001f600" * LONGEST_MESSAGE,)


def test_an_event_that_lambda_would_refuse_is_not_sent(aws_account: None) -> None:
    with counted_calls("lambda") as calls, pytest.raises(PayloadTooLarge, match="direct invoke"):
        functions.invoke("invoke", {"inputs": {"text": "x" * functions.LARGEST_EVENT}})

    assert calls == {}
