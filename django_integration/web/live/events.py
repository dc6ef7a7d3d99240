"""Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from __future__ import annotations

import asyncio
import hashlib
import json
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final

from asgiref.sync import SyncToAsync, sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections

from django_integration.web.live.job_view import etag_of
from django_integration.web.live.watcher import watcher
from serverless_tasks.engine.services import current_services

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from django.http import HttpRequest

    from django_integration.web.auth.caller import Caller
    from django_integration.web.live.job_view import JobView
    from serverless_tasks.engine.job.record import Record

# Proxies that collect an answer before they pass it on would hold the events back.
HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Vary": "Cookie, Authorization"}
# The client looks at a stream that says nothing for 20 s with a poll; proxies close one after a minute.
KEEP_ALIVE = 15
# Who may follow is checked once, when the stream begins; the client connects again by itself.
LONGEST = 300


def offered(request: HttpRequest) -> bool:
    """Return whether the server of this request can stream."""
    return isinstance(request, ASGIRequest)


def has_last_event(request: HttpRequest, records: Sequence[Record]) -> bool:
    """Return whether the client already has the final event of all these jobs."""
    return all(record.ended for record in records) and request.headers.get("Last-Event-ID") == _event_id(
        [etag_of(record) for record in records]
    )


def seconds_for(caller: Caller) -> float:
    """Return how long a caller may be sent events: a token's bearer until that has expired."""
    if caller.token is None:
        return LONGEST
    return min(LONGEST, caller.token.expires - current_services().clock.now())


async def stream(
    *records: Record, missing: Iterable[str] = (), seconds: float | None = None
) -> AsyncIterator[str]:
    """Yield the events of jobs, from these records on.

    The stream ends when all of them have ended, when its time is over, and when one cannot be read any more: who
    connects again goes on with what is there.

    Args:
        records: the jobs as they have just been read.
        missing: the ids that were asked for besides, of which nothing is known.
        seconds: the longest that it lasts; `LONGEST` unless given.
    """
    await _give_back()
    loop = asyncio.get_running_loop()
    end = loop.time() + (LONGEST if seconds is None else seconds)
    for uuid in missing:
        yield f"event: missing\ndata: {json.dumps({'uuid': uuid})}\n\n"
    woken = asyncio.Event()
    with ExitStack() as following:
        followers = [following.enter_context(watcher().follow(record, woken)) for record in records]
        while True:
            views = [follower.view for follower in followers if follower.view is not None]
            if len(views) < len(followers):
                return
            fresh = [view for follower, view in zip(followers, views, strict=True) if follower.take()]
            yield _events(fresh, _event_id([view.id for view in views])) if fresh else ": nothing new\n\n"
            left = end - loop.time()
            if left <= 0 or all(view.last for view in views):
                return
            await _wait(woken, min(KEEP_ALIVE, left))


def _events(views: Sequence[JobView], event_id: str) -> str:
    """Return the events of these views; the last one has the id, so that who has it has them all."""
    *before, last = [f"data: {view.data}\n\n" for view in views]
    return f"{''.join(before)}id: {event_id}\n{last}"


def _event_id(ids: Sequence[str]) -> str:
    """Return the id of an event after which jobs are in the states of these ids."""
    return ids[0] if len(ids) == 1 else hashlib.sha256(repr(sorted(ids)).encode()).hexdigest()[:24]


async def _wait(woken: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await woken.wait()
    woken.clear()


async def _give_back() -> None:
    """Give back what finding out who calls has taken: a thousand who follow would keep it for minutes.

    That is the request's database connections, and the thread that Django gives each request under ASGI; what needs
    one after the stream gets another.
    """
    await sync_to_async(close_old_connections)()
    request = SyncToAsync.thread_sensitive_context.get(None)
    if request is not None:
        SyncToAsync.context_to_thread_executor.pop(request, None)
