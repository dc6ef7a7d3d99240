"""The options that travel with a job; and the rules of option fields, from which every way in is made."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html, MessageGroupId
LONGEST_TENANT: Final = 128
_RULE: Final = "rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The rule of an option.

    Attributes:
        expected: what fits it, for the error.
        kinds: the types that its value may have.
        fits: whether a value of these types fits.
        convert: makes of a value what is kept.
        help: its text on the command line; "" where it makes no sense there.
        flag: its name on the command line, where that differs.
        metavar: what its value is called there.
    """

    expected: str
    kinds: tuple[type, ...] = (str,)
    fits: Callable[[Any], bool] | None = None
    convert: Callable[[Any], Any] | None = None
    help: str = ""
    flag: str | None = None
    metavar: str | None = None

    def accepts(self, value: Any) -> bool:
        """Return whether a value fits."""
        misplaced = isinstance(value, bool) and bool not in self.kinds
        return not misplaced and isinstance(value, self.kinds) and (self.fits is None or self.fits(value))


def option(default: Any, expected: str, *kinds: type, **rule: Any) -> Any:
    """Declare a field of options with its rule; see `Rule`."""
    return field(default=default, metadata={_RULE: Rule(expected=expected, kinds=kinds or (str,), **rule)})


def rules_of(options: type[Any]) -> dict[str, Rule]:
    """Return the rule of each field of a class of options."""
    return {each.name: each.metadata[_RULE] for each in fields(options)}


def _is_tenant(text: str) -> bool:
    return 0 < len(text) <= LONGEST_TENANT and text.isascii() and text.isprintable() and " " not in text


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """The options of a submission that travel with the job: in its message, its ``job`` item, and into its retries.

    What is not the default lies under the field's name in the message's ``options`` and in the item, so that a field
    added here travels, and its name never changes.

    Attributes:
        tenant: its share of a fair queue (SQS message group).
        track: whether the job can be looked at, listed and submitted again from its submission on. Otherwise it is
            published with its message alone, and nothing is kept of it before a worker begins it.
    """

    tenant: str | None = option(
        None,
        f"1 to {LONGEST_TENANT} visible ASCII characters",
        fits=_is_tenant,
        help="The job's group in a fair queue.",
    )
    track: bool = option(
        True,
        "True or False",
        bool,
        help="Do not store the job until a worker starts it.",
        flag="--no-track",
    )

    def encode(self) -> dict[str, Any]:
        """Return what differs from the defaults, as JSON values."""
        return dict(_encoded(self))

    @classmethod
    def decode(cls, given: Mapping[str, Any]) -> JobOptions:
        """Read options from where `encode` has put them among other members.

        Raises:
            ValueError: a value has not its option's type.
        """
        known = {name: given[name] for name in _DEFAULTS if name in given}
        for name, value in known.items():
            if not isinstance(value, _RULES[name].kinds) and (
                value is not None or _DEFAULTS[name] is not None
            ):
                raise ValueError(f"option {name} must be {_RULES[name].expected}")
        return cls(**known)


# Of the jobs of a bulk, and of most others, the options are the same.
@lru_cache(maxsize=64)
def _encoded(options: JobOptions) -> Mapping[str, Any]:
    return {
        name: value for name, default in _DEFAULTS.items() if (value := getattr(options, name)) != default
    }


NO_OPTIONS: Final = JobOptions()
_RULES: Final = rules_of(JobOptions)
_DEFAULTS: Final = {each.name: each.default for each in fields(JobOptions)}
