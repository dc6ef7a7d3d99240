"""The start of a function, without the garbage collector.

What is imported and made then stays for as long as the process does, and the collector's looks at it would be a tenth
of a cold start. It works from the first event on, and leaves alone what was there before:
https://docs.python.org/3/library/gc.html#gc.freeze
"""

from __future__ import annotations

import gc
import os
from importlib import import_module
from typing import TYPE_CHECKING

from lambda_handlers.artefact import use_artefact

if TYPE_CHECKING:
    from collections.abc import Callable

_waits = bool(os.environ.get("AWS_LAMBDA_FUNCTION_NAME"))

# Slots of a frame: such a frame takes a chunk of 512 KB, of which it leaves half to the frames of what it calls.
_ROOM = 40_000


def with_room[T](call: Callable[[], T]) -> T:
    """Call something, all frames of which lie in one chunk.

    Python keeps the frames of its calls in chunks of 16 KB, and where a call stands at the end of one, it takes a new
    chunk from the system and gives it back. Imports are nested deeply and make thousands of calls: where pydantic's
    stand there they last six times as long, a sixth of the whole start.
    """
    return call()


with_room.__code__ = with_room.__code__.replace(co_stacksize=_ROOM)

# First of all: what is built for another processor cannot even be imported.
use_artefact()

if _waits:
    gc.disable()
    with_room(lambda: import_module("serverless_tasks.engine.services"))


def started() -> None:
    """Let the collector work."""
    if _waits:
        gc.freeze()
        gc.enable()
