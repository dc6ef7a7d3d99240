"""The builds in the reason why a job cannot be run: of the code that submitted it, and of the code that has it now."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serverless_tasks.engine.job.message import Message


def builds_of(message: Message, worker: str) -> str:
    """Return the builds of a job and of a worker as far as they are known, in parentheses and with a space before; "".

    The ids stand in quotation marks: failures that differ in them alone are of one kind (see `fingerprint`).

    Args:
        message: the job.
        worker: the worker's build, or "".
    """
    if worker and message.build == worker:
        return f" (build {worker!r})"
    known = [f"{name} {build!r}" for name, build in (("worker", worker), ("job", message.build)) if build]
    return f" (build: {', '.join(known)})" if known else ""
