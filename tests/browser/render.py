"""Print one of the app's pages, rendered by Django with the context that comes as JSON on standard input.

Run as a program of its own (``python -m tests.browser.render view.html en LOCALES...``), so that its settings are
nobody else's. LOCALES are folders with further translations.
"""

import json
import sys
from pathlib import Path

import django
from django.conf import settings
from django.template.loader import render_to_string

APP = Path(__file__).resolve().parents[2] / "django_integration"


def main(page: str, language: str, locales: list[str]) -> None:
    # Grouped digits and decimal commas must not reach the page's attributes.
    settings.configure(
        INSTALLED_APPS=[],
        STATIC_URL="/static/",
        LANGUAGE_CODE=language,
        LOCALE_PATHS=[*locales, APP / "locale"],
        TIME_ZONE="UTC",
        USE_I18N=True,
        USE_THOUSAND_SEPARATOR=True,
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "DIRS": [APP / "templates"],
                "OPTIONS": {"libraries": {"job_pages": "django_integration.templatetags.job_pages"}},
            }
        ],
    )
    django.setup()
    sys.stdout.write(render_to_string(f"serverless_tasks/{page}", json.load(sys.stdin)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
