"""A write that a task makes, and the recorder that keeps them and loses the worker after one."""

from __future__ import annotations

import re
import sys
import sysconfig
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_HERE = str(Path(__file__).resolve().parent)
_OURS = str(Path(__file__).resolve().parents[1])
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})
_WRITERS = {"asgiref", "boto3", "botocore", "django", "s3transfer"}
# A time changes from run to run, and says nothing of whether the rest does.
_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
_TIME_OBJECT = re.compile(r"datetime\.(datetime|date|time)\((?:[^()]|\([^()]*\))*\)")


class Crash(BaseException):
    """The worker is lost: nothing of the run happens any more."""


@dataclass(slots=True, eq=False, kw_only=True)
class Write:
    """A write, as it was seen.

    Attributes:
        kind: ``database``, ``aws``, ``mail`` or ``task``.
        what: the operation and what it is done to, such as ``INSERT shop_order``; writes that say the same are counted
            together.
        place: the line of the user's code that led to it.
        values: its parameters without times; the same in two writes that do the same.
        adds: how often it adds something, such as the rows of an INSERT; 0 where doing it again changes nothing.
        same: whether doing it again with the same values changes nothing, as of S3's PutObject.
        row: what it overwrites, where another value there is a repetition; "" where that is not asked.
        happened: whether it stands; not what a transaction has rolled back.
    """

    kind: str
    what: str
    place: str
    values: str
    adds: int = 1
    same: bool = False
    row: str = ""
    happened: bool = True

    def __str__(self) -> str:
        return f"{self.what} at {self.place}"


class Recorder:
    """The writes of a run, in order.

    Args:
        crash_after: the number of the write, from 1, after which the worker is lost; None for none.

    Attributes:
        writes: what was written.
        dead: whether the worker is lost.
        on_crash: called when it is lost, before anything else.
        thread: where the task runs.
    """

    def __init__(self, crash_after: int | None = None) -> None:
        self.writes: list[Write] = []
        self.dead = False
        self.on_crash: list[Callable[[], None]] = []
        self._crash_after = crash_after
        self.thread = threading.get_ident()

    def before(self) -> None:
        """Refuse a write of a worker that is lost.

        Raises:
            Crash: it is; on another thread, whose library may wait for an answer for ever, an ``OSError``.
        """
        if self.dead:
            self._end()

    def after(self, write: Write) -> None:
        """Keep a write, and lose the worker where that is due.

        Raises:
            Crash: the worker is lost now.
        """
        self.writes.append(write)
        if len(self.writes) == self._crash_after:
            self.dead = True
            for each in self.on_crash:
                each()
            if threading.get_ident() == self.thread:
                raise Crash

    def _end(self) -> None:
        if threading.get_ident() == self.thread:
            raise Crash
        raise OSError("The worker is lost: check_repeatable has ended it after an earlier write.")


def place(thread: int | None = None) -> str:
    """Return the line of the user's code that runs: the innermost that is neither a library's nor ours.

    Args:
        thread: where to look when this thread runs no code of the user's, such as one of a pool that uploads.
    """
    for start in (sys._getframe(1), sys._current_frames().get(thread or 0)):
        for frame in _outwards(start):
            path = frame.f_code.co_filename
            if not path.startswith(_OURS) and not _is_library(frame):
                return f"{_short(path)}:{frame.f_lineno} in {frame.f_code.co_name}"
    return "a library"


def is_ours() -> bool:
    """Return whether it is code of this library that calls, and not the user's by way of another library alone."""
    for frame in _outwards(sys._getframe(1)):
        path = frame.f_code.co_filename
        if not path.startswith(_HERE) and not _is_library(frame):
            return path.startswith(_OURS)
    return False


def _is_library(frame: FrameType) -> bool:
    """Return whether a frame is another library's, wherever that is installed."""
    name = frame.f_globals.get("__name__", "")
    return frame.f_code.co_filename.startswith(("<", *_LIBRARIES)) or str(name).partition(".")[0] in _WRITERS


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _short(path: str) -> str:
    here = Path(path)
    return here.relative_to(Path.cwd()).as_posix() if here.is_relative_to(Path.cwd()) else path


def values_of(given: Any) -> str:
    """Return parameters as text that is the same for the same values, whatever the time is."""
    return _TIME.sub("<time>", _TIME_OBJECT.sub("<time>", repr(_plain(given))))


def _plain(value: Any) -> Any:
    """Return a value whose text says what it holds, and not where it lies."""
    if isinstance(value, dict):
        return {name: _plain(value[name]) for name in sorted(value, key=str)}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return bytes(value) if isinstance(value, (bytearray, memoryview)) else value
