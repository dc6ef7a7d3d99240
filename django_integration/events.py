"""Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from typing import TYPE_CHECKING, Final

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest

from django_integration.answers import record_json
from serverless_tasks.errors import ServerlessTasksError
from serverless_tasks.services import services

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from django.http import HttpRequest

    from serverless_tasks.record import Record

logger = logging.getLogger(__name__)
# Proxies that collect an answer before they pass it on would hold the events back.
HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Vary": "Cookie, Authorization"}
PAUSE = 1.0
# The client looks at a stream that says nothing for 20 s with a poll; proxies close one after a minute.
KEEP_ALIVE = 15
# Who may follow is asked once, when the stream begins; the client connects again by itself.
LONGEST = 300


def offered(request: HttpRequest) -> bool:
    """Whether the server that this request came through can stream."""
    return isinstance(request, ASGIRequest)


def was_the_last(request: HttpRequest, record: Record) -> bool:
    """Whether the client already has the event with which the task ended."""
    return record.ended and request.headers.get("Last-Event-ID") == _id(_data(record))


async def stream(record: Record) -> AsyncIterator[str]:
    """The events of a task from this record on, until it ends or the store cannot be read."""
    sent = ""
    silent = 0
    for _ in range(LONGEST):
        data = _data(record)
        if data != sent:
            sent, silent = data, 0
            yield f"id: {_id(data)}\ndata: {data}\n\n"
        elif silent >= KEEP_ALIVE:
            silent = 0
            yield ": nothing new\n\n"
        if record.ended:
            return
        await asyncio.sleep(PAUSE)
        silent += 1
        try:
            latest = await sync_to_async(services().store.read, thread_sensitive=False)(record.uuid)
        except ServerlessTasksError as error:
            logger.warning("a task could not be read while it was followed: %s", error)
            return
        if latest is None:
            return
        record = latest


def _data(record: Record) -> str:
    return json.dumps(record_json(record), separators=(",", ":"))


def _id(data: str) -> str:
    return hashlib.sha256(data.encode()).hexdigest()[:16]
