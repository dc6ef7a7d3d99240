"""The ETag is told without making the JSON, and is another one whenever the JSON would be."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from hypothesis import HealthCheck, example, given
from hypothesis import settings as search
from hypothesis import strategies as st

from django_integration.web.live.job_view import JobView, etag_of
from serverless_tasks.engine.job.message import Message
from serverless_tasks.engine.job.progress import Snapshot
from serverless_tasks.engine.job.record import Failure, Members, Record
from serverless_tasks.engine.store.base import Claim
from serverless_tasks.engine.store.memory import MemoryStore
from serverless_tasks.errors import ServerlessTasksError
from tests.django.shop.background import SumNumbers
from tests.support.clock import FakeClock

DAY = 86_400
SECRET = Failure(type="RuntimeError", message="hunter2", public=False)
KIND = Failure(type="TaskError", message="There is no more paper.")


class Job:
    """A job, and what has been written of it; what the store refuses has no effect."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore(self.clock)
        now = self.clock.ms
        self.message = Message(uuid="u", task="sum", inputs={}, created=now, expires=now + 4 * DAY * 1000)
        self.store.put_jobs([self.message])
        self.claims = 0
        self.claim = Claim(answer="ended")
        self.seq = self.told = 0

    def snapshot(self, messages: int = 0) -> Snapshot:
        self.seq += 1
        texts = tuple(f"message {self.told + number}" for number in range(messages))
        first, self.told = self.told, self.told + messages
        return Snapshot(self.seq, self.seq * 7 % 5, 10, texts, first)

    def do(self, step: str) -> None:
        store, claim, lease = self.store, self.claim, self.clock.ms + 60_000
        steps: dict[str, Callable[[], object]] = {
            "claim": lambda: self.begin(lease),
            "progress": lambda: store.write_progress("u", claim.token, self.snapshot(), lease=lease),
            "message": lambda: store.write_progress("u", claim.token, self.snapshot(2), lease=None),
            "succeed": lambda: store.succeed("u", claim, self.snapshot(1), {"sum": self.seq}),
            "fail": lambda: store.fail("u", claim, self.snapshot(), SECRET),
            "cancelled": lambda: store.fail("u", claim, self.snapshot(), KIND, status="cancelled"),
            "retry": lambda: store.retry(self.message, claim, self.snapshot(), SECRET, not_before=lease),
            "release": lambda: store.release("u", claim.token),
            "settle": lambda: store.settle(self.message, KIND),
            "cancel": lambda: store.cancel("u"),
            "delete": lambda: store.delete("u"),
            "submit": lambda: store.put_jobs([self.message]),
            "second": lambda: self.clock.move(1),
            "minutes": lambda: self.clock.move(61),
            "days": lambda: self.clock.move(5 * DAY),
        }
        steps[step]()

    def begin(self, lease: int) -> None:
        self.claims += 1
        claim = self.store.claim(self.message, token=f"t{self.claims}", lease=lease, request_id="r")
        if claim.answer == "claimed":
            self.claim, self.seq, self.told = claim, 0, 0


# Those that end a job come last, as Hypothesis draws the first ones more readily.
STEPS = "claim progress message retry second minutes release cancel days submit settle fail cancelled succeed delete"


@search(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(st.sampled_from(STEPS.split()), max_size=25))
@example(steps=["claim", "cancel", "second", "progress", "message", "succeed", "minutes", "delete"])
@example(steps=["claim", "progress", "retry", "minutes", "claim", "progress", "fail"])
@example(steps=["claim", "message", "minutes", "claim", "release", "claim", "message", "cancelled"])
@example(steps=["claim", "release", "claim", "release", "cancel"])
@example(steps=["claim", "minutes", "days"])
@example(steps=["days"])
def test_two_states_of_one_name_have_the_same_json(settings: Any, steps: list[str]) -> None:
    job = Job()
    named: dict[str, str] = {}
    for step in ["submit", *steps]:
        try:
            job.do(step)
        except ServerlessTasksError:
            continue
        record = job.store.read("u")
        for reveal in (False, True) if record is not None else ():
            settings.DEBUG = reveal
            view = JobView.of(record)
            assert named.setdefault(view.id, view.data) == view.data


@search(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(st.sampled_from(STEPS.replace("days ", "").split()), max_size=25))
def test_a_later_state_has_a_greater_version(steps: list[str]) -> None:
    """But for a job that was given back as if it had not been begun, and one that was thought lost."""
    job = Job()
    last = (False, 0, 0)
    for step in steps:
        try:
            job.do(step)
        except ServerlessTasksError:
            continue
        if (record := job.store.read("u")) is None:
            continue
        version = JobView.of(record).version
        assert version >= last or step == "release"
        last = version


def test_a_member_that_is_counted_otherwise_than_before_is_another_state() -> None:
    """A member may be cancelled, and fail all the same where two workers end it."""
    members = [Members(total=3, cancelled=1), Members(total=3, failed=1)]
    names = {
        etag_of(Record(uuid="u", task="group", status="running", seq=1, members=each)) for each in members
    }
    assert len(names) == 2


def test_what_a_task_says_changes_it_under_debug(settings: Any) -> None:
    record = Record(uuid="u", task="sum", status="failed", failure=SECRET)
    names = set()
    for settings.DEBUG in (False, True):
        names.add(etag_of(record))
    assert len(names) == 2


@pytest.mark.parametrize("shared", [0, 1])
def test_a_304_makes_no_json(
    browser: Client, user: User, settings: Any, monkeypatch: pytest.MonkeyPatch, shared: int
) -> None:
    settings.SERVERLESS_TASKS = settings.SERVERLESS_TASKS | {"SHARED_READ": shared}
    uuid = SumNumbers.options(owner=str(user.pk), on_commit=False).submit(numbers=[1]).uuid
    etag = browser.get(f"/tasks/{uuid}/")["ETag"]
    monkeypatch.setattr(Record, "to_json", None)
    for sent in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = browser.get(f"/tasks/{uuid}/", headers={"If-None-Match": sent})
        assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", etag)
        assert answer["Cache-Control"] == "private, no-cache"
        assert {"Cookie", "Authorization"} <= set(answer["Vary"].split(", "))


def test_a_condition_that_does_not_hold_is_412(browser: Client, user: User) -> None:
    uuid = SumNumbers.options(owner=str(user.pk), on_commit=False).submit(numbers=[1]).uuid
    etag = browser.get(f"/tasks/{uuid}/")["ETag"]
    headers = {"If-None-Match": etag, "If-Match": '"another"'}
    assert browser.get(f"/tasks/{uuid}/", headers=headers).status_code == 412
