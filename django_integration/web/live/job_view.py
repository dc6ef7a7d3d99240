"""A job as its callers see it, rendered once for all who ask for it or follow it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.conf import settings

from django_integration.web.http.responses import record_json
from serverless_tasks.engine.job.record import Failure, Record

if TYPE_CHECKING:
    # Whether it has ended, the attempt, and the attempt's write, or for a group how many members have ended: a later
    # state has a greater one, unless a worker has given the job back as if it had not been begun.
    type Version = tuple[bool, int, int]

# Another release of this software may write the same state as other JSON.
_FORM: Final = json.dumps(
    Record(uuid="", task="", failure=Failure(type="", message="", public=False)).to_json()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job as its callers see it.

    Attributes:
        uuid: the job's id.
        owner: whose it is, or None; who may see it is for the caller to ask.
        group: the group or the chain that it is a member of, or None.
        id: see `etag_of`.
        version: see `version_of`.
        last: whether the task has ended.
        data: the record's JSON, in ASCII.
        revealed: whether it tells all of an error; see `shows_internal_errors`.
    """

    uuid: str
    owner: str | None
    group: str | None
    id: str
    version: Version
    last: bool
    data: str
    revealed: bool

    @classmethod
    def of(cls, record: Record) -> JobView:
        """The view of a record, as its owner may see it."""
        return cls(
            uuid=record.uuid,
            owner=record.owner,
            group=record.group,
            id=etag_of(record),
            version=version_of(record),
            last=record.ended,
            data=to_json(record),
            revealed=shows_internal_errors(),
        )


def shows_internal_errors() -> bool:
    """Return whether this site's callers are shown internal errors."""
    return bool(settings.DEBUG)


def to_json(record: Record) -> str:
    """The record's JSON, as this site's callers may see it."""
    return json.dumps(record_json(record), separators=(",", ":"))


def version_of(record: Record) -> Version:
    """Return the version of a record; the later of two states has the greater one."""
    return record.ended, record.attempt, record.seq


def etag_of(record: Record) -> str:
    """The name of a state that a store was found in: two of the same name have the same JSON.

    It is told without making the JSON. Every write of a state changes its status, token, attempt, number or wish to
    cancel (`serverless_tasks.engine.store.assembly.VERSION_ATTRIBUTES`), and what a state names is never written anew;
    what time alone changes is the status and the end. A group's changes with its members. What else the JSON depends on
    is whether errors are told in full, and this code.
    """
    ended, attempt, seq = version_of(record)
    told = (
        _FORM,
        shows_internal_errors(),
        record.uuid,
        record.created,
        record.status,
        record.token,
        attempt,
        seq,
        record.cancel_requested,
        record.finished,
        record.members,
        record.retried_as,
    )
    return f"{ended:d}.{attempt}.{seq}-{hashlib.sha256(repr(told).encode()).hexdigest()[:24]}"
