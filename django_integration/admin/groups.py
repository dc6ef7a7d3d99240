"""The contexts of the admin's pages about groups, chains and their members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from django_integration.admin.rows import rows
from django_integration.web.times import local_time
from serverless_tasks.client.members import members_page
from serverless_tasks.engine.job.plan import Plan
from serverless_tasks.engine.job.record import CANCELLED, FAILED, SUCCEEDED
from serverless_tasks.engine.services import current_services

if TYPE_CHECKING:
    from django_integration.admin.rows import Row
    from serverless_tasks.client.members import MembersPage
    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.record import Members, Record

# Failed members on the page of their group.
FAILED_SHOWN: Final = 50
PAGE: Final = 100
STATUSES: Final = (SUCCEEDED, FAILED, CANCELLED)


def group(record: Record, submitted: Message | None) -> dict[str, Any]:
    """Return what the page of a group has besides that of any job.

    Args:
        record: the group's record.
        submitted: its job; None when it is no longer kept.

    Raises:
        AwsError: its members could not be read.
    """
    assert record.members is not None
    plan = Plan.of(submitted.inputs) if submitted is not None and submitted.inputs else None
    page = None
    if record.members.failed:
        page = members_page(
            current_services().store, record.uuid, status=FAILED, limit=FAILED_SHOWN, whole=False
        )
    return {
        "members": record.members,
        "chain": plan is not None and plan.chain,
        "counts": _counts(record.members),
        "failed": [] if page is None else _members(page),
        "failed_left": 0 if page is None or page.cursor is None else record.members.failed - FAILED_SHOWN,
        "then": plan.then if plan is not None else None,
        "on": plan.on if plan is not None else "",
        "continuation": record.outputs.get("continuation"),
        "deadline": local_time(record.created + plan.deadline * 1000) if plan is not None else None,
        "again": record.members.total - record.members.succeeded,
    }


def members(record: Record, status: str, cursor: str) -> dict[str, Any]:
    """Return a page of a group's members.

    Args:
        record: the group's record.
        status: one of `STATUSES`, or anything else for all members.
        cursor: where the page before ended, or "".

    Raises:
        InvalidCursor: no page has given the cursor.
        AwsError: the members could not be read.
    """
    assert record.members is not None
    chosen = status if status in STATUSES else ""
    page = members_page(
        current_services().store,
        record.uuid,
        status=chosen or None,
        cursor=cursor or None,
        limit=PAGE,
        whole=False,
    )
    given = {"status": chosen, "cursor": page.cursor or ""}
    return {
        "record": record,
        "members": record.members,
        "counts": _counts(record.members),
        "status": chosen,
        "cursor": cursor,
        "rows": _members(page),
        "next": "?" + urlencode({name: value for name, value in given.items() if value})
        if page.cursor
        else "",
    }


def _counts(counted: Members) -> list[tuple[str, int]]:
    """The members by how they ended."""
    return [(status, getattr(counted, status)) for status in STATUSES]


def _members(page: MembersPage) -> list[tuple[int, Row]]:
    """The members of a page, each with its index."""
    return list(zip(page.indices, rows(page.records, current_services().clock.now()), strict=True))
