"""The contexts of the admin's templates, from the store and the queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.utils.timezone import get_current_timezone_name

from django_integration.admin.bulk import acted, without_places
from django_integration.admin.groups import group
from django_integration.admin.rows import owner_names, percent, rows
from django_integration.admin.search import TIME_WORDS, field_value
from django_integration.web.excerpt import MOST_MESSAGES, excerpts
from django_integration.web.timeline import drawing_of, timed_messages
from django_integration.web.times import local_time
from serverless_tasks.client.operations.bulk.submission import BULK
from serverless_tasks.client.search import by_all_names, known_names, search_jobs
from serverless_tasks.client.timeline import messages_json, timeline
from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.submit.references import Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django_integration.admin.search import Search
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.record import Record

PAGE = 50
# Of an owner whose jobs are to be deleted, so many are counted.
COUNTED = 100
# Of jobs that an action is about to be done to, so many are shown.
SHOWN = 20


def listing(search: Search) -> dict[str, Any]:
    """The list. A search that cannot be read whole finds nothing: it would find what it is to leave out.

    Raises:
        InvalidCursor: no page has given its cursor.
        AwsError: the table could not be read.
        ConfigurationError: no table is configured.
        TaskNotFound, WorkflowError: it is for the members of something that is no group.
    """
    services = current_services()
    names, now = known_names(services), services.clock.now()
    owner = owner_key(search.owner)
    filters, problems = search.job_filter(owner, now)
    if problems:
        return {**around(search, names), "problems": problems, "owner": owner}
    filters = by_all_names(services, filters)
    page = search_jobs(services.store, filters, limit=PAGE, cursor=search.cursor or None, names=names)
    return {
        **around(search, names),
        "rows": rows(page.records, now),
        "has_tenants": any(record.tenant for record in page.records),
        "has_owners": any(record.owner for record in page.records),
        "owner": owner,
        "next": search.going_on(page.cursor) if page.cursor else "",
        "full": len(page.records) >= PAGE,
        "looked_at": page.looked_at,
        "looked_back_to": None if page.looked_back_to is None else local_time(page.looked_back_to),
    }


def unreadable(search: Search, error: Exception) -> dict[str, Any]:
    """The list when it cannot be read."""
    names = [task.name for task in current_services().registry.listed()]  # AWS is not asked once more
    return {**around(search, names), "problem": str(error)}


def around(search: Search, names: Sequence[str]) -> dict[str, Any]:
    """Return what stands around the list, whatever is found."""
    return {
        "search": search,
        "filters": search.filters(names),
        "since": field_value(search.since),
        "until": field_value(search.until),
        "times": list(TIME_WORDS.items()),
        "queues": sorted({*current_services().config.queue_urls, *([search.queue] if search.queue else [])}),
        "zone": get_current_timezone_name(),
        "bulk": BULK,
        "rows": [],
        "next": "",
    }


def is_job(uuid: str) -> bool:
    """Return whether a job of this id is known.

    Raises:
        AwsError: the table could not be read.
        ConfigurationError: no table is configured.
    """
    return current_services().store.read(uuid, whole=False) is not None


def job(uuid: str, page_of: Callable[[str], str]) -> dict[str, Any] | None:
    """The page of one job; None when nothing is known of it.

    Args:
        uuid: the job.
        page_of: the address of a job's page, of its id.

    Raises:
        AwsError: the table could not be read.
        ConfigurationError: no table is configured.
    """
    services = current_services()
    record = services.store.read(uuid)
    if record is None:
        return None
    record, submitted = without_places(record), services.store.job(uuid)
    (row,) = rows([record], services.clock.now())
    context: dict[str, Any] = {
        "record": record,
        "row": row,
        "job": submitted,
        "inputs": excerpts(_inputs(submitted) if submitted is not None else {}),
        "outputs": excerpts(record.outputs),
        "said": timed_messages(record, MOST_MESSAGES),
        "timeline": drawing_of(services, record, submitted, reveal=True, page_of=page_of),
        "attempts": [event for event in timeline(record) if event.event == "attempt"],
        "due": local_time(record.run_at) if row.live and record.run_at is not None else None,
        "failure": record.failure,
        "acted": acted(record, submitted) if record.task == BULK else None,
    }
    return context if record.members is None else context | group(record, submitted)


def _inputs(submitted: Message) -> dict[str, Any]:
    """The inputs of a job; of those that are outputs of an earlier one, where they stand there."""
    references = {name: repr(Reference(path)) for name, path in submitted.references.items()}
    return submitted.inputs | references


def whole(uuid: str) -> dict[str, Any] | None:
    """All that is known of one job, as JSON; None when it is nothing.

    Raises:
        AwsError: the table could not be read.
        ConfigurationError: no table is configured.
    """
    store = current_services().store
    record, submitted = store.read(uuid), store.job(uuid)
    if record is None:
        return None
    return {
        **record.to_json(reveal=True),
        "messages_by_attempt": messages_json(record),
        "inputs": submitted.inputs if submitted is not None else None,
    }


def live(record: Record) -> dict[str, Any]:
    """Return what the page's script updates."""
    return {
        "status": record.status,
        "progress": record.progress,
        "target": record.target,
        "percent": percent(record),
        "messages": len(record.messages),
        "ended": record.ended,
        "members": record.members.to_json() if record.members is not None else None,
    }


def owner(name: str) -> dict[str, Any] | None:
    """The question before an owner's jobs are deleted; None when nothing is kept of them.

    Raises:
        AwsError: the table could not be read.
    """
    services = current_services()
    uuids, cursor = services.store.owner_uuids(name, limit=COUNTED)
    if not uuids:
        return None
    known = services.store.read_many(uuids[:SHOWN], whole=False)
    return {
        "owner": name,
        "owner_name": owner_names([name]).get(name, name),
        "rows": rows([known[uuid] for uuid in uuids[:SHOWN] if uuid in known], services.clock.now()),
        "count": len(uuids),
        "more": cursor is not None,
    }


def owner_key(said: str) -> str | None:
    """The owner that a person means: a user's name stands for their key, anything else for itself."""
    if not said:
        return None
    model: Any = get_user_model()
    user = model._default_manager.filter(**{model.USERNAME_FIELD: said}).first()
    return said if user is None else str(user.pk)
