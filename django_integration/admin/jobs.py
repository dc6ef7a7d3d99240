"""The jobs in Django's admin: a list, a page for each, and what may be done with them.

Read from DynamoDB as they are: no table of the database stands behind them, and nothing is to be migrated. Who may do
what is Django's own: ``serverless_tasks.view_job`` reads, ``change_job`` cancels and retries, ``delete_job`` deletes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from django_integration.admin import actions, groups, pages
from django_integration.admin.search import Search
from django_integration.models import Job
from serverless_tasks.engine.job.job_id import uuid_in
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import AwsError, ConfigurationError, InvalidCursor, ServerlessTasksError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern

    from serverless_tasks.engine.job.record import Record

MOST_WATCHED = 100
TEMPLATES = "admin/serverless_tasks/job"


@admin.register(Job)
class JobAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # Django's own has no parameter when it runs
    """The views: who may see them, and where one leads to another. What they show is in `pages`."""

    def get_urls(self) -> list[URLPattern]:
        """The list, the pages beside it, and one page a job."""
        # A worker under Django loads the admin as well, and serves no page.
        from django_integration.admin import dead_letters, queues, schedules

        name = "serverless_tasks_job"
        wrap = self.admin_site.admin_view
        return [
            path("", wrap(self.changelist_view), name=f"{name}_changelist"),
            path("act/", wrap(self.act_view), name=f"{name}_act"),
            path("live/", wrap(self.live_view), name=f"{name}_live"),
            *queues.urls(self),
            *dead_letters.urls(self),
            *schedules.urls(self),
            path("owner/delete/", wrap(self.delete_owner_view), name=f"{name}_delete_owner"),
            path("<uuid:uuid>/", wrap(self.job_view), name=f"{name}_change"),
            path("<uuid:uuid>/whole/", wrap(self.whole_view), name=f"{name}_whole"),
            path("<uuid:uuid>/members/", wrap(self.members_view), name=f"{name}_members"),
            path("<uuid:uuid>/retry-failed/", wrap(self.retry_failed_view), name=f"{name}_retry_failed"),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Jobs are submitted by code."""
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, newest first; a job's id in the search box leads to its page."""
        self._require("view", request)
        search = Search.from_query(request.GET)
        try:
            if (uuid := uuid_in(search.owner)) is not None and pages.is_job(uuid):
                return HttpResponseRedirect(self._job_url(uuid))
            context = pages.listing(search)
        except InvalidCursor:
            return HttpResponseRedirect(request.path)
        except (AwsError, ConfigurationError) as error:
            context = pages.unreadable(search, error)
        may = {name: self._may(name, request) for name in ("change", "delete")}
        allowed = {name: action for name, action in actions.ACTIONS.items() if may[action.permission]}
        return self._page(request, "list", "Jobs", {**context, "actions": allowed, **(extra_context or {})})

    def job_view(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        """One job: its record, its inputs, every attempt, and what may be done with it."""
        self._require("view", request)
        try:
            context = pages.job(str(uuid))
        except (AwsError, ConfigurationError) as error:
            messages.error(request, f"The job could not be read: {error}")
            return HttpResponseRedirect(self._list_url())
        if context is None:
            raise Http404(f"No job has the id {uuid}.")
        name = "job" if context["record"].members is None else "group"
        return self._page(request, name, context["record"].task, context)

    def whole_view(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        """Return one job's record and inputs as JSON, of which its page shows excerpts."""
        self._require("view", request)
        try:
            found = pages.whole(str(uuid))
        except (AwsError, ConfigurationError) as error:
            return JsonResponse({"error": str(error)}, status=503)
        if found is None:
            raise Http404(f"No job has the id {uuid}.")
        return JsonResponse(found, json_dumps_params={"indent": 2, "ensure_ascii": False})

    def members_view(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        """The members of a group, by index, in pages; those that ended in one way where the query says so."""
        self._require("view", request)
        status, cursor = (request.GET.get(name, "") for name in ("status", "cursor"))
        try:
            record = self._group(uuid)
            context = groups.members(record, status, cursor)
        except InvalidCursor:
            return HttpResponseRedirect(request.path)
        except (AwsError, ConfigurationError) as error:
            messages.error(request, f"The members could not be read: {error}")
            return HttpResponseRedirect(self._list_url())
        return self._page(request, "members", f"Members of {record.task}", context)

    def retry_failed_view(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        """The members of a group that did not succeed, submitted again: first the question, then the deed."""
        self._require("change", request)
        back = HttpResponseRedirect(self._job_url(str(uuid)))
        try:
            if request.method != "POST":
                record = self._group(uuid)
                return self._page(request, "retry_failed", "Retry failed members", {"record": record})
            done = actions.retry_failed(str(uuid))
        except ServerlessTasksError as error:
            messages.error(request, str(error))
            return back
        self._tell(request, [done])
        return HttpResponseRedirect(self._job_url(done.successor))

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

    @method_decorator(require_POST)
    def act_view(self, request: HttpRequest) -> HttpResponse:
        """Do what a button says to the jobs that the form names, and say of each what became of it."""
        action = actions.ACTIONS.get(request.POST.get("action", ""))
        uuids = [uuid for given in request.POST.getlist("uuid") if (uuid := uuid_in(given)) is not None]
        query = request.POST.get("query", "")
        back = HttpResponseRedirect(self._list_url() + (query if query.startswith("?") else ""))
        if action is None or not uuids:
            messages.warning(request, "Select an action and the jobs to apply it to.")
            return back
        self._require(action.permission, request)
        done = actions.run(action, uuids)
        self._tell(request, done)
        only = done[0] if len(done) == 1 else None
        if only is None or only.gone:
            return back
        return HttpResponseRedirect(self._job_url(only.successor or only.uuid))

    def live_view(self, request: HttpRequest) -> HttpResponse:
        """Return the state of the jobs that a page shows and that had not ended when it was rendered."""
        self._require("view", request)
        uuids = [uuid for given in request.GET.getlist("uuid") if (uuid := uuid_in(given)) is not None]
        try:
            found = current_services().store.read_many(uuids[:MOST_WATCHED], whole=False)
        except AwsError:
            return JsonResponse({}, status=503)
        return JsonResponse({uuid: pages.live(record) for uuid, record in found.items()})

    def delete_owner_view(self, request: HttpRequest) -> HttpResponse:
        """All that is kept of one owner's jobs, deleted: first the question, then the deed."""
        self._require("delete", request)
        owner = request.POST.get("owner") or request.GET.get("owner", "")
        if not owner:
            return HttpResponseRedirect(self._list_url())
        if request.method != "POST":
            return self._page(request, "delete_owner", "Delete an owner's jobs", pages.owner(owner))
        try:
            deleted, live = actions.delete_owner(owner)
        except AwsError as error:
            messages.error(
                request, f"Not everything has been deleted; repeat the deletion to continue. {error}"
            )
        else:
            text = f"{deleted} job{'' if deleted == 1 else 's'} of {owner} deleted."
            messages.success(request, text)
            self.log_change(request, Job(), text)
            if live:
                messages.warning(
                    request, f"Still running and asked to stop; delete again later: {', '.join(live)}"
                )
        return HttpResponseRedirect(f"{self._list_url()}?{urlencode({'owner': owner})}")

    def _tell(self, request: HttpRequest, done: Sequence[actions.Done]) -> None:
        for each in done:
            if each.failed:
                messages.error(request, f"{each.uuid}: {each.said}")
            else:
                messages.success(request, f"{each.uuid}: {each.said}")
                self.log_change(request, Job(uuid=UUID(each.uuid)), each.said)

    def _page(self, request: HttpRequest, name: str, title: str, context: dict[str, Any]) -> TemplateResponse:
        everywhere = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "may_change": self._may("change", request),
            "may_delete": self._may("delete", request),
        }
        return TemplateResponse(request, f"{TEMPLATES}/{name}.html", {**everywhere, **context})

    def _may(self, permission: str, request: HttpRequest) -> bool:
        return bool(getattr(self, f"has_{permission}_permission")(request))

    def _require(self, permission: str, request: HttpRequest) -> None:
        if not self._may(permission, request):
            raise PermissionDenied

    def _list_url(self) -> str:
        return reverse("admin:serverless_tasks_job_changelist", current_app=self.admin_site.name)

    def _job_url(self, uuid: str) -> str:
        return reverse("admin:serverless_tasks_job_change", args=[uuid], current_app=self.admin_site.name)
