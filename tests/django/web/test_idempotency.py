"""The header Idempotency-Key, unique tasks over HTTP, and both inside transactions."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client

from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import AlreadyRunning, IdempotencyConflict
from tests.django.conftest import queued, stored
from tests.django.shop.background import Resize, SumNumbers
from tests.django.startup.test_commit import rolled_back

transactional = pytest.mark.django_db(transaction=True)
UUID = "0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11"
BOX = {"box": {"width": 1, "height": 2}}


def post(client: Client, key: str | None = None, numbers: Any = (1, 2), task: str = "sum") -> Any:
    return send(client, "/tasks/", {"task": task, "inputs": {"numbers": list(numbers)}}, key)


def send(client: Client, url: str, body: Any, key: str | None) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(url, json.dumps(body), content_type="application/json", headers=headers)


@pytest.fixture
def visitor(settings: Any) -> Client:
    settings.SERVERLESS_TASKS = settings.SERVERLESS_TASKS | {"ALLOW_ANONYMOUS": True}
    return Client()


@pytest.fixture
def other(django_user_model: Any) -> Client:
    client = Client()
    client.force_login(django_user_model.objects.create_user("other"))
    return client


@pytest.fixture
def only_one(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The tasks of the shop as unique ones."""
    for task in (SumNumbers, Resize):
        monkeypatch.setattr(task, "unique", True)
    return


class TestTheHeader:
    def test_makes_a_repeated_request_one_task(self, browser: Client, work: Callable[[], int]) -> None:
        first, second = post(browser, "k"), post(browser, "k")
        assert (first.status_code, second.status_code) == (201, 200)
        assert first.json() == second.json()
        assert second["Location"] == first["Location"]
        assert work() == 1
        third = post(browser, "k")
        assert (third.status_code, third.json()["outputs"]) == (200, {"sum": 3})
        assert queued() == []

    def test_costs_one_write(self, browser: Client, calls: Counter[str]) -> None:
        post(browser, "k")
        assert calls == {"SendMessage": 1, "PutItem": 2}

    def test_with_other_inputs_is_409(self, browser: Client) -> None:
        post(browser, "k")
        answer = post(browser, "k", [3])
        assert (answer.status_code, answer.json()["error"]["type"]) == (409, "IdempotencyConflict")
        assert len(queued()) == 1

    def test_counts_for_each_caller_alone(self, browser: Client, other: Client) -> None:
        assert post(browser, "k").json()["uuid"] != post(other, "k").json()["uuid"]

    @pytest.mark.parametrize(
        ("one", "two"), [("k", '"k"'), ('"a b"', "a b"), (r'"say \"hi\" \\"', r'"say \"hi\" \\"')]
    )
    def test_may_be_quoted(self, browser: Client, one: str, two: str) -> None:
        assert post(browser, one).json()["uuid"] == post(browser, two).json()["uuid"]

    def test_knows_a_quoted_quote(self, browser: Client) -> None:
        assert post(browser, r'"a\"b"').json()["uuid"] == post(browser, 'a"b').json()["uuid"]

    @pytest.mark.parametrize(
        "key",
        [
            "",
            " ",
            '""',
            '"k',
            'k"' * 101,
            '"a"b"',
            '"a", "b"',
            r'"a\b"',
            "x" * 201,
            f'"{"x" * 201}"',
            "kéy",
            "a\tb",
        ],
    )
    def test_that_is_malformed_is_400(self, browser: Client, key: str) -> None:
        answer = post(browser, key)
        assert answer.status_code == 400, answer.content
        assert answer.json()["error"]["type"] == "InvalidIdempotencyKey"
        assert (queued(), stored()) == ([], 0)

    def test_is_read_after_the_inputs_are_known_to_fit(self, browser: Client) -> None:
        assert post(browser, "k", ["x"]).status_code == 400
        assert post(browser, "k", [1]).status_code == 201

    def test_holds_for_the_typed_calls(self, browser: Client) -> None:
        first, second = (send(browser, "/tasks/resize/", BOX, "k") for _ in range(2))
        assert (first.status_code, second.status_code) == (201, 200)
        assert first.json() == second.json()
        assert send(browser, "/tasks/resize/", BOX | {"note": "x"}, "k").status_code == 409
        assert send(browser, "/tasks/resize/", BOX, '"').status_code == 400

    @pytest.mark.parametrize("path", ["/tasks/", "/tasks/resize/"])
    def test_is_in_the_document(self, browser: Client, path: str) -> None:
        call = browser.get("/tasks/openapi.json").json()["paths"][path]["post"]
        (header,) = call["parameters"]
        assert (header["in"], header["name"], header["required"]) == ("header", "Idempotency-Key", False)
        assert {"200", "201", "400", "409"} <= set(call["responses"])
        contents = [call["responses"][status]["content"] for status in ("200", "201")]
        assert contents[0] == contents[1]


@pytest.mark.django_db
class TestOfAVisitor:
    """Nobody in particular: all of them share one room of keys, and of jobs."""

    def test_a_key_is_a_uuid(self, visitor: Client) -> None:
        assert post(visitor, "order-5").status_code == 400
        assert post(visitor, UUID.replace("-", "")).status_code == 400
        assert queued() == []

    def test_a_uuid_makes_a_repeated_request_one_task(self, visitor: Client) -> None:
        key = str(uuid4())
        first, second = post(visitor, key), post(visitor, f'"{key}"')
        assert (first.status_code, second.status_code) == (201, 200)
        assert first.json() == second.json()

    @pytest.mark.usefixtures("only_one")
    def test_a_unique_task_s_job_is_not_another_s(self, visitor: Client) -> None:
        first = post(visitor)
        second = post(Client())
        assert (second.status_code, second.json()["error"]["type"]) == (409, "AlreadyRunning")
        assert first.json()["uuid"] not in second.content.decode()

    @pytest.mark.usefixtures("only_one")
    def test_a_unique_task_s_job_is_given_back_for_its_key(self, visitor: Client) -> None:
        first, second = post(visitor, UUID), post(visitor, UUID)
        assert (second.status_code, second.json()["uuid"]) == (200, first.json()["uuid"])


@pytest.mark.usefixtures("only_one")
class TestAUniqueTask:
    @pytest.mark.parametrize("url", ["/tasks/", "/tasks/resize/"])
    def test_is_given_back_while_it_lives(self, browser: Client, work: Callable[[], int], url: str) -> None:
        def submit() -> Any:
            return send(browser, url, BOX if "resize" in url else {"task": "resize", "inputs": BOX}, None)

        first, second = submit(), submit()
        assert (first.status_code, second.status_code) == (201, 200)
        assert first.json()["uuid"] == second.json()["uuid"]
        work()
        assert submit().status_code == 201

    def test_of_another_owner_is_409_without_its_uuid(self, browser: Client, other: Client) -> None:
        first = post(browser)
        answer = post(other)
        assert (answer.status_code, answer.json()["error"]["type"]) == (409, "AlreadyRunning")
        assert first.json()["uuid"] not in answer.content.decode()


class TestInATransaction:
    def keyed(self, number: int = 1) -> Any:
        return SumNumbers.options(idempotency_key="k", owner="7").submit(numbers=[number])

    @transactional
    def test_a_key_twice_is_one_publication(self, calls: Counter[str]) -> None:
        with transaction.atomic():
            first, second = self.keyed(), self.keyed()
            assert (first.published, second.published, second.repeated) == (False, False, True)
            assert second.status == "pending"
        assert first.uuid == second.uuid
        assert first.published
        assert second.published
        assert [message.uuid for message in queued()] == [first.uuid]

    @transactional
    def test_other_inputs_are_refused_before_the_commit(self) -> None:
        with transaction.atomic():
            self.keyed(1)
            with pytest.raises(IdempotencyConflict):
                self.keyed(2)

    @transactional
    def test_after_a_rollback_the_next_try_is_the_same_job(self) -> None:
        with rolled_back():
            first = self.keyed()
        assert first.status == "failed"
        second = self.keyed()
        assert (second.uuid, second.published) == (first.uuid, True)
        assert [message.uuid for message in queued()] == [first.uuid]

    @transactional
    def test_a_savepoint_s_rollback_drops_its_own_try_alone(self) -> None:
        with transaction.atomic():
            with rolled_back():
                dropped = self.keyed()
            kept = self.keyed()
            with rolled_back():
                inner = self.keyed()
        assert (dropped.status, kept.published, inner.published) == ("failed", True, True)
        assert [message.uuid for message in queued()] == [kept.uuid]

    @transactional
    def test_a_failed_commit_fails_both(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from serverless_tasks.errors import SubmitFailed

        monkeypatch.setattr(
            current_services().backend, "publish", lambda messages: [SubmitFailed("down")] * len(messages)
        )
        with pytest.raises(SubmitFailed), transaction.atomic():
            first, second = self.keyed(), self.keyed()
        for handle in (first, second):
            assert isinstance(handle.publication_error, SubmitFailed)

    @transactional
    @pytest.mark.usefixtures("only_one")
    def test_a_unique_job_is_reserved_before_the_commit(self, user: User) -> None:
        with transaction.atomic():
            first, second = (SumNumbers.options(owner="7").submit(numbers=[1]) for _ in range(2))
            with pytest.raises(AlreadyRunning):
                SumNumbers.options(owner="8").submit(numbers=[1])
        assert first.uuid == second.uuid
        assert len(queued()) == 1

    @transactional
    @pytest.mark.usefixtures("only_one")
    def test_after_a_rollback_its_owner_submits_a_unique_job_at_once(self) -> None:
        with rolled_back():
            SumNumbers.options(owner="7").submit(numbers=[1])
        assert SumNumbers.options(owner="7").submit(numbers=[1]).published
        assert len(queued()) == 1
