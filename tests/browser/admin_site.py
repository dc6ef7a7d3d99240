"""A Django site with its admin, in a process of its own: ``python -m tests.browser.admin_site FOLDER``.

FOLDER is where its database goes, and ``FOLDER/locale`` may hold translations. It prints its address when it answers.
"""

import sys
import threading
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path

from serverless_tasks import Task, TaskError
from serverless_tasks.engine.services import current_services
from serverless_tasks.params import DictParameter, IntParameter, ListParameter, StringParameter
from serverless_tasks.workflow import group

go_on = threading.Semaphore(0)
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
PROCESSORS = [
    "django.template.context_processors.request",
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
]


class Steps(Task):
    """Stops after each step until ``/go/`` is asked for."""

    name = "reports.steps"
    inputs = {"names": ListParameter(StringParameter())}
    outputs = {"count": IntParameter()}

    def run(self, names):
        self.set_target(len(names))
        for name in names:
            self.inc_progress()
            self.add_message(name)
            while not go_on.acquire(timeout=0.2):
                self.check_cancelled()
        return len(names)


class Fails(Task):
    name = "reports.fails"
    inputs = {"region": DictParameter(required=False)}

    def run(self, region=None):
        self.add_message("Opened the printer")
        raise TaskError("There is no more paper: <b>refill</b> tray 2.")


class QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


def main(folder: Path) -> None:
    start(
        folder,
        ROOT_URLCONF=__name__,
        SERVERLESS_TASKS={"BACKEND": "threading"},
        TASK_API_BACKGROUND_TASKS=[Steps, Fails],
    )
    _add_urls()
    serve()


def start(folder: Path, **given: object) -> None:
    """Set Django up with its admin, the superuser ada, and bob, who may read jobs.

    Args:
        folder: where its database goes.
        given: further settings, or others in place of these.
    """
    known: dict[str, object] = {
        "DEBUG": True,
        "SECRET_KEY": "not a secret",
        "ALLOWED_HOSTS": ["127.0.0.1"],
        "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "site.db"}},
        "INSTALLED_APPS": [
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.messages",
            "django.contrib.sessions",
            "django.contrib.staticfiles",
            "django_integration",
        ],
        "MIDDLEWARE": MIDDLEWARE,
        "TEMPLATES": [
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {"context_processors": PROCESSORS},
            }
        ],
        "STATIC_URL": "/static/",
        "USE_TZ": True,
        "LOCALE_PATHS": [folder / "locale"],
        "TIME_ZONE": "UTC",
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
    }
    settings.configure(**known | given)
    django.setup()
    call_command("migrate", verbosity=0)
    from django.contrib.auth.models import Permission, User

    User.objects.create_superuser("ada", password="pw")
    reader = User.objects.create_user("bob", password="pw", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_job"))


def serve() -> None:
    """Serve the site, and print its address."""
    from django.contrib.staticfiles.handlers import StaticFilesHandler

    server = ThreadedWSGIServer(("127.0.0.1", 0), QuietHandler)
    server.set_app(StaticFilesHandler(get_wsgi_application()))
    sys.stdout.write(f"http://127.0.0.1:{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


urlpatterns: list[object] = []


def _add_urls() -> None:
    from django.contrib import admin

    def submit(request: HttpRequest, name: str) -> HttpResponse:
        options = {"owner": request.GET.get("owner") or None}
        if name == "group":
            members = [Steps.signature(names=[each]) for each in request.GET.getlist("name")]
            fails = [Fails.signature(region={"code": "AT"}) for _ in range(int(request.GET.get("fails", 0)))]
            album = group(fails + members, name="reports.nightly").then(Steps.signature(names=["album"]))
            return HttpResponse(album.options(**options).submit().uuid)
        if name == "steps":
            handle = Steps.options(**options).submit(names=request.GET.getlist("name"))
        else:
            handle = Fails.options(**options).submit(region={"code": "AT", "offices": [1, 2]})
        return HttpResponse(handle.uuid)

    def record(request: HttpRequest, uuid: str) -> JsonResponse:
        found = current_services().store.read(uuid)
        return JsonResponse(found.to_json() if found is not None else {})

    def go(request: HttpRequest) -> HttpResponse:
        go_on.release()
        return HttpResponse()

    urlpatterns.extend(
        [
            path("admin/", admin.site.urls),
            path("tasks/", include("django_integration.urls")),
            path("submit/<name>/", submit),
            path("record/<uuid>/", record),
            path("go/", go),
        ]
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
