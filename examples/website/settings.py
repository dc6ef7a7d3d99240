"""Settings of the example site: everything that it needs on a laptop, and nothing else.

The stack that it publishes to comes from the environment (`SERVERLESS_TASKS_TABLE` and so on), which
`serverless-tasks dev --django` sets.
"""

import os

from django.core.management.utils import get_random_secret_key
from django.utils.csp import CSP

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
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
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
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "connect-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
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
