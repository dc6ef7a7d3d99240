"""The settings of a project whose app knows Django's tasks alone. With `OURS` in the environment, our backend's."""

import os

import django

SECRET_KEY = "not a secret"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DATABASE"]}}
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "tests.django.newsletter"]
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
else:
    EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

if os.environ.get("OURS"):
    INSTALLED_APPS += ["django_integration"]
    TASKS = {
        "default": {
            "BACKEND": "django_integration.tasks_backend.ServerlessBackend",
            "QUEUES": ["default", "emails"],
            "OPTIONS": {"QUEUE_MAP": {"emails": "low"}},
        },
        "immediate": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"},
    }
else:
    TASKS = {
        alias: {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend", "QUEUES": []}
        for alias in ("default", "immediate")
    }
