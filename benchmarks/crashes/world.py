"""Time, messages, and processes that die at their calls."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

# What a call takes, in seconds.
CALL: Final = 0.005


class Died(BaseException):
    """The process is gone: nothing that it would still do has an effect."""


@dataclass(order=True, slots=True)
class Held:
    """A message.

    Attributes:
        visible: when it can be received, in seconds since the beginning.
        number: of messages that are visible at the same time, which comes first.
        body: what was sent.
    """

    visible: float
    number: int
    body: Any = field(compare=False)


@dataclass
class World:
    """What surrounds the processes of a run.

    Attributes:
        deaths: the moments at which a process dies, as numbers: every call has two of them.
        now: seconds since the beginning.
        moments: the moments that have been.
        calls: the calls that were made.
        died: processes that died.
        on: whether moments are counted, and processes die at them.
    """

    deaths: Collection[int] = ()
    now: float = 0.0
    moments: int = 0
    calls: int = 0
    died: int = 0
    on: bool = False

    def __post_init__(self) -> None:
        """Start with no message and no process."""
        self._held: list[Held] = []
        self._numbers = count()
        self._alive = [True]

    def send(self, body: Any, delay: float = 0.0) -> None:
        """Keep a message."""
        heapq.heappush(self._held, Held(self.now + delay, next(self._numbers), body))

    def shuffle(self, seed: int) -> None:
        """Let what waits be received in another order, at once."""
        bodies = [held.body for held in sorted(self._held)]
        self._held.clear()
        random.Random(f"order {seed}").shuffle(bodies)
        for body in bodies:
            self.send(body)

    def due(self, until: float) -> float | None:
        """When the next message can be received, if that is by a time; else None."""
        return self._held[0].visible if self._held and self._held[0].visible <= until else None

    def receive(self, limit: int) -> list[Held]:
        """Take messages that can be received now."""
        taken: list[Held] = []
        while len(taken) < limit and self.due(self.now) is not None:
            taken.append(heapq.heappop(self._held))
        return taken

    def before_call(self) -> None:
        """Note that the process makes a call.

        Raises:
            Died: it dies, or has died.
        """
        if not self._alive[-1]:
            raise Died
        self.calls += 1
        self.now += CALL
        self._live_on()

    def after_call(self) -> None:
        """Note that AWS has done what the call asked.

        Raises:
            Died: the process dies before it learns of it, or has died.
        """
        if not self._alive[-1]:
            raise Died
        self._live_on()

    def survives(self, deliver: Callable[[], None]) -> bool:
        """Deliver something to a process; says whether it has outlived that."""
        self._alive.append(True)
        try:
            deliver()
        except Died:
            return False
        else:
            return True
        finally:
            self._alive.pop()

    def _live_on(self) -> None:
        if not self.on:
            return
        self.moments += 1
        if self.moments - 1 in self.deaths:
            self.died += 1
            self._alive[-1] = False
            raise Died


@dataclass(slots=True)
class Fate:
    """What became of what follows one group.

    Attributes:
        members: the ids of the members.
        early: whether it was sent before the end of each was recorded.
        runs: how often it ran.
    """

    members: tuple[str, ...]
    early: bool = False
    runs: int = 0


def told(world: World, fates: Collection[Fate]) -> dict[str, int]:
    """What a run tells."""
    return {
        "members": sum(len(fate.members) for fate in fates),
        "calls": world.calls,
        "moments": world.moments,
        "died": world.died,
        "early": sum(fate.early for fate in fates),
        "twice": sum(fate.runs > 1 for fate in fates),
        "lost": sum(fate.runs == 0 for fate in fates),
    }
