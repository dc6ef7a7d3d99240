"""The HTTP calls; ``docs/django.md`` tells their use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import NinjaAPI

from django_integration import body, conf, events, openapi
from django_integration.answers import (
    Refused,
    error_answer,
    json_answer,
    polled_answer,
    record_answer,
    record_json,
)
from django_integration.auth import Caller, identify
from django_integration.bodies import PageBody, RecordBody, RefusalBody
from django_integration.router import router
from serverless_tasks.errors import TaskNotFound, UnknownTask
from serverless_tasks.options import Options
from serverless_tasks.services import services
from serverless_tasks.submit import submit_json

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from serverless_tasks.record import Record

PAGE = 50
LARGEST_PAGE = 100
METHODS = frozenset({"DELETE", "GET", "PATCH", "POST", "PUT"})

api = NinjaAPI(
    title="Tasks of this site",
    description="Submit background tasks, follow their progress and fetch their results.",
    openapi_url=None,
    docs_url=None,
    urls_namespace="serverless_tasks_api",
)


@api.exception_handler(Exception)
def refuse(request: HttpRequest, error: Exception) -> HttpResponse:
    """Say an error in JSON; a fault of ours is Django's to log and to answer with 500."""
    answer = error_answer(error)
    if answer is None:
        raise error
    return answer


def _responses(success: int, kind: Any, *refusals: int) -> dict[Any, Any]:
    return {success: kind, **dict.fromkeys((401, 403, *refusals, 503), RefusalBody)}


@api.post(
    "/",
    url_name="tasks",
    summary="Submit a task",
    operation_id=openapi.CREATE,
    response=_responses(201, RecordBody, 400, 413, 415),
)
def create(request: HttpRequest) -> HttpResponse:
    """201 means that the task was sent. After 503 with a uuid, ask for that uuid: it may have been sent."""
    body.require_json(request)
    data = body.read(request)
    caller = identify(request)
    task, inputs = body.submission(data)
    if task not in conf.served_tasks():
        raise UnknownTask(task)
    body.check_values(task, inputs)
    handle = submit_json(services(), task, inputs, Options(owner=caller.owner, on_commit=False))
    answer = record_answer(request, handle.record, 201)
    answer["Location"] = f"{request.path}{handle.uuid}/"
    return answer


@api.get("/", summary="List your tasks, newest first", response=_responses(200, PageBody, 400))
def listing(request: HttpRequest, limit: str = str(PAGE), cursor: str | None = None) -> HttpResponse:
    """Tasks without an owner are in nobody's list."""
    caller = identify(request)
    size = int(limit) if limit.isascii() and limit.isdecimal() and len(limit) < 4 else 0
    if not 1 <= size <= LARGEST_PAGE:
        message = f"The limit is {limit[:20]!r}; give a number from 1 to {LARGEST_PAGE}."
        raise Refused(400, "InvalidLimit", message)
    if caller.owner is None:
        return json_answer({"tasks": [], "next": None})
    page = services().store.list_owner(caller.owner, limit=size, cursor=cursor)
    return json_answer({"tasks": [record_json(record) for record in page.records], "next": page.cursor})


@api.get("/openapi.json", url_name="openapi", include_in_schema=False)
def openapi_document(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document of the tasks that are served, at the place where they are served."""
    identify(request)
    base = request.path.removesuffix("openapi.json")
    document = dict(api.get_openapi_schema(path_prefix=base))
    served = conf.served_tasks()
    names = dict.fromkeys([*served, *router.task_names()])
    registry = services().registry
    openapi.describe(
        document, base, [registry.definition(name) for name in names if name in registry], served
    )
    return json_answer(document)


@api.get("/{uuid}/", url_name="task", summary="Ask for a task", response=_responses(200, RecordBody, 404))
def retrieve(request: HttpRequest, uuid: str) -> HttpResponseBase:
    """Send the ETag of the last answer as If-None-Match: 304 says that nothing has changed."""
    return polled_answer(request, find(identify(request), uuid))


@api.post("/{uuid}/cancel/", summary="Cancel a task", response=_responses(200, RecordBody, 404, 409))
def cancel(request: HttpRequest, uuid: str) -> HttpResponse:
    """A waiting task never starts; a running one is asked to stop. 409 when it has already ended."""
    record = find(identify(request), uuid)
    return record_answer(request, services().store.cancel(record.uuid))


@api.get(
    "/{uuid}/events/",
    summary="Follow a task (server-sent events)",
    response=_responses(200, RecordBody, 404, 501),
)
async def follow(request: HttpRequest, uuid: str) -> HttpResponseBase:
    """One event a change, each holding the record, the last one the ended task's. Only under ASGI; else poll."""
    caller = await sync_to_async(identify)(request)
    record = await sync_to_async(find, thread_sensitive=False)(caller, uuid)
    if not events.offered(request):
        raise Refused(
            501, "NotImplemented", "This server does not stream (it runs under WSGI); poll the task instead."
        )
    if events.was_the_last(request, record):
        return HttpResponse(status=204)  # what keeps an EventSource from connecting again and again
    return StreamingHttpResponse(
        events.stream(record), content_type="text/event-stream", headers=events.HEADERS
    )


def find(caller: Caller, uuid: str) -> Record:
    """The record of a job that the caller may see.

    Raises:
        TaskNotFound: the id is none, nothing is known of it, or it is another owner's.
    """
    try:
        wanted = str(UUID(uuid))
    except ValueError:
        raise TaskNotFound(uuid[:40]) from None
    record = services().store.read(wanted) if wanted == uuid.lower() else None
    if record is None:
        raise TaskNotFound(uuid[:40])
    caller.check_sees(record)
    return record


def _refuse_others(path: str, *allowed: str) -> None:
    """Answer the methods that a call does not have, in JSON as all else."""

    def not_allowed(request: HttpRequest) -> HttpResponse:
        message = f"{request.method} is not allowed here; use {' or '.join(allowed)}."
        raise Refused(405, "MethodNotAllowed", message, headers={"Allow": ", ".join(allowed)})

    def not_allowed_for_task(request: HttpRequest, uuid: str) -> HttpResponse:
        return not_allowed(request)

    view = not_allowed_for_task if "{uuid}" in path else not_allowed
    api.api_operation(sorted(METHODS.difference(allowed)), path, include_in_schema=False)(view)


api.add_router("", router)

_refuse_others("/", "GET", "POST")
_refuse_others("/openapi.json", "GET")
_refuse_others("/{uuid}/", "GET")
_refuse_others("/{uuid}/cancel/", "POST")
_refuse_others("/{uuid}/events/", "GET")
