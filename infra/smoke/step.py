"""A step of the run: a function with a name and a time, and what it waits by."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from infra.smoke.stack import Stack
    from serverless_tasks.engine.job.clock import Clock

# Seconds between two looks: at first, and at most.
FIRST_PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 5.0


class StepFailed(Exception):
    """Something is not as it should be; the text says what."""


class Wait:
    """The time that a step has.

    Args:
        seconds: how long, from now on.
        clock: the time.
    """

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._clock = clock
        self._seconds = seconds
        self._until = clock.now() + seconds

    @property
    def left(self) -> float:
        """The seconds that are left, 0 at least."""
        return max(0.0, self._until - self._clock.now())

    def until[T](self, what: str, look: Callable[[], T | None]) -> T:
        """Look until there is something, once at least.

        Args:
            what: what is waited for, for the error.
            look: returns it, or None while it is not there.

        Raises:
            StepFailed: the time is over.
        """
        pause = FIRST_PAUSE
        while (seen := look()) is None:
            if not self.left:
                raise StepFailed(f"{what} was not seen within {self._seconds:g} seconds")
            self._clock.sleep(min(pause, self.left))
            pause = min(pause * 1.5, LONGEST_PAUSE)
        return seen


# Until its `yield` a step begins what then goes on by itself; there it is given its time, and waits for the end. It
# returns a sentence on what was seen.
type Script = Generator[None, Wait, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step.

    Attributes:
        name: what it is called in the report.
        seconds: how long it may wait, from when it is its turn.
        script: what it does.
        needed: whether the others cannot do without it: they begin when it has passed.
    """

    name: str
    seconds: float
    script: Callable[[Stack], Script]
    needed: bool = False


def expect(holds: bool, otherwise: str) -> None:
    """See that something is as it should be.

    Raises:
        StepFailed: it is not, with the sentence that says what is there instead.
    """
    if not holds:
        raise StepFailed(otherwise)
