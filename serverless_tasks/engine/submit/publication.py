"""The publication of a message: whether it has been sent, and what it stands for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.job.record import Record
    from serverless_tasks.engine.store.locks import Lock
    from serverless_tasks.errors import ServerlessTasksError


def _never() -> bool:
    return False


def _elsewhere() -> bool:
    return True


class Publication:
    """The publication of a message; shared by its handle and by whoever publishes it.

    Args:
        message: the message.

    Attributes:
        earlier: the job that was given back in place of a new one, as it was then.
        key: the row of its idempotency key, or None.
        unique_lock: the row of the one live job of its task and inputs, or None.
        took_lock: whether that row was nobody's before.
        send: of a group, what sends its members; it takes the place of the backend.
    """

    def __init__(self, message: Message) -> None:
        self.message = message
        self.published = False
        self.error: ServerlessTasksError | None = None
        self.awaited: Callable[[], bool] = _never
        self._then: list[Callable[[], object]] = []
        self.earlier: Record | None = None
        self.key: Lock | None = None
        self.unique_lock: Lock | None = None
        self.took_lock = False
        self.send: Callable[[], None] | None = None
        self._original: Publication | None = None

    def settle(self, error: ServerlessTasksError | None) -> None:
        """Note the answer of the backend."""
        self.published = error is None
        self.error = error
        then, self._then = self._then, []
        if self.published:
            for call in then:
                call()

    def then(self, call: Callable[[], object]) -> None:
        """Call this once the message is published, or now if it is; it must not raise."""
        if self.published:
            call()
        else:
            self._then.append(call)

    def give_back(self, earlier: Record) -> None:
        """Stand for a job that was published before; nothing is sent."""
        self.earlier = earlier
        self.message = replace(
            self.message,
            uuid=earlier.uuid,
            owner=earlier.owner,
            created=earlier.created,
            options=replace(self.message.options, track=True),
        )
        self.settle(None)

    def duplicate_of(self, original: Publication) -> None:
        """Stand for the same job as another publication, which is the one to be sent."""
        self._original = original
        if self.unique_lock is not None:
            original.unique_lock = self.unique_lock  # the same row, written anew

    @property
    def original(self) -> Publication:
        """The publication that is sent for this one: itself, unless it follows another."""
        return self if self._original is None else self._original.original

    @property
    def unsent(self) -> bool:
        """True if it is still to be handed to a backend."""
        return not self.published and self.error is None and self._original is None

    @property
    def repeated(self) -> bool:
        """True if it stands for a job that another submit has sent, or will send."""
        return self.earlier is not None or self._original is not None

    @property
    def rolled_back(self) -> bool:
        """True if the transaction that should have published it is gone."""
        return not self.published and self.error is None and not self.awaited()

    @property
    def elsewhere(self) -> bool:
        """True if it was unpickled and had been waiting for its transaction: only the store knows of its end."""
        return not self.published and self.awaited is _elsewhere

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what belongs to this process, and the inputs, which nobody needs and which may be secret."""
        waiting = self.unsent and self.awaited()
        return self.__dict__ | {
            "message": replace(self.message, inputs={}, secrets=()),
            "awaited": _elsewhere if waiting else _never,
            "key": None,
            "unique_lock": None,
            "send": None,
            "_then": [],
        }
