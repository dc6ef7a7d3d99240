"""Children of this process, as servers fork them, and what its other threads do at that moment."""

import ctypes
import os
import pickle
import select
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

SECONDS = 30.0


class Crashed(Exception):
    """The child was ended by a signal."""


class Hangs(AssertionError):
    """The child does not answer."""


def result_in_child(work: Callable[[], Any], *, told: bool) -> Any:
    """What some work returns in a forked process.

    Python itself may crash or hang in one whose fork it was not told of: its own locks are as the parent's threads had
    them.
    https://docs.python.org/3/c-api/sys.html#c.PyOS_AfterFork_Child
    Such a child says nothing of our code, and another one is tried.
    """
    for _ in range(1 if told else 5):
        try:
            return Child(work, told=told).result()
        except (Crashed, Hangs) as error:
            last = error
    raise last


class Child:
    """A forked process that does one thing, and then ends at once.

    Args:
        work: what it does.
        told: whether Python knows of the fork; uWSGI's forks are not told.
    """

    def __init__(self, work: Callable[[], Any], *, told: bool = True) -> None:
        self._answer, writing = os.pipe()
        self._pid = _fork() if told else _untold_fork()
        if self._pid == 0:
            try:
                said = pickle.dumps((work(), None))
            except BaseException:  # noqa: BLE001 - it must not go on as a second pytest
                said = pickle.dumps((None, traceback.format_exc()))
            os.write(writing, said)
            os._exit(0)
        os.close(writing)

    def result(self) -> Any:
        """What its work returned.

        Raises:
            AssertionError: it has raised an error.
            Hangs: it does not answer.
            Crashed: a signal has ended it.
        """
        try:
            ready, _, _ = select.select([self._answer], [], [], SECONDS)
            if not ready:
                os.kill(self._pid, signal.SIGKILL)
                raise Hangs("the child hangs")
            with os.fdopen(self._answer, "rb") as answer:
                text = answer.read()
        finally:
            _, status = os.waitpid(self._pid, 0)
        if not text:
            raise Crashed(f"the child was ended with status {status}")
        found, error = pickle.loads(text)
        assert error is None, error
        return found


def _untold_fork() -> int:
    """Fork without Python's knowledge.

    While a large process is copied, other threads may ask for the interpreter's lock. A child with such a request in
    its memory would hand the lock over to a thread that it does not have, and wait for ever. So nobody asks meanwhile.
    """
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SECONDS)
    try:
        time.sleep(0)  # whoever asked before has the lock now, and gives it back
        pid: int = ctypes.PyDLL(None).fork()
        return pid
    finally:
        sys.setswitchinterval(interval)


@contextmanager
def underway(work: Callable[[Callable[[], None]], object]) -> Iterator[None]:
    """Let another thread be in the middle of something: `work` calls what it is given there, and is held up by it."""
    there, go_on = threading.Event(), threading.Event()

    def stop() -> None:
        there.set()
        assert go_on.wait(SECONDS)

    thread = threading.Thread(target=work, args=(stop,), daemon=True)
    thread.start()
    assert there.wait(SECONDS)
    try:
        yield
    finally:
        go_on.set()
        thread.join(SECONDS)


@contextmanager
def held(*locks: Any) -> Iterator[None]:
    """Let another thread have the locks."""

    def hold(there: Callable[[], None]) -> None:
        with ExitStack() as taken:
            for lock in locks:
                taken.enter_context(lock)
            there()

    with underway(hold):
        yield


def _fork() -> int:
    with warnings.catch_warnings():
        # Python warns of what these tests are about: a fork beside other threads.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()
