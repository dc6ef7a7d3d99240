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


class RecordBody(Schema):
    """A task's state at one moment."""

    uuid: str
    task: str
    status: Literal["pending", "running", "succeeded", "failed", "cancelled"]
    progress: float = Field(description="How far it is.")
    target: float | None = Field(description="Where the progress ends, when the task says so.")
    outputs: dict[str, Any] = Field(description="Empty until there are some.")
    messages: list[str]
    error: ErrorBody | None
    attempt: int = Field(description="Which attempt this is; 0 before the first.")
    created: datetime
    started: datetime | None
    finished: datetime | None
    cancel_requested: bool = Field(
        False, description="Present, and true, while a running task is asked to stop."
    )


class PageBody(Schema):
    """A page of tasks, newest first."""

    tasks: list[RecordBody]
    next: str | None = Field(description="The cursor of the next page, null on the last.")


class RefusedField(Schema):
    """One field that was refused."""

    field: str = Field(description="Its dotted path; empty for the body or the inputs as a whole.")
    message: str
    loc: list[str | int]
    type: str


class Refusal(Schema):
    """The reason why a request was refused."""

    type: str
    message: str
    fields: list[RefusedField] = Field([], description="With 400: each field that was refused.")
    size: int | None = Field(None, description="With 413: the size in bytes, as far as it was read.")
    limit: int | None = Field(None, description="With 413: the limit in bytes.")
    uuid: str | None = Field(None, description="With 503: the id of a task that may have been submitted.")


class RefusalBody(Schema):
    """The answer to a request that was refused."""

    error: Refusal


class UnfitField(Schema):
    """One input of a typed call that was refused."""

    type: str
    loc: list[str | int] = Field(description="Where it is, from the body on.")
    msg: str
    ctx: dict[str, Any] = Field({}, description="What the message is made of.")


class UnfitBody(Schema):
    """The answer to a typed call whose inputs do not fit."""

    detail: list[UnfitField]
