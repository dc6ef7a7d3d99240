"""Failures that a process has gathered by their kind and not written: a storm costs a bounded number of writes."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.statistics.errors import NewError, Occurrences
from serverless_tasks.engine.statistics.fingerprint import other_kind
from serverless_tasks.engine.statistics.items import hour_of

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


class PendingErrors:
    """Failures by kind and hour.

    The first of a kind in this process is written with its batch, the message and the job's id as an example among it.

    Args:
        store: where they are added.
        on_new: called with each kind that is new.
    """

    def __init__(self, store: StatisticsStore, on_new: Sequence[Callable[[NewError], object]]) -> None:
        self._store = store
        self._on_new = on_new
        self._pending: dict[tuple[str, str], Occurrences] = {}
        # The kind -> when it was last written, and with an example of which day.
        self._written: dict[str, tuple[float, str]] = {}
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
                day = key[1][:10]
                example = self._written.get(kind.fingerprint, (0.0, ""))[1] != day
                self._pending[key] = Occurrences(
                    kind=kind,
                    count=1,
                    first=milliseconds,
                    last=milliseconds,
                    text=text if example else "",
                    text_of=uuid if example else "",
                    uuid=uuid,
                )
            else:
                self._pending[key] = replace(known, count=known.count + 1, last=milliseconds, uuid=uuid)

    def write(self, now: float, *, last: bool = False) -> None:
        """Write what is due, or everything as the process is to end; errors are logged once and never raised."""
        if not self._pending or now < self._paused_until:
            return
        with self._lock:
            due = [
                self._pending.pop(key)
                for key in list(self._pending)
                if last or self._written.get(key[0], (0.0, ""))[0] + INTERVAL <= now
            ]
            for each in due:
                self._written[each.kind.fingerprint] = now, hour_of(each.first)[:10]
            if len(self._written) > 10 * KINDS_AN_HOUR:
                self._written = {name: at for name, at in self._written.items() if at[0] + HOUR > now}
        for occurrences in due:
            self._write(occurrences, now)

    def _write(self, occurrences: Occurrences, now: float) -> None:
        try:
            _, new = self._store.add_errors(occurrences)
        except Exception:
            self._paused_until = now + PAUSE
            if not self._failed:
                self._failed = True
                logger.warning("a failure could not be counted; jobs are not affected", exc_info=True)
            return
        self._failed = False
        if new and self._on_new:
            self._announce(occurrences)

    def _announce(self, occurrences: Occurrences) -> None:
        kind = occurrences.kind
        error = NewError(
            fingerprint=kind.fingerprint,
            task=kind.task,
            type=kind.type,
            message=occurrences.text,
            pattern=kind.pattern,
            frame=kind.frame,
            uuid=occurrences.uuid,
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
