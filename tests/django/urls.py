from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path


def page(request: HttpRequest) -> HttpResponse:
    return render(request, "page.html")


urlpatterns = [
    path("tasks/", include("django_integration.urls")),
    path("deep/er/work/", include("django_integration.urls", namespace="again")),
    path("page/", page),
]
if apps.is_installed("django.contrib.admin"):  # the bare site has none
    urlpatterns.append(path("admin/", admin.site.urls))
