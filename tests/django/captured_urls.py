"""A project whose prefix holds what the caller chose."""

from django.urls import include, re_path

urlpatterns = [re_path(r"^(?:[^/]+)/tasks/", include("django_integration.urls"))]
