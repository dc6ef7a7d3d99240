"""System checks of what is deployed, for ``check --deploy``: AWS is asked, and the deployment's own file is read."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.conf import settings
from django.core import checks

from django_integration import conf
from serverless_tasks.client.operations.deployment import compare_with_deployed
from serverless_tasks.engine.aws.session import require_region
from serverless_tasks.engine.definition.base import QUEUES
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import AwsError, ConfigurationError
from serverless_tasks.project.samconfig import deployed_parameters
from serverless_tasks.project.worker_time import LONG, deployed_seconds, worker_times_advice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from serverless_tasks.engine.definition.base import BaseTask

# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html: how often a function's timeout a queue hides
# its messages. A function has no less time than its longest task.
TIMES = 6
_DENIED = ("AccessDenied", "AccessDeniedException", "AWS.SimpleQueueService.AccessDenied")
# What a worker without Django imports of a module of tasks, and what comes of it. The path is its parent's.
_IMPORT = """
import importlib, json, sys
sys.path[:0] = json.loads(sys.argv[1])
sys.modules["django"] = None
try:
    importlib.import_module(sys.argv[2])
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""


def register() -> None:
    """Add the checks."""
    checks.register(check_aws, "serverless_tasks", deploy=True)
    checks.register(check_deployment, "serverless_tasks", deploy=True)
    checks.register(check_worker_time, "serverless_tasks", deploy=True)
    checks.register(check_deployed_tasks, "serverless_tasks", deploy=True)


def check_aws(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:
    """Check the table, the queues and their visibility timeouts, and that nothing is paused."""
    try:
        current = conf.current()
        require_region()
        tasks = list(current_services().registry)
    except ConfigurationError:
        return []  # reported by check_configuration, and check_stack of the region
    if not current_services().backend_kind.has_queue or not (
        current.config.table and current.config.queue_urls
    ):
        return []
    messages: list[checks.CheckMessage] = []
    try:
        current_services().store.read(str(uuid4()))
        messages += _paused()
    except (AwsError, ConfigurationError) as error:
        messages.append(_unreachable(f"The table {current.config.table!r}", error))
    # No function runs these: a container's worker hides the message of a task for as long as it runs.
    tasks = [task for task in tasks if task.usual_queue() != LONG]
    for name, url in current.config.queue_urls.items():
        # A priority may bring any task to one of the three; a queue of one's own has those that name it.
        own = [task.timeout for task in tasks if name in QUEUES or task.usual_queue() == name]
        messages += _queue(name, url, max(own, default=0))
    return messages


def check_deployment(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:
    """Check that a deployment without Django has no task that needs it."""
    try:
        conf.current()
        tasks = list(current_services().registry)
    except ConfigurationError:
        return []  # reported by check_configuration
    deployed = Deployment.read()
    if deployed is None or deployed.django_settings:
        return []
    return [*_left_out(deployed, tasks), *_needing_django(deployed)]


def check_deployed_tasks(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:
    """Check that the deployed worker takes the jobs of this site, and this code the jobs that wait."""
    try:
        services = current_services()
        if not services.backend_kind.has_queue or not services.config.table:
            return []
        require_region()
        changes = compare_with_deployed(services)
    except (AwsError, ConfigurationError):
        return []  # reported by check_configuration, check_stack and check_aws
    if changes is None:
        return []
    builds = f" (The deployed build is {changes.deployed!r}.)" if changes.deployed else ""
    return [
        checks.Warning(f"{change.text}{builds}", hint=change.advice, id="serverless_tasks.W024")
        for change in changes.tasks
    ]


def check_worker_time(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:
    """Check that the deployed workers have time for more than one message of a batch."""
    try:
        conf.current()
        tasks = [(task.name, task.timeout, task.usual_queue()) for task in current_services().registry]
    except ConfigurationError:
        return []  # reported by check_configuration
    deployed = Deployment.read()
    if deployed is None or deployed.worker_seconds is None:
        return []
    directory = Path(getattr(settings, "BASE_DIR", "."))
    advices = worker_times_advice(deployed.worker_seconds, tasks, directory)
    return [checks.Warning(said, id="serverless_tasks.W013") for said in advices]


@dataclass(frozen=True, slots=True)
class Deployment:
    """The worker's parameters in ``samconfig.toml``.

    Attributes:
        modules: the modules that it imports.
        django_settings: the settings with which it sets Django up, or "".
        worker_seconds: its timeout, or None where the file has no number.
        parameters: all that the file gives.
    """

    modules: tuple[str, ...]
    django_settings: str
    worker_seconds: float | None
    parameters: Mapping[str, str]

    @classmethod
    def read(cls) -> Deployment | None:
        """The deployment of this project, or None when it has no such file, or one of somebody else's."""
        parameters = deployed_parameters(Path(getattr(settings, "BASE_DIR", ".")))
        if "TaskModules" not in parameters and "DjangoSettingsModule" not in parameters:
            return None
        modules = tuple(filter(None, parameters.get("TaskModules", "").split(",")))
        django_settings = parameters.get("DjangoSettingsModule", "")
        return cls(modules, django_settings, deployed_seconds(parameters), parameters)


def _paused() -> Iterator[checks.CheckMessage]:
    pauses = current_services().pauses
    for pause in [] if pauses is None else pauses.all(fresh=True):
        named = pause.name if pause.kind == "queue" else f"--task {pause.name}"
        hint = f"Resume it with `serverless-tasks resume {named}`, or in the admin."
        yield checks.Warning(pause.sentence, hint=hint, id="serverless_tasks.W015")


def _queue(name: str, url: str, longest: float) -> Iterator[checks.CheckMessage]:
    from serverless_tasks.engine.aws.sqs.receiving import ReceivingQueue

    try:
        visibility = ReceivingQueue(url).attributes().visibility
    except (AwsError, ConfigurationError) as error:
        if isinstance(error, AwsError) and error.code in _DENIED:
            message = f"This role may not read the visibility timeout of the queue {name!r}."
            yield checks.Info(message, hint="Grant sqs:GetQueueAttributes.", id="serverless_tasks.I001")
        else:
            yield _unreachable(f"The queue {name!r}", error)
        return
    if visibility < TIMES * longest:
        message = (
            f"The visibility timeout of the queue {name!r} is {visibility} seconds, less than {TIMES} times the longest"
            f" task's timeout of {longest:g} seconds."
        )
        hint = "Reduce the task's timeout, or deploy with a larger WorkerTimeout: the queues derive theirs from it."
        yield checks.Warning(message, hint=hint, id="serverless_tasks.W008")


def _unreachable(what: str, error: Exception) -> checks.CheckMessage:
    hint = "Check the region, the credentials, and the names in SERVERLESS_TASKS."
    return checks.Error(f"{what} cannot be reached: {error}", hint=hint, id="serverless_tasks.E011")


def _left_out(deployed: Deployment, tasks: Iterable[type[BaseTask]]) -> Iterator[checks.CheckMessage]:
    """Tasks of this project that the worker will not know: no module of its own defines or imports them."""
    own = __name__.partition(".")[0]
    known = Registry()
    for module in deployed.modules:
        if module in sys.modules:
            known.add_defined_in(module)
    unknown = {task.__module__ for task in tasks if task.name not in known}
    for module in sorted(unknown):
        if not any(f"{module}.".startswith(f"{each}.") for each in (*deployed.modules, own)):
            message = f"The worker does not import {module!r}, so it cannot run the tasks that it defines."
            hint = "Deploy with DjangoSettingsModule, or add the module to TaskModules: see samconfig.toml."
            yield checks.Error(message, hint=hint, id="serverless_tasks.E012")


def _needing_django(deployed: Deployment) -> Iterator[checks.CheckMessage]:
    import json

    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    for module in deployed.modules:
        done = subprocess.run(
            [sys.executable, "-c", _IMPORT, json.dumps(sys.path), module],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout.strip() or (done.stderr.strip().rpartition("\n")[2] if done.returncode else "")
        if said:
            message = f"The worker has no Django, and cannot import {module!r} without it: {said}"
            hint = "Deploy with DjangoSettingsModule: see samconfig.toml."
            yield checks.Error(message, hint=hint, id="serverless_tasks.E013")
