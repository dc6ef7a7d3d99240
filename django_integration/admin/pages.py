"""The contexts of the admin's templates, from the store and the queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model

from django_integration.admin.groups import group
from django_integration.admin.rows import iso_moment, moment, owner_names, percent, rows
from django_integration.web.excerpt import excerpts, last_messages
from serverless_tasks.client.search import JobFilter, known_names, search_jobs
from serverless_tasks.client.timeline import timeline
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.submit.references import Reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django_integration.admin.search import Search
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.record import Record

PAGE = 50
DAY = 86_400


def listing(search: Search) -> dict[str, Any]:
    """The list.

    Raises:
        InvalidCursor: no page has given its cursor.
        AwsError: the table could not be read.
        ConfigurationError: no table is configured.
    """
    services = current_services()
    names = known_names(services)
    now = services.clock.now()
    owner = _owner(search.owner)
    filters = JobFilter(
        tasks=(search.task,) if search.task else (),
        owner=owner,
        status=search.status or None,
        since=to_ms(now - search.days * DAY),
    )
    page = search_jobs(services.store, filters, limit=PAGE, cursor=search.cursor or None, names=names)
    return {
        **_around(search, names),
        "rows": rows(page.records, now),
        "owner": owner,
        "next": search.going_on(page.cursor) if page.cursor else "",
    }


def unreadable(search: Search, error: Exception) -> dict[str, Any]:
    """The list when it cannot be read."""
    return {
        **_around(search, [task.name for task in current_services().registry.listed()]),
        "problem": str(error),
    }


def _around(search: Search, names: Sequence[str]) -> dict[str, Any]:
    return {"search": search, "filters": search.filters(names), "rows": [], "next": ""}


def is_job(uuid: str) -> bool:
    """Return whether a job of this id is known.

    Raises:
        AwsError: the table could not be read.
        ConfigurationError: no table is configured.
    """
    return current_services().store.read(uuid, whole=False) is not None


def job(uuid: str) -> dict[str, Any] | None:
    """The page of one job; None when nothing is known of it.

    Raises:
        AwsError: the table could not be read.
        ConfigurationError: no table is configured.
    """
    services = current_services()
    record = services.store.read(uuid)
    if record is None:
        return None
    submitted = services.store.job(uuid)
    (row,) = rows([record], services.clock.now())
    context: dict[str, Any] = {
        "record": record,
        "row": row,
        "job": submitted,
        "inputs": excerpts(_inputs(submitted) if submitted is not None else {}),
        "outputs": excerpts(record.outputs),
        "said": last_messages(record.messages),
        "attempts": [
            (event, iso_moment(event.at), iso_moment(event.ended))
            for event in timeline(record)
            if event.event == "attempt"
        ],
        "due": moment(record.run_at) if row.live and record.run_at is not None else None,
        "failure": record.failure,
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
    return {**record.to_json(reveal=True), "inputs": submitted.inputs if submitted is not None else None}


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


def owner(name: str) -> dict[str, Any]:
    """The question before an owner's jobs are deleted."""
    return {"owner": name, "owner_name": owner_names([name]).get(name, name)}


def _owner(said: str) -> str | None:
    """The owner that a person means: a user's name stands for their key, anything else for itself."""
    if not said:
        return None
    model: Any = get_user_model()
    user = model._default_manager.filter(**{model.USERNAME_FIELD: said}).first()
    return said if user is None else str(user.pk)
