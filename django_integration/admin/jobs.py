"""The admin's pages about jobs: the list, one job, a group's members, and what their scripts ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import Http404, HttpResponseRedirect, JsonResponse
from django.utils.translation import gettext, pgettext

from django_integration.admin import acting, actions, groups, pages
from django_integration.admin.search import Search
from django_integration.admin.views import JobViews, Section
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


def urls(admin: JobViews) -> list[URLPattern]:
    """Return the pages' patterns."""
    views = JobPages(admin)
    return [
        views.path("", views.jobs, "changelist"),
        views.path("live/", views.live, "live"),
        views.path("<uuid:uuid>/", views.job, "change"),
        views.path("<uuid:uuid>/whole/", views.whole, "whole"),
        views.path("<uuid:uuid>/members/", views.members, "members"),
        views.path("<uuid:uuid>/retry-failed/", views.retry_failed, "retry_failed"),
    ]


class JobPages(Section):
    """The pages about jobs: who may see them, and where one leads to another. What they show is in `pages`."""

    def jobs(self, request: HttpRequest) -> HttpResponse:
        """The list, newest first; an id in the search box, or the beginning of a job's, leads to its page."""
        self.require("view", request)
        search = Search.from_query(request.GET)
        try:
            if (uuid := uuid_in(search.q) or uuid_in(search.owner)) is not None and pages.is_job(uuid):
                return HttpResponseRedirect(self.admin.job_url(uuid))
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
            return HttpResponseRedirect(self.admin.job_url(found[0].record.uuid))
        context["actions"] = {
            name: action
            for name, action in actions.ACTIONS.items()
            if self.admin.may(action.permission, request)
        }
        return self.page(request, "list", gettext("Jobs"), context)

    def job(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        """One job: its record, its inputs, every attempt, and what may be done with it."""
        self.require("view", request)
        try:
            context = pages.job(str(uuid), self.admin.job_url)
        except (AwsError, ConfigurationError) as error:
            messages.error(request, gettext("The job could not be read: %(error)s") % {"error": error})
            return HttpResponseRedirect(self.admin.list_url())
        if context is None:
            raise Http404(f"No job has the id {uuid}.")
        record = context["record"]
        context["status_url"] = status_url(request, record)
        return self.page(request, "job" if record.members is None else "group", record.task, context)

    def whole(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        """Return one job's record and inputs as JSON, of which its page shows excerpts."""
        self.require("view", request)
        try:
            found = pages.whole(str(uuid))
        except (AwsError, ConfigurationError) as error:
            return JsonResponse({"error": str(error)}, status=503)
        if found is None:
            raise Http404(f"No job has the id {uuid}.")
        return JsonResponse(found, json_dumps_params={"indent": 2, "ensure_ascii": False})

    def members(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
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
            return HttpResponseRedirect(self.admin.list_url())
        title = pgettext("jobs", "Members of %(task)s") % {"task": record.task}
        return self.page(request, "members", title, context)

    def retry_failed(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        """The members of a group that did not succeed, submitted again: first the question, then the deed."""
        self.require("change", request)
        back = HttpResponseRedirect(self.admin.job_url(str(uuid)))
        try:
            if request.method != "POST":
                record = self._group(uuid)
                title = pgettext("jobs", "Retry failed members")
                return self.page(request, "retry_failed", title, {"record": record})
            done = actions.retry_failed(str(uuid))
        except ServerlessTasksError as error:
            messages.error(request, str(error))
            return back
        acting.tell(self.admin, request, [done])
        return HttpResponseRedirect(self.admin.job_url(done.successor))

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

    def live(self, request: HttpRequest) -> HttpResponse:
        """Return the state of the jobs that a page shows and that had not ended when it was rendered."""
        self.require("view", request)
        uuids = [uuid for given in request.GET.getlist("uuid") if (uuid := uuid_in(given)) is not None]
        try:
            found = current_services().store.read_many(uuids[:MOST_WATCHED], whole=False)
        except AwsError:
            return JsonResponse({}, status=503)
        return JsonResponse({uuid: pages.live(record) for uuid, record in found.items()})
