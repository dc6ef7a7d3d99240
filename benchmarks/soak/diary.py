"""What happened, in order: one file to which every process appends a line for each event."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

VARIABLE: Final = "SOAK_DIARY"
# Seconds for which a process waits to be killed.
PATIENCE: Final = 50

# A task's effects: it began, its work is done.
STARTED: Final = "started"
FINISHED: Final = "finished"
# A process waits to be killed, in a task or where a member of a group is counted.
WAITING: Final = "waiting"
# The table took the end of a job.
RECORDED: Final = "recorded"
# A call was answered with a throttling error; the line's id is its operation.
THROTTLED: Final = "throttled"


@dataclass(frozen=True, slots=True)
class Event:
    """One line.

    Attributes:
        what: one of the events above.
        id: the job's uuid, or the operation of a call.
        attempt: the attempt's number; 0 where there is none.
        pid: the process that wrote the line.
    """

    what: str
    id: str
    attempt: int
    pid: int


def note(what: str, id: str, attempt: int = 0) -> None:
    """Append a line to the diary that the environment names; it outlives the process that wrote it."""
    os.write(_file(os.environ[VARIABLE], os.getpid()), f"{what} {id} {attempt} {os.getpid()}\n".encode())


def await_kill(id: str, attempt: int = 0) -> None:
    """Wait to be killed by the run, which reads the diary.

    Raises:
        RuntimeError: nobody did.
    """
    note(WAITING, id, attempt)
    time.sleep(PATIENCE)
    raise RuntimeError(f"Nobody killed the worker in {PATIENCE} seconds.")


@cache
def _file(path: str, pid: int) -> int:
    """The diary as opened by this process. One write call is one line, whoever else writes."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


class Reader:
    """Reads a diary while it is written.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        path.touch()
        self._path = path
        self._read = 0
        self.events: list[Event] = []

    def news(self) -> list[Event]:
        """The events since the last call; ``events`` keeps all of them."""
        with self._path.open("rb") as file:
            file.seek(self._read)
            *lines, rest = (text := file.read()).split(b"\n")
        self._read += len(text) - len(rest)
        news = [_event(line.decode()) for line in lines]
        self.events += news
        return news


def _event(line: str) -> Event:
    what, name, attempt, pid = line.split(" ")
    return Event(what, name, int(attempt), int(pid))
