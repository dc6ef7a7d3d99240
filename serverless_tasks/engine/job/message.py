"""The message: one job, whole, as it travels through a queue."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.encoding import encode
from serverless_tasks.engine.job.options import NO_OPTIONS, JobOptions
from serverless_tasks.errors import MessageTooNew, MessageUndecodable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serverless_tasks.engine.job.place import Place

VERSION = 2
# Of a job that is no part of a workflow: code of before workflows runs it. It must not run what it would not count.
VERSION_ALONE = 1
# How long a queue keeps a message, in seconds: template.yaml's MessageRetentionPeriod.
RETENTION = 4 * 86_400
# How long a job of the threading or immediate backend may wait for its turn, in seconds: nothing brings it back once
# its process has died, and by then it reads as expired.
IN_PROCESS_RETENTION = 3_600
# The longest that SQS holds a message back, in seconds; EventBridge Scheduler sends what is due later.
MAX_DELAY = 900
# How long EventBridge Scheduler goes on trying to send what is due, in seconds: its MaximumEventAgeInSeconds.
SCHEDULER_TRIES = 86_400
# Bytes that a task's name, an owner and the like have at most: several times what submit lets through.
LONGEST_TEXT = 2_000
# The last moment that has a date, in milliseconds.
_LAST = 253_402_300_800_000
# Characters that the state of a trace has at most; so many are to be passed on:
# https://www.w3.org/TR/trace-context/#tracestate-limits
LONGEST_TRACESTATE: Final = 512
# Characters of the id of a build, at most.
LONGEST_BUILD: Final = 40
# The parts of the version of `traceparent` that there is: version, trace, span, flags.
_TRACEPARENT: Final = [2, 32, 16, 2]
# What a worker does about a workflow: see `Message.workflow`.
OPEN: Final = "open"
SETTLE: Final = "settle"
# The namespace of the ids of ticks. Never changed: the same time of a schedule is the same job for ever.
_TICKS = UUID("8f3c1f0a-52b4-4c57-9a62-6f2d6c1b7e90")
# The characters that SQS refuses in a body although JSON allows them raw:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
_REFUSED_BY_SQS = {0xFFFE: "\\ufffe", 0xFFFF: "\\uffff"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A job that can be run with nothing stored beforehand.

    Attributes:
        uuid: the job's id.
        task: the task's registered name.
        inputs: the inputs, a JSON object; empty when they were too large and lie under ``inputs_key``.
        owner: who submitted it and may see it, or None.
        queue: the name of the queue that it travels through.
        created: when it was submitted, milliseconds since the epoch.
        expires: when it can no longer be delivered, milliseconds since the epoch.
        inputs_key: where in the bucket the inputs lie, or None.
        secrets: the names of the inputs that hold a secret, for code that has not the task's class.
        retry_of: the id of the ended job that this one repeats, or None.
        schedule: the name of the schedule that sent it at ``created``, or None.
        options: the options that travel with it.
        member: its place in a group or a chain, or None.
        references: what the worker takes from the outputs of other jobs: where it belongs in the inputs (the name of a
            whole one, else ``name/key/...``), with where it stands there.
        previous: the id of the job, or the group, that came before it: what ``references`` speak of; or None.
        follows: the id of a job whose end is this one's as well, or None: it has the place of a unique task.
        workflow: None for a task's job; ``open`` for a group or a chain whose members are to be sent, ``settle`` for
            one of which a worker is to see whether all members have ended.
        traceparent: the span that has sent it, as W3C's trace context writes it; "" where nobody traces.
        tracestate: what the tracing systems add to that, likewise.
        build: the id of the code that submitted it, where that knows one; else "".
        run_at: when it is due, milliseconds since the epoch, or None for at once; not sent along.
        uncertain: whether the answer to its send was lost, for the ``job`` item; not sent along.
    """

    uuid: str
    task: str
    inputs: dict[str, Any] = field(default_factory=dict, repr=False)
    owner: str | None = None
    queue: str = "default"
    created: int = 0
    expires: int = 0
    inputs_key: str | None = None
    secrets: tuple[str, ...] = ()
    retry_of: str | None = None
    schedule: str | None = None
    options: JobOptions = NO_OPTIONS
    member: Place | None = None
    references: Mapping[str, tuple[str | int, ...]] = field(default_factory=dict)
    previous: str | None = None
    follows: str | None = None
    workflow: str | None = None
    traceparent: str = ""
    tracestate: str = ""
    build: str = ""
    run_at: int | None = None
    uncertain: bool = False

    @property
    def group(self) -> str | None:
        """The id of the group or the chain that it is a member of, or None."""
        return None if self.member is None else self.member.group

    @property
    def tenant(self) -> str | None:
        """Its share of a fair queue, or None."""
        return self.options.tenant

    def delay(self, now: float) -> int:
        """For how many whole seconds it is to be held back.

        Args:
            now: the present, seconds since the epoch.
        """
        if self.run_at is None:
            return 0
        return max(0, -((to_ms(now) - self.run_at) // 1000))

    def encode(self) -> str:
        """The message as JSON text that SQS accepts."""
        links = self.links()
        version = VERSION if links else VERSION_ALONE
        body: dict[str, Any] = {"v": version, "uuid": self.uuid, "task": self.task, "inputs": self.inputs}
        if self.owner is not None:
            body["owner"] = self.owner
        if self.inputs_key is not None:
            body["inputs_key"] = self.inputs_key
        if self.secrets:
            body["secrets"] = list(self.secrets)
        if self.retry_of is not None:
            body["retry_of"] = self.retry_of
        if self.schedule is not None:
            body["schedule"] = self.schedule
        body["options"] = {"queue": self.queue, **self.options.encode()}
        body |= {"created": self.created, "expires": self.expires} | links
        if self.traceparent:
            body["traceparent"] = self.traceparent
        if self.tracestate:
            body["tracestate"] = self.tracestate
        if self.build:
            body["build"] = self.build
        return encode(body).translate(_REFUSED_BY_SQS)

    def builds(self, worker: str) -> str:
        """Return its build and a worker's, as far as they are known, in parentheses and with a space before; else "".

        The ids stand in quotation marks: failures that differ in them alone are of one kind; see `fingerprint`.

        Args:
            worker: the id of the code that has it now, or "".
        """
        if worker and self.build == worker:
            return f" (build {worker!r})"
        known = [f"{name} {build!r}" for name, build in (("worker", worker), ("job", self.build)) if build]
        return f" (build: {', '.join(known)})" if known else ""

    def links(self) -> dict[str, Any]:
        """Return what makes it a part of a workflow, as JSON; nothing for a job that is none."""
        links: dict[str, Any] = {}
        if self.member is not None:
            links["member"] = self.member.encode()
        if self.references:
            links["references"] = {name: list(path) for name, path in self.references.items()}
        if self.previous is not None:
            links["previous"] = self.previous
        if self.follows is not None:
            links["follows"] = self.follows
        if self.workflow is not None:
            links["workflow"] = self.workflow
        return links

    @classmethod
    def decode(cls, text: str, *, any_version: bool = False) -> Message:
        """Read a message.

        A tick, which a schedule has sent, names the schedule and its time in place of a job's id: the id is made of
        them, so that a schedule which fires twice for one time is one job.

        Args:
            text: the body.
            any_version: read what can be read of a newer version too, to settle its job.

        Raises:
            MessageUndecodable: the text is not a message of ours.
            MessageTooNew: it was written by a newer version of this library.
        """
        body = _body(text)
        version = body["v"]
        if version > VERSION and not any_version:
            raise MessageTooNew(
                f"The message has version {version}; this code reads up to {VERSION}. Deploy the newer code."
            )
        try:
            return cls._from_body(body)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise MessageUndecodable(f"The message body is not a complete job: {error!r}") from None

    @classmethod
    def _from_body(cls, body: dict[str, Any]) -> Message:
        if "uuid" not in body and "scheduled" in body:
            body = body | _tick(body["schedule"], body["scheduled"])
        options = body["options"]
        message = cls(
            uuid=str(UUID(body["uuid"])),
            task=body["task"],
            inputs=body["inputs"],
            owner=body.get("owner"),
            queue=options["queue"],
            created=body["created"],
            expires=body["expires"],
            inputs_key=body.get("inputs_key"),
            secrets=tuple(body.get("secrets", ())),
            retry_of=body.get("retry_of"),
            schedule=body.get("schedule"),
            options=JobOptions.decode(options),
            **read_links(body),
            **read_trace(body),
            build=read_build(body),
        )
        texts = (message.task, message.queue)
        optional = (message.owner, message.inputs_key, message.retry_of, message.schedule)
        if not all(isinstance(text, str) and text for text in texts):
            raise ValueError("task and queue must be strings")
        if not all(isinstance(name, str) for name in message.secrets):
            raise ValueError("secrets must be names")
        if not all(text is None or isinstance(text, str) for text in optional):
            raise ValueError("owner, inputs_key, retry_of and schedule must be strings")
        chosen = [value for value in message.options.encode().values() if isinstance(value, str)]
        for text in (*texts, *optional, *chosen):
            # Half of a surrogate pair could never be written to the state, nor could what is larger than an item.
            if len((text or "").encode()) > LONGEST_TEXT:
                raise ValueError("a name is too long")
        _check_id(message)
        if not isinstance(message.inputs, dict):
            raise ValueError("inputs must be an object")
        if not all(
            isinstance(time, int) and 0 <= time < _LAST for time in (message.created, message.expires)
        ):
            raise ValueError("created and expires must be milliseconds")
        return message


def read_links(given: Mapping[str, Any]) -> dict[str, Any]:
    """Read what `Message.links` has written, as arguments of `Message`.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: it cannot be read.
    """
    links: dict[str, Any] = {}
    if "member" in given:
        from serverless_tasks.engine.job.place import Place  # most jobs are members of nothing

        links["member"] = Place.decode(given["member"])
    if "references" in given:
        links["references"] = {name: _path(path) for name, path in given["references"].items()}
    for name in ("previous", "follows"):
        if name in given:
            links[name] = str(UUID(given[name]))
    if "workflow" in given:
        if given["workflow"] not in (OPEN, SETTLE):
            raise ValueError(f"workflow must be {OPEN} or {SETTLE}")
        links["workflow"] = given["workflow"]
    return links


def read_trace(given: Mapping[str, Any]) -> dict[str, Any]:
    """Read a trace context, as arguments of `Message`. One that is malformed or too long is none: the job runs all
    the same.
    """
    parent, state = given.get("traceparent"), given.get("tracestate")
    if not isinstance(parent, str) or [len(part) for part in parent.split("-")] != _TRACEPARENT:
        return {}
    if not parent.isascii():
        return {}
    read = {"traceparent": parent}
    if isinstance(state, str) and state.isascii() and 0 < len(state) <= LONGEST_TRACESTATE:
        read["tracestate"] = state
    return read


def read_build(given: Mapping[str, Any]) -> str:
    """Read the id of the code that submitted a job; one that is malformed or too long is none."""
    build = given.get("build")
    return build if isinstance(build, str) and build.isascii() and len(build) <= LONGEST_BUILD else ""


def _path(path: Any) -> tuple[str | int, ...]:
    if not isinstance(path, list) or not path or not all(isinstance(part, str | int) for part in path):
        raise ValueError("a reference must be a list of names and numbers")
    return tuple(path)


def expires_at(now: int, run_at: int | None) -> int:
    """The last moment at which a message that is sent now can be delivered; all in milliseconds since the epoch.

    Args:
        now: the present.
        run_at: when it is due, or None for at once.
    """
    if run_at is None or run_at <= now:
        return now + RETENTION * 1000
    late = SCHEDULER_TRIES if run_at - now > MAX_DELAY * 1000 else 0
    return run_at + (late + RETENTION) * 1000


def due_at(message: Message) -> int:
    """When a message that was delivered was due, milliseconds since the epoch: `expires_at` of it tells.

    Args:
        message: one that has not been sent again, as the message of a retry is.
    """
    if message.run_at is not None:
        return message.run_at
    delay = message.expires - RETENTION * 1000 - message.created
    late = SCHEDULER_TRIES if delay > MAX_DELAY * 1000 else 0
    return message.created + max(0, delay - late * 1000)


def expires_in_process_at(now: int, run_at: int | None) -> int:
    """The last moment at which a process will begin a job that it keeps in its memory; see `expires_at`."""
    return max(now, run_at or 0) + IN_PROCESS_RETENTION * 1000


def _check_id(message: Message) -> None:
    """See that a message names no job by its id, and another one beside it."""
    if message.schedule is not None and message.uuid != scheduled_job_id(message.schedule, message.created):
        raise ValueError("the uuid of a schedule's job must be that of its time")
    if message.inputs_key not in (None, inputs_key(message.uuid)):
        raise ValueError("inputs_key must be the job's own")
    if message.member is not None:
        from serverless_tasks.engine.job.place import member_id  # most jobs are members of nothing

        if message.uuid != member_id(message.member.group, message.member.index):
            raise ValueError("the uuid of a member must be that of its place")


def _tick(schedule: str, scheduled: str) -> dict[str, Any]:
    moment = datetime.fromisoformat(scheduled)
    if moment.utcoffset() is None or not isinstance(schedule, str) or not schedule:
        raise ValueError("schedule must be a string, and scheduled must have an offset")
    created = to_ms(moment.timestamp())
    expires = created + (SCHEDULER_TRIES + RETENTION) * 1000
    return {"uuid": scheduled_job_id(schedule, created), "created": created, "expires": expires}


def scheduled_job_id(schedule: str, at: int) -> str:
    """The id of the job that a schedule sends at a time, in milliseconds since the epoch."""
    return str(uuid5(_TICKS, f"{schedule} {at}"))


def version_of(text: str) -> int:
    """The version of a message.

    Raises:
        MessageUndecodable: the text is not a message of ours.
    """
    version: int = _body(text)["v"]
    return version


def _body(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MessageUndecodable(f"The message body is not JSON: {error}") from None
    version = body.get("v") if isinstance(body, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise MessageUndecodable("The message body is not a job: it has no version number 'v', from 1.")
    checked: dict[str, Any] = body
    return checked


def inputs_key(uuid: str) -> str:
    """Return the key of a job's large inputs in the bucket."""
    return f"inputs/{uuid}"


def outputs_prefix(uuid: str) -> str:
    """Under what in the bucket a job's large outputs lie, each attempt's under its token."""
    return f"outputs/{uuid}/"
