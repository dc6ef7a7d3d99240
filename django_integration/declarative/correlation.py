"""The correlation id of django-cid, in a project that has it: it goes with what a request defers, into the worker.

https://django-correlation-id.readthedocs.io: `get_cid` and `set_cid` of `cid.locals`.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module
from typing import Final

LIBRARY: Final = "cid.locals"


def correlation_id() -> str | None:
    """Return the id of the request; None without one, or where nothing has imported the library."""
    library = sys.modules.get(LIBRARY)
    given = None if library is None else library.get_cid()
    return None if given is None else str(given)


def resume(given: str | None) -> None:
    """Let the work of a job have the id of its request, or none."""
    if given is None and LIBRARY not in sys.modules:
        return
    with suppress(ImportError):  # the workers do not have it
        import_module(LIBRARY).set_cid(given)
