"""Every setting in one table: its default, and where it may stand.

Names and defaults are those of the code, and what is said of them are the docstrings of the classes that hold them.
What is read elsewhere stands in `OTHERS`; `missing` names what the sources read and no table has.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from infra.site.markdown import attributes, code, sentence, table
from serverless_tasks.engine import config
from serverless_tasks.engine.config import PREFIX, Config

ROOT: Final = Path(__file__).resolve().parents[2]
# Where more is said.
SEE: Final = {
    "ALLOW_ANONYMOUS": "django.md#who-may-call",
    "BACKEND": "django.md#settings",
    "BUILD": "upgrading.md#builds",
    "COMPRESS_INPUTS": "operating.md#compressed-inputs",
    "DDA_DEFERRED_TASK_TIME_LIMIT": "migrating/django-declarative-apis.md",
    "ERROR_TOPIC": "operating.md#hearing-of-new-errors",
    "EXCLUDE_APPS": "tasks.md#where-tasks-are-found",
    "MODULES": "tasks.md#where-tasks-are-found",
    "ON_NEW_ERROR": "operating.md#hearing-of-new-errors",
    "PAUSES": "operating.md#pausing",
    "PRICES": "operating.md#prices",
    "SERVERLESS_TASKS_BOTOCORE_OVERRIDES": "performance.md",
    "SERVERLESS_TASKS_SECRETS": "deployment.md#secrets",
    "SERVERLESS_TASKS_SECRETS_MAX_AGE": "deployment.md#secrets",
    "SERVERLESS_TASKS_SECRET_<NAME>": "deployment.md#secrets",
    "SHARED_READ": "django.md#many-who-poll-one-task",
    "STATISTICS": "operating.md#statistics",
    "TASKS": "django-tasks.md#settings",
    "TASKS_API_AUTHENTICATION": "migrating/django-generic-tasks.md#who-may-call",
    "TASKS_BACKEND": "migrating/django-generic-tasks.md#backends",
    "TASK_API_AUTHENTICATION_CLASSES": "django.md#django-rest-frameworks-classes",
    "TASK_API_BACKEND": "migrating/django-task-api.md#a-backend-of-your-own",
    "TASK_API_PERMISSIONS_CLASSES": "django.md#django-rest-frameworks-classes",
    "TASK_API_THROTTLE_CLASSES": "django.md#django-rest-frameworks-classes",
    "TRACES": "operating.md#traces",
}
# Django's settings that are read where they are needed: the default, and what it is.
OTHERS: Final = {
    "DDA_DEFERRED_TASK_TIME_LIMIT": (
        "60",
        "Seconds that a deferred task of django-declarative-apis may take",
    ),
    "TASKS": (
        "",
        "Django's own backends of tasks: `django_integration.tasks_backend.ServerlessBackend` among them",
    ),
    "TASKS_API_AUTHENTICATION": (
        "",
        'Who may use the typed endpoints: `"oidc"`, `None`, or an authentication class of ninja',
    ),
    "TASKS_API_OIDC_ISSUER": ("https://accounts.google.com", "Who signs the tokens: a URL"),
    "TASK_API_AUTHENTICATION_CLASSES": ("", "Django REST framework's authentication classes"),
    "TASK_API_BACKGROUND_CLASSES": ("[]", "An alias of `TASK_API_BACKGROUND_TASKS`"),
    "TASK_API_BACKGROUND_TASKS": ("[]", "The tasks served at `POST /tasks/`, as dotted paths or classes"),
    "TASK_API_PERMISSIONS_CLASSES": (
        "",
        "Django REST framework's permission classes, also composed (`A & B`)",
    ),
    "TASK_API_THROTTLE_CLASSES": (
        "",
        "Django REST framework's throttle classes, in place of its `DEFAULT_THROTTLE_CLASSES`; `[]` for none",
    ),
}
# Variables of the environment alone.
VARIABLES: Final = {
    "SERVERLESS_TASKS_BOTOCORE_OVERRIDES": (
        "on",
        "`off` takes botocore as it is, without what is overridden for speed",
    ),
    "SERVERLESS_TASKS_SECRETS": (
        "",
        "Secrets that are read into the environment: `NAME=reference`, separated by commas",
    ),
    "SERVERLESS_TASKS_SECRET_<NAME>": ("", "The reference of one secret, read into the variable `<NAME>`"),
    "SERVERLESS_TASKS_SECRETS_MAX_AGE": (
        "0",
        "Seconds after which a worker starts anew to read its secrets again; 0 for never",
    ),
}
# What the sources read and nobody sets: Django's own, and what one process of ours tells another.
NOT_OURS: Final = {
    *("BASE_DIR", "MAILERS", "REST_FRAMEWORK", "ROOT_URLCONF", "SERVERLESS_TASKS"),
    *("SERVERLESS_TASKS_OF_A_STACK", "SERVERLESS_TASKS_SECRET", "SERVERLESS_TASKS_SECRET_"),
}
PRECEDENCE: Final = (
    "A setting in Django's `SERVERLESS_TASKS` takes precedence over the variable of the environment. In a worker of a"
    " stack the settings that are its outputs come from the environment. `serverless-tasks outputs` prints them.\n"
)
EACH: Final = (
    'For `TABLE`: `SERVERLESS_TASKS_TABLE` in the environment, `SERVERLESS_TASKS["TABLE"]` under Django.\n'
)
REGION: Final = (
    "The region and the credentials are AWS's own: `AWS_REGION`, `AWS_PROFILE` and so on. The settings of the stack are"
    " [parameters of the template](template.md).\n"
)
_READ: Final = re.compile(r'getattr\(settings, "([A-Z_]+)"|["`](SERVERLESS_TASKS_[A-Z_]+)["`]')


def page() -> str:
    """Return the page. Django is set up by then."""
    parts = [
        "# Settings\n",
        PRECEDENCE,
        "## For every process\n",
        EACH,
        table(("setting", "default", "output of the stack", ""), _core()),
        "## In Django's `SERVERLESS_TASKS` alone\n",
        table(("setting", "default", ""), _own()),
        "## Django's settings\n",
        table(("setting", "default", ""), _of_django()),
        "## In the environment alone\n",
        table(
            ("variable", "default", ""),
            [
                (code(name), code(default), _linked(name, says))
                for name, (default, says) in sorted(VARIABLES.items())
            ],
        ),
        REGION,
    ]
    return "\n".join(parts)


def missing(page: str) -> list[str]:
    """Return what the sources read and the page does not have."""
    found = set()
    for package in ("serverless_tasks", "django_integration", "lambda_handlers"):
        for path in (ROOT / package).rglob("*.py"):
            for names in _READ.findall(path.read_text(encoding="utf-8")):
                found |= {name for name in names if name}
    known = {PREFIX + field.name.upper() for field in fields(Config)} | NOT_OURS
    return sorted(name for name in found - known if f"| `{name}` |" not in page)


def _linked(name: str, says: str) -> str:
    link = SEE.get(name)
    return f"{sentence(says)} ([more](../{link}))" if link else sentence(says)


def _core() -> list[tuple[str, str, str, str]]:
    says = attributes(inspect.getdoc(Config))
    outputs = config._OUTPUTS
    return [
        (
            code(name := field.name.upper()),
            code(_shown(getattr(Config(), field.name))),
            code(outputs.get(name)),
            _linked(name, says[field.name]),
        )
        for field in fields(Config)
    ]


def _own() -> list[tuple[str, str, str]]:
    from django_integration import conf

    says = attributes(inspect.getdoc(conf.TaskSettings))
    current = conf.current()
    return [
        (
            code(name),
            code(_shown(getattr(current, name.lower()))),
            _linked(name, says[name.lower()].partition(": ")[2]),
        )
        for name in conf.OWN
    ]


def _of_django() -> list[tuple[str, str, str]]:
    from django_integration import conf
    from django_integration.web.auth import oidc

    told: dict[str, str] = {}
    for kind in (conf.TaskSettings, oidc.Trust):
        for says in attributes(inspect.getdoc(kind)).values():
            names = re.findall(r"`(TASKS?_[A-Z_]+)`", says.partition(": ")[0])
            told |= dict.fromkeys(names, says.partition(": ")[2])
    told |= {name: told.get(name, "") for name in conf.READ if name not in NOT_OURS}
    rows = {name: ("", says) for name, says in told.items()} | OTHERS
    rows["TASKS_API_OIDC_LEEWAY"] = (str(oidc.LEEWAY), told["TASKS_API_OIDC_LEEWAY"])
    return [
        (code(name), code(default), _linked(name, says)) for name, (default, says) in sorted(rows.items())
    ]


def _shown(value: Any) -> str:
    if isinstance(value, (tuple, frozenset)) and not value:
        return "[]"
    return f"{value:_}" if type(value) is int else repr(value)
