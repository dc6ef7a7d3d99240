"""The form of a button, and the view that it is sent to: with a script, with htmx, or with neither."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_POST

from django_integration.web.auth.actions import Action
from django_integration.web.auth.caller import identify
from django_integration.web.http.request_body import check_values
from django_integration.web.http.responses import HTTPError, error_response, record_json, record_response
from django_integration.web.namespaces import path_of
from django_integration.web.widgets.offer import OFFER, Offer
from django_integration.web.widgets.progress import TEMPLATE as PROGRESS
from django_integration.web.widgets.progress import by_htmx, context_of, namespaces_of
from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.submission import submit_json
from serverless_tasks.errors import InvalidInputs, ServerlessTasksError

if TYPE_CHECKING:
    from django.http import HttpRequest

    from serverless_tasks.engine.submit.handle import Handle

TEMPLATE: Final = "serverless_tasks/widgets/task_button.html"


def context_of_button(request: HttpRequest, offer: Offer, **more: Any) -> dict[str, Any]:
    """Return the context of a form.

    Args:
        request: the request of the page.
        offer: what it submits.
        more: ``values`` of hidden fields, ``form_id``, ``htmx``, ``errors``, ``signed`` of an offer that came back.
    """
    return {
        "offer": offer,
        "signed": more.get("signed") or offer.sign(),
        "field": OFFER,
        "url": path_of("submit", near=namespaces_of(request)),
        **more,
    }


@never_cache
@require_POST
@csrf_protect
def submit(request: HttpRequest) -> HttpResponse:
    """Submit what a button offers, and show its progress: in place for scripts, on a page for browsers without."""
    offer = None
    try:
        offer = Offer.read(request.POST.get(OFFER, ""))
        handle = _submitted(request, offer)
    except (HTTPError, ServerlessTasksError) as error:
        return _refusal(request, offer, error)
    if _wants_json(request):
        return record_response(request, handle.record, 200 if handle.repeated else 201)
    if by_htmx(request):
        return render(request, PROGRESS, context_of(request, record_json(handle.record), htmx=True))
    return HttpResponseRedirect(_next(request, offer, handle.uuid))


def _submitted(request: HttpRequest, offer: Offer) -> Handle:
    caller = identify(request, Action.CREATE)
    if caller.owner != offer.owner:
        message = _("This form was made for another login. Load its page again.")
        raise HTTPError(403, "FormOfAnotherLogin", message)
    inputs = offer.with_fields(request.POST)
    check_values(offer.task, inputs)
    options = Options(owner=caller.owner, on_commit=False, idempotency_key=offer.key)
    handle = submit_json(current_services(), offer.task, inputs, options, anonymous=caller.owner is None)
    if handle.repeated:
        caller.check_may(handle.record)
    return handle


def _next(request: HttpRequest, offer: Offer, uuid: str) -> str:
    """Return where a browser goes: the address was made by the site's template, and stays on the site all the same."""
    after = offer.after.replace("{uuid}", quote(uuid))
    allowed = url_has_allowed_host_and_scheme(
        after, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return after if allowed else path_of("view", near=namespaces_of(request), args=[uuid])


def _refusal(request: HttpRequest, offer: Offer | None, error: Exception) -> HttpResponse:
    """Answer an error: in JSON, in the form, or on a page with the form."""
    answer = error_response(error)
    if answer is None:
        raise error
    if _wants_json(request):
        return answer
    told = json.loads(answer.content)["error"]
    errors = told.get("fields") if isinstance(error, InvalidInputs) else None
    context: dict[str, Any] = {
        "errors": errors or [{"message": told["message"]}],
        "error_status": answer.status_code,
    }
    if offer is not None and answer.status_code != 403:
        # Signed anew, a form that is refused again and again would never grow old.
        signed = request.POST[OFFER]
        context |= context_of_button(
            request, offer, values=_values(request, offer), htmx=by_htmx(request), signed=signed
        )
    if by_htmx(request):  # it shows no answer of another status
        return HttpResponse(render_to_string(TEMPLATE, context, request))
    response = render(request, "serverless_tasks/widgets/refused.html", context, status=answer.status_code)
    if "Retry-After" in answer:
        response["Retry-After"] = answer["Retry-After"]
    return response


def _values(request: HttpRequest, offer: Offer) -> dict[str, list[str]]:
    """Return what the form gave, but for secrets: a page must not show them, nor a browser keep them with it."""
    registry = current_services().registry
    shown = [name for name in offer.fields if name in request.POST]
    if offer.task not in registry:
        return {}
    definition = registry.definition(offer.task)
    return {name: request.POST.getlist(name) for name in shown if not definition.is_secret(name)}


def _wants_json(request: HttpRequest) -> bool:
    return request.headers.get("Accept", "").startswith("application/json")
