"""Middleware around the run of a task: fresh database connections before and after, and Django's signal of the end."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from asgiref.sync import SyncToAsync
from django.core.cache import caches, close_caches
from django.db import Error, close_old_connections, connections, reset_queries
from django.tasks.signals import task_enqueued, task_finished
from django.urls import set_urlconf
from django.utils import timezone, translation

from django_integration.django_tasks.function import FunctionTask
from django_integration.django_tasks.reading import read_result
from django_integration.django_tasks.result import result_of
from django_integration.django_tasks.running import CURRENT, FunctionRun
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.record import ENDED, EndedAttempt, Record
from serverless_tasks.engine.services import current_services
from serverless_tasks.engine.worker.outcome import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from django.core.cache.backends.base import BaseCache

    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.worker.delivery import Delivery
    from serverless_tasks.engine.worker.outcome import DeliveryResult


def middleware(delivery: Delivery, execute: Callable[[Delivery], DeliveryResult]) -> DeliveryResult:
    """Run a delivery; see `serverless_tasks.engine.worker.delivery`."""
    attempt = FunctionRun(replace(delivery, request_id=delivery.request_id or worker_id()))
    backend = current_services().backend_kind
    # A worker's handler names its request; a pool's threads have no other work. Elsewhere a task is run in the midst of
    # a web request, or of a test, whose connections are not the task's to close.
    alone = bool(delivery.request_id) or backend.own_threads
    outer = _in_transactions()
    token = CURRENT.set(attempt)
    _begin_as_a_request()
    try:
        if alone:
            _CACHES.restore()
            reset_queries()
            close_old_connections()
            _tend_coroutines_thread()
        if backend.synchronous:
            _tell_enqueued(delivery.message)
        try:
            outcome = execute(attempt.delivery)
        finally:
            _abandon(_in_transactions() - outer)
        _tell_finished(attempt, outcome)
        return outcome
    finally:
        CURRENT.reset(token)
        if alone:
            close_old_connections()
            _tend_coroutines_thread()
            close_caches()
            _CACHES.keep()


class _Caches(threading.local):
    """The caches of a thread, which Django keeps in its context: each run would connect anew to what it had opened."""

    kept: Mapping[str, BaseCache] = {}
    of: object = None

    def restore(self) -> None:
        if self.of is _open_caches():  # else the settings have changed
            for alias, cache in self.kept.items():
                caches[alias] = cache

    def keep(self) -> None:
        self.of = _open_caches()
        self.kept = {alias: caches[alias] for alias in caches if hasattr(self.of, alias)}


def _open_caches() -> object:
    handler: Any = caches
    return handler._connections


_CACHES = _Caches()


def _begin_as_a_request() -> None:
    """Begin with the language, time zone and URLs of the settings, whatever the code around has activated."""
    translation.deactivate()
    timezone.deactivate()
    set_urlconf(None)


def _in_transactions() -> set[str]:
    return {each.alias for each in connections.all(initialized_only=True) if each.in_atomic_block}


def _abandon(aliases: set[str]) -> None:
    """Drop the connections whose transaction a task has left open: it was stopped within ``atomic``, between two of its
    instructions. Django closes such a connection and never opens another, so that every later task would fail.
    """
    for alias in aliases:
        with suppress(Error):
            connections[alias].close()
        del connections[alias]


def _tend_coroutines_thread() -> None:
    """Close old connections of the thread in which the ORM calls of a task's ``async def run`` are made.

    It works on one call after another, so that the next task finds what it needs; nobody waits for it, since a call of
    a task that was stopped may still be going on there.
    """
    executor = SyncToAsync.single_thread_executor
    if executor._threads:
        with suppress(RuntimeError):  # the process is ending
            executor.submit(close_old_connections)


def worker_id() -> str:
    """Return the id of this worker, for attempts outside Lambda."""
    return f"{socket.gethostname()}-{os.getpid()}"


def _tell_enqueued(message: Message) -> None:
    """Before the first attempt of a job that is run while it is enqueued: afterwards would be too late."""
    if message.member is not None or message.previous is not None:
        return  # a job of a workflow is enqueued by nobody
    result = read_result(message.uuid) if _is_function(message) else None
    if result is not None and not result.record.attempt:
        task_enqueued.send_robust(type(result.task.get_backend()), task_result=result)


def _tell_finished(attempt: FunctionRun, outcome: DeliveryResult) -> None:
    message = attempt.delivery.message
    if outcome.job_status not in ENDED or not outcome.attempt or not _is_function(message):
        return
    begun = attempt.result
    if begun is not None:
        result = result_of(begun.task, _ended(attempt, begun.record, outcome), begun.args, begun.kwargs)
    else:  # its function was not called: it was cancelled, or too many workers were lost
        known = read_result(message.uuid)
        if known is None:
            return
        result = known
    sender = type(result.task.get_backend())
    if outcome.exception is None:
        task_finished.send_robust(sender, task_result=result)
        return
    exception = printable(outcome.exception)  # Django's own receiver logs it
    traceback = exception.__traceback__
    try:
        raise exception
    except BaseException:  # noqa: BLE001 - receivers find it in sys.exc_info(), as with Django's own backends
        task_finished.send_robust(sender, task_result=result)
    finally:
        exception.__traceback__ = traceback


def _ended(attempt: FunctionRun, begun: Record, outcome: DeliveryResult) -> Record:
    now = to_ms(current_services().clock.now())
    history = begun.history
    if outcome.failure is not None:
        ended = EndedAttempt(
            number=outcome.attempt,
            started=begun.attempted or now,
            ended=now,
            failure=outcome.failure,
            request_id=attempt.delivery.request_id,
        )
        history = (*history, ended)
    counted: dict[str, Any] = {}
    if attempt.execution is not None:
        progress = attempt.execution.progress
        counted = {"progress": progress.progress, "target": progress.target}
    return replace(
        begun,
        status=outcome.job_status,
        outputs=(attempt.outputs or {}) if outcome.failure is None else {},
        failure=outcome.failure,
        finished=now,
        history=history,
        **counted,
    )


def _is_function(message: Message) -> bool:
    return issubclass(current_services().registry.for_message(message.task), FunctionTask)
