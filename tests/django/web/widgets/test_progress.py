"""A job's progress as a piece of a page, and the view of this piece alone."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.template import Context, RequestContext, Template, TemplateSyntaxError
from django.test import Client, RequestFactory

from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import AwsError
from tests.django.shop.background import Fails, SumNumbers

HTMX: dict[str, Any] = {"headers": {"HX-Request": "true"}}
GONE = "This job can no longer be read here."


def drawn(job: Any, user: Any, arguments: str = "") -> str:
    request = RequestFactory().get("/photos/")
    request.user = user
    template = Template("{% load task_widgets %}{% task_progress job " + arguments + " %}")
    return template.render(RequestContext(request, {"job": job}))


def submitted(user: User, **options: Any) -> Any:
    return SumNumbers.options(owner=str(user.pk), on_commit=False, **options).submit(numbers=[20, 22])


class TestTag:
    @pytest.mark.parametrize(
        "of",
        [lambda job: job, lambda job: job.record, lambda job: job.uuid, lambda job: UUID(job.uuid)],
        ids=["handle", "record", "text", "uuid"],
    )
    def test_it_shows_a_job_by_its_handle_its_record_or_its_id(
        self, user: User, of: Callable[[Any], Any]
    ) -> None:
        job = submitted(user)
        page = drawn(of(job), user)

        assert f'data-task-progress="{job.uuid}"' in page
        assert "Pending" in page
        assert "Waiting to be picked up" in page
        assert '<progress aria-label="Progress of the task" value="0" max="1">' in page
        assert f'<a href="/tasks/{job.uuid}/view/">' in page
        assert '<a href="" data-field="reload">Reload to see how far it is</a>' in page
        assert "hx-" not in page

    def test_what_is_given_as_it_was_read_is_not_read_again(self, user: User, calls: Counter[str]) -> None:
        job = submitted(user)
        calls.clear()

        drawn(job, user)

        assert calls == {}

    def test_a_job_that_has_ended_is_not_followed(self, user: User, work: Callable[[], int]) -> None:
        job = submitted(user)
        work()
        page = drawn(job.uuid, user)

        assert "data-task-progress" not in page
        assert 'data-status="succeeded"' in page
        assert 'value="1" max="1"' in page
        assert "Reload" not in page
        assert "<template>" not in page

    def test_an_error_is_shown_as_its_owner_may_see_it(self, user: User, work: Callable[[], int]) -> None:
        kindly = Fails.options(owner=str(user.pk), on_commit=False).submit(kindly=1)
        secret = Fails.options(owner=str(user.pk), on_commit=False).submit()
        work()

        assert "There is no more paper." in drawn(kindly.uuid, user)
        assert "hunter2" not in drawn(secret.uuid, user)

    def test_what_a_task_says_is_escaped(self, user: User) -> None:
        record = submitted(user).record
        page = drawn(replace(record, status="running", messages=("<b>x</b>",), progress=3, target=10), user)

        assert "&lt;b&gt;x" in page
        assert 'value="3" max="10"' in page
        assert "3 of 10" in page

    @pytest.mark.parametrize("arguments", ["", "htmx=True"])
    def test_another_owners_job_is_as_one_that_is_not_there(
        self, user: User, other_user: User, arguments: str
    ) -> None:
        job = submitted(user)
        pages = [drawn(each, other_user, arguments) for each in (job, job.uuid, str(uuid4()))]

        assert GONE in pages[0]
        assert job.uuid not in pages[0]
        assert len(set(pages)) == 1
        assert drawn(job, AnonymousUser(), arguments) == pages[0]

    def test_htmx_follows_it_where_it_is_asked_to(self, user: User) -> None:
        job = submitted(user)
        page = drawn(job, user, "htmx=True")

        assert (
            f'hx-get="/tasks/{job.uuid}/progress/" hx-trigger="every 1s" hx-target="this" hx-swap="outerHTML"'
            in page
        )
        assert "data-task-progress" not in page

    @pytest.mark.parametrize("job", [None, 3, "no id", object()], ids=repr)
    def test_what_is_no_job_is_refused(self, user: User, job: Any) -> None:
        with pytest.raises(TemplateSyntaxError, match="takes a handle, a record or a job's id"):
            drawn(job, user)

    def test_it_needs_the_request(self) -> None:
        with pytest.raises(TemplateSyntaxError, match=r"task_progress.*needs the request"):
            Template("{% load task_widgets %}{% task_progress job %}").render(Context({"job": str(uuid4())}))


class TestFragment:
    def test_it_is_the_piece_alone(self, browser: Client, user: User) -> None:
        job = submitted(user)
        answer = browser.get(f"/tasks/{job.uuid}/progress/")
        text = answer.content.decode()

        assert (answer.status_code, answer["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert text.strip().startswith('<div class="task-progress"')
        assert f'data-task-progress="{job.uuid}"' in text
        assert "Reload" not in text
        assert answer["Cache-Control"] == "private, no-cache"
        assert "HX-Request" in answer["Vary"]
        assert "Cookie" in answer["Vary"]

    def test_until_something_changes_it_is_not_sent_again(
        self, browser: Client, user: User, work: Callable[[], int]
    ) -> None:
        job = submitted(user)
        url = f"/tasks/{job.uuid}/progress/"
        etag = browser.get(url, **HTMX)["ETag"]

        same = browser.get(url, headers={"HX-Request": "true", "If-None-Match": etag})
        assert (same.status_code, same.content, same["ETag"]) == (304, b"", etag)
        assert browser.get(url, headers={"If-None-Match": etag}).status_code == 200  # not the same piece
        work()
        assert browser.get(url, headers={"HX-Request": "true", "If-None-Match": etag}).status_code == 286

    def test_htmx_is_told_to_stop_at_the_end(
        self, browser: Client, user: User, work: Callable[[], int]
    ) -> None:
        job = submitted(user)
        url = f"/tasks/{job.uuid}/progress/"
        before = browser.get(url, **HTMX)
        work()
        after = browser.get(url, **HTMX)

        assert (before.status_code, after.status_code) == (200, 286)
        assert "hx-get" in before.content.decode()
        assert "hx-get" not in after.content.decode()
        assert "Succeeded" in after.content.decode()
        assert after["Cache-Control"] == "private, no-store"
        assert "ETag" not in after
        assert browser.get(url).status_code == 200  # others know no such status

    @pytest.mark.parametrize("foreign", [True, False])
    def test_another_owners_job_is_not_found(self, browser: Client, other_user: User, foreign: bool) -> None:
        uuid = submitted(other_user).uuid if foreign else str(uuid4())
        answer = browser.get(f"/tasks/{uuid}/progress/")
        by_htmx = browser.get(f"/tasks/{uuid}/progress/", **HTMX)

        assert answer.status_code == 404
        # To htmx an error is nothing that ends its polling.
        assert by_htmx.status_code == 286
        assert GONE in by_htmx.content.decode()
        assert uuid not in by_htmx.content.decode()

    def test_who_is_logged_out_sees_nothing(self, client: Client, user: User) -> None:
        uuid = submitted(user).uuid

        assert client.get(f"/tasks/{uuid}/progress/").status_code == 401
        assert client.get(f"/tasks/{uuid}/progress/", **HTMX).status_code == 286

    def test_while_the_table_cannot_be_read_htmx_goes_on_asking(
        self, browser: Client, user: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        uuid = submitted(user).uuid

        def fails(*args: Any, **given: Any) -> Any:
            raise AwsError("Query", "Throttled", "throttled", applied=False)

        monkeypatch.setattr(current_services().store, "read", fails)
        answer = browser.get(f"/tasks/{uuid}/progress/", **HTMX)

        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert b"throttled" not in answer.content

    def test_it_only_reads(self, browser: Client, user: User) -> None:
        assert browser.post(f"/tasks/{submitted(user).uuid}/progress/").status_code == 405

    def test_it_costs_what_a_poll_costs(self, browser: Client, user: User, calls: Counter[str]) -> None:
        job = submitted(user)
        calls.clear()
        browser.get(f"/tasks/{job.uuid}/")
        poll = calls.copy()
        other = submitted(user)
        calls.clear()

        browser.get(f"/tasks/{other.uuid}/progress/", **HTMX)

        assert calls == poll

    def test_it_is_in_the_language_of_the_page(self, browser: Client, user: User, settings: Any) -> None:
        settings.LANGUAGE_CODE = "de"
        url = f"/tasks/{submitted(user).uuid}/progress/"

        german = browser.get(url)
        assert "Wartet auf" in german.content.decode()
        settings.LANGUAGE_CODE = "en"
        assert browser.get(url)["ETag"] != german["ETag"]
