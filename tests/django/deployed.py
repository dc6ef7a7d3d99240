"""The settings of a deployed worker: its environment says where the database is."""

import os

from tests.django.settings import *  # noqa: F403

DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DATABASE"]}}
ROOT_URLCONF = "tests.django.warehouse.urls"
DDA_DEFERRED_TASK_TIME_LIMIT = 45
SERVERLESS_TASKS = {}
