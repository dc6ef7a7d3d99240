"""A page of a site with the ready-made pieces, below a strict policy."""

from pathlib import Path

from django.http import FileResponse, HttpRequest, HttpResponse
from django.template import RequestContext, Template
from django.urls import URLPattern, path
from django.utils import translation

from serverless_tasks import Task
from serverless_tasks.params import IntParameter, ListParameter

POLICY = "; ".join(
    f"{kind} 'self'"
    for kind in ("script-src", "style-src", "connect-src", "img-src", "form-action", "base-uri")
)
PAGE = """{% load task_widgets i18n %}{% get_current_language_bidi as bidi %}<!doctype html>
<html lang="{{ lang }}" dir="{{ bidi|yesno:'rtl,ltr' }}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Photos</title><link rel="stylesheet" href="/site.css">
{% if htmx %}<meta name="htmx-config" content='{"includeIndicatorStyles": false, "allowEval": false}'>
<script src="/htmx.js" defer></script>{% endif %}
{% task_widgets %}</head><body><main><h1>Photos</h1>
{% task_button "steps" names=names label="Run the steps" htmx=htmx %}
<label>Numbers <input form="add" name="numbers"></label>
{% task_button "adds" fields="numbers" id="add" label="Add" htmx=htmx next="/pieces/?job={uuid}" %}
{% for job in jobs %}{% task_progress job htmx=htmx %}
{% endfor %}</main></body></html>"""


class Adds(Task):
    name = "adds"
    inputs = {"numbers": ListParameter(IntParameter())}
    outputs = {"sum": IntParameter()}

    def run(self, numbers):
        return sum(numbers)


def urls(packages: Path) -> list[URLPattern]:
    """The paths of the page, and of htmx."""

    def pieces(request: HttpRequest) -> HttpResponse:
        asked = request.GET
        context = {
            "lang": asked.get("lang", "en"),
            "htmx": "htmx" in asked,
            "jobs": asked.getlist("job"),
            "names": ["Read", "Written"],
        }
        with translation.override(context["lang"]):
            page = Template(PAGE).render(RequestContext(request, context))
        return HttpResponse(page, headers={"Content-Security-Policy": f"default-src 'none'; {POLICY}"})

    def htmx(request: HttpRequest) -> FileResponse:
        script = packages / "htmx.org/dist/htmx.min.js"
        return FileResponse(script.open("rb"), content_type="text/javascript")

    def style(request: HttpRequest) -> HttpResponse:
        return HttpResponse("body { background: Canvas; color: CanvasText }", content_type="text/css")

    return [path("site.css", style), path("pieces/", pieces), path("htmx.js", htmx)]
