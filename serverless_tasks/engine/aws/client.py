"""A client that is another one in each forked process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, ClassVar

from serverless_tasks.engine.job.forks import renew_after_fork

if TYPE_CHECKING:
    from collections.abc import Callable

# The parent's clients and sessions, in a forked process: kept, since their end would need locks that may be taken.
OF_THE_PARENT: list[Any] = []


class Client:
    """A client of AWS's, and another one in each forked process, whoever holds it.

    Its methods are botocore's. See `serverless_tasks.engine.job.forks`.

    Args:
        make: makes botocore's client.

    Attributes:
        making: a session makes clients safely on one thread at a time only:
            https://boto3.amazonaws.com/v1/documentation/api/latest/guide/session.html
    """

    making: ClassVar[threading.RLock] = threading.RLock()

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: Any = make()
        renew_after_fork(self._renew)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        with Client.making:
            if self._made is None:
                self._made = self._make()
        found = getattr(self._made, name)
        vars(self)[name] = found  # from now on it is found without coming here
        return found

    def _renew(self) -> None:
        make = self._make
        OF_THE_PARENT.append(self._made)
        vars(self).clear()
        self._make, self._made = make, None


def _renew() -> None:
    Client.making = threading.RLock()  # a thread that is no more may have had it


renew_after_fork(_renew)
