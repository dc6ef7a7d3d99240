"""Whether a run may begin: it is never by accident, and never in CI."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from infra.smoke.account import is_of_this_machine
from infra.smoke.stack import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping


def refused_here(environment: Mapping[str, str]) -> str:
    """Return why a run may not begin in this environment, before anything is asked of AWS; "" where it may.

    Args:
        environment: the environment's variables.
    """
    if environment.get("CI", "").lower() in ("", "0", "false"):
        return ""
    if is_of_this_machine(environment.get("AWS_ENDPOINT_URL", "")):
        return ""
    return "This is CI (the variable CI is set), and the smoke test runs in one's own account: run it from a terminal."


def refused(confirmed: str, account: str) -> str:
    """Return why a confirmation does not hold; "" where it does.

    Args:
        confirmed: the number that was given.
        account: the number of the account that the credentials are of.
    """
    if confirmed == account:
        return ""
    return f"CONFIRM is {confirmed!r}, but these credentials are of the account {account}: nothing was done."


def refused_name(stack: str) -> str:
    """Return why a stack may not be deleted, "" where it may: its name has to be one that a run gives.

    Args:
        stack: the stack's name.
    """
    # What is named after a stack is deleted with it: a shorter name would be the beginning of somebody else's.
    if re.fullmatch(f"{PREFIX}[0-9a-f]{{8}}", stack):
        return ""
    return (
        f"DELETE is {stack!r}; the stacks of the smoke test are named {PREFIX} and eight hexadecimal digits."
    )
