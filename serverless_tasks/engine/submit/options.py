"""The options of a submission."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from serverless_tasks.engine.job.encoding import is_json
from serverless_tasks.errors import UnknownOption

# A hundred years, in seconds; what is further away than that has no date before long.
LONGEST_DELAY = 3_155_760_000
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html, MessageGroupId
# How long an idempotency key is remembered, in seconds, and the longest: a job is kept for a little longer than that.
KEY_TTL = 86_400
LONGEST_KEY = 200
LONGEST_KEY_TTL = 25 * 86_400
_TENANT = re.compile(r"[!-~]{1,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of a submission.

    Attributes:
        owner: who may see the job; its listing is theirs.
        queue: the queue; else the task's, else its priority decides.
        priority: above 0 means queue ``high``, below 0 ``low``.
        delay: seconds to hold the job back.
        run_at: when to run it, in place of a delay; what is past is run at once.
        tenant: its share of a fair queue (SQS message group).
        uuid: the job's id, to submit again what may have been sent already.
        idempotency_key: gives back the first job that was submitted with it, for the same owner, task and inputs.
        idempotency_ttl: how long the key is remembered, in seconds.
        unique: whether one job of the same task and inputs may live at a time; else as the task says.
        track: whether the job can be looked at, listed and submitted again from its submission on. Otherwise it is
            published with its message alone, and nothing is kept of it before a worker begins it.
        on_commit: inside a database transaction, publish on commit (default) instead of at once.
    """

    owner: str | None = None
    queue: str | None = None
    priority: int | None = None
    delay: int = 0
    run_at: datetime | None = None
    tenant: str | None = None
    uuid: str | None = None
    idempotency_key: str | None = None
    idempotency_ttl: int = KEY_TTL
    unique: bool | None = None
    track: bool = True
    on_commit: bool = True

    @classmethod
    def parse(cls, given: dict[str, Any]) -> Options:
        """Options from keyword arguments.

        Raises:
            UnknownOption: a name is not an option, or a value does not fit it.
        """
        names = [option.name for option in fields(cls)]
        unknown = sorted(set(given) - set(names))
        if unknown:
            raise UnknownOption(f"{unknown[0]!r} is not an option; the options are {', '.join(names)}.")
        given = dict(given)
        if isinstance(given.get("delay"), timedelta):
            given["delay"] = given["delay"].total_seconds()
        _check_time(given)
        _check(
            "tenant", given, lambda value: bool(_TENANT.fullmatch(value)), "1 to 128 visible ASCII characters"
        )
        _check(
            "owner",
            given,
            lambda value: 0 < len(value) <= 200 and is_json(value),
            "a text of 1 to 200 characters",
        )
        _check("queue", given, bool, "a queue's name")
        _check("priority", given, lambda _: True, "a whole number", int)
        _check("idempotency_key", given, _is_key, f"1 to {LONGEST_KEY} printable characters")
        _check(
            "idempotency_ttl",
            given,
            lambda value: 1 <= value <= LONGEST_KEY_TTL,
            f"whole seconds from 1 to {LONGEST_KEY_TTL}",
            int,
        )
        _check("unique", given, lambda _: True, "True or False", bool)
        _check("track", given, lambda _: True, "True or False", bool)
        _check("on_commit", given, lambda _: True, "True or False", bool)
        _check("uuid", given, _is_uuid, "a UUID", (str, UUID))
        tidy = {name: value for name, value in given.items() if value is not None}
        if "uuid" in tidy:
            tidy["uuid"] = str(UUID(str(tidy["uuid"])))
        if "delay" in tidy:
            tidy["delay"] = math.ceil(tidy["delay"])
        return cls(**tidy)


def _is_key(text: str) -> bool:
    """Return whether a text can be an idempotency key."""
    return 0 < len(text) <= LONGEST_KEY and text.isprintable()


def _check(name: str, given: dict[str, Any], fits: Any, wanted: str, kinds: Any = str) -> None:
    value = given.get(name)
    if value is None:
        return
    misplaced = isinstance(value, bool) and kinds is not bool
    if misplaced or not isinstance(value, kinds) or not fits(value):
        raise UnknownOption(f"Option {name} is {value!r}; give {wanted}.")


def _check_time(given: dict[str, Any]) -> None:
    _check(
        "delay",
        given,
        lambda value: 0 <= value <= LONGEST_DELAY,
        f"seconds from 0 to {LONGEST_DELAY} (a hundred years), or a timedelta",
        (int, float),
    )
    _check("run_at", given, _is_moment, "a datetime with a time zone, before the year 3000", datetime)
    if given.get("delay") is not None and given.get("run_at") is not None:
        raise UnknownOption(
            f"Options delay ({given['delay']!r}) and run_at ({given['run_at']!r}) say the same thing twice; give one."
        )


def _is_moment(value: datetime) -> bool:
    return value.utcoffset() is not None and value.year < 3000


def _is_uuid(value: str | UUID) -> bool:
    try:
        UUID(str(value))
    except ValueError:
        return False
    return True
