"""The queues and tasks that an operator has paused, and the look that workers take at them."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.encoding import encode
from serverless_tasks.engine.job.forks import renew_when_forked
from serverless_tasks.engine.job.record import Failure, iso
from serverless_tasks.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serverless_tasks.engine.job.clock import Clock

logger = logging.getLogger(__name__)

QUEUE: Final = "queue"
TASK: Final = "task"
# The type of the reason that a held job's record gives.
PAUSED: Final = "TaskPaused"
# Seconds for which a process goes by what it has read.
LOOK_EVERY: Final = 10.0
# Seconds between two looks of a process at whether what is paused is kept for long enough.
RENEW_EVERY: Final = 3600.0
# Characters of a reason, which is kept with the pause and shown with each job that it holds.
LONGEST_WHY: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A queue or a task that is paused.

    Attributes:
        kind: `QUEUE` or `TASK`.
        name: the queue's or the task's.
        since: when it was paused, milliseconds since the epoch.
        by: the operator, or "".
        why: the operator's reason, or "".
        until: when it ends by itself, milliseconds since the epoch; None until it is resumed.
    """

    kind: str
    name: str
    since: int
    by: str = ""
    why: str = ""
    until: int | None = None

    def holds(self, now: float) -> bool:
        """Return whether it has not ended by itself; ``now`` in seconds since the epoch."""
        return self.until is None or to_ms(now) < self.until

    @property
    def sentence(self) -> str:
        """The pause in one sentence."""
        by = f" by {self.by}" if self.by else ""
        until = f", until {_moment(self.until)}" if self.until is not None else ""
        why = f": {self.why.removesuffix('.')}" if self.why else ""
        return f"The {self.kind} {self.name} is paused{by} since {_moment(self.since)}{until}{why}."

    @property
    def failure(self) -> Failure:
        """The reason that a job's record gives while the pause holds it back."""
        return Failure(type=PAUSED, message=self.sentence, public=False)

    def to_json(self) -> dict[str, Any]:
        """The pause for programs."""
        return {
            "kind": self.kind,
            "name": self.name,
            "since": iso(self.since),
            "until": iso(self.until),
            "by": self.by,
            "why": self.why,
        }

    def encode(self) -> str:
        """The pause as the text that is stored."""
        stored = {"kind": self.kind, "name": self.name, "since": self.since, "by": self.by, "why": self.why}
        return encode(stored if self.until is None else {**stored, "until": self.until})

    @classmethod
    def decode(cls, text: str) -> Pause | None:
        """Read a stored pause; None where it was written by code whose pauses are unknown here."""
        try:
            stored = json.loads(text)
            pause = cls(
                kind=stored["kind"],
                name=str(stored["name"]),
                since=int(stored["since"]),
                by=str(stored.get("by", "")),
                why=str(stored.get("why", "")),
                until=None if stored.get("until") is None else int(stored["until"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            return None
        return pause if pause.kind in (QUEUE, TASK) else None


class PauseStore(Protocol):
    """The place where pauses are kept, each under a key of its own."""

    def read(self) -> Mapping[str, str]:
        """Return key -> stored pause; what was written a moment ago may be missing."""

    def put(self, key: str, text: str) -> None:
        """Keep a pause."""

    def remove(self, key: str) -> None:
        """Remove a pause; one that is not there counts as removed."""

    def renew(self) -> None:
        """Keep what is there for longer, where what was last read would be removed in some months."""


class Pauses:
    """The pauses as one process sees them: read when first asked for, then at most once in ten seconds.

    Args:
        store: where they are kept.
        clock: the time.
    """

    def __init__(self, store: PauseStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[tuple[str, str], Pause] = {}
        self._read_at: float | None = None
        self._renew_at = 0.0
        self._lock = threading.Lock()
        renew_when_forked(self)

    def forked(self) -> None:
        """See `Renewed.forked`."""
        self._lock = threading.Lock()

    def of(self, kind: str, name: str) -> Pause | None:
        """The pause of a queue or a task, or None. Without an answer of the store, what was last read stands."""
        try:
            self._look()
        except AwsError:
            logger.warning("the pauses could not be read", exc_info=True)
        pause = self._known.get((kind, name))
        return pause if pause is not None and pause.holds(self._clock.now()) else None

    def all(self, *, fresh: bool = False) -> list[Pause]:
        """Return the pauses that hold, queues first.

        Args:
            fresh: read them now, instead of at most once in ten seconds.

        Raises:
            AwsError: they could not be read.
        """
        self._look(fresh=fresh)
        now = self._clock.now()
        held = [pause for pause in self._known.values() if pause.holds(now)]
        return sorted(held, key=lambda pause: (pause.kind, pause.name))

    def put(self, pause: Pause) -> None:
        """Keep a pause, and forget those that have ended by themselves.

        Raises:
            AwsError: it could not be written.
        """
        self._store.put(_key(pause.kind, pause.name), pause.encode())
        self._look(fresh=True)
        for each in list(self._known.values()):
            if not each.holds(self._clock.now()):
                self.remove(each.kind, each.name)
        self._known[pause.kind, pause.name] = pause  # the read may be older than the write

    def remove(self, kind: str, name: str) -> None:
        """Remove a pause.

        Raises:
            AwsError: it could not be removed.
        """
        self._store.remove(_key(kind, name))
        self._known.pop((kind, name), None)

    def _look(self, *, fresh: bool = False) -> None:
        with self._lock:
            now = self._clock.now()
            if not fresh and self._read_at is not None and now < self._read_at + LOOK_EVERY:
                return
            self._read_at = now
            found = [Pause.decode(text) for text in self._store.read().values()]
            self._known = {(pause.kind, pause.name): pause for pause in found if pause is not None}
            if now >= self._renew_at and any(pause.holds(now) for pause in self._known.values()):
                self._renew_at = now + RENEW_EVERY
                self._renew()

    def _renew(self) -> None:
        """Let no pause end because nobody has changed one for long: whoever sees it hold keeps it."""
        try:
            self._store.renew()
        except AwsError:
            logger.warning("the pauses could not be kept for longer", exc_info=True)


def _key(kind: str, name: str) -> str:
    """Return a pause's key, whatever characters the name has."""
    return f"{kind}_{hashlib.sha256(name.encode()).hexdigest()[:24]}"


def _moment(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
