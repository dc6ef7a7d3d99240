"""Actions on all jobs that match a filter: what they are about, and what became of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext

from django_integration.admin.search import described
from serverless_tasks.client.operations.bulk.submission import BULK, submit_bulk
from serverless_tasks.client.operations.bulk.summary import BulkSummary
from serverless_tasks.client.search import JobFilter, by_all_names, known_names, search_jobs
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from django.http import HttpRequest

    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.record import EndedAttempt, Record
    from serverless_tasks.engine.submit.handle import Handle

# Matching jobs that are counted before an action on all of them.
COUNTED: Final = 100
# They are looked for on so many pages of the search at most.
LOOKS: Final = 4


def question(filters: JobFilter) -> dict[str, Any]:
    """Return what is to be known before something is done to all jobs that match a filter.

    Raises:
        AwsError: the table could not be read.
        TaskNotFound, WorkflowError: it is for the members of something that is no group.
    """
    services = current_services()
    names, cursor = known_names(services), None
    wanted = by_all_names(services, filters)
    records: list[Record] = []
    for _ in range(LOOKS):
        page = search_jobs(services.store, wanted, limit=COUNTED, cursor=cursor, names=names)
        records += page.records
        cursor = page.cursor
        if cursor is None or len(records) >= COUNTED:
            break
    return {
        "filter": json.dumps(filters.to_json()),
        "described": described(filters),
        "count": len(records),
        "more": cursor is not None,
        "retried": sum(bool(record.retried_as) for record in records),
    }


def submit(request: HttpRequest, action: str) -> Handle:
    """Submit the action that a person has confirmed.

    Raises:
        ConfigurationError: the form names no filter.
        SubmitFailed, SubmitUncertain: it was certainly not sent, or may have been.
    """
    try:
        given = json.loads(request.POST.get("filter", ""))
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise ConfigurationError(gettext("The form has no filter; begin with the list of jobs once more."))
    user: Any = request.user
    return submit_bulk(
        current_services(),
        action,
        JobFilter.from_json(given),
        by=user.get_username(),
        owner=str(user.pk),
        again=bool(request.POST.get("again")),
        uuid=request.POST.get("bulk_uuid") or None,
    )


def acted(record: Record, submitted: Message | None) -> dict[str, Any]:
    """Return what the page of such an action has besides that of any job."""
    inputs = submitted.inputs if submitted is not None else {}
    try:
        summary = BulkSummary.from_json(record.outputs)
    except (KeyError, TypeError):
        summary = None  # it has not ended so
    try:
        asked = described(JobFilter.from_json(inputs.get("filter", {})))
    except ConfigurationError:
        asked = []
    return {
        "action": inputs.get("action", ""),
        "by": inputs.get("by", ""),
        "described": asked,
        "summary": summary,
    }


def without_places(record: Record) -> Record:
    """Return a record; of an action on many jobs without what its attempts have written for the next ones."""
    if record.task != BULK:
        return record
    return replace(record, history=tuple(map(_without_place, record.history)))


def _without_place(ended: EndedAttempt) -> EndedAttempt:
    from serverless_tasks.client.timeline import GOES_ON  # few jobs are such actions

    text, goes_on, place = ended.failure.message.partition(GOES_ON)
    if not place:
        return ended
    failure = replace(ended.failure, message=text + goes_on.removesuffix(": "), traceback="")
    return replace(ended, failure=failure)
