"""A site with nothing but ours."""

SECRET_KEY = "traced"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "django_integration.task_api_urls"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django_integration"]
DATABASES: dict[str, dict[str, str]] = {}
TASK_API_BACKGROUND_TASKS = ["benchmarks.cases.tasks.Noop"]
SERVERLESS_TASKS = {"ALLOW_ANONYMOUS": True}
