"""Secrets that a process's environment refers to, read once and put into it.

A variable ``SERVERLESS_TASKS_SECRET_<NAME>`` has a reference, and ``SERVERLESS_TASKS_SECRETS`` a list of
``NAME=reference``. A reference is the ARN of a secret in Secrets Manager, with ``:key`` behind it for one value of its
JSON, or the name or ARN of a parameter in SSM's Parameter Store. The settings and tasks find the value in ``NAME``.
"""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.errors import ConfigurationError, SecretUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LIST: Final = "SERVERLESS_TASKS_SECRETS"
EACH: Final = "SERVERLESS_TASKS_SECRET_"
MAX_AGE: Final = "SERVERLESS_TASKS_SECRETS_MAX_AGE"
# Secrets that are read at one time, at most.
_TOGETHER = 8
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_iam-permissions.html
_SECRET = re.compile(
    r"(?P<id>arn:[\w-]+:secretsmanager:[\w-]+:\d{12}:secret:[\w/+=.@-]+)(?::(?P<key>[^:]+))?"
)
# https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html
_PARAMETER = re.compile(r"arn:[\w-]+:ssm:[\w-]+:\d{12}:parameter/[\w/.-]+|[\w/.-]+")


@dataclass(frozen=True, slots=True)
class Reference:
    """A variable, and where its value is.

    Attributes:
        name: the variable.
        text: the reference as it was given.
        service: ``secretsmanager`` or ``ssm``.
        id: the ARN of the secret, or the name or ARN of the parameter.
        key: the key in the secret's JSON; None for all of it.
    """

    name: str
    text: str
    service: str
    id: str
    key: str | None = None

    @classmethod
    def read(cls, name: str, text: str) -> Reference:
        """Read a reference.

        Args:
            name: the variable that it is for.
            text: the reference.

        Raises:
            ConfigurationError: it is none.
        """
        if not _VARIABLE.fullmatch(name) or name.startswith(("AWS_", "SERVERLESS_TASKS_")):
            raise ConfigurationError(
                f"A secret cannot be given to the variable {name!r}: use letters, digits and _, and none of AWS's or of"
                " ours."
            )
        if found := _SECRET.fullmatch(text):
            return cls(name, text, "secretsmanager", found["id"], found["key"])
        if _PARAMETER.fullmatch(text):
            return cls(name, text, "ssm", text)
        # The text is left out: it may be the secret itself.
        raise ConfigurationError(
            f"What refers to the secret {name} is no reference: give the ARN of a secret, with :key behind it for one"
            " value of its JSON, or the name or ARN of an SSM parameter."
        )


@dataclass(slots=True)
class _Read:
    """What this process has read, once: when, in seconds since the epoch."""

    at: float | None = None


_read = _Read()


def listed(text: str) -> dict[str, str]:
    """Return the references of a list, by the name of their variable.

    Args:
        text: ``NAME=reference``, comma separated.

    Raises:
        ConfigurationError: an item is no such pair.
    """
    found: dict[str, str] = {}
    for place, item in enumerate(filter(None, map(str.strip, text.split(","))), 1):
        name, equals, reference = item.partition("=")
        if not equals:
            raise ConfigurationError(
                f"Item {place} of {LIST} has no name; expected NAME=reference, comma separated."
            )
        found[name.strip()] = reference.strip()
    return found


def references(environ: Mapping[str, str]) -> list[Reference]:
    """Return what an environment refers to; a variable of its own overrides the list.

    Raises:
        ConfigurationError: one cannot be read.
    """
    found = listed(environ.get(LIST, ""))
    found |= {name.removeprefix(EACH): text for name, text in environ.items() if name.startswith(EACH)}
    return [Reference.read(name, text) for name, text in sorted(found.items())]


def put_secrets() -> None:
    """Put the values of all secrets into this process's environment, the first time.

    Raises:
        ConfigurationError: a reference is none, or Powertools is not installed.
        SecretUnavailable: a value cannot be read.
    """
    if _read.at is not None:
        return
    wanted = references(os.environ)
    if not wanted:
        return
    max_age()  # which has to be a number as well
    values = resolve(wanted)
    for name, value in values.items():
        try:
            os.environ[name] = value
        except ValueError:  # whose text has the value
            raise SecretUnavailable(name, "it has a null byte, which no variable can hold") from None
    _read.at = time.time()


def resolve(wanted: Iterable[Reference]) -> dict[str, str]:
    """Read secrets beside each other, each of them once; return the values by the variables' names.

    Raises:
        ConfigurationError: Powertools is not installed.
        SecretUnavailable: a value cannot be read, or is no text.
    """
    from concurrent.futures import ThreadPoolExecutor

    wanted = list(wanted)
    providers = _providers({each.service for each in wanted})
    first = {(each.service, each.id): each for each in reversed(wanted)}
    with ThreadPoolExecutor(min(_TOGETHER, len(first))) as pool:
        fetched = pool.map(lambda each: _fetch(providers[each.service], each), first.values())
        texts = dict(zip(first, fetched, strict=True))
    return {each.name: _value(each, texts[each.service, each.id]) for each in wanted}


def max_age() -> float | None:
    """Return how long a process may use what it has read, in seconds; None for ever.

    Raises:
        ConfigurationError: the variable is no number of seconds.
    """
    text = os.environ.get(MAX_AGE, "").strip() or "0"
    if not text.isdecimal():
        raise ConfigurationError(f"{MAX_AGE} is {text!r}; expected a number of seconds, or 0.")
    return float(text) or None


def seconds_left() -> float | None:
    """Return for how many seconds this process may go on with the secrets that it has read; None for ever."""
    age = max_age() if _read.at is not None else None
    return None if age is None or _read.at is None else _read.at + age - time.time()


def _providers(services: set[str]) -> dict[str, Any]:
    try:
        from aws_lambda_powertools.utilities.parameters import SecretsProvider, SSMProvider
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"Secrets need the package {error.name}: install serverless-tasks[lambda]."
        ) from error
    from serverless_tasks.engine.aws.session import client

    kinds = {"secretsmanager": SecretsProvider, "ssm": SSMProvider}
    return {service: kinds[service](boto3_client=client(service)) for service in services}


def _fetch(provider: Any, reference: Reference) -> str:
    options = {"decrypt": True} if reference.service == "ssm" else {}
    try:
        text = provider.get(reference.id, **options)
    except Exception as error:  # noqa: BLE001 - Powertools has an error of its own for whatever AWS answers
        raise SecretUnavailable(reference.name, f"{reference.text}: {error}") from None
    if not isinstance(text, str):
        raise SecretUnavailable(reference.name, f"{reference.text} is binary, and a variable holds text")
    return text


def _value(reference: Reference, text: str) -> str:
    """The part of a secret that is asked for. No error has any of it."""
    if reference.key is None:
        return text
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise SecretUnavailable(
            reference.name, f"{reference.id} is no JSON object, and has no key {reference.key!r}"
        )
    if reference.key not in values:
        raise SecretUnavailable(reference.name, f"the JSON of {reference.id} has no key {reference.key!r}")
    value = values[reference.key]
    return value if isinstance(value, str) else json.dumps(value)
