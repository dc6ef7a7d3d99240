"""The pages, the template tag, and the OpenAPI document."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.template import Context, RequestContext, Template, TemplateSyntaxError
from django.test import Client, RequestFactory

from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.record import Record
from serverless_tasks.engine.services import current_services
from tests.django.shop.background import Resize, SumNumbers

TYPED = (
    "resize",
    "strict",
    "prices",
    "charge",
    "shout",
    "later.resize",
    "tests.django.mailing.notifications.EmailNotificationTask",
)


class TestView:
    def test_it_shows_the_task_without_javascript(
        self, browser: Client, user: User, work: Callable[[], int]
    ) -> None:
        uuid = SumNumbers.options(owner=str(user.pk), on_commit=False).submit(numbers=[20, 22]).uuid
        work()
        answer = browser.get(f"/tasks/{uuid}/view/")
        page = answer.content.decode()
        assert answer.status_code == 200
        assert '<dt><bdi>sum</bdi></dt><dd><div class="value" dir="auto">42</div></dd>' in page
        assert 'data-base="/tasks/"' in page
        assert f'href="/tasks/{uuid}/"' in page
        assert "csrftoken" in browser.cookies
        assert "no-store" in answer["Cache-Control"]

    def test_it_says_when_a_waiting_task_is_due(self, browser: Client, user: User) -> None:
        run_at = datetime.fromisoformat("2126-02-03T04:05:06Z")
        record = Record(uuid=str(uuid4()), task="sum", owner=str(user.pk), run_at=to_ms(run_at.timestamp()))
        with mock.patch.object(current_services().store, "read", return_value=record):
            page = browser.get(f"/tasks/{record.uuid}/view/").content.decode()
        assert "Feb. 2, 2126, 22:05:06 CST" in page
        assert "Scheduled" in page
        running = replace(record, status="running")
        with mock.patch.object(current_services().store, "read", return_value=running):
            assert "2126" not in browser.get(f"/tasks/{record.uuid}/view/").content.decode()

    def test_long_outputs_and_many_messages_are_clipped(self, browser: Client, user: User) -> None:
        record = Record(
            uuid=str(uuid4()),
            task="sum",
            owner=str(user.pk),
            status="succeeded",
            outputs={"text": "a\n" * 400},
            messages=tuple(f"Page {number}" for number in range(500)),
        )
        with mock.patch.object(current_services().store, "read", return_value=record):
            page = browser.get(f"/tasks/{record.uuid}/view/").content.decode()
        assert f'Characters left out: 601 \u2013 <a href="/tasks/{record.uuid}/">all of it</a>' in page
        assert "<li><bdi>Page 300</bdi></li>" in page
        assert "<li><bdi>Page 299</bdi></li>" not in page

    def test_its_base_is_where_it_is_included(self, browser: Client) -> None:
        uuid = SumNumbers.options(on_commit=False).submit(numbers=[1]).uuid
        assert b'data-base="/deep/er/work/"' in browser.get(f"/deep/er/work/{uuid}/view/").content

    def test_another_owners_task_is_404(self, browser: Client, other_user: User) -> None:
        uuid = SumNumbers.options(owner=str(other_user.pk), on_commit=False).submit(numbers=[1]).uuid
        assert browser.get(f"/tasks/{uuid}/view/").status_code == 404

    @pytest.mark.django_db
    def test_callers_without_a_login_are_sent_to_it(self) -> None:
        answer = Client().get("/tasks/0b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c6d/view/")
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/login/?next=/tasks/")


class TestDocs:
    def test_the_page_points_at_the_document(self, browser: Client) -> None:
        page = browser.get("/deep/er/work/docs").content.decode()
        assert 'data-openapi="/deep/er/work/openapi.json"' in page
        assert 'data-base="/deep/er/work/"' in page

    @pytest.fixture
    def document(self, browser: Client) -> dict[str, Any]:
        found: dict[str, Any] = browser.get("/tasks/openapi.json").json()
        return found

    @staticmethod
    def at(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            node: Any = document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                node = node[part]
            schema = node
        return schema

    def test_each_served_task_is_typed(self, document: dict[str, Any]) -> None:
        create = document["paths"]["/tasks/"]["post"]
        variants = create["requestBody"]["content"]["application/json"]["schema"]["oneOf"]
        submissions = {
            schema["properties"]["task"]["const"]: schema
            for schema in (self.at(document, variant) for variant in variants)
        }
        assert set(submissions) == {"sum", "resize", "fails"}
        inputs = self.at(document, submissions["sum"]["properties"]["inputs"])
        assert inputs["properties"]["numbers"] == {
            "items": {"type": "number"},
            "title": "Numbers",
            "type": "array",
        }
        assert inputs["required"] == ["numbers"]
        assert submissions["sum"]["description"] == "Adds numbers."
        box = self.at(document, submissions["resize"]["properties"]["inputs"])["properties"]["box"]
        assert self.at(document, box)["properties"]["width"]["description"] == "In pixels."

    def test_each_record_has_its_tasks_outputs(self, document: dict[str, Any]) -> None:
        records = document["paths"]["/tasks/"]["post"]["responses"]["201"]["content"]["application/json"][
            "schema"
        ]
        outputs = {
            record["properties"]["task"]["const"]: self.at(document, record["properties"]["outputs"])
            for record in (self.at(document, variant) for variant in records["oneOf"])
        }
        assert outputs["sum"]["properties"]["sum"]["type"] == "number"

    @staticmethod
    def calls(document: dict[str, Any]) -> set[tuple[str, str]]:
        return {(path, method) for path, item in document["paths"].items() for method in item}

    def test_every_call_is_described(self, document: dict[str, Any]) -> None:
        assert self.calls(document) == {
            ("/tasks/", "post"),
            ("/tasks/", "get"),
            ("/tasks/{uuid}/", "get"),
            ("/tasks/{uuid}/members/", "get"),
            ("/tasks/{uuid}/cancel/", "post"),
            ("/tasks/{uuid}/events/", "get"),
            ("/tasks/events/", "get"),
            *((f"/tasks/{task}/", "post") for task in TYPED),
        }

    @pytest.mark.parametrize(
        ("setting", "value"),
        [
            ("TASKS_API_AUTHENTICATION", None),
            ("TASKS_API_AUTHENTICATION", "tests.django.ninja_auth.KnowsTheWord"),
            ("TASK_API_PERMISSIONS_CLASSES", []),
        ],
    )
    def test_run_is_described_where_it_is_on(self, settings: Any, setting: str, value: Any) -> None:
        settings.DEBUG = True
        setattr(settings, setting, value)
        calls = self.calls(Client().get("/tasks/openapi.json").json())
        assert {(f"/tasks/{task}/run", "post") for task in TYPED} <= calls

    def test_every_reference_leads_somewhere(self, document: dict[str, Any]) -> None:
        for reference in set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(document))):
            assert self.at(document, {"$ref": reference}), reference

    def test_a_record_fits_its_description(self, document: dict[str, Any], browser: Client) -> None:
        uuid = Resize.options(on_commit=False).submit(box={"width": 1, "height": 1}).uuid
        record = browser.get(f"/tasks/{uuid}/").json()
        described = document["components"]["schemas"]["RecordBody"]
        assert set(record) == set(described["properties"]) - {
            *("cancel_requested", "members", "group", "retry_of", "retried_as", "build")
        }
        assert set(record) == set(described["required"])


class TestTemplateTag:
    def scripts(self, answer: Any) -> list[str]:
        return re.findall(r"<script .*?</script>", answer.content.decode())

    @pytest.mark.django_db
    def test_it_loads_and_configures_the_client_and_sets_the_cookie(self, settings: Any) -> None:
        client = Client()
        answer = client.get("/page/")
        client_script, configure = self.scripts(answer)
        assert client_script == '<script src="/static/django-task-api.min.js"></script>'
        data = 'data-base="/tasks/" data-csrf-cookie="csrftoken" data-csrf-header="X-CSRFToken"'
        assert configure == f'<script src="/static/serverless-tasks/configure.js" {data}></script>'
        assert "csrftoken" in client.cookies

    def test_the_tag_tells_where_a_token_polls(self, browser: Client, settings: Any) -> None:
        settings.SERVERLESS_TASKS |= {"BROWSER_STATUS_URL": "https://abc.lambda-url.us-east-1.on.aws/"}
        page = browser.get("/page/").content.decode()
        assert (
            'data-csrf-header="X-CSRFToken" data-status-url="https://abc.lambda-url.us-east-1.on.aws/"'
            in page
        )

    @pytest.mark.django("6.0")
    @pytest.mark.django_db
    def test_the_scripts_carry_the_policys_nonce(self, settings: Any) -> None:
        from django.utils.csp import CSP

        settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.middleware.csp.ContentSecurityPolicyMiddleware"]
        settings.SECURE_CSP = {"script-src": [CSP.NONCE]}
        answer = Client().get("/page/")
        nonces = {re.search('nonce="(.+?)"', script)[1] for script in self.scripts(answer)}  # type: ignore[index]
        assert len(nonces) == 1
        assert f"'nonce-{nonces.pop()}'" in answer["Content-Security-Policy"]

    def test_or_the_nonce_of_django_csp(self, rf: RequestFactory) -> None:
        request = rf.get("/page/")
        request.csp_nonce, request.resolver_match = "abc123", None  # type: ignore[attr-defined]
        page = Template("{% load task_api %}{% task_api %}").render(RequestContext(request))
        assert page.count('nonce="abc123"') == 2

    def test_its_files_exist(self) -> None:
        assert finders.find("django-task-api.min.js")
        assert finders.find("serverless-tasks/configure.js")

    def test_without_the_request_it_says_so(self) -> None:
        with pytest.raises(TemplateSyntaxError, match="render"):
            Template("{% load task_api %}{% task_api %}").render(Context())
