"""One queue's threads: receive, call the handler, delete what is done."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.aws.sqs.receiving import BATCH
from serverless_tasks.poller.invocation import Context, sqs_event
from serverless_tasks.poller.prefetch import Prefetch
from serverless_tasks.poller.response import BatchFailed, done

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serverless_tasks.engine.aws.sqs.receiving import ReceivedMessage, ReceivingQueue
    from serverless_tasks.engine.job.clock import Clock
    from serverless_tasks.poller.mapping import Handler, Mapping

log = logging.getLogger(__name__)

_LONGEST_PAUSE = 30.0
# Seconds between two looks at a queue that is paused.
_WHILE_PAUSED = 10.0
_FIFO = ".fifo"


class QueueWorker:
    """Feeds the messages of one queue to one handler, in threads of its own.

    Only one of the threads receives at a time; the others run the handler or wait for their turn. Reading the queue's
    attributes here makes a wrong URL fail at once.

    With ``prefetch``, messages are received together while the handler is quick with them, and deleted together before
    the next are received; see `Prefetch`. Call `flush` every second or so then. Of a FIFO queue one is taken at a time
    in any case: SQS holds back the rest of a group only until the next receive.

    Args:
        mapping: what to call, with how many messages, how many times at once.
        queue: where messages come from.
        handler: the mapping's handler, loaded.
        clock: the time.
        wait: seconds of one long poll (20 at most); stopping may take as long.
        visibility: seconds to hide received messages for; the queue's own timeout unless given.
        prefetch: whether more may be received than one call takes, which is one message.
        is_paused: whether the queue is paused, so that nothing is received; None where nobody looks.
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
        prefetch: bool = False,
        is_paused: Callable[[], bool] | None = None,
    ) -> None:
        self.mapping = mapping
        self._queue = queue
        self._attributes = queue.attributes()
        self._handler = handler
        self._clock = clock
        self._wait = wait
        self._visibility = visibility
        self._is_paused = is_paused
        self._stop = threading.Event()
        self._receiving = threading.Lock()
        self._state = threading.Lock()
        self._in_flight: dict[int, Sequence[ReceivedMessage]] = {}
        fifo = self._attributes.name.endswith(_FIFO)
        self._prefetched = Prefetch(clock.now, 1 if fifo else BATCH) if prefetch else None
        self._finished: list[ReceivedMessage] = []
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start as many threads as the mapping's concurrency."""
        for number in range(self.mapping.concurrency):
            thread = threading.Thread(target=self._run, name=f"{self._attributes.name}-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def run_once(self) -> int:
        """See one call through in the calling thread, with a batch or with a message that was received ahead.

        Returns:
            The number of messages that the call was made with.
        """
        messages = self._receive()
        if messages:
            self._deliver(messages)
        return len(messages)

    def stop(self) -> None:
        """Receive and begin no more; return at once."""
        self._stop.set()

    def flush(self) -> None:
        """Give back what was received ahead and has waited for too long, and delete what is done."""
        if self._prefetched is not None and (expired := self._prefetched.take_expired()):
            log.info(
                "Queue %s: returning %d messages that wait behind a long task.",
                self._attributes.name,
                len(expired),
            )
            self._queue.change_visibility(expired, 0)
        self._delete()
        if callable(flush := getattr(self._handler, "flush", None)):
            flush()

    def give_back(self) -> int:
        """After ``stop``: make what was received ahead visible again; return how many messages that were."""
        waiting = self._prefetched.clear() if self._prefetched is not None else []
        if waiting:
            self._queue.change_visibility(waiting, 0)
        return len(waiting)

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
        released = sum(len(messages) for messages in batches) + self.give_back()
        self._delete()
        return released

    def finish(self) -> None:
        """After ``release``: let the handler write what it holds."""
        if callable(finish := getattr(self._handler, "finish", None)):
            finish()

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
                    self._attributes.name,
                    ", ".join(message.message_id for message in refused),
                )

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                if self._is_paused is not None and self._is_paused():
                    self._clock.wait(self._stop, _WHILE_PAUSED)
                    continue
                self.run_once()
                failures = 0
            except Exception as error:  # keep polling after any network or AWS error
                pause = min(_LONGEST_PAUSE, 2.0**failures)
                failures += 1
                log.warning(
                    "Queue %s: %s; trying again in %d s.", self._attributes.name, error, pause, exc_info=True
                )
                self._clock.wait(self._stop, pause)

    def _receive(self) -> Sequence[ReceivedMessage]:
        with self._receiving:
            if self._stop.is_set():
                return ()
            messages = self._prefetched.take() if self._prefetched is not None else []
            if not messages:
                limit = self.mapping.batch_size if self._prefetched is None else self._prefetched.limit
                messages = self._queue.receive(limit, wait=self._wait, visibility=self._visibility)
                if messages and self._stop.is_set():
                    self._queue.change_visibility(messages, 0)
                    return ()
                if self._prefetched is not None:
                    self._prefetched.put(messages[1:])
                    messages = messages[:1]
            if messages:
                with self._state:
                    self._in_flight[id(messages)] = messages
            return messages

    def _deliver(self, messages: Sequence[ReceivedMessage]) -> None:
        began = self._clock.now()
        finished = self._call(messages)
        if self._prefetched is not None:
            self._prefetched.record_duration(self._clock.now() - began)
        with self._state:
            if self._in_flight.pop(id(messages), None) is not None:
                self._finished.extend(finished)
        # Delete processed messages before long polling or running a long task.
        if self._prefetched is None or self._prefetched.empty:
            self._delete()

    def _delete(self) -> None:
        with self._state:
            finished, self._finished = self._finished, []
        for message in self._queue.delete(finished):
            log.error(
                "Queue %s: message %s was processed but could not be deleted; it will be redelivered.",
                self._attributes.name,
                message.message_id,
            )

    def _call(self, messages: Sequence[ReceivedMessage]) -> Sequence[ReceivedMessage]:
        mapping = self.mapping
        context = Context(
            function_name=mapping.function_name,
            region=self._attributes.region,
            memory_limit_in_mb=mapping.memory,
            deadline=None if mapping.timeout is None else self._clock.now() + mapping.timeout,
            now=self._clock.now,
        )
        try:
            response = self._handler(sqs_event(messages, self._attributes), context)
            if context.deadline is not None and self._clock.now() > context.deadline:
                raise BatchFailed(f"it took longer than its timeout of {mapping.timeout:g} s")
            return self._done(response, messages)
        except BatchFailed as error:
            log.error("%s failed for %d messages: %s", mapping.function_name, len(messages), error)  # noqa: TRY400
        except (Exception, SystemExit):  # as in Lambda, a function error fails the batch
            log.exception("%s failed for %d messages", mapping.function_name, len(messages))
        return ()

    def _done(self, response: Any, messages: Sequence[ReceivedMessage]) -> Sequence[ReceivedMessage]:
        return done(response, messages) if self.mapping.partial_responses else messages
