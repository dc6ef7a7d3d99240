"""The page, and the tasks."""

from django.urls import include, path
from django.views.generic import TemplateView

urlpatterns = [
    path("", TemplateView.as_view(template_name="examples/index.html"), name="index"),
    path("tasks/", include("django_integration.urls")),
]
