"""``manage.py serverless_tasks ...``: the command line, with this project's settings."""

from __future__ import annotations

import sys
from argparse import REMAINDER
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    """Hands its words over to ``serverless-tasks`` as they are."""

    help = (
        "Run the command line of Serverless Tasks: list, submit, status, watch, cancel, explain, worker, ..."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Take any words."""
        parser.add_argument("words", nargs=REMAINDER)

    def run_from_argv(self, argv: list[str]) -> None:
        """Run with the words after the command's name; ``--help`` among them is the command line's own."""
        self.handle(words=argv[2:])

    def handle(self, *args: str, **options: Any) -> None:
        """Run the command line, which ends the process.

        Raises:
            CommandError: there is none in this installation.
        """
        try:
            from serverless_tasks.cli import main
        except ModuleNotFoundError as error:
            raise CommandError(f"{error.name} is not installed; install serverless-tasks[cli].") from error
        from serverless_tasks.cli.loading import PROJECT

        token = PROJECT.set(Path(getattr(settings, "BASE_DIR", "")))
        before = sys.argv
        sys.argv = ["serverless-tasks", *options["words"]]
        try:
            main()
        finally:
            sys.argv = before
            PROJECT.reset(token)
