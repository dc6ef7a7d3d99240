"""``{% load task_widgets %}``: a job's progress and a button for a task, ready for plain templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import template
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme

from django_integration.templatetags.task_api import task_api
from django_integration.web.auth.actions import Action
from django_integration.web.auth.caller import identify
from django_integration.web.http.responses import HTTPError
from django_integration.web.nonce import get_nonce
from django_integration.web.widgets.button import TEMPLATE as BUTTON
from django_integration.web.widgets.button import context_of_button
from django_integration.web.widgets.offer import Offer, new_key, to_json
from django_integration.web.widgets.progress import TEMPLATE as PROGRESS
from django_integration.web.widgets.progress import context_of, shown_to
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import UnknownTask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest
    from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag(takes_context=True)
def task_widgets(context: template.Context) -> SafeString:
    """Load the style sheet and the script of the pieces, and the client with them, as ``{% task_api %}`` does.

    Raises:
        TemplateSyntaxError: the template is rendered without its request.
    """
    nonce = get_nonce(_request(context, "task_widgets"))
    attribute = format_html(' nonce="{}"', nonce) if nonce is not None else ""
    return format_html(
        '<link rel="stylesheet" href="{}"{}>\n{}\n<script src="{}"{} defer></script>',
        static("serverless-tasks/widgets.css"),
        attribute,
        task_api(context),
        static("serverless-tasks/widgets.js"),
        attribute,
    )


@register.simple_tag(takes_context=True)
def task_progress(context: template.Context, job: Any, *, htmx: bool = False) -> SafeString:
    """Show how far a job is, and follow it: with the client, with htmx, or by a link that loads the page again.

    Args:
        context: the template's context.
        job: a handle or a record, which is shown as it was last read; or a job's id, which is read now.
        htmx: whether htmx follows it, in place of our script.

    Raises:
        TemplateSyntaxError: it is none of these, or the template is rendered without its request.
    """
    request = _request(context, "task_progress")
    try:
        record = shown_to(request, job)
    except TypeError as error:
        raise template.TemplateSyntaxError(str(error)) from error
    return render_to_string(PROGRESS, context_of(request, record, htmx=htmx, static=True))


@register.simple_tag(takes_context=True)
def task_button(
    context: template.Context,
    task: str,
    /,
    *,
    label: str = "",
    fields: str = "",
    next: str = "",
    id: str = "",
    once: bool = False,
    htmx: bool = False,
    inputs: Mapping[str, Any] | None = None,
    **more: Any,
) -> SafeString:
    """Show a button that submits a task.

    Args:
        context: the template's context.
        task: the task's name.
        label: the button's text.
        fields: the names of the inputs that the page may give, separated by spaces: those among the inputs are hidden
            fields, and others are fields of the page with ``form="<id>"``. All other inputs are signed.
        next: where a browser without scripts goes after it, ``{uuid}`` standing for the job's id; the job's status page
            unless given.
        id: the form's id.
        once: whether all submits of this form are one job.
        htmx: whether htmx sends it, in place of our script.
        inputs: the inputs as a dictionary, for names that are arguments of this tag.
        more: the inputs by name.

    Raises:
        TemplateSyntaxError: there is no such task, an input is secret or no JSON, ``next`` leads elsewhere, or the
            template is rendered without its request.
    """
    request = _request(context, "task_button")
    open_fields = tuple(fields.split())
    try:
        known = current_services().registry.get(task)
        given = to_json({**(inputs or {}), **more})
    except (TypeError, UnknownTask) as error:
        raise template.TemplateSyntaxError(f"{{% task_button {task!r} %}}: {error}") from error
    definition = current_services().registry.definition(known.name)
    if secret := [name for name in given if definition.is_secret(name)]:
        raise template.TemplateSyntaxError(
            f"{{% task_button {task!r} %}} cannot give the secret input {secret[0]!r}: what a page gives, it shows."
        )
    if next and not url_has_allowed_host_and_scheme(next, allowed_hosts={request.get_host()}):
        raise template.TemplateSyntaxError(f"{{% task_button %}} leads to another site: next={next!r}.")
    offer = Offer(
        task=known.name,
        inputs={name: value for name, value in given.items() if name not in open_fields},
        fields=open_fields,
        owner=_owner(request),
        label=label,
        after=next,
        key=new_key() if once else None,
    )
    values = {name: _texts(given[name]) for name in open_fields if name in given}
    return render_to_string(
        BUTTON, context_of_button(request, offer, values=values, form_id=id, htmx=htmx), request
    )


def _texts(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _owner(request: HttpRequest) -> str | None:
    """Return whose page it is; nobody's where whoever asks may not submit, and then the button says so."""
    try:
        return identify(request, Action.CREATE, limited=False).owner
    except HTTPError:
        return None


def _request(context: template.Context, tag: str) -> HttpRequest:
    request: HttpRequest | None = getattr(context, "request", None) or context.get("request")
    if request is None:
        raise template.TemplateSyntaxError(f"{{% {tag} %}} needs the request; use render(request, ...).")
    return request
