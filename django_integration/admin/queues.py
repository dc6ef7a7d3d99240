"""The admin's pages about queues: what waits where, stuck jobs, pausing and resuming."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import messages
from django.utils.timezone import get_current_timezone_name
from django.utils.translation import gettext

from django_integration.admin.rows import duration
from django_integration.admin.search import NOT_A_TIME, read_moment
from django_integration.admin.views import JobViews, Section
from django_integration.models import Job
from django_integration.web.times import local_time
from serverless_tasks.client.operations import pausing, stuck
from serverless_tasks.client.operations.queues import QueueState, read_queues
from serverless_tasks.client.search import GROUPS, known_names
from serverless_tasks.client.ways import LOOKED_AT
from serverless_tasks.engine.job.job_id import uuid_in
from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.worker.pauses import QUEUE, TASK
from serverless_tasks.errors import AwsError, ConfigurationError, InvalidCursor, ServerlessTasksError

if TYPE_CHECKING:
    from datetime import datetime

    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern


# Tenants that the page lists.
TENANTS = 20
# Jobs of a group of stuck ones that the page shows, and how many jobs are looked at on request.
STUCK_SHOWN, STUCK_LOOK = 5, 5_000
_STUCK_STATUS = {
    stuck.Stuck.LOST: "running",
    stuck.Stuck.LEASE_OVER: "running",
    stuck.Stuck.NO_MESSAGE: "pending",
    stuck.Stuck.PAUSED: "waiting",
    stuck.Stuck.RETURNED: "waiting",
}


def urls(admin: JobViews) -> list[URLPattern]:
    """Return the pages' patterns."""
    views = QueueViews(admin)
    return [
        views.path("queues/", views.queues, "queues"),
        views.path("queues/pause/", views.pause, "pause"),
        views.path("queues/resume/", views.resume, "resume"),
        views.path("stuck/", views.stuck, "stuck"),
        views.path("stuck/end/", views.end, "stuck_end"),
    ]


class QueueViews(Section):
    """The pages about queues, for those who may see jobs; ``change_job`` pauses, resumes and ends."""

    def queues(self, request: HttpRequest) -> HttpResponse:
        """The messages of each queue, the age of the oldest, whose jobs wait, and what is paused."""
        self.require("view", request)
        return self.page(request, "queues", gettext("Queues"), _queues())

    def pause(self, request: HttpRequest) -> HttpResponse:
        """Pause a queue or a task: first the question, then the deed."""
        self.require("change", request)
        given = request.POST if request.method == "POST" else request.GET
        kind, name = given.get("kind", QUEUE), given.get("name", "").strip()
        services = current_services()
        if request.method != "POST":
            context = {
                "kind": kind,
                "name": name,
                "tasks": [each for each in known_names(services) if each not in GROUPS]
                if kind == TASK and not name
                else [],
                "looks": services.config.pauses,
                "zone": get_current_timezone_name(),
            }
            return self.page(request, "pause", _question(kind), context)
        by, why = request.user.get_username(), given.get("why", "")
        try:
            if kind == TASK:
                paused = pausing.pause_task(
                    services, name, by=by, why=why, until=_until(given.get("until", ""))
                )
            else:
                paused = pausing.pause_queue(services, name, by=by, why=why)
        except ServerlessTasksError as error:
            messages.error(request, str(error))
        else:
            text = (
                gettext("The task %(name)s is paused.")
                if kind == TASK
                else gettext("The queue %(name)s is paused.")
            )
            messages.success(request, text % {"name": name})
            assert paused.pause is not None, "what was paused has a pause"
            self.admin.log_change(request, Job(), paused.pause.sentence)
        return self.to("queues")

    def resume(self, request: HttpRequest) -> HttpResponse:
        """Resume a queue or a task: first the question, then the deed."""
        self.require("change", request)
        given = request.POST if request.method == "POST" else request.GET
        kind, name = given.get("kind", QUEUE), given.get("name", "")
        if request.method != "POST":
            return self.page(request, "resume", gettext("Resume"), {"kind": kind, "name": name})
        try:
            resume = pausing.resume_task if kind == TASK else pausing.resume_queue
            resume(current_services(), name)
        except ServerlessTasksError as error:
            messages.error(request, str(error))
        else:
            text = (
                gettext("The task %(name)s is resumed.")
                if kind == TASK
                else gettext("The queue %(name)s is resumed.")
            )
            messages.success(request, text % {"name": name})
            self.admin.log_change(request, Job(), text % {"name": name})
        return self.to("queues")

    def stuck(self, request: HttpRequest) -> HttpResponse:
        """The jobs that do not get on, with what to do about each."""
        self.require("view", request)
        title = gettext("Stuck jobs")
        try:
            look = STUCK_LOOK if "all" in request.GET else None
            cursor = request.GET.get("cursor") or None
            page = stuck.find_stuck(current_services(), cursor=cursor, look=look)
        except InvalidCursor:
            return self.to("stuck")
        except (AwsError, ConfigurationError) as error:
            return self.page(request, "stuck", title, {"problem": str(error)})
        context = {
            "page": page,
            "groups": [_stuck_group(group) for group in page.groups],
            "looked_back_to": None if page.looked_back_to is None else local_time(page.looked_back_to),
            "further": cursor is not None,
            "most": STUCK_LOOK if look is None and cursor is None else None,
        }
        return self.page(request, "stuck", title, context)

    def end(self, request: HttpRequest) -> HttpResponse:
        """End a job whose worker is gone: first the question, then the deed."""
        self.require("change", request)
        uuid = uuid_in((request.POST if request.method == "POST" else request.GET).get("uuid", ""))
        if uuid is None:
            return self.to("stuck")
        if request.method != "POST":
            return self.page(request, "stuck_end", gettext("End a lost job"), {"uuid": uuid})
        try:
            stuck.end_lost(current_services(), uuid)
        except ServerlessTasksError as error:
            messages.error(request, str(error))
            return self.to("stuck")
        messages.success(request, gettext("The job has ended as lost; it can be retried."))
        self.admin.log_change(request, Job(uuid=uuid), gettext("Ended as lost."))
        return self.to("change", uuid)


def _queues() -> dict[str, Any]:
    services = current_services()
    if services.backend_kind.in_process:
        return {"found": None}
    try:
        found = read_queues(services)
    except (AwsError, ConfigurationError) as error:
        return {"problem": str(error)}
    sample = found.sample
    counts = [] if sample is None else sample.counts
    back = None if sample is None or sample.looked_back_to is None else local_time(sample.looked_back_to)
    return {
        "found": found,
        "rows": [_row(queue) for queue in found.queues],
        "dead_letters": None if found.dead_letters is None else _row(found.dead_letters),
        "tasks": [pause for pause in found.pauses if pause.kind == TASK],
        "looks": services.config.pauses,
        "tenants": counts[:TENANTS],
        "tenants_left": max(0, len(counts) - TENANTS),
        "looked_back_to": back,
        "limit": LOOKED_AT,
    }


def _row(queue: QueueState) -> tuple[QueueState, str]:
    return queue, "" if queue.oldest is None else duration(queue.oldest)


def _question(kind: str) -> str:
    return gettext("Pause a task") if kind == TASK else gettext("Pause a queue")


def _until(text: str) -> datetime | None:
    """Read the time of a form, in the site's present zone.

    Raises:
        ConfigurationError: it is none.
    """
    if not text:
        return None
    milliseconds = read_moment(text)
    if milliseconds is None:
        raise ConfigurationError(NOT_A_TIME % {"text": text})
    return local_time(milliseconds)


def _stuck_group(group: stuck.StuckGroup) -> dict[str, Any]:
    """Return what the page shows of jobs that are stuck in the same way: some of them, and the list of all."""
    left = len(group.jobs) - STUCK_SHOWN
    query = urlencode({"status": _STUCK_STATUS[group.kind], "task": group.task})
    return {
        "jobs": [(job, local_time(job.since)) for job in group.jobs[:STUCK_SHOWN]],
        "left": max(0, left),
        "task": group.task,
        "query": query,
    }
