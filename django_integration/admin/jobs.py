"""The jobs in Django's admin: a list, a page for each, and what may be done with them.

Read from DynamoDB as they are: no table of the database stands behind them, and nothing is to be migrated. Who may do
what is Django's own: ``serverless_tasks.view_job`` reads, ``change_job`` cancels and retries, ``delete_job`` deletes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.http import Http404, HttpResponseRedirect, JsonResponse
from django.urls import path
from django.utils.translation import gettext, pgettext

from django_integration.admin import acting, actions, groups, logs, pages
from django_integration.admin.search import Search
from django_integration.admin.views import JobViews
from django_integration.models import Job
from django_integration.web.pages import status_url
from serverless_tasks.engine.job.job_id import uuid_in
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import (
    AwsError,
    ConfigurationError,
    InvalidCursor,
    ServerlessTasksError,
    TaskNotFound,
    WorkflowError,
)

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern

    from serverless_tasks.engine.job.record import Record

MOST_WATCHED = 100
# So many digits of an id name one job, in all likelihood.
WHOLE_SHORT_ID = 8


@admin.register(Job)
class JobAdmin(JobViews):
    """The views: who may see them, and where one leads to another. What they show is in `pages`."""

    def get_urls(self) -> list[URLPattern]:
        """The list, the pages beside it, and one page a job."""
        # A worker under Django loads the admin as well, and serves no page.
        from django_integration.admin import dead_letters, queues, schedules
        from django_integration.admin.insight import costs, errors, statistics

        name = "serverless_tasks_job"
        wrap = self.admin_site.admin_view
        return [
            path("", wrap(self.changelist_view), name=f"{name}_changelist"),
            path("live/", wrap(self.live_view), name=f"{name}_live"),
            *queues.urls(self),
            *dead_letters.urls(self),
            *schedules.urls(self),
            *errors.urls(self),
            *costs.urls(self),
            *statistics.urls(self),
            path("<uuid:uuid>/", wrap(self.job_view), name=f"{name}_change"),
            path("<uuid:uuid>/whole/", wrap(self.whole_view), name=f"{name}_whole"),
            path("<uuid:uuid>/members/", wrap(self.members_view), name=f"{name}_members"),
            path("<uuid:uuid>/retry-failed/", wrap(self.retry_failed_view), name=f"{name}_retry_failed"),
            *acting.urls(self),
            *logs.urls(self),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Jobs are submitted by code."""
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, newest first; an id in the search box, or the beginning of a job's, leads to its page."""
        self.require("view", request)
        search = Search.from_query(request.GET)
        try:
            if (uuid := uuid_in(search.q) or uuid_in(search.owner)) is not None and pages.is_job(uuid):
                return HttpResponseRedirect(self.job_url(uuid))
            if search.q and not search.id_prefix:
                return HttpResponseRedirect(request.path + search.as_owner)
            context = pages.listing(search)
        except InvalidCursor:
            return HttpResponseRedirect(request.path)
        except (AwsError, ConfigurationError, TaskNotFound, WorkflowError) as error:
            context = pages.unreadable(search, error)
        found = context["rows"]
        sure = len(search.id_prefix) >= WHOLE_SHORT_ID or not context["next"]
        if search.id_prefix and len(found) == 1 and sure:
            return HttpResponseRedirect(self.job_url(found[0].record.uuid))
        allowed = {
            name: action for name, action in actions.ACTIONS.items() if self.may(action.permission, request)
        }
        context = {**context, "actions": allowed, **(extra_context or {})}
        return self.page(request, "list", gettext("Jobs"), context)

    def job_view(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        """One job: its record, its inputs, every attempt, and what may be done with it."""
        self.require("view", request)
        try:
            context = pages.job(str(uuid))
        except (AwsError, ConfigurationError) as error:
            messages.error(request, gettext("The job could not be read: %(error)s") % {"error": error})
            return HttpResponseRedirect(self.list_url())
        if context is None:
            raise Http404(f"No job has the id {uuid}.")
        record = context["record"]
        context["status_url"] = status_url(request, record)
        return self.page(request, "job" if record.members is None else "group", record.task, context)

    def whole_view(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        """Return one job's record and inputs as JSON, of which its page shows excerpts."""
        self.require("view", request)
        try:
            found = pages.whole(str(uuid))
        except (AwsError, ConfigurationError) as error:
            return JsonResponse({"error": str(error)}, status=503)
        if found is None:
            raise Http404(f"No job has the id {uuid}.")
        return JsonResponse(found, json_dumps_params={"indent": 2, "ensure_ascii": False})

    def members_view(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        """The members of a group, by index, in pages; those that ended in one way where the query says so."""
        self.require("view", request)
        status, cursor = (request.GET.get(name, "") for name in ("status", "cursor"))
        try:
            record = self._group(uuid)
            context = groups.members(record, status, cursor)
        except InvalidCursor:
            return HttpResponseRedirect(request.path)
        except (AwsError, ConfigurationError) as error:
            text = pgettext("jobs", "The members could not be read: %(error)s")
            messages.error(request, text % {"error": error})
            return HttpResponseRedirect(self.list_url())
        title = pgettext("jobs", "Members of %(task)s") % {"task": record.task}
        return self.page(request, "members", title, context)

    def retry_failed_view(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        """The members of a group that did not succeed, submitted again: first the question, then the deed."""
        self.require("change", request)
        back = HttpResponseRedirect(self.job_url(str(uuid)))
        try:
            if request.method != "POST":
                record = self._group(uuid)
                title = pgettext("jobs", "Retry failed members")
                return self.page(request, "retry_failed", title, {"record": record})
            done = actions.retry_failed(str(uuid))
        except ServerlessTasksError as error:
            messages.error(request, str(error))
            return back
        acting.tell(self, request, [done])
        return HttpResponseRedirect(self.job_url(done.successor))

    def _group(self, uuid: UUID) -> Record:
        """Return the record of a group.

        Raises:
            Http404: nothing is known of it, or it is no group.
            AwsError: the table could not be read.
        """
        record = current_services().store.read(str(uuid), whole=False)
        if record is None or record.members is None:
            raise Http404(f"No group has the id {uuid}.")
        return record

    def live_view(self, request: HttpRequest) -> HttpResponse:
        """Return the state of the jobs that a page shows and that had not ended when it was rendered."""
        self.require("view", request)
        uuids = [uuid for given in request.GET.getlist("uuid") if (uuid := uuid_in(given)) is not None]
        try:
            found = current_services().store.read_many(uuids[:MOST_WATCHED], whole=False)
        except AwsError:
            return JsonResponse({}, status=503)
        return JsonResponse({uuid: pages.live(record) for uuid, record in found.items()})
