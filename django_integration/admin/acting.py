"""The way of an action from the button to the deed: what cannot be undone is asked first, as Django's admin does."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import HttpResponseRedirect, QueryDict
from django.urls import path
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_POST

from django_integration.admin import actions, bulk, pages
from django_integration.admin.rows import SHORT, rows
from django_integration.admin.search import Search
from django_integration.models import Job
from serverless_tasks.client.operations.bulk.submission import MOST_JOBS
from serverless_tasks.engine.job.job_id import uuid_in
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import AwsError, ServerlessTasksError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern
    from django.utils.safestring import SafeString

    from django_integration.admin.views import JobViews
    from serverless_tasks.engine.job.record import Record

# So many of the jobs that an action was done to, or that refused it, are named.
NAMED: Final = 10


def urls(admin: JobViews) -> list[URLPattern]:
    """Return the addresses of the actions."""
    wrap = admin.admin_site.admin_view
    return [
        path("act/", wrap(require_POST(partial(act, admin))), name="serverless_tasks_job_act"),
        path(
            "act/all/", wrap(require_POST(partial(act_on_all, admin))), name="serverless_tasks_job_act_on_all"
        ),
        path("owner/delete/", wrap(partial(delete_owner, admin)), name="serverless_tasks_job_delete_owner"),
    ]


def act(admin: JobViews, request: HttpRequest) -> HttpResponse:
    """Do what a button says to the jobs that the form names, or ask first, and say what became of it."""
    name, query = request.POST.get("action", ""), request.POST.get("query", "")
    action = actions.ACTIONS.get(name)
    given = (uuid_in(each) for each in request.POST.getlist("uuid"))
    uuids = list(dict.fromkeys(uuid for uuid in given if uuid is not None))
    back = HttpResponseRedirect(admin.list_url() + (query if query.startswith("?") else ""))
    every = bool(request.POST.get("select_across"))
    if action is None or not (uuids or every):
        messages.warning(request, gettext("Select an action and the jobs to apply it to."))
        return back
    admin.require(action.permission, request)
    if every:
        return _ask_about_all(admin, request, name, query) or back
    if not request.POST.get("confirmed") and name != "cancel":
        try:
            known = current_services().store.read_many(uuids, whole=False)
        except AwsError as error:
            messages.error(request, str(error))
            return back
        records = [known[uuid] for uuid in uuids if uuid in known]
        if records and (name == "delete" or any(record.retried_as for record in records)):
            return _ask(admin, request, name, records, query)
    done = actions.run(action, uuids)
    tell(admin, request, done)
    only = done[0] if len(done) == 1 else None
    if only is None or only.gone:
        return back
    return HttpResponseRedirect(admin.job_url(only.successor or only.uuid))


def _ask(
    admin: JobViews, request: HttpRequest, name: str, records: Sequence[Record], query: str
) -> HttpResponse:
    """Return the question before something is done to some jobs."""
    fit = [record for record in records if record.ended]
    now = current_services().clock.now()
    only = records[0].uuid if len(records) == 1 else None
    context = {
        "action": name,
        "query": query,
        "rows": rows(fit, now),
        "refusing": rows([record for record in records if not record.ended], now),
        "uuids": [record.uuid for record in fit],
        "retried": sum(bool(record.retried_as) for record in fit),
        "back": admin.list_url() + query if only is None or query else admin.job_url(only),
    }
    return admin.page(request, "confirm", str(actions.ACTIONS[name].title), context)


def _ask_about_all(admin: JobViews, request: HttpRequest, name: str, query: str) -> HttpResponse | None:
    """Return the question before something is done to all jobs of the list; None where that cannot be asked."""
    search = Search.from_query(QueryDict(query.removeprefix("?")))
    services = current_services()
    try:
        owner = pages.owner_key(search.owner)
        filters, problems = search.job_filter(owner, services.clock.now())
        if problems:
            for problem in problems:
                messages.error(request, problem)
            return None
        asked = bulk.question(filters)
    except ServerlessTasksError as error:
        messages.error(request, str(error))
        return None
    context = {
        **asked,
        "action": name,
        "query": query,
        "every": not filters.status and name == "retry",
        "most": MOST_JOBS,
        "bulk_uuid": str(uuid4()),
        "back": admin.list_url() + query,
    }
    return admin.page(request, "confirm_all", str(actions.ACTIONS[name].title), context)


def act_on_all(admin: JobViews, request: HttpRequest) -> HttpResponse:
    """Submit the job that acts on all jobs of a list, and lead to its page."""
    name = request.POST.get("action", "")
    action = actions.ACTIONS.get(name)
    if action is None:
        return HttpResponseRedirect(admin.list_url())
    admin.require(action.permission, request)
    try:
        handle = bulk.submit(request, name)
    except ServerlessTasksError as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(admin.list_url())
    text = gettext("The action was submitted as a job: this page shows how far it is, and what became of it.")
    messages.success(request, text)
    admin.log_change(
        request, Job(uuid=UUID(handle.uuid)), f"{action.label}: {request.POST.get('filter', '')}"
    )
    return HttpResponseRedirect(admin.job_url(handle.uuid))


def delete_owner(admin: JobViews, request: HttpRequest) -> HttpResponse:
    """Delete all that is kept of one owner's jobs: first the question, then the deed."""
    admin.require("delete", request)
    owner = request.POST.get("owner") or request.GET.get("owner", "")
    if not owner:
        return HttpResponseRedirect(admin.list_url())
    back = f"{admin.list_url()}?{urlencode({'owner': owner})}"
    try:
        if request.method != "POST":
            asked = pages.owner(owner)
            if asked is not None:
                return admin.page(request, "delete_owner", gettext("Delete an owner's jobs"), asked)
            messages.warning(request, gettext("No job of the owner “%s” is kept.") % owner)
            return HttpResponseRedirect(back)
        deleted, live = actions.delete_owner(owner)
    except AwsError as error:
        text = gettext("Not everything has been deleted; repeat the deletion to continue. %s")
        messages.error(request, text % error)
    else:
        text = ngettext(
            "%(count)d job of the owner “%(owner)s” was deleted.",
            "%(count)d jobs of the owner “%(owner)s” were deleted.",
            deleted,
        ) % {"count": deleted, "owner": owner}
        messages.success(request, text)
        admin.log_change(request, Job(), text)
        if live:
            text = gettext("Still running and asked to stop; delete again later: {jobs}")
            messages.warning(request, format_html(text, jobs=_links(admin, live)))
    return HttpResponseRedirect(back)


def tell(admin: JobViews, request: HttpRequest, done: Sequence[actions.Done]) -> None:
    """Say what became of an action on jobs, those alike in one sentence, and note it in the admin's log."""
    alike: dict[str, list[actions.Done]] = {}
    for each in done:
        if not each.failed:
            text = each.said.format(successor=each.successor) if each.successor else each.said
            admin.log_change(request, Job(uuid=UUID(each.uuid)), text)
        # What a job answers for itself alone: the one in its place, or why it refused.
        alike.setdefault(each.uuid if each.failed or each.successor else each.said, []).append(each)
    for group in list(alike.values())[:NAMED]:
        level = messages.ERROR if group[0].failed else messages.SUCCESS
        messages.add_message(request, level, _sentence(admin, group))
    if len(alike) > NAMED:
        more = len(alike) - NAMED
        text = ngettext("%d more job answered; see the list.", "%d more jobs answered; see the list.", more)
        messages.info(request, text % more)


def _sentence(admin: JobViews, alike: Sequence[actions.Done]) -> SafeString:
    """Return what became of jobs. It begins with a word: the admin writes the first letter of a banner large."""
    first = alike[0]
    text: str = first.said
    if first.successor:
        text = format_html(first.said, successor=_links(admin, [first.successor]))
    sentence = gettext("Job {jobs}: {text}")
    if len(alike) > 1:
        sentence = ngettext("{count} job ({jobs}): {text}", "{count} jobs ({jobs}): {text}", len(alike))
    uuids = [each.uuid for each in alike]
    jobs = _links(admin, uuids, gone=first.gone)
    return format_html(sentence, jobs=jobs, text=text, count=len(alike))


def _links(admin: JobViews, uuids: Sequence[str], *, gone: bool = False) -> SafeString:
    """Return the short ids of jobs, each a link to its page unless it is gone."""
    shown = uuids[:NAMED]
    if gone:
        names = format_html_join(", ", '<span title="{}">{}</span>', ((each, each[:SHORT]) for each in shown))
    else:
        links = ((admin.job_url(each), each, each[:SHORT]) for each in shown)
        names = format_html_join(", ", '<a href="{}" title="{}">{}</a>', links)
    if len(uuids) == len(shown):
        return names
    return format_html(gettext("{jobs} and {count} more"), jobs=names, count=len(uuids) - len(shown))
