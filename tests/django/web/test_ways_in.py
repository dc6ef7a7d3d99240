"""Tries to get at what is another's, or in at all: each call, each way of saying who one is."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core import signing
from django.test import AsyncClient, Client

from django_integration.web.http.signed_job import HEADER
from serverless_tasks.engine.services import current_services, reset
from tests.django.shop.background import SumNumbers

SUM = {"task": "sum", "inputs": {"numbers": [1]}}
# Each call on one task: its method, and what follows the uuid.
ON_A_TASK = [("GET", ""), ("HEAD", ""), ("POST", "cancel/"), ("GET", "view/"), ("HEAD", "view/")]
# Each call that changes something.
WRITES = [
    ("", SUM),
    ("resize/", {"box": {"width": 1, "height": 1}}),
    ("resize/run", {}),
    ("{uuid}/cancel/", {}),
]


@pytest.fixture(autouse=True)
def aws(settings: Any) -> Iterator[None]:
    """Instead of moto: jobs that nobody runs, in memory."""
    settings.SERVERLESS_TASKS = {}
    settings.TASK_API_BACKEND = "tests.django.own_backends.Courier"
    settings.TASKS_API_AUTHENTICATION = "tests.django.ninja_auth.OpenSession"  # leaves the CSRF check to us
    apps.get_app_config("serverless_tasks")._wire()
    yield
    reset()


def waiting(owner: User) -> str:
    """A task of theirs that waits."""
    return SumNumbers.options(owner=str(owner.pk), on_commit=False).submit(numbers=[1]).uuid


def status(uuid: str) -> str:
    record = current_services().store.read(uuid)
    assert record is not None
    return record.status


def post(client: Client, path: str, body: Any = SUM, **extra: Any) -> Any:
    return client.post(f"/tasks/{path}", body, content_type="application/json", **extra)


class TestAnotherOwnersTask:
    @pytest.mark.parametrize(("method", "rest"), ON_A_TASK)
    def test_it_is_as_unknown_as_any_other(
        self, browser: Client, other_user: User, method: str, rest: str
    ) -> None:
        theirs, unknown = waiting(other_user), str(uuid4())
        answers = [browser.generic(method, f"/tasks/{uuid}/{rest}") for uuid in (theirs, unknown)]
        assert [answer.status_code for answer in answers] == [404, 404]
        contents = [
            answer.content.replace(uuid.encode(), b"")
            for answer, uuid in zip(answers, (theirs, unknown), strict=True)
        ]
        assert contents[0] == contents[1]
        assert {*answers[0].headers} == {*answers[1].headers}
        assert status(theirs) == "pending"

    @pytest.mark.django_db(transaction=True)
    def test_it_cannot_be_followed(self, user: User, other_user: User) -> None:
        theirs = waiting(other_user)

        async def follow(uuid: str) -> Any:
            client = AsyncClient()
            await client.aforce_login(user)
            return await client.get(f"/tasks/{uuid}/events/")

        for uuid in (theirs, str(uuid4())):
            answer = asyncio.run(follow(uuid))
            assert (answer.status_code, answer.streaming) == (404, False)

    @pytest.mark.parametrize(
        "spelt", [str.upper, lambda uuid: uuid.replace("-", ""), lambda uuid: f"{{{uuid}}}"], ids=range(3)
    )
    def test_no_spelling_of_its_id_gets_at_it(
        self, browser: Client, other_user: User, spelt: Callable[[str], str]
    ) -> None:
        uuid = spelt(waiting(other_user))
        assert browser.get(f"/tasks/{uuid}/").status_code == 404
        assert browser.post(f"/tasks/{uuid}/cancel/").status_code == 404

    @pytest.mark.parametrize("query", ["owner={0}", "user={0}", "task=sum", "cursor=%23"])
    def test_it_is_in_no_list_of_ones_own(self, browser: Client, other_user: User, query: str) -> None:
        theirs = waiting(other_user)
        answer = browser.get(f"/tasks/?{query.format(other_user.pk)}")
        assert theirs not in answer.content.decode()

    @pytest.mark.parametrize("header", ["Remote-User", "X-Forwarded-User", "X-User-Id", "X-Owner"])
    def test_no_header_makes_one_somebody_else(self, browser: Client, other_user: User, header: str) -> None:
        theirs = waiting(other_user)
        for value in (str(other_user.pk), other_user.username):
            assert browser.get(f"/tasks/{theirs}/", headers={header: value}).status_code == 404

    @pytest.mark.parametrize("member", ["owner", "uuid", "options", "queue"])
    def test_nothing_in_a_submission_makes_it_somebody_elses(
        self, browser: Client, other_user: User, member: str
    ) -> None:
        assert post(browser, "", SUM | {member: str(other_user.pk)}).status_code == 400
        assert current_services().store.list_owner(str(other_user.pk)).records == ()


class TestWithoutALogin:
    """Every call is refused, and nothing happens."""

    def refused(self, client: Client, uuid: str) -> None:
        for method, path in [
            ("GET", ""),
            ("HEAD", ""),
            ("GET", "openapi.json"),
            *((method, f"{uuid}/{rest}") for method, rest in ON_A_TASK if rest != "view/"),
            ("GET", f"{uuid}/events/"),
        ]:
            assert client.generic(method, f"/tasks/{path}").status_code == 401, (method, path)
        for path in ("docs", f"{uuid}/view/"):
            assert client.get(f"/tasks/{path}")["Location"].startswith("/accounts/login/")
        for path, body in WRITES:
            assert post(client, path.format(uuid=uuid), body).status_code in (401, 403), path
        assert status(uuid) == "pending"
        assert len(current_services().store.list_tasks(["sum"]).records) == 1
        assert current_services().store.list_tasks(["resize"]).records == ()

    def test_an_anonymous_caller(self, user: User) -> None:
        self.refused(Client(), waiting(user))

    def test_an_ended_session(self, browser: Client, user: User) -> None:
        kept = browser.cookies["sessionid"].value
        browser.logout()
        browser.cookies["sessionid"] = kept
        self.refused(browser, waiting(user))

    @pytest.mark.parametrize("value", ["", "x" * 32, "../../etc/passwd", "0" * 32, "' or 1=1 --"])
    def test_a_made_up_session(self, user: User, value: str) -> None:
        client = Client()
        client.cookies["sessionid"] = value
        self.refused(client, waiting(user))

    def test_the_session_from_before_the_login(self, user: User) -> None:
        """Whoever planted it in the victim's browser has nothing of theirs: the login gives it a new key."""
        victim, thief = Client(), Client()
        victim.session.save()
        planted = victim.cookies["sessionid"].value
        assert victim.login(username="ada", password="pw")
        assert victim.cookies["sessionid"].value != planted
        thief.cookies["sessionid"] = planted
        self.refused(thief, waiting(user))

    @pytest.mark.parametrize("end", ["is_active", "password", "delete"])
    def test_a_user_who_may_no_longer(self, browser: Client, user: User, end: str) -> None:
        uuid = waiting(user)
        if end == "delete":
            user.delete()
        else:
            setattr(user, end, False if end == "is_active" else "another hash")
            user.save()
        self.refused(browser, uuid)


class TestCsrf:
    @pytest.fixture
    def strict(self, user: User) -> Client:
        client = Client(enforce_csrf_checks=True)
        client.force_login(user)
        client.get("/tasks/docs")
        return client

    @pytest.mark.parametrize(("path", "body"), WRITES)
    @pytest.mark.parametrize("spelling", ["X-CSRFToken", "X-CSRF-Token"])
    @pytest.mark.parametrize("token", ["absent", "empty", "made up", "of another", "cut", "in the query"])
    def test_no_write_without_the_token_of_the_cookie(
        self, strict: Client, user: User, other_user: User, path: str, body: Any, spelling: str, token: str
    ) -> None:
        uuid = waiting(user)
        bob = Client()
        bob.force_login(other_user)
        bob.get("/tasks/docs")
        mine = strict.cookies["csrftoken"].value
        tokens = {
            "empty": "",
            "made up": "x" * 32,
            "of another": bob.cookies["csrftoken"].value,
            "cut": mine[:-1],
        }
        headers = {spelling: tokens[token]} if token in tokens else {}
        query = f"?csrfmiddlewaretoken={mine}&csrftoken={mine}" if token == "in the query" else ""
        answer = post(strict, f"{path.format(uuid=uuid)}{query}", body, headers=headers)
        assert (answer.status_code, answer.json()["error"]["type"]) == (403, "CSRFFailed")
        assert status(uuid) == "pending"
        assert len(current_services().store.list_owner(str(user.pk)).records) == 1

    def test_no_cookie_no_write(self, strict: Client) -> None:
        mine = strict.cookies.pop("csrftoken").value
        assert post(strict, "", headers={"X-CSRFToken": mine}).status_code == 403

    def test_djangos_own_header_is_the_one_that_counts(self, strict: Client) -> None:
        mine = strict.cookies["csrftoken"].value
        headers = {"X-CSRFToken": "x" * 32, "X-CSRF-Token": mine}
        assert post(strict, "", headers=headers).status_code == 403

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://testserver.evil.example"},
        ],
    )
    def test_another_origin_is_refused_with_the_token(self, strict: Client, headers: dict[str, str]) -> None:
        mine = strict.cookies["csrftoken"].value
        assert post(strict, "", headers={"X-CSRFToken": mine} | headers).status_code == 403

    def test_over_tls_the_page_must_be_of_this_site(self, strict: Client) -> None:
        mine = strict.cookies["csrftoken"].value
        for referer, expected in (("https://evil.example/", 403), ("https://testserver/page", 201)):
            headers = {"X-CSRFToken": mine, "Referer": referer}
            assert post(strict, "", headers=headers, secure=True).status_code == expected


class TestRunInTheRequest:
    """The header that names a delivered job is this site's word, or nothing."""

    BOX = {"box": {"width": 1, "height": 1}}

    @pytest.mark.parametrize("salt", ["serverless_tasks", "django.contrib.sessions", "serverless_tasks.job "])
    def test_a_signature_made_for_something_else_is_refused(
        self, browser: Client, other_user: User, salt: str
    ) -> None:
        message = f'{{"v": 1, "uuid": "{uuid4()}", "task": "resize", "owner": "{other_user.pk}"}}'
        answer = post(browser, "resize/run", self.BOX, headers={HEADER: signing.dumps(message, salt=salt)})
        assert (answer.status_code, answer.json()["error"]["type"]) == (400, "InvalidJob")
        assert current_services().store.list_owner(str(other_user.pk)).records == ()

    def test_a_signature_of_another_secret_is_refused(self, browser: Client) -> None:
        token = signing.dumps("{}", key="another", salt="serverless_tasks.job")
        assert post(browser, "resize/run", self.BOX, headers={HEADER: token}).status_code == 400
