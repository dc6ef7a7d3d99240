import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import MagicMock

import pytest

from serverless_tasks import configure, services
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.backends.base import Backend
from serverless_tasks.engine.backends.immediate import ImmediateBackend
from serverless_tasks.engine.backends.sqs import SqsBackend
from serverless_tasks.engine.backends.threading import ThreadingBackend
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.clock import Clock
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.services import Services, reset, use
from serverless_tasks.engine.store.memory import MemoryStore
from serverless_tasks.errors import ConfigurationError, ServerlessTasksError, SubmitFailed
from tests.support.clock import FakeClock
from tests.support.jobs import a_message


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    with use(Services(Config())):
        reset()
        yield


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process that nothing tells its region."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    session.reset()
    yield
    session.reset()


def test_the_environment_is_read_when_first_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVERLESS_TASKS_TABLE", "first")
    first = services()
    monkeypatch.setenv("SERVERLESS_TASKS_TABLE", "second")

    assert (first.config.table, services()) == ("first", first)
    reset()
    assert services().config.table == "second"


def test_configure_sets_the_processs_services() -> None:
    made = configure(Config(table="jobs"), backend="immediate")

    assert services() is made


def test_use_gives_back_what_was_before() -> None:
    before = configure(Config())
    with use(Services(Config())) as inside:
        assert services() is inside
    assert services() is before


@pytest.mark.parametrize(
    ("name", "kind"),
    [("threading", ThreadingBackend), ("immediate", ImmediateBackend)],
)
def test_in_process_backends_need_no_settings(name: str, kind: type) -> None:
    made = Services(Config(), backend=name)

    assert isinstance(made.backend, kind)
    assert isinstance(made.store, MemoryStore)


def test_sqs_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")

    queues = {"default": "https://sqs.us-east-1.amazonaws.com/1/default"}
    assert isinstance(Services(Config(table="jobs", queue_urls=queues)).backend, SqsBackend)


def test_a_backend_of_ones_own_is_taken() -> None:
    class Own(Backend):
        def publish(self, messages: Sequence[Message]) -> list[ServerlessTasksError | None]:
            return [None] * len(messages)

    own = Own()

    assert Services(Config(), backend=own).backend is own


def test_a_backend_that_there_is_not_is_named() -> None:
    with pytest.raises(
        ConfigurationError, match="no backend 'celery'; use 'sqs', 'threading' or 'immediate'"
    ):
        _ = Services(Config(), backend="celery").backend


@pytest.mark.parametrize(
    ("part", "setting"),
    [
        ("store", "SERVERLESS_TASKS_TABLE"),
        ("locks", "SERVERLESS_TASKS_TABLE"),
        ("queue", "SERVERLESS_TASKS_QUEUE_URLS"),
        ("schedules", "SERVERLESS_TASKS_SCHEDULE_GROUP"),
        ("schedule_group", "SERVERLESS_TASKS_SCHEDULE_GROUP"),
        ("queue_metrics", "SERVERLESS_TASKS_QUEUE_URLS"),
        ("dead_letter_store", "SERVERLESS_TASKS_BUCKET"),
        ("dead_letter_queue", "SERVERLESS_TASKS_DEAD_LETTER_QUEUE_URL"),
    ],
)
@pytest.mark.usefixtures("nowhere")
def test_a_missing_setting_is_named_where_it_is_needed_before_a_missing_region(
    part: str, setting: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"{setting} is not set"):
        getattr(Services(Config()), part)


@pytest.mark.usefixtures("nowhere")
def test_a_missing_region_is_named() -> None:
    with pytest.raises(ConfigurationError, match="AWS_REGION is not set"):
        _ = Services(Config(table="jobs")).store


def test_a_retry_goes_through_a_backend_of_ones_own(clock: FakeClock) -> None:
    class Refuses(Backend):
        def publish(self, messages: Sequence[Message]) -> list[ServerlessTasksError | None]:
            return [SubmitFailed("down")]

    made = Services(Config(), backend=Refuses(), clock=clock, store=MemoryStore(clock))

    with pytest.raises(SubmitFailed):
        made._resend(a_message(clock))


def test_importing_the_package_loads_no_aws_no_django_and_no_command_line() -> None:
    code = (
        "import sys, serverless_tasks\n"
        "print([name for name in ('boto3', 'botocore', 'django', 'moto', 'typer', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout.strip() == "[]"


def at_once(call: Callable[[], object]) -> list[object]:
    """What four threads are given that call at the same moment."""
    together = threading.Barrier(4)

    def meet(_: int) -> object:
        together.wait(5)
        return call()

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(meet, range(4)))


def test_a_part_is_made_once_for_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Config] = []

    class Slow(MemoryStore):
        def __init__(self, clock: Clock, *_: object) -> None:
            made.append(Config())
            threading.Event().wait(0.02)
            super().__init__(clock)

    monkeypatch.setattr("serverless_tasks.engine.store.memory.MemoryStore", Slow)
    services = Services(Config(), backend="threading")

    stores = at_once(lambda: (services.backend, services.store)[1])

    assert (len(made), len(set(map(id, stores)))) == (1, 1)


def test_a_client_is_made_once_for_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def slow(service: str, **_: object) -> object:
        made.append(service)
        threading.Event().wait(0.02)
        return MagicMock()

    monkeypatch.setattr("serverless_tasks.engine.aws.session._maker", lambda: slow)
    session.reset()

    clients = at_once(lambda: session.client("s3"))

    session.reset()
    assert (made, len(set(map(id, clients)))) == (["s3"], 1)
