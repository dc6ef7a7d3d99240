"""The page of a job's own log lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.http import Http404
from django.utils.translation import gettext

from django_integration.admin.views import JobViews, Section
from django_integration.web.timeline import exact_text
from serverless_tasks.client.operations.story.logs import job_log
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import AwsError, ConfigurationError

if TYPE_CHECKING:
    from uuid import UUID

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


def urls(admin: JobViews) -> list[URLPattern]:
    """Return the page's pattern."""
    views = LogViews(admin)
    return [views.path("<uuid:uuid>/log/", views.log, "log")]


class LogViews(Section):
    """The page of a job's log, for those who may see jobs."""

    def log(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        """The last lines that a job has logged."""
        self.require("view", request)
        context = _log(str(uuid))
        if context is None:
            raise Http404(f"No job has the id {uuid}.")
        return self.page(request, "log", gettext("Log"), context)


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
            at=exact_text(line.at), tone=line.level.lower(), line=line, fields=tuple(line.fields.items())
        )
        for line in lines[-MOST:]
    ]
    return {"uuid": uuid, "record": record, "lines": shown, "left": len(lines) - len(shown)}
