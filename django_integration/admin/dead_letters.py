"""The admin's pages about dead letters: a list, one letter, retrying and purging."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404
from django.utils.decorators import method_decorator
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_POST

from django_integration.admin.views import JobViews, Section
from django_integration.models import Job
from django_integration.web.times import local_time
from serverless_tasks.client.operations.letters import shown_body
from serverless_tasks.client.task_client import TaskClient
from serverless_tasks.engine.job.job_id import uuid_in
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import AwsError, ConfigurationError, LetterNotFound, ServerlessTasksError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern

    from serverless_tasks.engine.job.dead_letter import DeadLetter

PAGE = 100
# Letters that one request retries or purges, whoever has written its form.
MOST = 100
# Letters that one request for all of them retries or purges: it has to end in the time of a request.
MOST_OF_ALL = 1_000
# Refused letters of one request that are named.
REFUSALS = 10


def urls(admin: JobViews) -> list[URLPattern]:
    """Return the pages' patterns."""
    views = DeadLetterViews(admin)
    return [
        views.path("dead-letters/", views.letters, "dead_letters"),
        views.path("dead-letters/act/", views.act, "dead_letters_act"),
        views.path("dead-letters/<path:letter>/", views.letter, "dead_letter"),
    ]


class DeadLetterViews(Section):
    """The pages about dead letters, for those who may see jobs; ``change_job`` retries, ``delete_job`` purges."""

    def letters(self, request: HttpRequest) -> HttpResponse:
        """A page of the dead letters, oldest first within the page."""
        self.require("view", request)
        after, title = request.GET.get("after", ""), gettext("Dead letters")
        if current_services().backend_kind.in_process:
            return self.page(request, "dead_letters", title, {"none_here": True})
        try:
            found, more = TaskClient().dead_letters.page(PAGE, after)
        except (AwsError, ConfigurationError) as error:
            return self.page(request, "dead_letters", title, {"problem": str(error)})
        found.sort(key=lambda letter: letter.kept)
        context = {
            "letters": [_row(letter) for letter in found],
            "after": after,
            "next": f"?{urlencode({'after': more})}" if more else "",
        }
        return self.page(request, "dead_letters", title, context)

    def letter(self, request: HttpRequest, letter: str) -> HttpResponse:
        """One dead letter with its message, whose secret inputs are masked."""
        self.require("view", request)
        letters = TaskClient().dead_letters
        try:
            [found] = letters.named([letter])
            body = letters.body(found)
        except LetterNotFound as error:
            raise Http404(str(error)) from error
        except (AwsError, ConfigurationError) as error:
            messages.error(
                request, gettext("The dead letter could not be read: %(error)s") % {"error": error}
            )
            return self.to("dead_letters")
        _, kept, sent, job = _row(found)
        context = {"letter": found, "kept": kept, "sent": sent, "job": job, "body": shown_body(body)}
        return self.page(request, "dead_letter", gettext("Dead letter"), context)

    @method_decorator(require_POST)
    def act(self, request: HttpRequest) -> HttpResponse:
        """Retry or purge the chosen letters, or all of them; what cannot be undone is asked about first."""
        action, _, scope = request.POST.get("action", "").partition("-")
        everything, ids = scope == "all", request.POST.getlist("letter")[:MOST]
        if action not in ("retry", "purge") or not (everything or ids):
            messages.warning(request, gettext("Select an action and the dead letters to apply it to."))
            return self.to("dead_letters")
        self.require("change" if action == "retry" else "delete", request)
        if (action == "purge" or everything) and not request.POST.get("confirmed"):
            title = gettext("Purge dead letters") if action == "purge" else gettext("Retry dead letters")
            context = {"ids": ids, "everything": everything, "deed": action, "most": MOST_OF_ALL}
            return self.page(request, "purge", title, context)
        try:
            letters = _all() if everything else TaskClient().dead_letters.named(ids)
            if action == "retry":
                self._retry(request, letters, one_by_one=not everything)
            else:
                self._purge(request, letters)
        except ServerlessTasksError as error:
            messages.error(request, str(error))
        return self.to("dead_letters")

    def _retry(self, request: HttpRequest, letters: Iterable[DeadLetter], *, one_by_one: bool) -> None:
        sent, refused = 0, []
        for resent in TaskClient().dead_letters.retry(letters):
            letter = resent.letter.id
            if resent.outcome == "refused":
                refused.append(
                    gettext("%(letter)s stays: %(reason)s") % {"letter": letter, "reason": resent.reason}
                )
                continue
            sent += 1
            text = gettext("%(letter)s was sent again as job %(uuid)s.") % {
                "letter": letter,
                "uuid": resent.uuid,
            }
            self.admin.log_change(request, Job(uuid=resent.uuid), text)
            if one_by_one:
                messages.success(request, text)
        if not one_by_one:
            text = ngettext(
                "%(count)d dead letter was sent again.", "%(count)d dead letters were sent again.", sent
            )
            messages.success(request, text % {"count": sent})
        for text in refused[:REFUSALS]:
            messages.error(request, text)
        if len(refused) > REFUSALS:
            more = len(refused) - REFUSALS
            text = ngettext("%(count)d more stays.", "%(count)d more stay.", more)
            messages.error(request, text % {"count": more})

    def _purge(self, request: HttpRequest, letters: Iterable[DeadLetter]) -> None:
        count = sum(1 for _ in TaskClient().dead_letters.purge(letters))
        text = ngettext("%(count)d dead letter was purged.", "%(count)d dead letters were purged.", count) % {
            "count": count
        }
        messages.success(request, text)
        self.admin.log_change(request, Job(), text)


def _all() -> Iterator[DeadLetter]:
    """Yield the dead letters, up to the bound of one request."""
    yield from islice(TaskClient().dead_letters.all(), MOST_OF_ALL)


def _row(letter: DeadLetter) -> tuple[DeadLetter, Any, Any, str]:
    """A letter, when it was kept and sent, and the id of its job, or ""."""
    job = uuid_in(letter.id.rpartition("/")[2]) if letter.is_job else None
    return letter, local_time(letter.kept), local_time(letter.sent) if letter.sent else None, job or ""
