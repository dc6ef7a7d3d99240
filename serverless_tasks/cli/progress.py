"""Following a job until it ends, and counting work that goes job by job."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from serverless_tasks.engine.job.record import PENDING
from serverless_tasks.errors import WaitTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rich.console import Console

    from serverless_tasks.cli.session import Session
    from serverless_tasks.engine.job.record import Record

# Seconds for which nothing may take a job before that is said.
IDLE = 30.0
NOT_TAKEN = (
    f"No worker has taken the job in {IDLE:g} seconds. See that one runs (the stack's worker function and its log; in a"
    " container `serverless-tasks worker`, on this machine `serverless-tasks dev`), that it has this task, and how"
    " many jobs wait before this one (the page Queues of Django's admin)."
)


def follow(
    session: Session,
    look: Callable[[], Record],
    *,
    idle: Callable[[str], object],
    interval: float = 1.0,
    timeout: float | None = None,
) -> Iterator[Record]:
    """Yield a job's record whenever it has changed, the terminal one last.

    Args:
        session: what the command works with.
        look: gives the record as it is now.
        idle: is told once, with what to look at, that nothing takes the job.
        interval: seconds between two looks.
        timeout: seconds to look for at most; None for as long as it takes.

    Raises:
        TaskNotFound: nothing is known of the job.
        WaitTimeout: it has not ended in time.
    """
    began = session.clock.now()
    until = None if timeout is None else began + timeout
    told = False
    seen: Record | None = None
    while True:
        record = look()
        if record != seen:
            yield record
        if record.ended:
            return
        seen = record
        if not told and record.returned is not None:
            told = True
            idle(f"No worker takes the job: {record.returned.message}")
        elif not told and _is_idle(record, began, session.clock.now()):
            told = True
            idle(NOT_TAKEN)
        if until is not None and session.clock.now() + interval > until:
            raise WaitTimeout(f"Job {record.uuid} is still {record.status} after {timeout:g} seconds.")
        session.clock.sleep(interval)


def _is_idle(record: Record, began: float, now: float) -> bool:
    """Return whether a job has been waiting for a worker, and not for its time, for `IDLE` seconds."""
    due = max(began, (record.run_at or 0) / 1000)
    return record.status == PENDING and not record.attempt and now >= due + IDLE


def show(records: Iterator[Record], console: Console) -> Record:
    """Draw a live progress bar on standard error, each new message above it.

    Args:
        records: a job's records as they change, at least one.
        console: draws on standard error.

    Returns:
        The last of them.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.text import Text

    from serverless_tasks.cli.output import visible
    from serverless_tasks.cli.tables import how_far

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(complete_style="cyan", finished_style="green"),
        TextColumn("{task.fields[far]}", markup=False),
        TimeElapsedColumn(),
    )
    last: Record | None = None
    told = 0
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=None, far="")
        for record in records:
            told = told if record.messages[:told] else 0
            for message in record.messages[told:]:
                console.print(Text(f"  {visible(message)}", style="dim"))
            told = len(record.messages)
            progress.update(
                bar,
                description=visible(f"{record.task} {record.status}"),
                total=_total(record),
                completed=float(record.progress),
                far=how_far(record) if record.progress or record.target is not None else "",
            )
            last = record
    if last is None:
        raise ValueError("a job has at least one record")
    return last


def counting[T](things: Iterable[T], what: str, *, total: int | None, silent: bool) -> Iterator[T]:
    """Go through things with a progress bar on standard error.

    Args:
        things: what is gone through.
        what: what is done with them.
        total: how many there are, when that is known.
        silent: draw nothing, for programs.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(file=sys.stderr, highlight=False, markup=False)
    if silent or not console.is_terminal:
        # A progress bar leaves an empty line in a log.
        yield from things
        return

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(complete_style="cyan", finished_style="green"),
        TextColumn("{task.completed:g}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(what, total=total)
        for thing in things:
            yield thing
            progress.advance(bar)


@contextmanager
def sending(total: int, *, silent: bool) -> Iterator[Callable[[int], object]]:
    """Draw a bar on standard error while the members of a group are sent.

    Args:
        total: how many there are.
        silent: draw nothing, for programs.

    Yields:
        Is to be told how many were sent since it was told last.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(file=sys.stderr, highlight=False, markup=False)
    if silent or not console.is_terminal:
        yield lambda _: None
        return
    columns = (
        TextColumn("Submitting"),
        BarColumn(complete_style="cyan", finished_style="green"),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("", total=total)
        yield lambda number: progress.advance(bar, number)


def _total(record: Record) -> float | None:
    """Return the end of the bar: None while a job without a target runs, reached once it has ended."""
    if record.target is not None and record.target > 0:
        return float(record.target)
    return float(record.progress) or None if not record.ended else max(float(record.progress), 1.0)
