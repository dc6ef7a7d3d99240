"""The HTTP calls; ``docs/django.md`` tells their use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.encoding import escape_uri_path
from ninja import NinjaAPI
from pydantic import WithJsonSchema

from django_integration import conf
from django_integration.web import idempotency, openapi
from django_integration.web.auth.actions import Action
from django_integration.web.auth.caller import identify
from django_integration.web.auth.openapi_schemes import Schemes
from django_integration.web.http import request_body as body
from django_integration.web.http.responses import (
    HTTPError,
    error_response,
    json_response,
    record_json,
    record_response,
)
from django_integration.web.http.schemas import MembersBody, PageBody, RecordBody, RefusalBody
from django_integration.web.live import events
from django_integration.web.live.lookup import find_record, find_records
from django_integration.web.live.polling import poll
from django_integration.web.live.shared_reads import drop
from django_integration.web.submitting import submit
from django_integration.web.typed_calls import router
from serverless_tasks.client.members import members_page
from serverless_tasks.engine.job.record import CANCELLED, FAILED, SUCCEEDED
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import UnknownTask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http.response import HttpResponseBase

    from django_integration.web.auth.caller import Caller
    from serverless_tasks.engine.job.record import Record

PAGE = 50
LARGEST_PAGE = 100
MOST_FOLLOWED = 100
# The name of the URL of the stream of several jobs.
STREAM = "events"
COUNTED = (SUCCEEDED, FAILED, CANCELLED)
# What `HEAD` answers is what `GET` does, without its body (RFC 9110, section 9.3.2).
READ = ["GET", "HEAD"]

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
    answer = error_response(error)
    if answer is None:
        raise error
    return answer


# All are read by the calls themselves, which say in the shape of all errors what is wrong with them.
Uuid = Annotated[str, WithJsonSchema({"type": "string", "format": "uuid"})]
Limit = Annotated[
    str | int, WithJsonSchema({"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": PAGE})
]

MemberStatus = Annotated[str, WithJsonSchema({"type": "string", "enum": COUNTED})]

_UUID = "[0-9a-fA-F-]{36}"
Ids = Annotated[
    str,
    WithJsonSchema(
        {
            "type": "string",
            "description": f"Ids of at most {MOST_FOLLOWED} jobs, with commas between them.",
            "pattern": f"^{_UUID}(,{_UUID}){{0,{MOST_FOLLOWED - 1}}}$",
        }
    ),
]


def _responses(success: int, kind: Any, *refusals: int) -> dict[Any, Any]:
    return {success: kind, **dict.fromkeys((401, 403, 429, *refusals, 503), RefusalBody)}


@api.post(
    "/",
    url_name="tasks",
    summary="Submit a task",
    operation_id=openapi.CREATE,
    response={200: RecordBody, **_responses(201, RecordBody, 400, 409, 413, 415)},
)
def create(request: HttpRequest, idempotency_key: idempotency.Key = None) -> HttpResponse:
    """201 means that the task was sent; 200, that an earlier one is given back: the first of this key, or the live one
    of a unique task. After 503 with a uuid, ask for that uuid, or send the same key again: it may have been sent.
    """
    body.require_json(request)
    data = body.read(request)
    caller = identify(request, Action.CREATE, submits=True)
    task, inputs = body.submission(data)
    if task not in conf.served_tasks():
        named, task = task, current_services().registry.present_name(task)
        if task not in conf.served_tasks():
            raise UnknownTask(named)
    body.check_values(task, inputs)
    handle = submit(request, caller, task, inputs)
    answer = record_response(request, handle.record, 200 if handle.repeated else 201)
    answer["Location"] = escape_uri_path(f"{request.path}{handle.uuid}/")
    return answer


@api.api_operation(
    READ,
    "/",
    summary="List your jobs, newest first",
    operation_id=openapi.LIST,
    response=_responses(200, PageBody, 400),
)
def listing(request: HttpRequest, limit: Limit = PAGE, cursor: str | None = None) -> HttpResponse:
    """Jobs without an owner and members of groups are not listed."""
    caller = identify(request, Action.LIST)
    size = _page_size(limit)
    if caller.owner is None:
        return json_response({"tasks": [], "next": None})
    page = current_services().store.list_owner(caller.owner, limit=size, cursor=cursor)
    drop(*(record.uuid for record in page.records))  # no poll shows them an older state
    shown = [record_json(record) for record in page.records if caller.may(record)]
    return json_response({"tasks": shown, "next": page.cursor})


def _page_size(limit: str | int) -> int:
    text = str(limit)
    size = int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else 0
    if not 1 <= size <= LARGEST_PAGE:
        message = f"The limit is {text[:20]!r}; give a number from 1 to {LARGEST_PAGE}."
        raise HTTPError(400, "InvalidLimit", message)
    return size


@api.api_operation(READ, "/openapi.json", url_name="openapi", include_in_schema=False)
def openapi_document(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document of the tasks that are served, at the place where they are served."""
    identify(request, Action.METADATA)
    base = request.path.removesuffix("openapi.json")
    served = conf.served_tasks()
    registry = current_services().registry
    names = [name for name in dict.fromkeys([*served, *router.task_names()]) if name in registry]

    def made() -> dict[str, Any]:
        document = dict(api.get_openapi_schema(path_prefix=base))
        openapi.describe(document, base, registry, names, served, Schemes())
        return document

    return json_response(openapi.remembered(registry, (base, *names, *served), made))


@api.api_operation(
    READ,
    "/{uuid}/",
    url_name="task",
    summary="Get a job",
    operation_id=openapi.RETRIEVE,
    response=_responses(200, RecordBody, 404) | {304: None},
)
def retrieve(request: HttpRequest, uuid: Uuid) -> HttpResponseBase:
    """Send the ETag of the last response as If-None-Match to get 304 if nothing has changed."""
    return poll(request, identify(request, Action.RETRIEVE), uuid)


@api.api_operation(
    READ,
    "/{uuid}/members/",
    summary="List the members of a group or a chain, in the order of their index",
    operation_id="list_members",
    response=_responses(200, MembersBody, 400, 404),
)
def members(
    request: HttpRequest,
    uuid: Uuid,
    status: MemberStatus | None = None,
    limit: Limit = PAGE,
    cursor: str | None = None,
) -> HttpResponse:
    """With a status, those that ended so. A page may have fewer members than the limit; only one whose next is null is
    the last. 404, NotAGroup, for a job that is no group and no chain.
    """
    caller = identify(request, Action.RETRIEVE)
    size = _page_size(limit)
    if status is not None and status not in COUNTED:
        message = f"The status is {status[:20]!r}; give one of {', '.join(COUNTED)}, or none for all members."
        raise HTTPError(400, "InvalidStatus", message)
    record = find_record(caller, uuid)
    if record.members is None:
        message = f"Job {record.uuid} is no group and no chain: it has no members."
        raise HTTPError(404, "NotAGroup", message)
    page = members_page(current_services().store, record.uuid, status=status, cursor=cursor, limit=size)
    drop(*(member.uuid for member in page.records))
    shown = [
        {"index": index, **record_json(member)}
        for index, member in zip(page.indices, page.records, strict=True)
        if caller.may(member)
    ]
    return json_response({"members": shown, "next": page.cursor})


@api.post(
    "/{uuid}/cancel/",
    summary="Cancel a job",
    operation_id=openapi.CANCEL,
    response=_responses(200, RecordBody, 404, 409),
)
def cancel(request: HttpRequest, uuid: Uuid) -> HttpResponse:
    """A waiting job never starts; a running one is asked to stop. Of a group, members that wait never start, and those
    that run are asked to stop. 409 if it has already ended.
    """
    record = find_record(identify(request, Action.CANCEL), uuid)
    return record_response(request, current_services().cancel(record.uuid))


@api.api_operation(
    READ,
    "/{uuid}/events/",
    summary="Follow a job (server-sent events)",
    operation_id=openapi.FOLLOW,
    response=_responses(200, RecordBody, 404, 501) | {204: None},
)
async def follow(request: HttpRequest, uuid: Uuid) -> HttpResponseBase:
    """Sends the record as an event on each change, ending with the job's final state. Only under ASGI; else poll."""
    caller, record = await sync_to_async(_following)(request, uuid)
    return _events_response(request, caller, [record])


def _following(request: HttpRequest, uuid: str) -> tuple[Caller, Record]:
    caller = identify(request, Action.RETRIEVE)
    return caller, find_record(caller, uuid)


@api.api_operation(
    READ,
    "/events/",
    url_name=STREAM,
    summary="Follow several jobs by one stream (server-sent events)",
    operation_id=openapi.FOLLOW_MANY,
    response=_responses(200, RecordBody, 400, 404, 501) | {204: None},
)
async def follow_many(request: HttpRequest, ids: Ids = "") -> HttpResponseBase:
    """Sends the record of each job, and again on each change, until all have ended. A job that is unknown, or another
    owner's, is an event `missing` with its uuid; where all are, 404. Only under ASGI; else poll.
    """
    caller, records, missing = await sync_to_async(_following_many)(request, ids)
    return _events_response(request, caller, records, missing)


def _following_many(request: HttpRequest, ids: str) -> tuple[Caller, list[Record], list[str]]:
    caller = identify(request, Action.RETRIEVE)
    uuids = [uuid for uuid in ids.split(",") if uuid]
    if not 1 <= len(uuids) <= MOST_FOLLOWED:
        message = (
            f"`ids` names {len(uuids)} jobs; give the ids of 1 to {MOST_FOLLOWED}, with commas between them."
        )
        raise HTTPError(400, "InvalidIds", message)
    return caller, *find_records(caller, uuids)


def _events_response(
    request: HttpRequest, caller: Caller, records: Sequence[Record], missing: Sequence[str] = ()
) -> HttpResponseBase:
    if not events.offered(request):
        raise HTTPError(
            501, "NotImplemented", "This server cannot stream (it runs under WSGI); poll the job instead."
        )
    if request.method == "HEAD":
        return HttpResponse(content_type="text/event-stream", headers=events.HEADERS)
    if events.has_last_event(request, records):
        return HttpResponse(status=204)  # keeps an EventSource from reconnecting
    return StreamingHttpResponse(
        events.stream(*records, missing=missing, seconds=events.seconds_for(caller)),
        content_type="text/event-stream",
        headers=events.HEADERS,
    )


api.add_router("", router)
