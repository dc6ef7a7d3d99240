"""``{% load task_api %}{% task_api %}``: the JavaScript client, ready to use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import template
from django.conf import settings
from django.middleware.csrf import get_token
from django.templatetags.static import static
from django.utils.html import format_html

from django_integration import conf
from django_integration.web.auth.caller import csrf_header
from django_integration.web.namespaces import path_of
from django_integration.web.nonce import get_nonce

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag(takes_context=True)
def task_api(context: template.Context) -> SafeString:
    """Load the client, tell it this site's URLs, CSRF cookie and header, and set that cookie.

    The scripts carry the nonce of the content security policy; nothing is inline.

    Raises:
        TemplateSyntaxError: the template is rendered without its request.
        NoReverseMatch: the project does not include the URLs.
    """
    request: HttpRequest | None = getattr(context, "request", None) or context.get("request")
    if request is None:
        raise template.TemplateSyntaxError("{% task_api %} needs the request; use render(request, ...).")
    get_token(request)
    nonce = get_nonce(request)
    attribute = format_html(' nonce="{}"', nonce) if nonce is not None else ""
    return format_html(
        '<script src="{}"{}></script>\n'
        '<script src="{}"{} data-base="{}" data-csrf-cookie="{}" data-csrf-header="{}"{}></script>',
        static("django-task-api.min.js"),
        attribute,
        static("serverless-tasks/configure.js"),
        attribute,
        path_of("tasks", near=() if request.resolver_match is None else request.resolver_match.namespaces),
        settings.CSRF_COOKIE_NAME,
        csrf_header(),
        format_html(' data-status-url="{}"', url)
        if (url := conf.current().config.browser_status_url)
        else "",
    )
