"""Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from asgiref.sync import SyncToAsync, sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections

from django_integration.web.live.job_view import etag_of
from django_integration.web.live.watcher import watcher
from serverless_tasks.engine.services import current_services

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from django.http import HttpRequest

    from django_integration.web.auth.caller import Caller
    from serverless_tasks.engine.job.record import Record

# Proxies that collect an answer before they pass it on would hold the events back.
HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Vary": "Cookie, Authorization"}
# The client looks at a stream that says nothing for 20 s with a poll; proxies close one after a minute.
KEEP_ALIVE = 15
# Who may follow is asked once, when the stream begins; the client connects again by itself.
LONGEST = 300


def offered(request: HttpRequest) -> bool:
    """Return whether the server of this request can stream."""
    return isinstance(request, ASGIRequest)


def was_the_last(request: HttpRequest, record: Record) -> bool:
    """Return whether the client already has the final event."""
    return record.ended and request.headers.get("Last-Event-ID") == etag_of(record)


def seconds_for(caller: Caller) -> float:
    """Return how long a caller may be sent events: a token's bearer until that has expired."""
    if caller.token is None:
        return LONGEST
    return min(LONGEST, caller.token.expires - current_services().clock.now())


async def stream(record: Record, seconds: float = LONGEST) -> AsyncIterator[str]:
    """The events of a task from this record on, until it ends, the time is over, or the store cannot be read."""
    await _give_back()
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    with watcher().follow(record) as follower:
        fresh = True
        while (view := follower.view) is not None:
            yield f"id: {view.id}\ndata: {view.data}\n\n" if fresh else ": nothing new\n\n"
            left = end - loop.time()
            if view.last or left <= 0:
                return
            fresh = await follower.news(min(KEEP_ALIVE, left))


async def _give_back() -> None:
    """Give back what finding out who calls has taken: a thousand who follow would keep it for minutes.

    That is the request's database connections, and the thread that Django gives each request under ASGI; what needs
    one after the stream gets another.
    """
    await sync_to_async(close_old_connections)()
    request = SyncToAsync.thread_sensitive_context.get(None)
    if request is not None:
        SyncToAsync.context_to_thread_executor.pop(request, None)
