"""A project that puts the typed calls on an API of its own."""

from django.urls import path
from ninja import NinjaAPI

from django_integration.api import router

own = NinjaAPI(urls_namespace="own")
own.add_router("/jobs/", router)
urlpatterns = [path("own/", own.urls)]
