"""The admin's page about recurring schedules, which are changed by a deployment alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext

from django_integration.admin.views import JobViews, Section
from serverless_tasks.client.operations.schedules import read_schedules
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import ServerlessTasksError

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern


def urls(admin: JobViews) -> list[URLPattern]:
    """Return the page's pattern."""
    views = ScheduleViews(admin)
    return [views.path("schedules/", views.schedules, "schedules")]


class ScheduleViews(Section):
    """The page about schedules."""

    def schedules(self, request: HttpRequest) -> HttpResponse:
        """Each schedule: its task, when it fires, whether it is deployed so, the last run and the next."""
        self.require("view", request)
        title = gettext("Schedules")
        services = current_services()
        if services.backend_kind.in_process:
            return self.page(request, "schedules", title, {"none_here": True})
        try:
            found = read_schedules(services)
        except ServerlessTasksError as error:
            return self.page(request, "schedules", title, {"problem": str(error)})
        return self.page(request, "schedules", title, {"schedules": found})
