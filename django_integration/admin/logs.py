"""The page of a job's own log lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext as _

from django_integration.web.timeline import moment_text
from serverless_tasks.client.operations.story.logs import job_log
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import AwsError, ConfigurationError

if TYPE_CHECKING:
    from uuid import UUID

    from django.contrib.admin import ModelAdmin
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern

    from serverless_tasks.client.operations.story.logs import LogLine

# The lines of a page: the last ones.
MOST: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownLine:
    """A line as the page shows it: when it was written, its level in the form of a class's name, and its fields."""

    at: str
    tone: str
    line: LogLine
    # A template would take a field named "items" for the dictionary's method.
    fields: tuple[tuple[str, Any], ...]


def urls(admin: ModelAdmin[Any]) -> list[URLPattern]:
    """The page of the log, for `JobAdmin.get_urls`."""

    def log_view(request: HttpRequest, uuid: UUID) -> HttpResponse:
        if not admin.has_view_permission(request):
            raise PermissionDenied
        context = _log(str(uuid))
        if context is None:
            raise Http404(f"No job has the id {uuid}.")
        around = {**admin.admin_site.each_context(request), "opts": admin.opts, "title": _("Log")}
        return TemplateResponse(request, "admin/serverless_tasks/job/log.html", {**around, **context})

    return [
        path("<uuid:uuid>/log/", admin.admin_site.admin_view(log_view), name="serverless_tasks_job_log"),
    ]


def _log(uuid: str) -> dict[str, Any] | None:
    """Return what the page shows; None when nothing is known of the job."""
    services = current_services()
    try:
        record = services.store.read(uuid, whole=False)
        if record is None:
            return None
        lines = job_log(services, record)
    except (AwsError, ConfigurationError) as error:
        return {"uuid": uuid, "problem": str(error), "elsewhere": not services.config.log_group}
    shown = [
        ShownLine(
            at=moment_text(line.at), tone=line.level.lower(), line=line, fields=tuple(line.fields.items())
        )
        for line in lines[-MOST:]
    ]
    return {"uuid": uuid, "record": record, "lines": shown, "left": len(lines) - len(shown)}
