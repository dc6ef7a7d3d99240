"""The project that the tests of the Django app run in."""

from pathlib import Path

import django

BASE_DIR = Path(__file__).parent
SECRET_KEY = "not a secret"
DEBUG = False
ALLOWED_HOSTS = ["testserver"]
USE_TZ = True
ROOT_URLCONF = "tests.django.urls"
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
    "other": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
}
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "django_integration",
    "tests.django.shop",
    "tests.django.warehouse",
    "django_declarative_apis",
    "tests.django.mailing",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "DIRS": [str(Path(__file__).with_name("templates"))],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "/static/"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

if django.VERSION >= (6, 0):
    INSTALLED_APPS.append("tests.django.newsletter")
    TASKS = {
        "default": {
            "BACKEND": "django_integration.tasks_backend.ServerlessBackend",
            "QUEUES": ["default", "emails", "high", "low"],
            "OPTIONS": {"QUEUE_MAP": {"emails": "low"}},
        },
        "reserve": {"BACKEND": "django_integration.tasks_backend.ServerlessBackend"},
        "immediate": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"},
    }
TASK_API_BACKGROUND_TASKS = [
    "tests.django.shop.background.SumNumbers",
    "tests.django.shop.background.Resize",
    "tests.django.shop.background.Fails",
]
SERVERLESS_TASKS = {
    "TABLE": "tasks",
    "QUEUE_URLS": {
        name: f"https://sqs.us-east-1.amazonaws.com/123456789012/{name}"
        for name in ("high", "default", "low")
    },
}
