"""Children of this process, as servers fork them, and what its other threads do at that moment."""

import ctypes
import os
import pickle
import select
import signal
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

SECONDS = 30.0


class Child:
    """A forked process that does one thing, and then ends at once.

    Args:
        work: what it does.
        told: whether Python knows of the fork; uWSGI's forks are not told.
    """

    def __init__(self, work: Callable[[], Any], *, told: bool = True) -> None:
        self._answer, writing = os.pipe()
        self._pid = _fork() if told else ctypes.PyDLL(None).fork()
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
            AssertionError: it has raised an error, or hangs.
        """
        try:
            ready, _, _ = select.select([self._answer], [], [], SECONDS)
            if not ready:
                os.kill(self._pid, signal.SIGKILL)
            assert ready, "the child hangs"
            with os.fdopen(self._answer, "rb") as answer:
                found, error = pickle.loads(answer.read())
        finally:
            os.waitpid(self._pid, 0)
        assert error is None, error
        return found


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
