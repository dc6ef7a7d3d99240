"""The fingerprint of a failure: a stable name of its kind."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from serverless_tasks.engine.statistics.errors import ErrorKind

if TYPE_CHECKING:
    from types import FrameType, TracebackType

# The kind of failures of a task of which a process has seen too many others.
OTHER: Final = "Other"
LENGTH: Final = 12
# Of a longer message the rest does not tell kinds apart.
LONGEST_FOLDED: Final = 500
# What raises it interrupts the task wherever it is.
_ANYWHERE: Final = frozenset({"TaskTimeout"})
_OURS: Final = frozenset({"serverless_tasks", "lambda_handlers", "django_integration"})
_INSTALLED: Final = re.compile(r"[/\\](?:site|dist)-packages[/\\]")
_FOLDS: Final = (
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    # An apostrophe within a word begins no quotation.
    (re.compile(r"(?<!\w)'[^'\n]*'(?!\w)|\"[^\"\n]*\"|`[^`\n]*`"), "<text>"),
    (re.compile(r"\b0x[0-9a-f]+\b|\b(?=[a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{8,}\b", re.IGNORECASE), "<hex>"),
    (re.compile(r"\d+(?:[.,:]\d+)*"), "<n>"),
    (re.compile(r"\s+"), " "),
)


def kind_of(task: str, error_type: str, message: str, trace: TracebackType | None = None) -> ErrorKind:
    """Return the kind of a final failure.

    Args:
        task: the task's name.
        error_type: the exception's class name.
        message: its message, secrets masked.
        trace: the exception's traceback, or None.
    """
    frame = "" if error_type in _ANYWHERE else own_frame(trace)
    pattern = folded(message)
    return ErrorKind(
        fingerprint=_hash(task, error_type, frame, pattern),
        task=task,
        type=error_type,
        frame=frame,
        pattern=pattern,
    )


def trace_of(error: BaseException) -> TracebackType | None:
    """Return the traceback of an exception or, of one that was made to end a job and not raised, of its cause."""
    # Asked of the exception alone: its class may answer what it likes.
    trace: TracebackType | None = object.__getattribute__(error, "__traceback__")
    cause: BaseException | None = object.__getattribute__(error, "__cause__")
    return object.__getattribute__(cause, "__traceback__") if trace is None and cause is not None else trace


def other_kind(task: str) -> ErrorKind:
    """Return the kind under which failures of a task are counted that are of too many kinds to be told apart."""
    return ErrorKind(
        fingerprint=_hash(task, OTHER, "", ""),
        task=task,
        type=OTHER,
        pattern="Failures of many kinds at once.",
    )


def folded(message: str) -> str:
    """Return a message with its numbers, ids, quoted texts and space folded, so that equal failures are equal texts."""
    text = message[:LONGEST_FOLDED]
    for pattern, stand_in in _FOLDS:
        text = pattern.sub(stand_in, text)
    return text.strip()


def own_frame(trace: TracebackType | None) -> str:
    """Return the innermost function of the project's own code in a traceback, ``module.function``, or "".

    Frames of Python's library, of installed packages and of this package are passed over. There is no line number: it
    would change with every edit of the module.
    """
    found = ""
    while trace is not None:
        frame = trace.tb_frame
        module = frame.f_globals.get("__name__")
        if isinstance(module, str) and _is_own(module, frame):
            found = f"{module}.{frame.f_code.co_qualname}"
        trace = trace.tb_next
    return found


def _is_own(module: str, frame: FrameType) -> bool:
    top = module.partition(".")[0]
    if top in _OURS or top in sys.stdlib_module_names:
        return False
    path = frame.f_code.co_filename
    if path.startswith("<") or _INSTALLED.search(path):
        return False
    return not _beside_metadata(_root(path, module), top)


def _root(path: str, module: str) -> str:
    """Return the folder that holds a module's top package, or the module itself."""
    depth = module.count(".") + 1
    if os.path.basename(path) == "__init__.py":  # noqa: PTH119 - pathlib would be imported for it
        depth += 1
    for _ in range(depth):
        path = os.path.dirname(path)  # noqa: PTH120
    return path


@lru_cache(maxsize=256)
def _beside_metadata(folder: str, top: str) -> bool:
    """Return whether a package was installed into a folder: in Lambda, packages lie beside the project's own code."""
    return _normal(top) in _distributions(folder)


@lru_cache(maxsize=16)
def _distributions(folder: str) -> frozenset[str]:
    try:
        names = os.listdir(folder or ".")  # noqa: PTH208
    except OSError:
        return frozenset()
    return frozenset(_normal(name.partition("-")[0]) for name in names if name.endswith(".dist-info"))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "_", name).lower()


def _hash(*parts: str) -> str:
    text = "\0".join(parts).encode(errors="replace")
    return hashlib.sha256(text).hexdigest()[:LENGTH]
