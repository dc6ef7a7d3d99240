"""A site whose tasks django-tasks-db keeps in SQLite."""

import os
from pathlib import Path

SECRET_KEY = "measured"
INSTALLED_APPS = ["django.contrib.contenttypes", "django_tasks_db"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(os.environ.get("BENCH_FILES", ".")) / "tasks.sqlite3",
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = True
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
