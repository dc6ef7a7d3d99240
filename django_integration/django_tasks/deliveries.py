"""Middleware around the run of a task: fresh database connections before and after, and Django's signals."""

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
from django.urls import set_urlconf
from django.utils import timezone, translation

from django_integration.django_tasks.availability import HAS_TASKS
from django_integration.django_tasks.running import CURRENT, FunctionRun
from serverless_tasks.engine.services import current_services

if HAS_TASKS:  # here, so that a worker has it before its first delivery
    from django_integration.django_tasks.signals import tell_enqueued, tell_finished

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from django.core.cache.backends.base import BaseCache

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
        if HAS_TASKS and backend.synchronous:
            tell_enqueued(delivery.message)
        try:
            outcome = execute(attempt.delivery)
        finally:
            _abandon(_in_transactions() - outer)
        if HAS_TASKS:
            tell_finished(attempt, outcome)
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
