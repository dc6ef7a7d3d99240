"""The shop's pages: the admin, and the tasks' own."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("admin/", admin.site.urls), path("tasks/", include("django_integration.urls"))]
