"""Prints an OpenAPI document: ``python -m tests.browser.openapi_document example|cases [TASK TO LEAVE OUT...]``."""

import sys

import django
from django.conf import settings
from django.test import Client


def main(which: str, left_out: list[str]) -> None:
    if which == "cases":
        from tests.unit.cli import typescript_cases

        tasks = typescript_cases.TASKS
    else:
        from examples.tasks import MakeThumbnail, SummariseColumns, SumNumbers

        tasks = (MakeThumbnail, SummariseColumns, SumNumbers)
    settings.configure(
        DEBUG=True,
        SECRET_KEY="not a secret",
        ROOT_URLCONF="examples.website.urls",
        ALLOWED_HOSTS=["testserver"],
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django_integration"],
        SERVERLESS_TASKS={"BACKEND": "threading"},
        TASK_API_BACKGROUND_TASKS=[task for task in tasks if task.name not in left_out],
    )
    django.setup()
    sys.stdout.write(Client().get("/tasks/openapi.json").content.decode())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
