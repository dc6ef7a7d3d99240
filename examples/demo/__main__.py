"""Starts the local stack, runs real tasks over HTTP and shows their progress and results; `--serve` keeps it up."""

import argparse
import sys

from rich.console import Console

from examples.demo.local import MANAGE, MODULES, ROOT, NotUp, running
from examples.demo.show import Show
from serverless_tasks.errors import ServerlessTasksError
from serverless_tasks.local.dev import run_dev
from serverless_tasks.local.server import free_port


def main() -> int:
    """Run the demo; the exit code is 0 when everything went as it should."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__)
    parser.add_argument("--serve", action="store_true", help="keep the site up for a browser, until Ctrl-C")
    return serve() if parser.parse_args().serve else show()


def show() -> int:
    """Start everything, show the tasks, end everything."""
    console = Console(highlight=False)
    console.print("Starting the local stack: AWS stand-in, worker, Django site.", style="dim")
    try:
        with running() as local:
            return Show(console, local).everything()
    except NotUp as error:
        console.print(str(error), markup=False)
        return 1
    except KeyboardInterrupt:
        return 130


def serve() -> int:
    """Run the stack and the site until Ctrl-C."""
    address = f"127.0.0.1:{free_port(8000)}"
    sys.stdout.write(f"\nThe example's page, once the site is up: http://{address}/\n\n")
    try:
        run_dev(ROOT / "template.yaml", [MODULES], django=True, manage=MANAGE, address=address)
    except ServerlessTasksError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
