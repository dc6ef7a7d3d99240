"""The button that submits a task, and the view that its form is sent to."""

import re
import time
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any
from uuid import UUID

import pytest
from botocore.exceptions import EndpointConnectionError
from django.contrib.auth.models import AnonymousUser, User
from django.core import signing
from django.template import Context, RequestContext, Template, TemplateSyntaxError
from django.test import Client, RequestFactory

from django_integration.web.widgets import offer
from serverless_tasks import Task
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.services import current_services
from serverless_tasks.params import StringParameter
from tests.django.conftest import queued

URL = "/tasks/widgets/submit"
JSON: dict[str, Any] = {"headers": {"Accept": "application/json"}}
HTMX: dict[str, Any] = {"headers": {"HX-Request": "true"}}


def drawn(arguments: str, user: Any, **context: Any) -> str:
    request = RequestFactory().get("/photos/3/")
    request.user = user
    template = Template("{% load task_widgets %}{% task_button " + arguments + " %}")
    return template.render(RequestContext(request, context))


def fields_of(form: str) -> dict[str, Any]:
    """What a browser would send of a form: its hidden fields."""
    found: dict[str, Any] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form):
        found.setdefault(unescape(name), []).append(unescape(value))
    return {name: values for name, values in found.items() if name != "csrfmiddlewaretoken"}


class LogsIn(Task):
    name = "logs-in"
    inputs = {"password": StringParameter(secret=True)}

    def run(self, password: Any) -> None: ...


SUM = '"sum" numbers=numbers'
OPEN = '"sum" fields="numbers"'


@pytest.fixture
def form(user: User) -> dict[str, Any]:
    return fields_of(drawn(SUM, user, numbers=[1, 2]))


class TestTag:
    def test_it_is_a_form_that_needs_no_script(self, user: User) -> None:
        page = drawn('"sum" numbers=numbers label=label', user, numbers=[1, 2], label="Add & tell")

        assert f'method="post" action="{URL}"' in page
        assert 'name="csrfmiddlewaretoken"' in page
        assert '<button type="submit">Add &amp; tell</button>' in page
        assert list(fields_of(page)) == ["task-offer"]

    def test_without_a_label_it_says_what_it_starts(self, user: User) -> None:
        assert "Start sum</button>" in drawn('"sum"', user)

    def test_what_the_page_may_change_is_a_field(self, user: User) -> None:
        page = drawn('"sum" numbers=numbers fields="numbers other" id="add"', user, numbers=[1, "x"])

        assert fields_of(page)["numbers"] == ["1", "x"]
        assert 'id="add"' in page

    def test_htmx_sends_it_where_it_is_asked_to(self, user: User) -> None:
        page = drawn('"sum" htmx=True', user)

        assert f'hx-post="{URL}" hx-target="this" hx-swap="outerHTML"' in page
        assert "data-task-button" not in page

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            ('"nowhere"', "nowhere"),
            ('"sum" numbers=thing', "no JSON"),
            ('"sum" next="https://elsewhere.example/"', "another site"),
            ('"sum" next="//elsewhere.example/"', "another site"),
            ('"sum" next="javascript:alert(1)"', "another site"),
        ],
    )
    def test_what_cannot_be_is_said_where_the_page_is_made(
        self, user: User, arguments: str, reason: str
    ) -> None:
        with pytest.raises(TemplateSyntaxError, match=re.escape(reason)):
            drawn(arguments, user, thing=object())

    def test_a_secret_is_not_given_to_a_page(self, user: User) -> None:
        current_services().registry.add(LogsIn)
        with pytest.raises(TemplateSyntaxError, match="cannot give the secret input 'password'"):
            drawn('"logs-in" password="hunter2"', user)
        with pytest.raises(TemplateSyntaxError, match="cannot give the secret input 'password'"):
            drawn('"logs-in" inputs=inputs fields="password"', user, inputs={"password": "hunter2"})

    def test_it_needs_the_request(self) -> None:
        with pytest.raises(TemplateSyntaxError, match="needs the request"):
            Template('{% load task_widgets %}{% task_button "sum" %}').render(Context())


class TestSubmitting:
    def test_a_browser_without_scripts_is_sent_to_the_status_page(
        self, browser: Client, user: User, form: dict[str, Any]
    ) -> None:
        answer = browser.post(URL, form)
        (message,) = queued()

        assert (answer.status_code, answer["Location"]) == (302, f"/tasks/{message.uuid}/view/")
        assert (message.task, message.inputs, message.owner) == ("sum", {"numbers": [1, 2]}, str(user.pk))

    def test_or_where_the_template_says(self, browser: Client, user: User) -> None:
        form = fields_of(drawn('"sum" numbers=1 next="/photos/3/?job={uuid}"', user))
        answer = browser.post(URL, form)

        assert answer["Location"] == f"/photos/3/?job={queued()[0].uuid}"

    def test_a_script_is_answered_the_record(self, browser: Client, form: dict[str, Any]) -> None:
        answer = browser.post(URL, form, **JSON)

        assert answer.status_code == 201
        assert answer.json()["uuid"] == queued()[0].uuid

    def test_htmx_is_answered_the_progress(self, browser: Client, form: dict[str, Any]) -> None:
        answer = browser.post(URL, form, **HTMX)
        uuid = queued()[0].uuid

        assert answer.status_code == 200
        assert f'hx-get="/tasks/{uuid}/progress/"' in answer.content.decode()

    def test_fields_of_the_page_are_inputs_and_empty_ones_are_left_out(
        self, browser: Client, user: User
    ) -> None:
        form = fields_of(drawn('"resize" box=box fields="note"', user, box={"width": 1, "height": 2}))
        browser.post(URL, form | {"note": "thin"})
        browser.post(URL, form | {"note": ""})

        assert [message.inputs["note"] for message in queued()] == ["thin", ""]

    def test_several_values_of_one_name_are_a_list(self, browser: Client, user: User) -> None:
        browser.post(URL, fields_of(drawn(OPEN, user)) | {"numbers": ["1", "2.5"]})

        assert queued()[0].inputs == {"numbers": [1, 2.5]}

    def test_a_task_that_no_other_call_serves_can_be_offered(self, browser: Client, user: User) -> None:
        assert browser.post(URL, fields_of(drawn('"hidden"', user))).status_code == 302
        assert queued()[0].task == "hidden"

    def test_a_form_that_makes_one_job_makes_one_job(self, browser: Client, user: User) -> None:
        form = fields_of(drawn(SUM + " once=True", user, numbers=[1]))
        first, again = browser.post(URL, form, **JSON), browser.post(URL, form, **JSON)

        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json()["uuid"] == again.json()["uuid"]
        assert len(queued()) == 1

    def test_so_does_one_of_an_anonymous_visitor(self, client: Client, settings: Any) -> None:
        settings.SERVERLESS_TASKS = settings.SERVERLESS_TASKS | {"ALLOW_ANONYMOUS": True}
        form = fields_of(drawn(SUM + " once=True", AnonymousUser(), numbers=[1]))
        uuids = {client.post(URL, form, **JSON).json()["uuid"] for _ in range(2)}

        assert len(uuids) == 1
        assert UUID(uuids.pop())


class TestRefusals:
    @pytest.fixture(autouse=True)
    def nothing_is_sent(self) -> Iterator[None]:
        yield
        assert queued() == []

    def refused(self, browser: Client, form: dict[str, Any], status: int, reason: str) -> str:
        """See how each way is refused; return the page."""
        in_json = browser.post(URL, form, **JSON)
        by_htmx = browser.post(URL, form, **HTMX)
        page = browser.post(URL, form)

        assert (in_json.status_code, by_htmx.status_code, page.status_code) == (status, 200, status)
        assert reason in str(in_json.json()["error"])
        for answer in (by_htmx, page):
            assert reason in unescape(answer.content.decode())
        assert by_htmx.content.decode().lstrip().startswith('<form class="task-button"')
        return page.content.decode()

    def test_inputs_that_do_not_fit_are_named_on_a_page_that_keeps_them(
        self, browser: Client, user: User
    ) -> None:
        form = fields_of(drawn(OPEN, user)) | {"numbers": ["1", "many"]}
        page = self.refused(browser, form, 400, "String is not a number: 'many'")

        assert '<code dir="ltr">numbers' in page
        assert fields_of(page)["numbers"] == ["1", "many"]
        assert fields_of(page)["task-offer"] != [""]

    def test_the_form_that_comes_back_is_no_younger(
        self, browser: Client, user: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = time.time()
        with monkeypatch.context() as earlier:
            earlier.setattr(signing.time, "time", lambda: now - 3_600)
            form = fields_of(drawn(OPEN, user)) | {"numbers": "many"}
        page = self.refused(browser, form, 400, "many")

        assert fields_of(page)["task-offer"] == form["task-offer"]

    @pytest.mark.parametrize("kind", [{}, HTMX])
    def test_a_secret_does_not_come_back_with_it(
        self, browser: Client, user: User, kind: dict[str, Any]
    ) -> None:
        current_services().registry.add(LogsIn)
        form = fields_of(drawn('"logs-in" fields="password name"', user))
        page = browser.post(URL, form | {"password": "hunter2", "name": "ann"}, **kind).content.decode()

        assert fields_of(page)["name"] == ["ann"]
        assert "hunter2" not in page

    def test_a_browser_cannot_change_what_is_fixed(self, browser: Client, form: dict[str, Any]) -> None:
        self.refused(browser, form | {"numbers": "5"}, 400, "is fixed on this form")

    def test_nor_add_what_is_not_offered(self, browser: Client, form: dict[str, Any]) -> None:
        self.refused(browser, form | {"owner": "5"}, 400, "is not a field of this form")

    @pytest.mark.parametrize(
        "change",
        [lambda text: text[:-1], lambda text: "", lambda text: "x:y:z"],
        ids=["cut", "empty", "foreign"],
    )
    def test_an_offer_that_was_changed_is_none(
        self, browser: Client, form: dict[str, Any], change: Callable[[str], str]
    ) -> None:
        form["task-offer"] = change(form["task-offer"][0])
        self.refused(browser, form, 400, "was not made by this site")

    def test_what_was_signed_for_something_else_is_none(self, browser: Client) -> None:
        told = ["sum", {"numbers": [1]}, [], None, "", "", None]
        form = {"task-offer": signing.dumps(told, salt="another")}
        self.refused(browser, form, 400, "was not made by this site")

    def test_an_old_offer_has_expired(
        self, browser: Client, form: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(offer, "LONGEST", -1)
        self.refused(browser, form, 400, "more than a day old")

    def test_another_login_cannot_use_it(
        self, other_user: User, form: dict[str, Any], client: Client
    ) -> None:
        client.force_login(other_user)
        self.refused(client, form, 403, "made for another login")

    def test_nor_can_somebody_who_is_logged_out(self, client: Client, form: dict[str, Any]) -> None:
        self.refused(client, form, 401, "Log in first.")

    @pytest.mark.parametrize("known", [True, False])
    def test_a_form_of_another_site_is_refused(self, user: User, form: dict[str, Any], known: bool) -> None:
        browser = Client(enforce_csrf_checks=True)
        if known:
            browser.force_login(user)

        assert browser.post(URL, form).status_code == 403

    def test_nor_is_one_of_an_anonymous_visitor_sent_by_another_site(self, settings: Any) -> None:
        settings.SERVERLESS_TASKS = settings.SERVERLESS_TASKS | {"ALLOW_ANONYMOUS": True}
        settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "csrf" not in name.lower()]
        form = fields_of(drawn(SUM, AnonymousUser(), numbers=[1]))

        assert Client(enforce_csrf_checks=True).post(URL, form).status_code == 403

    def test_it_is_only_posted_to(self, browser: Client) -> None:
        assert browser.get(URL).status_code == 405

    def test_while_nothing_can_be_sent_it_says_so(
        self, browser: Client, form: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(session.client("sqs", attempts=1), "send_message", _refuses)
        answer = browser.post(URL, form)

        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert "The job was not submitted. Try again later." in answer.content.decode()


def _refuses(**given: Any) -> Any:
    raise EndpointConnectionError(endpoint_url="https://sqs")


def test_an_older_key_of_the_site_still_reads_what_it_signed(
    browser: Client, form: dict[str, Any], settings: Any
) -> None:
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"
    browser.force_login(User.objects.get())

    assert browser.post(URL, form).status_code == 302


class TestDjangoRestFramework:
    @pytest.fixture(autouse=True)
    def its_session(self, settings: Any) -> None:
        settings.TASK_API_AUTHENTICATION_CLASSES = ["rest_framework.authentication.SessionAuthentication"]
        settings.TASK_API_PERMISSIONS_CLASSES = ["rest_framework.permissions.IsAuthenticated"]

    def test_a_form_is_let_in_by_its_classes(self, user: User) -> None:
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(user)
        token = "a" * 32
        browser.cookies["csrftoken"] = token
        form = fields_of(drawn(SUM, user, numbers=[1])) | {"csrfmiddlewaretoken": token}

        assert browser.post(URL, form).status_code == 302
        assert queued()[0].owner == str(user.pk)

    def test_and_kept_out(self, client: Client, form: dict[str, Any], settings: Any) -> None:
        settings.TASK_API_PERMISSIONS_CLASSES = ["rest_framework.permissions.IsAdminUser"]
        client.force_login(User.objects.get())

        assert client.post(URL, form, **JSON).status_code == 403
        assert queued() == []
