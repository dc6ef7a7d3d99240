import copy
import pickle
from collections.abc import Callable, Iterator

import pytest

from serverless_tasks import (
    AlreadyFinished,
    NotPublished,
    SubmitFailed,
    SubmitUncertain,
    TaskFailed,
    TaskNotFound,
    WaitTimeout,
)
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import Failure
from serverless_tasks.engine.services import Services, use
from serverless_tasks.engine.store.base import Claim
from serverless_tasks.engine.store.memory import MemoryStore
from serverless_tasks.engine.submit.handle import Handle
from serverless_tasks.engine.submit.job_locks import unique_lock
from serverless_tasks.engine.submit.publication import Publication
from tests.support.clock import FakeClock
from tests.support.jobs import a_message


class Eventful(FakeClock):
    """A clock that makes things happen while others sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[object] = []

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self.events:
            event = self.events.pop(0)
            assert callable(event)
            event()


@pytest.fixture
def clock() -> Eventful:
    return Eventful()


@pytest.fixture
def store(clock: Eventful) -> MemoryStore:
    return MemoryStore(clock)


@pytest.fixture
def message(clock: Eventful) -> Message:
    return a_message(clock, owner="7")


@pytest.fixture
def handle(store: MemoryStore, message: Message, clock: Eventful) -> Handle:
    store.put_jobs([message])
    publication = Publication(message)
    publication.settle(None)
    return Handle(publication, store, clock)


def begin(store: MemoryStore, clock: Eventful, message: Message) -> Claim:
    return store.claim(message, token="a", lease=clock.ms + 60_000, request_id="")


def nothing() -> None:
    return None


def test_a_new_handle_knows_what_was_submitted(handle: Handle, message: Message) -> None:
    assert (handle.uuid, handle.status, handle.published) == (message.uuid, "pending", True)
    assert (handle.progress, handle.target, handle.messages, handle.outputs, handle.error) == (
        0,
        None,
        (),
        {},
        None,
    )
    assert handle.record.owner == "7"


def test_refresh_reads_the_record(
    handle: Handle, store: MemoryStore, clock: Eventful, message: Message
) -> None:
    begin(store, clock, message)
    store.write_progress(message.uuid, "a", Snapshot(1, 3, 9, ("hello",)), lease=None)
    before = handle.progress

    handle.refresh()

    assert (before, handle.status, handle.progress, handle.target) == (0, "running", 3, 9)
    assert handle.messages == ("hello",)


def test_refresh_of_a_job_that_is_gone(clock: Eventful, store: MemoryStore, message: Message) -> None:
    publication = Publication(message)
    publication.settle(None)

    with pytest.raises(TaskNotFound):
        Handle(publication, store, clock).refresh()


@pytest.mark.parametrize("outputs", [{"sum": 0}, {"sum": None}, {}], ids=str)
def test_wait_returns_the_outputs(
    handle: Handle, store: MemoryStore, clock: Eventful, message: Message, outputs: dict[str, object]
) -> None:
    def end() -> None:
        store.succeed(message.uuid, begin(store, clock, message), Snapshot(1), outputs)

    clock.events = [nothing, nothing, end]

    assert handle.wait() == outputs
    assert len(clock.slept) == 3


def test_wait_asks_less_and_less_often_up_to_every_two_seconds(
    handle: Handle, store: MemoryStore, clock: Eventful, message: Message
) -> None:
    with pytest.raises(WaitTimeout):
        handle.wait(timeout=60)

    assert clock.slept[0] == 0.1
    assert sorted(clock.slept[:-1]) == clock.slept[:-1]
    assert max(clock.slept) == 2.0


def test_wait_ends_in_time_and_leaves_the_job_alone(handle: Handle, clock: Eventful) -> None:
    begun = clock.now()

    with pytest.raises(WaitTimeout, match="is still pending after 5 seconds") as raised:
        handle.wait(timeout=5)

    assert clock.now() == pytest.approx(begun + 5)
    assert isinstance(raised.value, TimeoutError)


def test_wait_ends_when_the_clock_stands_still(handle: Handle, clock: Eventful) -> None:
    clock.move = lambda seconds: None  # type: ignore[method-assign]

    with pytest.raises(WaitTimeout):
        handle.wait(timeout=5)

    assert sum(clock.slept) == pytest.approx(5)


def test_wait_for_a_job_that_fails_raises_its_reason(
    handle: Handle, store: MemoryStore, clock: Eventful, message: Message
) -> None:
    failure = Failure(type="ValueError", message="it broke", public=False)
    store.fail(message.uuid, begin(store, clock, message), Snapshot(1), failure)

    with pytest.raises(TaskFailed, match="failed: ValueError: it broke") as raised:
        handle.wait()

    assert raised.value.status == "failed"


def test_cancel(handle: Handle) -> None:
    assert handle.cancel().status == "cancelled"
    with pytest.raises(AlreadyFinished):
        handle.cancel()
    with pytest.raises(TaskFailed, match="cancelled: TaskCancelled"):
        handle.wait()


def test_its_text_names_the_job(handle: Handle, message: Message) -> None:
    assert repr(handle) == f"<Handle {message.uuid} sum pending>"


def test_whoever_waits_for_the_publication_is_called_once_it_is_sent(message: Message) -> None:
    told: list[str] = []
    publication = Publication(message)
    publication.then(lambda: told.append("first"))
    assert told == []
    publication.settle(None)
    assert told == ["first"]
    publication.then(lambda: told.append("second"))
    assert told == ["first", "second"]


def test_nobody_is_called_for_what_was_not_sent(
    message: Message, store: MemoryStore, clock: Eventful
) -> None:
    told: list[str] = []
    publication = Publication(message)
    Handle(publication, store, clock).when_published(lambda: told.append("sent"))
    publication.settle(SubmitFailed("no"))
    publication.settle(None)
    assert told == []


def test_a_publication_that_follows_another_hands_on_the_row_that_it_wrote(clock: FakeClock) -> None:
    original, follower = Publication(a_message(clock)), Publication(a_message(clock))
    anew = unique_lock(original.message, clock.ms + 1)
    original.unique_lock, follower.unique_lock = unique_lock(original.message, clock.ms), anew

    follower.duplicate_of(original)

    assert (follower.original, original.unique_lock) == (original, anew)
    assert not follower.unsent
    assert follower.repeated


Copy = Callable[[Handle], Handle]


def pickled(handle: Handle) -> Handle:
    copied: Handle = pickle.loads(pickle.dumps(handle))
    return copied


@pytest.fixture
def elsewhere(clock: Eventful, store: MemoryStore) -> Iterator[None]:
    """The services of the process in which a handle is unpickled."""
    with use(Services(Config(), backend="immediate", clock=clock, store=store)):
        yield


class TestCopies:
    @pytest.mark.parametrize("copied", [pickled, copy.copy, copy.deepcopy])
    def test_a_copy_reads_the_same_job(
        self,
        copied: Copy,
        handle: Handle,
        store: MemoryStore,
        clock: Eventful,
        message: Message,
        elsewhere: None,
    ) -> None:
        same = copied(handle)
        store.succeed(message.uuid, begin(store, clock, message), Snapshot(1), {"sum": 3})

        assert same.wait(timeout=0) == {"sum": 3}
        assert (same.uuid, same.repeated, handle.status) == (handle.uuid, False, "pending")

    @pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
    def test_a_copy_learns_what_becomes_of_the_transaction(
        self, copied: Copy, message: Message, store: MemoryStore, clock: Eventful
    ) -> None:
        publication, open_ = Publication(message), True
        publication.awaited = lambda: open_
        same = copied(Handle(publication, store, clock))
        assert (same.status, same.published) == ("pending", False)

        open_ = False
        assert same.status == "failed"
        publication.settle(None)
        assert same.published

    @pytest.mark.parametrize("copied", [pickled, copy.deepcopy])
    def test_of_one_that_was_not_sent_keeps_the_reason(
        self, copied: Copy, message: Message, store: MemoryStore, clock: Eventful
    ) -> None:
        publication = Publication(message)
        publication.settle(SubmitUncertain(message.uuid, "no answer"))
        same = copied(Handle(publication, store, clock))

        with pytest.raises(SubmitUncertain, match="no answer") as raised:
            same.wait()
        assert raised.value.uuid == message.uuid

    def test_of_one_that_was_rolled_back_says_so(
        self, message: Message, store: MemoryStore, clock: Eventful
    ) -> None:
        same = pickled(Handle(Publication(message), store, clock))

        assert same.status == "failed"
        with pytest.raises(NotPublished, match="rolled back"):
            same.wait()

    @pytest.mark.usefixtures("elsewhere")
    def test_unpickled_it_asks_the_store_whether_its_transaction_was_committed(
        self, message: Message, store: MemoryStore, clock: Eventful
    ) -> None:
        publication = Publication(message)
        publication.awaited = lambda: True
        same = pickled(Handle(publication, store, clock))
        told: list[str] = []
        same.when_published(lambda: told.append("sent"))
        assert (same.status, same.published) == ("pending", False)
        with pytest.raises(TaskNotFound):
            same.wait(timeout=0)

        store.put_jobs([message])
        assert (same.refresh().status, same.published, told) == ("pending", True, ["sent"])

    @pytest.mark.usefixtures("elsewhere")
    def test_an_untracked_job_that_nobody_has_begun_still_waits(
        self, clock: Eventful, store: MemoryStore
    ) -> None:
        message = a_message(clock, track=False)
        publication = Publication(message)
        publication.awaited = lambda: True
        same = pickled(Handle(publication, store, clock))

        assert (same.refresh().status, same.published) == ("pending", False)
        store.succeed(message.uuid, begin(store, clock, message), Snapshot(1), {})
        assert (same.refresh().status, same.published) == ("succeeded", True)
        with pytest.raises(AlreadyFinished):
            same.cancel()

    def test_inputs_are_not_in_the_pickle(self, store: MemoryStore, clock: Eventful) -> None:
        message = a_message(clock, inputs={"token": "hunter2"}, secrets=("token",))

        assert b"hunter2" not in pickle.dumps(Handle(Publication(message), store, clock))
