"""The child processes that run the user's code, and the site among them."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from serverless_tasks.engine.config import OF_A_STACK
from serverless_tasks.errors import ConfigurationError
from serverless_tasks.local.environment import process_environment
from serverless_tasks.local.processes.process import ChildProcess
from serverless_tasks.local.secrets import local_secrets
from serverless_tasks.project.tasks import settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from serverless_tasks.local.aws.stack import LocalStack
    from serverless_tasks.local.processes.child import Work

_STOP_MARGIN = 5.0


@dataclass(frozen=True, slots=True)
class Site:
    """A Django site to run beside the workers.

    Args:
        manage: its ``manage.py``.
        address: ``host:port`` for ``runserver``.
    """

    manage: Path = Path("manage.py")
    address: str = "127.0.0.1:8000"

    @property
    def directory(self) -> Path:
        """The directory of ``manage.py``, from which the site's code is importable."""
        return self.manage.resolve().parent

    @property
    def host_and_port(self) -> tuple[str, int]:
        """The address in two.

        Raises:
            ConfigurationError: it has no port, or one past 65535.
        """
        host, _, port = self.address.rpartition(":")
        if not (port.isdecimal() and 0 < int(port) < 65536):
            raise ConfigurationError(
                f"Address {self.address!r} has no port from 1 to 65535; expected one such as 127.0.0.1:8000."
            )
        return host.strip("[]") or "127.0.0.1", int(port)

    def check(self) -> None:
        """See that the site can be started.

        Raises:
            ConfigurationError: there is no such ``manage.py``, or somebody else listens at the address.
        """
        if not self.manage.is_file():
            raise ConfigurationError(
                f"{self.manage} does not exist: pass the path of the site's manage.py, or run without the site."
            )
        if accepts(self.host_and_port):
            raise ConfigurationError(
                f"Another server listens on {self.address}: stop it, or pass another --address for the site."
            )

    @property
    def settings(self) -> str | None:
        """The settings module that ``manage.py`` names, None when it names none."""
        return settings_of(self.manage)


class Code:
    """The child processes that run the user's code.

    Args:
        environment: of all of them.
        work: for the process with the handlers.
        site: the Django site, if there is one.
        grace: seconds for handlers to finish.
        say: where to tell what is going on.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        work: Work,
        site: Site | None,
        *,
        grace: float,
        say: Callable[[str], None],
    ) -> None:
        self._environment = environment
        self._work = work
        self._site = site
        self._grace = grace
        self._say = say
        self._children: dict[str, ChildProcess] = {}
        self._ended: set[str] = set()
        self._told_up = False

    @property
    def up(self) -> bool:
        """True if the workers poll and the site answers."""
        ports = [("127.0.0.1", self._work.port), *([self._site.host_and_port] if self._site else [])]
        return all(child.exit_code is None for child in self._children.values()) and all(map(accepts, ports))

    def start(self) -> None:
        """Start the workers and the site."""
        self._ended.clear()
        self._told_up = False
        self._start_workers()
        if self._site:
            self._children["site"] = ChildProcess(
                "serverless_tasks.local.processes.manage",
                [str(self._site.manage.resolve()), "runserver", "--noreload", self._site.address],
                environment=self._environment,
                directory=self._site.directory,
            )

    def _start_workers(self) -> None:
        self._children["workers"] = ChildProcess(
            "serverless_tasks.local.processes.child",
            environment=self._environment,
            directory=Path.cwd(),
            first_line=self._work.to_line(),
        )

    def stop(self) -> None:
        """Stop them all: the site first, so that nothing more is submitted. Interrupted, give no more grace."""
        grace = self._grace
        for name in ("site", "workers"):
            child = self._children.pop(name, None)
            if child is None:
                continue
            try:
                child.stop(grace + _STOP_MARGIN)
            except KeyboardInterrupt:
                grace = 0.0
                child.stop(_STOP_MARGIN)

    def look_after(self, changed: Sequence[str]) -> None:
        """Start anew when files were saved, and the workers when a task has killed them; tell when all is up, and
        when a process has ended by itself.
        """
        if changed:
            self._say(f"{', '.join(changed)} changed: reloading.")
            self.stop()
            self.start()
        for name, child in self._children.items():
            if child.exit_code is not None and name not in self._ended:
                self._ended.add(name)
                self._say(f"The process of the {name} ended with code {child.exit_code}; see above.")
        self._replace_lost_workers()
        if not self._told_up and self.up:
            self._told_up = True
            self._say("Ready.")

    def _replace_lost_workers(self) -> None:
        """Start workers anew that were up and have ended. Code that does not even start waits for a change."""
        if "workers" in self._ended and self._told_up:
            self._ended.discard("workers")
            self._told_up = False
            self._say("Restarting the workers.")
            self._children["workers"].stop(_STOP_MARGIN)
            self._start_workers()


def accepts(address: tuple[str, int]) -> bool:
    """Return whether a server listens at an address."""
    try:
        socket.create_connection(address, timeout=1).close()
    except OSError:
        return False
    return True


def code_environment(stack: LocalStack, site: Site | None, say: Callable[[str], None]) -> dict[str, str]:
    """The children's environment: the working directory and the site's are importable."""
    environment = process_environment(local_secrets(stack.environment, stack.endpoint, say))
    directories = [str(Path.cwd()), *([str(site.directory)] if site else [])]
    environment["PYTHONPATH"] = ":".join(filter(None, [*directories, environment.get("PYTHONPATH")]))
    # Django's settings may name a stack that is deployed.
    environment[OF_A_STACK] = "true"
    # CloudWatch metrics, one line per task, are of no use locally.
    environment.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    if site and site.settings:
        environment.setdefault("DJANGO_SETTINGS_MODULE", site.settings)
    return environment
