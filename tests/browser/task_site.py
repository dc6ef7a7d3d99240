"""A Django site with a login, in a process of its own: ``python -m tests.browser.task_site FOLDER PACKAGES``.

FOLDER is where its database goes, PACKAGES where npm's packages are. It prints its address when it answers.
"""

import sys
import threading
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import include, path
from django.views.static import serve

from serverless_tasks import Task, TaskError
from serverless_tasks.params import IntParameter, ListParameter, StringParameter
from serverless_tasks.workflow import group
from tests.browser import widgets_page

STATIC = Path(__file__).resolve().parents[2] / "django_integration/static"
OURS = STATIC / "django-task-api.min.js"
PAGE = '<!doctype html><html lang="en"><title>Page</title><script src="/script/{}"></script></html>'
LOGIN = '<!doctype html><form method="post">{% csrf_token %}{{ form }}<button>Log in</button></form>'
go_on = threading.Semaphore(0)


class Steps(Task):
    """Stops after each step until ``/go/`` is asked for."""

    name = "steps"
    inputs = {"names": ListParameter(StringParameter())}
    outputs = {"count": IntParameter()}

    def run(self, names):
        self.set_target(len(names))
        for name in names:
            self.inc_progress()
            self.add_message(name)
            go_on.acquire(timeout=30)
        return len(names)


class Fails(Task):
    name = "fails"

    def run(self):
        raise TaskError("There is no more paper.")


class QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


# What docs/tokens.md says of pages of another site; the older client goes there with a session, and so with cookies.
CORS = {
    "CORS_URLS_REGEX": r"^/(tasks|elsewhere)/",
    "CORS_ALLOWED_ORIGIN_REGEXES": [r"^http://localhost:\d+$"],
    "CORS_ALLOW_HEADERS": [
        "authorization",
        "content-type",
        "if-none-match",
        "last-event-id",
        "x-csrftoken",
        "x-csrf-token",
    ],
    "CORS_EXPOSE_HEADERS": ["etag", "location", "retry-after", "x-task-events"],
    "CORS_ALLOW_CREDENTIALS": True,
}


def main(folder: Path, packages: Path) -> None:
    settings.configure(
        DEBUG=True,
        SECRET_KEY="not a secret",
        ALLOWED_HOSTS=["127.0.0.1", "localhost"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "site.db"}},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "corsheaders",
            "django_integration",
        ],
        MIDDLEWARE=[
            "corsheaders.middleware.CorsMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {
                    "loaders": [
                        ("django.template.loaders.locmem.Loader", {"registration/login.html": LOGIN}),
                        "django.template.loaders.app_directories.Loader",
                    ]
                },
            }
        ],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        STATIC_URL="/static/",
        SERVERLESS_TASKS={"BACKEND": "threading"},
        TASK_API_BACKGROUND_TASKS=[Steps, Fails, widgets_page.Adds],
        **CORS,
    )
    django.setup()
    call_command("migrate", verbosity=0)
    _add_user()
    settings.ROOT_URLCONF = (
        *_urls({"theirs": packages / "django-task-api/dist/django-task-api.min.js", "ours": OURS}),
        *widgets_page.urls(packages),
    )
    server = ThreadedWSGIServer(("127.0.0.1", 0), QuietHandler)
    server.set_app(get_wsgi_application())
    sys.stdout.write(f"http://127.0.0.1:{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


def _add_user() -> None:
    from django.contrib.auth.models import User

    User.objects.create_user("ada", password="pw")


def _urls(scripts: dict[str, Path]) -> tuple[object, ...]:
    from django.contrib.auth.views import LoginView

    def page(request: HttpRequest, client: str) -> HttpResponse:
        return HttpResponse(PAGE.format(client))

    def script(request: HttpRequest, client: str) -> HttpResponseBase:
        return FileResponse(scripts[client].open("rb"), content_type="text/javascript")

    def go(request: HttpRequest) -> HttpResponse:
        go_on.release()
        return HttpResponse()

    def submit_group(request: HttpRequest) -> HttpResponse:
        """Submit a group of one member that fails at once, and three that wait for ``/go/``."""
        members = [Fails.signature(), *(Steps.signature(names=[str(number)]) for number in range(3))]
        return JsonResponse({"uuid": group(members, name="album").submit().uuid})

    def hand_over(request: HttpRequest) -> JsonResponse:
        """Submit a job of an owner who is not here, and hand out its tokens."""
        job = Steps.options(owner="1", delay=600).submit(names=["a"])
        return JsonResponse(
            {
                "job": job.uuid,
                "reads": job.browser_token(),
                "cancels": job.browser_token(allow={"read", "cancel"}),
                "submits": Steps.options(delay=600).submit_token({"names": ["c"]}),
            }
        )

    return (
        path("hand-over/", hand_over),
        path("static/<path:path>", serve, {"document_root": STATIC}),
        path("group/", submit_group),
        path("tasks/", include("django_integration.urls")),
        path("elsewhere/", include("django_integration.task_api_urls")),
        path("page/<client>/", page),
        path("script/<client>", script),
        path("go/", go),
        path("login/", LoginView.as_view()),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
