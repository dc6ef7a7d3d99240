"""One queue's threads: receive, call the handler, delete what is done."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from serverless_tasks.poller.invocation import Context, sqs_event
from serverless_tasks.poller.response import BatchFailed, done

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serverless_tasks.aws.receive import ReceivedMessage, ReceivingQueue
    from serverless_tasks.clock import Clock
    from serverless_tasks.poller.mapping import Handler, Mapping

log = logging.getLogger(__name__)

_LONGEST_PAUSE = 30.0


class QueueSource:
    """Feeds the messages of one queue to one handler, in threads of its own.

    Only one of the threads receives at a time; the others run the handler or wait for their turn. Reading the queue's
    attributes here makes a wrong URL fail at once.

    Args:
        mapping: what to call, with how many messages, how many times at once.
        queue: where messages come from.
        handler: the mapping's handler, loaded.
        clock: the time.
        wait: seconds of one long poll (20 at most); stopping may take as long.
        visibility: seconds to hide received messages for; the queue's own timeout unless given.
    """

    def __init__(
        self,
        mapping: Mapping,
        *,
        queue: ReceivingQueue,
        handler: Handler,
        clock: Clock,
        wait: int,
        visibility: int | None = None,
    ) -> None:
        self.mapping = mapping
        self._queue = queue
        self._facts = queue.facts()
        self._handler = handler
        self._clock = clock
        self._wait = wait
        self._visibility = visibility
        self._stop = threading.Event()
        self._receiving = threading.Lock()
        self._state = threading.Lock()
        self._in_flight: dict[int, Sequence[ReceivedMessage]] = {}
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start as many threads as the mapping's concurrency."""
        for number in range(self.mapping.concurrency):
            thread = threading.Thread(target=self._run, name=f"{self._facts.name}-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def run_once(self) -> int:
        """Receive one batch and see it through in the calling thread; return how many messages there were."""
        messages = self._receive()
        if messages:
            self._deliver(messages)
        return len(messages)

    def stop(self) -> None:
        """Receive no more; return at once."""
        self._stop.set()

    def join(self, seconds: float) -> None:
        """Wait for the threads to end, for so many seconds in all."""
        until = self._clock.now() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - self._clock.now()))

    def release(self) -> int:
        """After ``stop``: make what is still in flight visible again and ignore what its handler will answer.

        Waits for a receive that is under way, whose messages would otherwise stay hidden for the queue's timeout.

        Returns:
            The number of messages given back.
        """
        with self._receiving, self._state:
            batches = list(self._in_flight.values())
            self._in_flight.clear()
        for messages in batches:
            self._queue.change_visibility(messages, 0)
        return sum(len(messages) for messages in batches)

    def extend(self, seconds: int) -> None:
        """Hide everything in flight for ``seconds`` from now."""
        with self._state:
            batches = list(self._in_flight.items())
        for key, messages in batches:
            refused = self._queue.change_visibility(messages, seconds)
            if refused and key in self._in_flight:
                log.warning(
                    "Queue %s: SQS does not hide %s any longer (its limit is 12 hours in all); "
                    "they will be delivered again while they still run.",
                    self._facts.name,
                    ", ".join(message.message_id for message in refused),
                )

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                self.run_once()
                failures = 0
            except Exception as error:  # whatever the network or AWS said, the queue is polled on
                pause = min(_LONGEST_PAUSE, 2.0**failures)
                failures += 1
                log.warning(
                    "Queue %s: %s; trying again in %d s.", self._facts.name, error, pause, exc_info=True
                )
                self._clock.wait(self._stop, pause)

    def _receive(self) -> Sequence[ReceivedMessage]:
        with self._receiving:
            if self._stop.is_set():
                return ()
            messages = self._queue.receive(
                self.mapping.batch_size, wait=self._wait, visibility=self._visibility
            )
            if messages and self._stop.is_set():
                self._queue.change_visibility(messages, 0)
                return ()
            if messages:
                with self._state:
                    self._in_flight[id(messages)] = messages
            return messages

    def _deliver(self, messages: Sequence[ReceivedMessage]) -> None:
        finished = self._call(messages)
        with self._state:
            released = self._in_flight.pop(id(messages), None) is None
        if released or not finished:
            return
        for message in self._queue.delete(finished):
            log.error(
                "Queue %s: message %s is done but could not be deleted; it will be delivered again.",
                self._facts.name,
                message.message_id,
            )

    def _call(self, messages: Sequence[ReceivedMessage]) -> Sequence[ReceivedMessage]:
        mapping = self.mapping
        context = Context(
            function_name=mapping.function_name,
            region=self._facts.region,
            memory_limit_in_mb=mapping.memory,
            deadline=None if mapping.timeout is None else self._clock.now() + mapping.timeout,
            now=self._clock.now,
        )
        try:
            response = self._handler(sqs_event(messages, self._facts), context)
            if context.deadline is not None and self._clock.now() > context.deadline:
                raise BatchFailed(f"it took longer than its timeout of {mapping.timeout:g} s")
            return self._done(response, messages)
        except BatchFailed as error:
            log.error("%s failed for %d messages: %s", mapping.function_name, len(messages), error)  # noqa: TRY400
        except (Exception, SystemExit):  # as in Lambda: an error of the function fails its batch
            log.exception("%s failed for %d messages", mapping.function_name, len(messages))
        return ()

    def _done(self, response: Any, messages: Sequence[ReceivedMessage]) -> Sequence[ReceivedMessage]:
        return done(response, messages) if self.mapping.partial_responses else messages
