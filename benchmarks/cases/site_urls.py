"""Ours at ``/tasks/``, django-task-api's at ``/old/tasks/``."""

from django.urls import include, path

urlpatterns = [
    path("tasks/", include("django_integration.urls")),
    path("old/", include("task_api.urls")),
]
