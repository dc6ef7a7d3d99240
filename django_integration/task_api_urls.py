"""``path("", include("django_integration.task_api_urls"))``: the URLs below ``tasks/``, as Django Task API has them."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [path("tasks/", include("django_integration.urls"))]
