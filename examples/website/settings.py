"""Settings of the example site: everything that it needs on a laptop, and nothing else.

The stack that it publishes to comes from the environment (`SERVERLESS_TASKS_TABLE` and so on), which
`serverless-tasks dev --django` sets.
"""

import os

import django
from django.core.management.utils import get_random_secret_key

# Without a login: anonymous callers are served under DEBUG only.
DEBUG = os.environ.get("DJANGO_DEBUG", "1") == "1"
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY") or get_random_secret_key()
ALLOWED_HOSTS = os.environ.get("DJANGO_ALLOWED_HOSTS", "127.0.0.1,localhost").split(",")

ROOT_URLCONF = "examples.website.urls"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.staticfiles",
    "django_integration",
    "examples",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
if django.VERSION >= (6, 0):  # before, django-csp has such a middleware
    MIDDLEWARE.insert(1, "django.middleware.csp.ContentSecurityPolicyMiddleware")
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]
STATIC_URL = "/static/"
TIME_ZONE = "UTC"

# Pictures come back as data: URLs; nothing else leaves the site's own files.
SECURE_CSP = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "connect-src": ["'self'"],
    "form-action": ["'self'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
}

# What `POST /tasks/` serves: registered is not exposed.
TASK_API_BACKGROUND_TASKS = [
    "examples.tasks.SumNumbers",
    "examples.tasks.SummariseColumns",
    "examples.tasks.MakeThumbnail",
]
# A CSV file travels inside the request; past SQS's limit its job goes by way of the payload bucket.
MAX_BODY = 20_000_000
SERVERLESS_TASKS = {"MAX_BODY": MAX_BODY}
