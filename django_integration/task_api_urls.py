"""``path("", include("django_integration.task_api_urls"))``: the URLs below ``tasks/``, as Django Task API has them."""

from __future__ import annotations

from django.urls import include, path

from django_integration.urls import urlpatterns as calls

_views = {call.name: call.callback for call in calls}

urlpatterns = [
    path("tasks/", include("django_integration.urls")),
    # Never reached: the names that its router gives them, for `reverse` and `{% url %}`.
    path("tasks/", _views["tasks"], name="taskinfo-list"),
    path("tasks/<uuid>/", _views["task"], name="taskinfo-detail"),
]
