"""Queues of one's own in the generated template: each is made as the queue ``low`` is, line by line.

Wherever the template has something of that queue (the queue itself, its concurrency, the event that polls it, its
place in policies and outputs, its alarm, its lines in the dashboard), each queue of one's own gets the same. One with a
timeout has a worker function of its own, since a function has one timeout for all that it runs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.definition.base import QUEUES
from serverless_tasks.errors import ConfigurationError
from serverless_tasks.project.worker_time import LONG

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# CloudFormation's names are of letters and digits, and so are those that are made of a queue's.
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST_NAME: Final = 40
_BOUNDS: Final = {"concurrency": (2, 1000), "timeout": (30, 900), "age": (60, 1_209_600)}
_DEFAULT_CONCURRENCY: Final = 2
_DEFAULT_AGE: Final = 1800
# AWS's own advice for what Lambda polls: six times the function's timeout.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
_VISIBILITY: Final = 6
_EXPECTED: Final = "expected NAME:concurrency=N,timeout=SECONDS,age=SECONDS, such as emails:concurrency=3"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnQueue:
    """A queue of one's own.

    Attributes:
        name: what tasks call it.
        concurrency: the maximum number of concurrent workers.
        timeout: the timeout of a worker function of its own, in seconds; None where the stack's worker polls it.
        age: how long its oldest message waits before there is an alarm, in seconds.
    """

    name: str
    concurrency: int = _DEFAULT_CONCURRENCY
    timeout: int | None = None
    age: int = _DEFAULT_AGE

    @classmethod
    def parse(cls, text: str) -> OwnQueue:
        """Read a queue as ``--queue`` and the file of the last options have it.

        Raises:
            ConfigurationError: saying what is wrong.
        """
        name, colon, given = text.partition(":")
        if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
            raise ConfigurationError(
                f"--queue {text!r}: {name!r} is no name of a queue; use small letters, digits and single hyphens, at"
                f" most {_LONGEST_NAME}; {_EXPECTED}."
            )
        if name in (*QUEUES, LONG):
            raise ConfigurationError(
                f"--queue {text!r}: the template has a queue {name!r} already; give another name."
            )
        values: dict[str, int] = {}
        for pair in given.split(",") if colon else ():
            key, _, value = pair.partition("=")
            least, most = _BOUNDS.get(key, (1, 0))
            if not value.isascii() or not value.isdigit() or not least <= int(value) <= most or key in values:
                bounds = f"; {key} is from {least} to {most}" if most else ""
                raise ConfigurationError(f"--queue {text!r}: {pair!r} cannot be read; {_EXPECTED}{bounds}.")
            values[key] = int(value)
        return cls(name=name, **values)

    def __str__(self) -> str:
        pairs = {"concurrency": self.concurrency, "timeout": self.timeout, "age": self.age}
        return f"{self.name}:" + ",".join(
            f"{key}={value}" for key, value in pairs.items() if value is not None
        )

    @property
    def logical(self) -> str:
        """What its resources' names begin with."""
        return "".join(part.capitalize() for part in self.name.split("-"))


def chosen_queues(
    last: Sequence[str], given: Sequence[str] = (), dropped: Sequence[str] = ()
) -> tuple[OwnQueue, ...]:
    """Return the queues of one's own of this run.

    Args:
        last: those of the last run.
        given: those that are added, or changed, as ``NAME:...``.
        dropped: the names of those that are no more.

    Raises:
        ConfigurationError: one cannot be read, or one that is dropped is not there.
    """
    queues: dict[str, OwnQueue] = {queue.name: queue for queue in map(OwnQueue.parse, last)}
    for name in dropped:
        if queues.pop(name, None) is None:
            there = ", ".join(queues) or "none"
            raise ConfigurationError(
                f"--drop-queue {name!r}: there is no such queue of your own; there are: {there}."
            )
    queues |= {queue.name: queue for queue in map(OwnQueue.parse, given)}
    names: dict[str, str] = {}
    for queue in queues.values():
        if (other := names.setdefault(queue.logical, queue.name)) != queue.name:
            raise ConfigurationError(
                f"--queue {queue.name!r}: it would be named as {other!r} is; give another name."
            )
    return tuple(queues.values())


def with_queues(template: str, queues: Sequence[OwnQueue]) -> str:
    """Return the template with queues of one's own.

    Args:
        template: the text of template.yaml, as the package has it.
        queues: the queues.

    Raises:
        ConfigurationError: something of the template has the name that something of a queue would have.
    """
    for queue in queues:
        if taken := re.search(rf"(?m)^  ({queue.logical}(?:Queue\w*|Concurrency|Worker\w*)):", template):
            raise ConfigurationError(
                f"--queue {queue.name!r}: the template has a {taken[1]} already; give another name."
            )
        template = _with_queue(template, queue)
    return template


def _with_queue(template: str, queue: OwnQueue) -> str:
    lines = template.splitlines()
    if queue.timeout is not None:
        lines = _with_twins(lines, r" +Worker(Function|\w+Alarm):", lambda block: _own_function(block, queue))
    lines = _with_twins(lines, r" +Low\w*:", lambda block: _own(block, queue))
    return "\n".join(each for line in lines for each in _beside(line, queue)) + "\n"


def _with_twins(lines: Sequence[str], head: str, twin: Callable[[list[str]], list[str]]) -> list[str]:
    """The lines, with its twin after each entry of a mapping whose first line fits a pattern."""
    made: list[str] = []
    pending: dict[int, list[str]] = {}
    for number, line in enumerate(lines):
        made += pending.pop(number, [])
        if re.fullmatch(head, line):
            block = _block(lines, number)
            pending[number + len(block)] = twin(block)
        made.append(line)
    return made + [line for block in pending.values() for line in block]


def _block(lines: Sequence[str], start: int) -> list[str]:
    """The entry of a mapping that begins in a line, with the empty line after it."""
    indent = len(lines[start]) - len(lines[start].lstrip())
    end = start + 1
    while end < len(lines) and (not lines[end] or len(lines[end]) - len(lines[end].lstrip()) > indent):
        end += 1
    # Comments that are indented as the next entry belong to that one; an empty line belongs to this one.
    return list(lines[start:end])


def _own(block: Sequence[str], queue: OwnQueue) -> list[str]:
    """What a queue of one's own has in the place of something of the queue ``low``."""
    own, head = _renamed(block, queue), block[0].strip()
    if head == "Low:" and queue.timeout is not None:
        return []  # its own function polls it
    if head == "LowConcurrency:":
        return _edited(own, {r"(\s+Default: ).*": rf"\g<1>{queue.concurrency}"})
    if head == "LowQueue:" and queue.timeout is not None:
        return _edited(own, {r"(\s+VisibilityTimeout: ).*": rf"\g<1>{queue.timeout * _VISIBILITY}"})
    if head == "LowQueueAgeAlarm:":
        about = f"A message of the queue {queue.name} has waited for more than {queue.age} seconds."
        return _edited(
            own, {r"(\s+AlarmDescription: ).*": rf"\g<1>{about}", r"(\s+Threshold: ).*": rf"\g<1>{queue.age}"}
        )
    return own


def _own_function(block: Sequence[str], queue: OwnQueue) -> list[str]:
    """A worker function of one queue, or an alarm of it, in the place of the worker's."""
    own = [re.sub(r"\bWorker(Function|\w+Alarm)\b", rf"{queue.logical}Worker\1", line) for line in block]
    if not block[0].strip().startswith("WorkerFunction"):
        return [
            re.sub(r"\b([Tt]he worker(?: function)?)\b", rf"\1 of the queue {queue.name}", line)
            for line in own
        ]
    start = next(number for number, line in enumerate(own) if line.strip() == "Events:")
    end = start + len(_block(own, start))
    low = next(number for number in range(start, end) if own[number].strip() == "Low:")
    polled = [*own[: start + 1], *_block(own, low), *own[end:]]
    kept = [line for line in polled if not line.strip().startswith("ReservedConcurrentExecutions:")]
    return _edited(
        _renamed(kept, queue),
        {
            r"(\s+Timeout: ).*": rf"\g<1>{queue.timeout}",
            r"(\s+Description: ).*": rf"\g<1>Runs the tasks of messages from the queue {queue.name}.",
        },
    )


def _beside(line: str, queue: OwnQueue) -> list[str]:
    """A line, with what a queue of one's own has beside it."""
    line = line.replace(
        '"low": "${LowQueue}"', f'"low": "${{LowQueue}}", "{queue.name}": "${{{queue.logical}Queue}}"'
    )
    if re.fullmatch(r" +- (!GetAtt LowQueue\.Arn|LowConcurrency)", line):
        return [line, *_renamed([line], queue)]
    if "${LowQueue.QueueName}" in line:
        return [*_renamed([_metric(line)], queue), line]
    if queue.timeout is None:
        return [line]
    if '"${WorkerFunction}"' in line:
        label = re.sub(r'"label": "worker', f'"label": "{queue.name} worker', _metric(line))
        return [label.replace("${WorkerFunction}", f"${{{queue.logical}WorkerFunction}}"), line]
    if '"lambda:FunctionArn": ' in line:
        arns = re.sub(
            r"!GetAtt \w+\.Arn",
            f"[!GetAtt WorkerFunction.Arn, !GetAtt {queue.logical}WorkerFunction.Arn]",
            line,
        )
        more = line.replace("[", f"[!GetAtt {queue.logical}WorkerFunction.Arn, ", 1)
        return [more if "[" in line else arns]
    return [line]


def _metric(line: str) -> str:
    """A line of the dashboard that is not the last of its list."""
    return re.sub(r"\][\]},]*$", "],", line)


def _renamed(block: Sequence[str], queue: OwnQueue) -> list[str]:
    renamed = [re.sub(r"\bLow(?=Queue|Concurrency|:)", queue.logical, line) for line in block]
    return [re.sub(r'(?<=[ "])low(?=[".]|$)', queue.name, line) for line in renamed]


def _edited(block: Sequence[str], edits: Mapping[str, str]) -> list[str]:
    """The block with the first line that each pattern fits replaced."""
    edited = list(block)
    for pattern, replacement in edits.items():
        number = next(number for number, line in enumerate(edited) if re.fullmatch(pattern, line))
        edited[number] = re.sub(pattern, replacement, edited[number])
    return edited
