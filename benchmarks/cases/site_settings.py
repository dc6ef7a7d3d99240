"""One site with both APIs: ours, and django-task-api's on SQLite."""

import os
from pathlib import Path

SECRET_KEY = "measured"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "benchmarks.cases.site_urls"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "task_api",
    "django_integration",
]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(os.environ.get("BENCH_FILES", ".")) / "site.sqlite3",
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = True
SERVERLESS_TASKS = {
    "ALLOW_ANONYMOUS": True,
    "SHARED_READ": float(os.environ.get("BENCH_SHARED_READ", "0")),
}
