"""One run: its steps, then the deletion of all that it has made, whatever has failed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from infra.smoke.remains import Deleted
from infra.smoke.step import StepFailed, Wait
from serverless_tasks.errors import ServerlessTasksError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from infra.smoke.remains import Remain
    from infra.smoke.stack import Stack
    from infra.smoke.step import Script, Step
    from serverless_tasks.engine.job.clock import Clock

# Seconds for what outlives the stack; a table takes some of them.
CLEANING: Final = 300.0


class State(StrEnum):
    """The outcomes of a step."""

    PASSED = "passed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a step went.

    Attributes:
        name: the step's name.
        state: its outcome.
        seconds: how long it took, from its beginning.
        said: what was seen, or what was wrong.
    """

    name: str
    state: State
    seconds: float = 0.0
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a run went.

    Attributes:
        outcomes: of all steps, in their order, the deletion's last.
        deleted: what was deleted beside the stack, and what is left.
    """

    outcomes: tuple[Outcome, ...]
    deleted: Deleted

    @property
    def interrupted(self) -> bool:
        """True if it was ended from outside."""
        return any(each.state is State.INTERRUPTED for each in self.outcomes)

    @property
    def passed(self) -> bool:
        """True if every step has passed, and nothing is left."""
        done = all(each.state is State.PASSED for each in self.outcomes)
        return done and not self.deleted.left and not self.deleted.problems

    @property
    def verdict(self) -> str:
        """``passed``, ``failed`` or ``interrupted``."""
        if self.interrupted:
            return "interrupted"
        return "passed" if self.passed else "failed"

    @property
    def code(self) -> int:
        """The exit code: 0, 1, or 130 as of what Ctrl-C has ended."""
        return 130 if self.interrupted else int(not self.passed)


class CleanUp(Protocol):
    """See `Remains`."""

    def delete(self, seconds: float) -> Deleted: ...

    def find(self) -> tuple[list[Remain], list[str]]: ...


class Run:
    """A run.

    Args:
        steps: what is tried; those that are needed come first, and one after another.
        deletion: the step that deletes the stack: it comes last, whatever has failed.
        remains: what outlives the stack.
        stack: the stack.
        clock: the time.
        told: is called with the name of what begins, and with each outcome.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        deletion: Step,
        remains: CleanUp,
        stack: Stack,
        clock: Clock,
        told: Callable[[str | Outcome], object],
    ) -> None:
        self._steps = steps
        self._deletion = deletion
        self._remains = remains
        self._stack = stack
        self._clock = clock
        self._tell_to = told
        self._outcomes: dict[str, Outcome] = {}
        self._began: dict[str, float] = {}

    def go(self) -> Result:
        """Take all steps, delete, and return how it went."""
        deleted = Deleted()
        try:
            self._take_steps()
        except KeyboardInterrupt:
            self._told("interrupted: deleting what was made")
        finally:
            deleted = self._delete()
        names = [each.name for each in (*self._steps, self._deletion)]
        outcomes = [self._outcomes.get(name, Outcome(name=name, state=State.NOT_RUN)) for name in names]
        return Result(outcomes=tuple(outcomes), deleted=deleted)

    def _told(self, said: str | Outcome) -> None:
        # A terminal that is gone must not keep anything from being deleted.
        with suppress(OSError):
            self._tell_to(said)

    def _take_steps(self) -> None:
        for step in self._steps:
            if step.needed and not self._take(step):
                return
        # What takes its time by itself, such as a schedule's minute, passes for all of them at once.
        begun = [(step, self._begin(step)) for step in self._steps if not step.needed]
        for step, script in begun:
            if script is not None:
                self._end(step, script)

    def _take(self, step: Step) -> bool:
        script = self._begin(step)
        return script is not None and self._end(step, script)

    def _begin(self, step: Step) -> Script | None:
        """Begin a step; returns None where that has failed."""
        self._began[step.name] = self._clock.now()
        script = step.script(self._stack)
        try:
            next(script)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are tried, and then all is deleted
            self._note(step, State.FAILED, _reason(error))
            return None
        except KeyboardInterrupt:
            self._note(step, State.INTERRUPTED, "")
            raise
        return script

    def _end(self, step: Step, script: Script) -> bool:
        """Wait for the end of a step; returns whether it has passed."""
        self._told(step.name)
        try:
            script.send(Wait(step.seconds, self._clock))
        except StopIteration as end:
            self._note(step, State.PASSED, str(end.value))
            return True
        except Exception as error:  # noqa: BLE001 - as above
            self._note(step, State.FAILED, _reason(error))
            return False
        except KeyboardInterrupt:
            self._note(step, State.INTERRUPTED, "")
            raise
        raise AssertionError(f"the step {step.name!r} yields twice")

    def _note(self, step: Step, state: State, said: str) -> None:
        seconds = self._clock.now() - self._began[step.name]
        outcome = Outcome(name=step.name, state=state, seconds=seconds, said=said)
        self._outcomes[step.name] = outcome
        self._told(outcome)

    def _delete(self) -> Deleted:
        try:
            self._take(self._deletion)
            return self._remains.delete(CLEANING)
        except KeyboardInterrupt:
            found, problems = self._remains.find()
            return Deleted(left=tuple(found), problems=("the deletion was interrupted", *problems))
        except Exception as error:  # noqa: BLE001 - whatever it is, what is there has to be told of
            said = f"the deletion ended with {type(error).__name__}: {error}"
            return Deleted(problems=(said,))


def _reason(error: Exception) -> str:
    said = isinstance(error, StepFailed | ServerlessTasksError)
    return str(error) if said else f"{type(error).__name__}: {error}"
