"""Event source mapping outside Lambda: several queues, each with its own threads."""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import TYPE_CHECKING, Self

from serverless_tasks.engine.aws.sqs.receiving import ReceivingQueue
from serverless_tasks.engine.job.clock import Clock
from serverless_tasks.errors import ConfigurationError
from serverless_tasks.poller.mapping import load_handler
from serverless_tasks.poller.queue_worker import QueueWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serverless_tasks.poller.mapping import Handler, Mapping

log = logging.getLogger(__name__)

HEARTBEAT_INTERVAL = 20.0
"""Seconds between two heartbeats."""

FLUSH_INTERVAL = 1.0
"""Seconds between two looks at what was received ahead, and at what is done and not deleted."""

HEARTBEAT_VISIBILITY = 60
"""Seconds for which a heartbeat hides a message: two heartbeats may fail."""


class Poller:
    """Polls SQS queues and calls handlers with what it finds, by the rules of Lambda's event source mapping.

    Queues share nothing but the process: each has its own threads, so that a slow one holds up no other. What a handler
    does not finish stays hidden for the visibility timeout and follows the queue's own redrive policy.

    Args:
        mappings: which handler serves which queue.
        heartbeat: keep messages hidden for as long as their handler runs, 60 s ahead, for workers without a deadline.
            The batch size must then be 1: a message that the handler gives back would be hidden again with the rest.
            While the handler is quick, several are received together all the same; see `QueueWorker`.
        wait: seconds of one long poll (20 at most).
        clock: the time.
        queue: makes the receiving side of a queue from its URL.
        handler: finds a handler by its dotted name.
        is_paused: whether the queue of a URL is paused; None where nobody looks.

    Raises:
        ConfigurationError: a handler is not to be found, or a heartbeat was asked for with a batch size above 1.
    """

    def __init__(
        self,
        mappings: Sequence[Mapping],
        *,
        heartbeat: bool = False,
        wait: int = 20,
        clock: Clock | None = None,
        queue: Callable[[str], ReceivingQueue] = ReceivingQueue,
        handler: Callable[[str], Handler] = load_handler,
        is_paused: Callable[[str], bool] | None = None,
    ) -> None:
        if heartbeat and any(mapping.batch_size > 1 for mapping in mappings):
            raise ConfigurationError(
                "A poller with a heartbeat receives one message at a time: set batch_size=1."
            )
        self._clock = clock or Clock()
        self._stop = threading.Event()
        # Separate threads, so that returning messages does not delay a heartbeat.
        self._regular = [
            threading.Thread(target=self._every, args=(seconds, act), name=name, daemon=True)
            for name, seconds, act in (
                ("heartbeat", HEARTBEAT_INTERVAL, self.heartbeat),
                ("flush", FLUSH_INTERVAL, self.flush),
            )
            if heartbeat
        ]
        self._workers = [
            QueueWorker(
                mapping,
                queue=queue(mapping.queue_url),
                handler=handler(mapping.handler),
                clock=self._clock,
                wait=wait,
                visibility=HEARTBEAT_VISIBILITY if heartbeat else None,
                prefetch=heartbeat,
                is_paused=None if is_paused is None else partial(is_paused, mapping.queue_url),
            )
            for mapping in mappings
        ]

    def start(self) -> None:
        """Start polling; returns at once."""
        for worker in self._workers:
            worker.start()
        for thread in self._regular:
            thread.start()

    def poll_once(self) -> int:
        """Give each queue one turn in the calling thread; return how many messages there were."""
        return sum(worker.run_once() for worker in self._workers)

    def stop(self, grace: float = 25.0) -> int:
        """Receive no more, let handlers finish, and give back what they did not.

        Args:
            grace: seconds for handlers to finish in. A long poll that is under way is waited for in any case.

        Returns:
            The number of messages that were made visible again.
        """
        for worker in self._workers:
            worker.stop()
        released = sum(self._given_back(worker, worker.give_back) for worker in self._workers)
        until = self._clock.now() + grace
        for worker in self._workers:
            worker.join(max(0.0, until - self._clock.now()))
        released += sum(self._given_back(worker, worker.release) for worker in self._workers)
        self._stop.set()
        for worker in self._workers:
            try:
                worker.finish()
            except Exception:  # the others write theirs
                log.warning(
                    "Queue %s: its handler could not finish.", worker.mapping.queue_name, exc_info=True
                )
        return released

    def heartbeat(self) -> None:
        """Hide everything in flight for 60 s from now."""
        for worker in self._workers:
            try:
                worker.extend(HEARTBEAT_VISIBILITY)
            except Exception:  # the next heartbeat retries before the 60 s are over
                log.warning("Queue %s: heartbeat failed.", worker.mapping.queue_name, exc_info=True)

    def flush(self) -> None:
        """Let no message that was received ahead wait behind a long task, and delete what is done."""
        for worker in self._workers:
            try:
                worker.flush()
            except Exception:  # those messages become visible after 60 s
                log.warning(
                    "Queue %s: messages could not be returned or deleted.",
                    worker.mapping.queue_name,
                    exc_info=True,
                )

    def __enter__(self) -> Self:
        """Start polling."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, with the usual grace."""
        self.stop()

    def _every(self, seconds: float, act: Callable[[], None]) -> None:
        while not self._clock.wait(self._stop, seconds):
            act()

    @staticmethod
    def _given_back(worker: QueueWorker, act: Callable[[], int]) -> int:
        try:
            released = act()
        except Exception:  # continue returning the other queues' messages
            log.warning(
                "Queue %s: could not return messages; they become visible when their visibility timeout ends.",
                worker.mapping.queue_name,
                exc_info=True,
            )
            return 0
        if released:
            log.warning("Queue %s: %d messages were returned.", worker.mapping.queue_name, released)
        return released
