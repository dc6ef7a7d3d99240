"""The summary of an action on many jobs: how many it was done to, and why others refused it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# So many of the jobs that refused for one reason are named.
EXAMPLES: Final = 5
# The kinds of reasons that are told apart; all others are counted together.
MOST_REASONS: Final = 20
OTHER: Final = "Other"
# Of a reason's text so many characters are kept: the summary travels from one attempt to the next.
LONGEST_MESSAGE: Final = 200
VERBS: Final = {"retry": "retried", "cancel": "cancelled", "delete": "deleted"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The jobs that refused an action for one reason.

    Attributes:
        reason: the class name of the error.
        message: the text of the first of these errors.
        count: how many jobs refused so.
        examples: the ids of the first of them.
    """

    reason: str
    message: str
    count: int = 0
    examples: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "reason": self.reason,
            "message": self.message,
            "count": self.count,
            "examples": list(self.examples),
        }


@dataclass(slots=True, kw_only=True)
class BulkSummary:
    """The summary of an action on many jobs.

    Attributes:
        action: ``retry``, ``cancel`` or ``delete``.
        done: how many jobs it was done to.
        refused: the refusals by their reasons.
        looked_at: how many jobs were looked at.
        left: whether jobs are left that were not looked at, because a run ends at a certain number of jobs.
        lost: whether a worker was lost meanwhile: what it had done since it last said so is not counted.
    """

    action: str
    done: int = 0
    refused: dict[str, Refusal] = field(default_factory=dict)
    looked_at: int = 0
    left: bool = False
    lost: bool = False

    @property
    def refused_count(self) -> int:
        """How many jobs refused the action."""
        return sum(each.count for each in self.refused.values())

    @property
    def touched(self) -> int:
        """How many jobs were acted on, with success or without."""
        return self.done + self.refused_count

    def refuse(self, uuid: str, reason: str, message: str) -> None:
        """Count a job that refused."""
        if reason not in self.refused and len(self.refused) >= MOST_REASONS:
            reason, message = OTHER, "For other reasons."
        known = self.refused.get(reason) or Refusal(reason=reason, message=message[:LONGEST_MESSAGE])
        examples = known.examples if len(known.examples) >= EXAMPLES else (*known.examples, uuid)
        self.refused[reason] = replace(known, count=known.count + 1, examples=examples)

    def to_json(self) -> dict[str, Any]:
        """Return the summary as JSON: the outputs of the job that acts."""
        return {
            "action": self.action,
            "done": self.done,
            "refused": [each.to_json() for each in self.refused.values()],
            "looked_at": self.looked_at,
            "left": self.left,
            "lost": self.lost,
        }

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> BulkSummary:
        """Read what `to_json` gave.

        Raises:
            KeyError, TypeError: it is something else.
        """
        refused = [
            Refusal(
                reason=each["reason"],
                message=each["message"],
                count=each["count"],
                examples=tuple(each["examples"]),
            )
            for each in given["refused"]
        ]
        return cls(
            action=given["action"],
            done=given["done"],
            refused={each.reason: each for each in refused},
            looked_at=given["looked_at"],
            left=given["left"],
            lost=given["lost"],
        )

    def __str__(self) -> str:
        verb = VERBS.get(self.action, self.action)
        text = f"{_jobs(self.done)} {verb}"
        if self.refused_count:
            reasons = ", ".join(f"{each.count} {each.reason}" for each in self.refused.values())
            text += f", {self.refused_count} refused ({reasons})"
        if self.left:
            text += "; more are left"
        return f"{text}."


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"
