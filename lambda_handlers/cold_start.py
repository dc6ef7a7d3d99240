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


def started() -> None:
    """Let the collector work."""
    if _waits:
        gc.freeze()
        gc.enable()
