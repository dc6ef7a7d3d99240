"""The start of a function, without the garbage collector.

What is imported and made then stays for as long as the process does, and the collector's looks at it would be a tenth
of a cold start. It works from the first event on, and leaves alone what was there before:
https://docs.python.org/3/library/gc.html#gc.freeze
"""

from __future__ import annotations

import gc
import os

_waits = bool(os.environ.get("AWS_LAMBDA_FUNCTION_NAME"))

if _waits:
    gc.disable()
    # Here, and not within ten modules that import each other: Python keeps the frames of its calls in chunks, and where
    # the depth of an import lies at the end of one, each call of it takes a new chunk and gives it back. Pydantic's
    # thousands of calls then last six times as long, a sixth of the whole start.
    import pydantic.main  # noqa: F401


def started() -> None:
    """Let the collector work."""
    if _waits:
        gc.freeze()
        gc.enable()
