"""The options of a submission."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from serverless_tasks.engine.job.encoding import is_json
from serverless_tasks.engine.job.job_id import uuid_in
from serverless_tasks.engine.job.options import JobOptions, option, rules_of
from serverless_tasks.errors import UnknownOption

if TYPE_CHECKING:
    from collections.abc import Mapping

# A hundred years, in seconds; what is further away than that has no date before long.
LONGEST_DELAY = 3_155_760_000
# How long an idempotency key is remembered, in seconds, and the longest: a job is kept for a little longer than that.
KEY_TTL = 86_400
LONGEST_KEY = 200
LONGEST_KEY_TTL = 25 * 86_400


def _seconds(delay: float | timedelta) -> float:
    return delay.total_seconds() if isinstance(delay, timedelta) else delay


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(JobOptions):
    """The options of a submission: those that travel with the job (`JobOptions`), and those of submitting it.

    Attributes:
        owner: who may see the job; its listing is theirs.
        queue: the queue; else the task's, else its priority decides.
        priority: above 0 means queue ``high``, below 0 ``low``.
        delay: seconds to hold the job back.
        run_at: when to run it, in place of a delay; what is past is run at once.
        uuid: the job's id, to submit again what may have been sent already.
        idempotency_key: gives back the first job that was submitted with it, for the same owner, task and inputs.
        idempotency_ttl: how long the key is remembered, in seconds.
        unique: whether one job of the same task and inputs may live at a time; else as the task says.
        on_commit: inside a database transaction, publish on commit (default) instead of at once.
    """

    owner: str | None = option(
        None,
        "a string of 1 to 200 characters",
        fits=lambda value: 0 < len(value) <= 200 and is_json(value),
        help="The owner; only they can see the job.",
    )
    queue: str | None = option(
        None,
        "a queue's name",
        fits=lambda value: bool(value) and is_json(value),
        help="The queue, instead of the task's own.",
    )
    priority: int | None = option(
        None, "a whole number", int, help="Above 0: queue high; below 0: queue low."
    )
    delay: int = option(
        0,
        f"seconds from 0 to {LONGEST_DELAY} (a hundred years), or a timedelta",
        int,
        float,
        timedelta,
        fits=lambda value: 0 <= _seconds(value) <= LONGEST_DELAY,
        convert=lambda value: math.ceil(_seconds(value)),
        help="Seconds to delay the job.",
    )
    run_at: datetime | None = option(
        None,
        "a datetime with a time zone, before the year 3000",
        datetime,
        fits=lambda value: value.utcoffset() is not None and value.year < 3000,
        help="When to run the job, in ISO 8601 with an offset or Z; instead of --delay.",
        flag="--at",
        metavar="TIME",
    )
    uuid: str | None = option(
        None,
        "a UUID",
        str,
        UUID,
        fits=lambda value: uuid_in(value) is not None,
        convert=uuid_in,
        help="The id, to submit again what may have been sent.",
    )
    idempotency_key: str | None = option(
        None,
        f"1 to {LONGEST_KEY} printable characters",
        fits=lambda value: 0 < len(value) <= LONGEST_KEY and value.isprintable(),
        help="Return the first job submitted with this key, if any.",
        metavar="KEY",
    )
    idempotency_ttl: int = option(
        KEY_TTL,
        f"whole seconds from 1 to {LONGEST_KEY_TTL}",
        int,
        fits=lambda value: 1 <= value <= LONGEST_KEY_TTL,
        help="How long the key is remembered, in seconds.",
    )
    unique: bool | None = option(
        None,
        "True or False",
        bool,
        help="Allow only one live job for the same task and inputs.",
        flag="--unique/--not-unique",
    )
    on_commit: bool = option(True, "True or False", bool)

    def __repr__(self) -> str:
        given = [each.name for each in fields(self) if getattr(self, each.name) != each.default]
        return f"Options({', '.join(f'{name}={getattr(self, name)!r}' for name in given)})"

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Options:
        """Options from keyword arguments; None is as not given.

        Raises:
            UnknownOption: a name is not an option, or a value does not fit it.
        """
        kept: dict[str, Any] = {}
        for name, value in given.items():
            if name not in RULES:
                raise UnknownOption(f"{name!r} is not an option; the options are {', '.join(RULES)}.")
            if value is None:
                continue
            rule = RULES[name]
            if not rule.accepts(value):
                raise UnknownOption(f"Option {name} is {value!r}; expected {rule.expected}.")
            kept[name] = value if rule.convert is None else rule.convert(value)
        if "delay" in kept and "run_at" in kept:
            raise UnknownOption(
                f"Options delay ({given['delay']!r}) and run_at ({given['run_at']!r}) say the same thing twice;"
                " give one."
            )
        return cls(**kept)

    @classmethod
    def again(cls, job: JobOptions, **changed: Any) -> Options:
        """The options of a job that is submitted once more: those that travelled with it, and others."""
        return cls(**{name: getattr(job, name) for name in _TRAVELLING} | changed)

    def to_json(self) -> dict[str, Any]:
        """Return those that are not the default, without the job's id, as JSON."""
        plain = Options()
        given = {name: value for name in RULES if (value := getattr(self, name)) != getattr(plain, name)}
        given.pop("uuid", None)
        return given | ({} if self.run_at is None else {"run_at": self.run_at.isoformat()})

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Options:
        """Return the options that `to_json` gave.

        Raises:
            UnknownOption: see `parse`.
        """
        run_at = given.get("run_at")
        return cls.parse({**given, "run_at": None if run_at is None else datetime.fromisoformat(run_at)})

    @property
    def travelling(self) -> JobOptions:
        """Those that travel with the job."""
        return _job_options(*_travelling_of(self))


RULES: Final = rules_of(Options)
_TRAVELLING: Final = tuple(each.name for each in fields(JobOptions))
_travelling_of: Final = attrgetter(*_TRAVELLING)


@lru_cache(maxsize=64)
def _job_options(*values: Any) -> JobOptions:
    return JobOptions(**dict(zip(_TRAVELLING, values, strict=True)))
