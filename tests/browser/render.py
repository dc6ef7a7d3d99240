"""Print one of the app's pages, rendered by Django with the context that comes as JSON on standard input.

Run as a program of its own (``python -m tests.browser.render view.html``), so that its settings are nobody else's.
"""

import json
import sys

import django
from django.conf import settings
from django.template.loader import render_to_string


def main(page: str) -> None:
    # Grouped digits and decimal commas must not reach the page's attributes.
    settings.configure(
        INSTALLED_APPS=[],
        STATIC_URL="/static/",
        LANGUAGE_CODE="de",
        USE_I18N=True,
        USE_THOUSAND_SEPARATOR=True,
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "DIRS": ["django_integration/templates"],
            }
        ],
    )
    django.setup()
    sys.stdout.write(render_to_string(f"serverless_tasks/{page}", json.load(sys.stdin)))


if __name__ == "__main__":
    main(sys.argv[1])
