"""Failures that a process has gathered by their kind and not written: a storm costs a bounded number of writes."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.statistics.errors import NewError, Occurrences
from serverless_tasks.engine.statistics.fingerprint import other_kind
from serverless_tasks.engine.statistics.items import EXAMPLES, hour_of
from serverless_tasks.engine.store.items import day_of
from serverless_tasks.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serverless_tasks.engine.statistics.base import StatisticsStore
    from serverless_tasks.engine.statistics.errors import ErrorKind

logger = logging.getLogger(__name__)

# Seconds between two writes of a kind by one process.
INTERVAL: Final = 10.0
# Kinds that a process tells apart in so many seconds, and in an hour; further ones are counted as one of their task.
KINDS: Final = 20
KINDS_AN_HOUR: Final = 100
HOUR: Final = 3600.0
PAUSE: Final = 60.0
# Kinds and hours that are kept while the table refuses them; of further ones nothing is kept.
MOST: Final = 500


class PendingErrors:
    """Failures by kind and hour.

    The first of a kind in this process is written with its batch, the message and the job's id as an example among it.

    Args:
        store: where they are added.
        on_new: called with each kind that is new.
        slot: the place of the process's first example of a day, so that several processes give one each.
    """

    def __init__(
        self, store: StatisticsStore, on_new: Sequence[Callable[[NewError], object]], slot: int = 0
    ) -> None:
        self._store = store
        self._slot = slot
        self._on_new = on_new
        self._pending: dict[tuple[str, str], Occurrences] = {}
        # The kind -> when it was last written; the kind -> a day, and how many examples of it were given.
        self._written: dict[str, float] = {}
        self._examples: dict[str, tuple[str, int]] = {}
        self._kinds: dict[float, dict[float, set[str]]] = {}
        self._paused_until = 0.0
        self._failed = False
        self._lock = threading.Lock()

    def forked(self) -> None:
        """Begin with nothing in a forked process: the failures are its parent's."""
        self._lock = threading.Lock()
        self._pending = {}

    def admit(self, kind: ErrorKind, now: float) -> ErrorKind:
        """Return the kind under which a failure is counted: its own, or that of many kinds at once."""
        with self._lock:
            known = [self._seen(span, now) for span in (INTERVAL, HOUR)]
            if all(
                kind.fingerprint in seen or len(seen) < most
                for seen, most in zip(known, (KINDS, KINDS_AN_HOUR), strict=True)
            ):
                for seen in known:
                    seen.add(kind.fingerprint)
                return kind
        return other_kind(kind.task)

    def add(self, kind: ErrorKind, uuid: str, text: str, milliseconds: int) -> None:
        """Gather a failure.

        Args:
            kind: the kind that `admit` gave.
            uuid: the job's id.
            text: its message, secrets masked.
            milliseconds: when it failed, since the epoch.
        """
        key = kind.fingerprint, hour_of(milliseconds)
        with self._lock:
            known = self._pending.get(key)
            if known is None:
                one = Occurrences(kind=kind, count=1, first=milliseconds, last=milliseconds)
                self._pending[key] = self._with_example(one, day_of(milliseconds), uuid, text)
            else:
                self._pending[key] = replace(known, count=known.count + 1, last=milliseconds)

    def _with_example(self, occurrences: Occurrences, day: str, uuid: str, text: str) -> Occurrences:
        """Return failures with the first of them as an example of the day, while this process has given few."""
        fingerprint = occurrences.kind.fingerprint
        of, given = self._examples.get(fingerprint, (day, 0))
        given = given if of == day else 0
        if given == len(EXAMPLES):
            return occurrences
        self._examples[fingerprint] = day, given + 1
        slot = (self._slot + given) % len(EXAMPLES)
        return replace(occurrences, text=text, text_of=uuid, slot=slot)

    def write(self, now: float, in_time: Callable[[], bool], *, last: bool = False) -> None:
        """Write what is due, or everything as the process is to end; errors are logged once and never raised.

        Args:
            now: the present, seconds since the epoch.
            in_time: asked before each kind, whether there is time for it.
            last: write everything.
        """
        if not self._pending or now < self._paused_until:
            return
        due = self._due(now, last=last)
        while due and in_time():
            written = self._write(due[0], now)
            if written is not None:
                due = due[1:]
            if not written:
                break
        self._keep(due)

    def _due(self, now: float, *, last: bool) -> list[Occurrences]:
        with self._lock:
            due = [
                self._pending.pop(key)
                for key in list(self._pending)
                if last or self._written.get(key[0], 0.0) + INTERVAL <= now
            ]
            for each in due:
                self._written[each.kind.fingerprint] = now
            if len(self._written) > 10 * KINDS_AN_HOUR:
                self._written = {name: at for name, at in self._written.items() if at + HOUR > now}
                self._examples = {
                    name: self._examples[name] for name in self._written if name in self._examples
                }
        return due

    def _keep(self, left: Sequence[Occurrences]) -> None:
        """Keep what was not written for a later time, as far as there is room."""
        with self._lock:
            for each in left:
                key = each.kind.fingerprint, hour_of(each.first)
                self._written.pop(each.kind.fingerprint, None)
                if (later := self._pending.get(key)) is not None:
                    self._pending[key] = replace(each, count=each.count + later.count, last=later.last)
                elif len(self._pending) < MOST:
                    self._pending[key] = each

    def _write(self, occurrences: Occurrences, now: float) -> bool | None:
        """Write failures of one kind; returns False where it is not known whether they were added, None where they
        certainly were not.
        """
        try:
            _, new = self._store.add_errors(occurrences)
        except Exception as error:
            self._paused_until = now + PAUSE
            if not self._failed:
                self._failed = True
                logger.warning("a failure could not be counted; jobs are not affected", exc_info=True)
            return None if isinstance(error, AwsError) and not error.applied else False
        self._failed = False
        if new and self._on_new:
            self._announce(occurrences)
        return True

    def _announce(self, occurrences: Occurrences) -> None:
        kind = occurrences.kind
        error = NewError(
            fingerprint=kind.fingerprint,
            task=kind.task,
            type=kind.type,
            message=occurrences.text,
            pattern=kind.pattern,
            frame=kind.frame,
            uuid=occurrences.text_of,
            seen=occurrences.first,
        )
        for call in self._on_new:
            try:
                call(error)
            except Exception:
                logger.exception("a new kind of failure, %s, could not be announced", kind.fingerprint)

    def _seen(self, span: float, now: float) -> set[str]:
        """Return the kinds of the present span of so many seconds."""
        number = now // span
        spans = self._kinds.setdefault(span, {})
        if number not in spans:
            spans.clear()
        return spans.setdefault(number, set())
