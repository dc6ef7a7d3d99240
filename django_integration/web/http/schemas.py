"""The response bodies as types, from which OpenAPI is made."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from ninja import Schema
from pydantic import Field


class ErrorBody(Schema):
    """The reason why a job failed."""

    type: str
    message: str


class MemberCounts(Schema):
    """The members of a group or a chain, counted."""

    total: int
    ended: int = Field(description="The members that have ended, however they did.")
    succeeded: int
    failed: int
    cancelled: int


class RecordBody(Schema):
    """The state of a job."""

    uuid: str
    task: str
    status: Literal["pending", "running", "succeeded", "failed", "cancelled"]
    progress: float = Field(description="The progress so far.")
    target: float | None = Field(description="The progress at which the job is done, if the task sets it.")
    outputs: dict[str, Any] = Field(description="Empty until the job has outputs.")
    messages: list[str]
    error: ErrorBody | None
    attempt: int = Field(description="The number of the attempt; 0 before the first.")
    created: datetime
    started: datetime | None
    finished: datetime | None
    cancel_requested: bool = Field(
        False, description="Present, and true, while the cancellation of a running job is pending."
    )
    members: MemberCounts | None = Field(
        None,
        description="Present for a group or a chain, whose progress is the number of members that have ended.",
    )
    group: str | None = Field(
        None, description="Present for a member: the uuid of the group or the chain that it is a member of."
    )
    retry_of: str | None = Field(
        None, description="Present for a job that repeats an ended one: the uuid of that."
    )
    retried_as: list[str] | None = Field(
        None,
        description="Present for a job that was retried: the uuids of the jobs that repeat it, oldest first.",
    )
    build: str | None = Field(
        None,
        description="Present once an attempt has begun, where builds have ids: that of the code that ran the last one.",
    )


class PageBody(Schema):
    """A page of jobs, newest first."""

    tasks: list[RecordBody]
    next: str | None = Field(description="The cursor of the next page, null on the last.")


class MemberBody(RecordBody):
    """The state of a member of a group or a chain."""

    index: int = Field(description="The number of the member in its group, from 0.")


class MembersBody(Schema):
    """A page of members, in the order of their index."""

    members: list[MemberBody] = Field(description="Without those of which nothing is kept (yet).")
    next: str | None = Field(description="The cursor of the next page, null on the last.")


class RefusedField(Schema):
    """A rejected field."""

    field: str = Field(description="Its dotted path; empty for the body or the inputs as a whole.")
    message: str
    loc: list[str | int]
    type: str


class Refusal(Schema):
    """The reason why a request was rejected."""

    type: str
    message: str
    fields: list[RefusedField] = Field([], description="With 400: the rejected fields.")
    size: int | None = Field(None, description="With 413: the size in bytes, as far as the body was read.")
    limit: int | None = Field(None, description="With 413: the limit in bytes.")
    uuid: str | None = Field(None, description="With 503: the id of a job that may have been submitted.")


class RefusalBody(Schema):
    """The response to a rejected request."""

    error: Refusal


class UnfitField(Schema):
    """A rejected input of a typed endpoint."""

    type: str
    loc: list[str | int] = Field(description="The location of the input, starting with the body.")
    msg: str
    ctx: dict[str, Any] = Field({}, description="The values in the message.")


class UnfitBody(Schema):
    """The response of a typed endpoint to invalid inputs."""

    detail: list[UnfitField]
