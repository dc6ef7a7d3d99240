"""What Django's autodiscovery loads of the admin."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# A process that imports no URLs, as a worker with the site's settings.
WORKER = """
import sys
import django
from django.conf import settings

names = ("admin", "auth", "contenttypes", "messages", "sessions")
settings.configure(INSTALLED_APPS=[*(f"django.contrib.{name}" for name in names), "django_integration"])
django.setup()
print(*sorted(name for name in sys.modules if name.startswith("django_integration.admin.")))
"""


def test_a_process_without_urls_loads_no_page() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WORKER], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["django_integration.admin.job_admin", "django_integration.admin.views"]
