"""Django's command line for the example site."""

import os
import sys
from pathlib import Path


def main() -> None:
    """Run a Django command; the checkout's root is importable wherever this is called from."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "examples.website.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
