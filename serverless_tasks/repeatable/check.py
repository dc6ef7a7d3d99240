"""The runs of a check: one undisturbed, then two of one job for each place where the worker can be lost."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from serverless_tasks.repeatable.database import taken_back, watched_databases
from serverless_tasks.repeatable.outside import outbox_kept, watched_calls, watched_mails
from serverless_tasks.repeatable.report import Report, compare
from serverless_tasks.repeatable.write import Crash, Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from serverless_tasks.engine.worker.outcome import DeliveryResult
    from serverless_tasks.repeatable.report import Repeated
    from serverless_tasks.repeatable.write import Write

# Where Django and botocore make their writes.
_SEAMS = ("django.db", "django.core.mail", "botocore.client")


class Delivered(Protocol):
    """A job that can be delivered again and again."""

    def deliver(self, recorder: Recorder, *, keeps_outcome: bool) -> DeliveryResult:
        """Deliver it, with its retries, and return how it ended; a recorder sees what it submits."""

    def lose(self) -> None:
        """Let the lease of the worker that is lost end."""


@dataclass(frozen=True, slots=True)
class Check:
    """A check of one task.

    Args:
        task: its name.
        inputs: what it runs with.
        job: makes a new job of it, and a block in which it runs.
        reset: puts what no database holds back; called before each job.
        crashes: after how many writes the worker is lost at most.
    """

    task: str
    inputs: dict[str, Any]
    job: Callable[[], AbstractContextManager[Delivered]]
    reset: Callable[[], object]
    crashes: int

    def report(self) -> Report:
        """Run it all.

        Raises:
            AssertionError: the undisturbed run did not succeed.
        """
        seams: set[str] | None = None
        whole: list[Write] = []
        while seams != (
            loaded := {name for name in _SEAMS if name in sys.modules}
        ):  # a task may import them itself
            seams = loaded
            whole = self._undisturbed()
        repeated: list[Repeated] = []
        problems: list[str] = []
        for number in (None, *self._numbers(len(whole))):
            after = "the whole run" if number is None else f"{whole[number - 1]}"
            twice, problem = self._disturbed(number, whole, after)
            repeated += twice
            problems += [problem] if problem else []
        places: dict[tuple[str, str, str], Repeated] = {}
        for each in repeated:
            places.setdefault((each.write.what, each.write.place, each.reason), each)
        return Report(
            self.task, self.inputs, tuple(whole), tuple(places.values()), tuple(dict.fromkeys(problems))
        )

    def _numbers(self, writes: int) -> list[int]:
        if writes <= self.crashes:
            return list(range(1, writes + 1))
        return sorted({1 + index * (writes - 1) // max(self.crashes - 1, 1) for index in range(self.crashes)})

    def _undisturbed(self) -> list[Write]:
        self.reset()
        recorder = Recorder()
        with _world(), self.job() as job, _seen(recorder):
            result = job.deliver(recorder, keeps_outcome=True)
        if result.job_status != "succeeded":
            said = f"{result.failure.type}: {result.failure.message}" if result.failure else result.status
            raise AssertionError(
                f"{self.task} did not succeed in its first, undisturbed run: {said}"
            ) from result.exception
        return recorder.writes

    def _disturbed(self, number: int | None, whole: list[Write], after: str) -> tuple[list[Repeated], str]:
        self.reset()
        first, second = Recorder(number), Recorder()
        with _world(), self.job() as job:
            with _seen(first), suppress(Crash):
                job.deliver(first, keeps_outcome=False)
            if number is not None and not first.dead:
                return [], (
                    f"The worker could not be lost after {after}: that run made {len(first.writes)} writes, the one "
                    f"before it {len(whole)}. Where a bucket or a table remembers earlier runs, pass reset=, which "
                    "empties it."
                )
            job.lose()
            with _seen(second):
                result = job.deliver(second, keeps_outcome=True)
        problem = ""
        if (
            result.failure is not None
            and result.job_status != "succeeded"
            and result.failure.type != "WorkerLost"
        ):
            problem = f"{result.failure.type}: {result.failure.message} (in the run after {after})"
        return compare(_standing(whole), _standing(first.writes), _standing(second.writes), after), problem


@contextmanager
def _world() -> Iterator[None]:
    with taken_back(sys.modules), outbox_kept(sys.modules):
        yield


@contextmanager
def _seen(recorder: Recorder) -> Iterator[None]:
    with ExitStack() as stack:
        for watch in (watched_databases, watched_calls, watched_mails):
            stack.enter_context(watch(sys.modules, recorder))
        yield


def _standing(writes: list[Write]) -> list[Write]:
    return [write for write in writes if write.happened]
