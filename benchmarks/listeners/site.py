"""The site that is measured: Django with sessions and users under ASGI, as a project has it."""

from __future__ import annotations

import os

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def page(request: HttpRequest) -> HttpResponse:
    """A page that has nothing to do with tasks."""
    return HttpResponse("here")


settings.configure(
    SECRET_KEY="a benchmark's",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django_integration",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["BENCHMARK_DATABASE"]}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    SERVERLESS_TASKS={"TABLE": "tasks", "QUEUE_URLS": {"default": "http://127.0.0.1/queue"}},
    LOGGING_CONFIG=None,
)
django.setup()
urlpatterns = [path("tasks/", include("django_integration.urls")), path("page/", page)]
application = get_asgi_application()


def prepare() -> str:
    """Make the database and log somebody in; the session's key."""
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.test import Client

    call_command("migrate", verbosity=0)
    client = Client()
    client.force_login(User.objects.create_user("ada"))
    return client.cookies["sessionid"].value
