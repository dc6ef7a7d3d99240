"""``path("tasks/", include("django_integration.urls"))``; any prefix works."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.db.transaction import non_atomic_requests
from django.urls import URLPattern, path

from django_integration.api import STREAM, api
from django_integration.web import methods, pages
from django_integration.web.typed_calls import REFUSE_ALL
from django_integration.web.widgets import button, progress

app_name = "serverless_tasks"

_patterns = [pattern for pattern in api.urls[0] if isinstance(pattern, URLPattern)]
# Ninja gives one pattern a method, all of them with a view that takes every method: the first of each is enough.
_calls = {str(pattern.pattern): pattern for pattern in reversed(_patterns)}
# A task may be named as the stream is, and keeps its typed call.
_namesakes = [pattern for pattern in _patterns if pattern.name == f"submit-{STREAM}"]
# "<uuid>/" would take a task's name as well, and "openapi.json" that of a task so named.
_in_order = sorted(
    [*_calls.values(), *_namesakes],
    key=lambda call: (call.name != REFUSE_ALL, "<" in str(call.pattern), call.name != "openapi"),
)
_views = []
for _call in _in_order:
    _view = methods.in_json(_call.callback)
    if _call.name == STREAM and _namesakes:
        _view = methods.reads_and_others(_view, methods.in_json(_namesakes[0].callback))
    non_atomic_requests(_view)  # an answer of 201 means sent, not "sent if the transaction commits"
    login_not_required(_view)  # the calls ask for a login themselves, and answer in JSON
    _views.append(URLPattern(_call.pattern, _view, _call.default_args, _call.name))

urlpatterns = [
    path("docs", login_not_required(pages.docs), name="docs"),
    path("<uuid>/view/", login_not_required(pages.view), name="view"),
    path("<uuid>/progress/", login_not_required(progress.fragment), name="progress"),
    # No task has a typed call of two parts, but for "<name>/run".
    path("widgets/submit", non_atomic_requests(login_not_required(button.submit)), name="submit"),
    *_views,
]
