"""The settings of a process, read once from its environment (or from Django's settings)."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PREFIX = "SERVERLESS_TASKS_"
# Set in a process that works for a stack: a worker has the stack's settings in its environment, while Django's settings
# are those of a site, which may use another stack.
OF_A_STACK = f"{PREFIX}OF_A_STACK"
# What a build may be called, as `infra/lambda/artefact.py` has it. Of a commit's whole id the beginning will do.
_BUILD = re.compile(r"[\w.-]{1,24}|[0-9a-f]{40}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHORT_COMMIT = 12
# Setting -> the output of template.yaml that holds it, and that any stack of ours has.
_FIRST_OUTPUTS = {
    "TABLE": "TableName",
    "QUEUE_URLS": "QueueUrls",
    "BUCKET": "PayloadBucketName",
    "INVOKE_FUNCTION": "InvokeFunctionName",
    "DEAD_LETTER_QUEUE_URL": "DeadLetterQueueUrl",
    "SCHEDULE_GROUP": "ScheduleGroupName",
    "SCHEDULER_ROLE": "SchedulerRoleArn",
}
# The same, with those that a stack of a version before does not have.
_OUTPUTS = {
    **_FIRST_OUTPUTS,
    "LOG_GROUP": "WorkerLogGroupName",
    "PAUSES": "TaskPauses",
    "TOKEN_SECRET": "TokenSecretArn",
    "BROWSER_STATUS_URL": "BrowserStatusUrl",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of a process; each field is the environment variable ``SERVERLESS_TASKS_<NAME>``.

    Attributes:
        modules: modules whose tasks are registered.
        table: the DynamoDB table.
        queue_urls: queue name -> URL.
        dead_letter_queue_url: where undecodable messages go.
        bucket: the S3 bucket of payloads that are too large for a message or an item.
        invoke_function: the Lambda function of direct invokes.
        schedule_group: EventBridge Scheduler's group.
        scheduler_role: the role with which the scheduler sends.
        log_group: the CloudWatch log group of the workers.
        pauses: whether workers look at what is paused: one read of the table in ten seconds for each process.
        compress_inputs: whether inputs past 1 kB are stored compressed, where that costs less; None: as soon as
            the workers of all builds that may still run read it.
        immediate_waits: whether the backend ``immediate`` waits between the attempts of a job, as others do.
        statistics: whether a worker counts what it does, and failures by their kind.
        on_new_error: the dotted name of what is called with each kind of failure that is new, a `NewError`.
        error_topic: the ARN of an SNS topic to which each new kind of failure is published.
        traces: whether spans of OpenTelemetry are made; None for where something in the process has set it up.
        prices: prices in place of the list's, for what tells costs: a file of them, JSON, or the prices themselves.
        build: the id of the code that this process runs, or ""; in Lambda the artefact has it.
        token_keys: the keys of tokens, newest first: the first signs, all are accepted.
        token_secret: the secret in Secrets Manager that holds the stack's token key, where no keys are given.
        browser_status_url: where browsers that carry a token ask for jobs, or "".
    """

    modules: tuple[str, ...] = ()
    table: str = ""
    queue_urls: Mapping[str, str] = field(default_factory=dict)
    dead_letter_queue_url: str = ""
    bucket: str = ""
    invoke_function: str = ""
    schedule_group: str = ""
    scheduler_role: str = ""
    log_group: str = ""
    pauses: bool = False
    compress_inputs: bool | None = None
    immediate_waits: bool = False
    statistics: bool = False
    on_new_error: str = ""
    error_topic: str = ""
    traces: bool | None = None
    prices: str | Mapping[str, Any] = ""
    build: str = ""
    token_keys: tuple[str, ...] = field(default=(), repr=False)
    token_secret: str = ""
    browser_status_url: str = ""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Config:
        """The settings in environment variables.

        Raises:
            ConfigurationError: naming the variable that cannot be read.
        """
        return cls().merged(
            {name: environ[PREFIX + name] for name in setting_names() if PREFIX + name in environ}
        )

    def kept_by_a_stack(self, environ: Mapping[str, str] = os.environ) -> Config:
        """These settings, with those of the stack that this process works for in their place, if it does for one.

        Raises:
            ConfigurationError: naming the variable that cannot be read.
        """
        if OF_A_STACK not in environ:
            return self
        return self.merged({name: environ[PREFIX + name] for name in _OUTPUTS if environ.get(PREFIX + name)})

    @classmethod
    def from_outputs(cls, stack: str, outputs: Mapping[str, str]) -> Config:
        """The settings in the outputs of a deployed stack.

        Args:
            stack: the stack's name, for the error.
            outputs: its outputs, by key.

        Raises:
            ConfigurationError: an output is missing: the stack is not one of ours.
        """
        missing = [output for output in _FIRST_OUTPUTS.values() if output not in outputs]
        if missing:
            raise ConfigurationError(
                f"The stack {stack!r} has no output {missing[0]}; name a stack that was deployed from template.yaml."
            )
        return cls().merged({name: outputs[output] for name, output in _OUTPUTS.items() if output in outputs})

    @staticmethod
    def environment_of(outputs: Mapping[str, str]) -> dict[str, str]:
        """Return the variables of an environment that hold the settings in a stack's outputs."""
        return {PREFIX + name: outputs[output] for name, output in _OUTPUTS.items() if outputs.get(output)}

    def merged(self, settings: Mapping[str, Any], *, besides: Sequence[str] = ()) -> Config:
        """These settings with others in their place.

        Args:
            settings: upper-case names without the prefix -> values, as in Django's ``SERVERLESS_TASKS``.
            besides: names that may be among them and are read elsewhere.

        Raises:
            ConfigurationError: naming the setting that is unknown or cannot be read.
        """
        known = [*besides, *setting_names()]
        unknown = sorted(set(settings) - set(known), key=str)
        if unknown:
            raise ConfigurationError(
                f"SERVERLESS_TASKS has no setting {unknown[0]!r}; the settings are {', '.join(known)}."
            )
        readers: dict[str, Callable[[str, Any], Any]] = dict.fromkeys(setting_names(), _text)
        readers |= {
            "MODULES": _modules,
            "QUEUE_URLS": _queue_urls,
            "IMMEDIATE_WAITS": _flag,
            "STATISTICS": _flag,
            "PAUSES": _flag,
            "COMPRESS_INPUTS": _flag_or_none,
            "TRACES": _traces,
            "PRICES": _prices,
            "BUILD": _build,
            "TOKEN_KEYS": _token_keys,
        }
        given = {name: value for name, value in settings.items() if name not in besides}
        return replace(self, **{name.lower(): readers[name](name, value) for name, value in given.items()})

    @property
    def traced(self) -> bool:
        """True if spans are made: as the setting says, else where something has set up OpenTelemetry in this process.

        It is looked for among what is imported already, so that a process that does not trace imports nothing. That it
        is imported is not enough: libraries (Google's clients among them) do so on their own.
        """
        if self.traces is not None:
            return self.traces
        trace: Any = sys.modules.get("opentelemetry.trace")
        return trace is not None and not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)

    def require(self, name: str) -> Any:
        """The value of a setting that is needed now.

        Args:
            name: the field's name.

        Raises:
            ConfigurationError: it is not set.
        """
        value = getattr(self, name)
        if not value:
            raise ConfigurationError(
                f"{PREFIX}{name.upper()} is not set; set it as an environment variable, or under Django as"
                f" SERVERLESS_TASKS[{name.upper()!r}]. The stack's outputs hold the value. On the command line,"
                " `--env default` takes the stack that samconfig.toml deploys; `python manage.py serverless_tasks`, in"
                " place of `serverless-tasks`, the site's settings."
            )
        return value

    def queue_url(self, queue: str) -> str:
        """The URL of a queue.

        Raises:
            ConfigurationError: the queue has none.
        """
        urls = self.require("queue_urls")
        try:
            return str(urls[queue])
        except KeyError:
            raise ConfigurationError(
                f"SERVERLESS_TASKS_QUEUE_URLS has no queue {queue!r}; it has {sorted(urls)}."
            ) from None


def setting_names() -> list[str]:
    """The settings' names, upper case, without the prefix."""
    return [setting.name.upper() for setting in fields(Config)]


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(f"{PREFIX}{name} is {value!r}; expected a string.")
    return value.strip()


def _flag(name: str, value: Any) -> bool:
    flags = {"true": True, "1": True, "false": False, "0": False, "": False}
    text = str(value).strip().lower()
    if not isinstance(value, (bool, str)) or text not in flags:
        raise ConfigurationError(f"{PREFIX}{name} is {value!r}; give true or false.")
    return flags[text]


def _prices(name: str, value: Any) -> str | Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    if not isinstance(value, str):
        raise ConfigurationError(
            f"{PREFIX}{name} is {value!r}; expected prices, such as {{'sqs_requests': 0.4}}, or a file of them."
        )
    return value.strip()


def _build(name: str, value: Any) -> str:
    text = _text(name, value)
    if text and not _BUILD.fullmatch(text):
        raise ConfigurationError(
            f"{PREFIX}{name} is {value!r}; expected a commit's id, or up to 24 letters, digits, and . _ - of a release."
        )
    return text[:_SHORT_COMMIT] if _COMMIT.fullmatch(text) else text


def _flag_or_none(name: str, value: Any) -> bool | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return _flag(name, value)


def _traces(name: str, value: Any) -> bool | None:
    traces = _flag_or_none(name, value)
    if traces:
        from importlib import import_module

        try:
            import_module("opentelemetry.trace")
        except ImportError as error:
            raise ConfigurationError(
                f"{PREFIX}{name} is {value!r}, and opentelemetry-api cannot be imported ({error}); "
                "install serverless-tasks[otel], or leave the setting out."
            ) from error
    return traces


def _token_keys(name: str, value: Any) -> tuple[str, ...]:
    keys = value.split(",") if isinstance(value, str) else value
    if not isinstance(keys, (list, tuple)) or not all(isinstance(key, str) for key in keys):
        # The value is left out: it is a secret.
        raise ConfigurationError(
            f"{PREFIX}{name} is no list; give keys of 32 characters or more, newest first."
        )
    return tuple(key.strip() for key in keys if key.strip())


def _modules(name: str, value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, str) for part in parts):
        raise ConfigurationError(
            f"{PREFIX}{name} is {value!r}; expected dotted module names, separated by commas."
        )
    return tuple(part.strip() for part in parts if part.strip())


def _queue_urls(name: str, value: Any) -> dict[str, str]:
    if isinstance(value, str) and value.strip().startswith(("http://", "https://")):
        return {"default": value.strip()}
    try:
        urls = json.loads(value) if isinstance(value, str) else dict(value)
    except (ValueError, TypeError):
        urls = None
    if not isinstance(urls, dict) or not all(isinstance(url, str) for url in urls.values()):
        raise ConfigurationError(
            f'{PREFIX}{name} is {value!r}; expected JSON such as {{"default": "https://sqs..."}}, or one bare URL.'
        )
    return urls
