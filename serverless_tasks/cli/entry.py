"""The way into the command line, with a clear word where its packages are missing."""

from __future__ import annotations

import sys

from serverless_tasks.cli.exit_codes import Exit

_EXTRA = ("typer", "rich")


def main() -> None:
    """Run the command line of this process; ends it with one of `Exit`'s codes."""
    try:
        import rich  # noqa: F401 - the commands import it when they draw

        from serverless_tasks.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        sys.stderr.write(
            f"The command line needs the package {error.name}: install it with `pip install 'serverless-tasks[cli]'`.\n"
        )
        sys.exit(Exit.USAGE)
    app(prog_name="serverless-tasks")
