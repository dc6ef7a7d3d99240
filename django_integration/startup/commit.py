"""Publishing on commit: a job that is submitted inside a transaction is sent when it commits, and not otherwise."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from asgiref.sync import sync_to_async
from django.db import DEFAULT_DB_ALIAS, connections

from serverless_tasks.engine.submit.publish import publish_now
from serverless_tasks.errors import ServerlessTasksError, SubmitUncertain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.db.backends.base.base import BaseDatabaseWrapper

    from serverless_tasks.engine.services import Services
    from serverless_tasks.engine.submit.publication import Publication

logger = logging.getLogger(__name__)
_watched: WeakSet[BaseDatabaseWrapper] = WeakSet()


class Hook:
    """The ``on_commit`` hook of one job. The first that is called publishes all jobs of its commit, in bulk.

    Each job has its own, since Django drops the hooks of a savepoint that is rolled back, and whoever runs only the
    latest hooks (as ``TestCase.captureOnCommitCallbacks`` does) must find one.

    Args:
        services: the services to publish with.
        publication: the job.
        connection: the connection whose transaction is open.
        manual: whether autocommit is off, so that Django runs no hooks.

    Attributes:
        committed: the hooks of the same commit, once the transaction has committed.
    """

    def __init__(
        self, services: Services, publication: Publication, connection: BaseDatabaseWrapper, *, manual: bool
    ) -> None:
        self.services = services
        self.manual = manual
        self.publication = publication
        self.connection = connection
        self.committed: Sequence[Hook] | None = None
        publication.awaited = self._is_waiting

    def __call__(self) -> None:
        """Publish the jobs that are left.

        Raises:
            ServerlessTasksError: some could not be published; each knows its own error.
        """
        if not self.publication.unsent:
            return
        hooks = _hooks(self.connection) if self.committed is None else self.committed
        left = [
            hook.publication for hook in hooks if hook.services is self.services and hook.publication.unsent
        ]
        try:
            publish_now(self.services, left)
        except Exception as error:  # noqa: BLE001 - of a backend of the project's own
            for publication in (each for each in left if each.unsent):
                if isinstance(error, ServerlessTasksError):
                    publication.settle(error)
                else:
                    publication.settle(SubmitUncertain(publication.message.uuid, repr(error)))
        for publication in left:
            if publication.error is not None:
                raise publication.error

    def _is_waiting(self) -> bool:
        return self.committed is not None or any(hook is self for hook in _hooks(self.connection))


class Commits:
    """The ends of a connection's transactions, where Django's own hooks do not suffice.

    Django drops the hooks after one that raises, although the transaction has committed, and calls none while
    autocommit is off: https://docs.djangoproject.com/en/6.1/topics/db/transactions/#exceptions-in-hooks

    Args:
        connection: the connection; its ``commit`` and ``run_and_clear_commit_hooks`` are replaced.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._commit = connection.commit
        self._run_hooks = connection.run_and_clear_commit_hooks
        self._connection.commit = self.commit
        self._connection.run_and_clear_commit_hooks = self.run_hooks

    @classmethod
    def watch(cls, connection: BaseDatabaseWrapper) -> None:
        """Replace the methods of a connection, once."""
        if connection not in _watched:
            cls(connection)
            _watched.add(connection)

    def run_hooks(self) -> None:
        """Run the hooks as Django does, and publish what is left when another's hook has raised."""
        hooks = self._committed()
        try:
            self._run_hooks()
        finally:
            for hook in hooks:
                try:
                    hook()
                except ServerlessTasksError:  # the handles hold it; the other hook's error is on its way
                    logger.exception("Jobs could not be published after another on_commit hook had failed.")

    def commit(self) -> None:
        """Commit, and publish the jobs that were submitted with autocommit off."""
        self._commit()
        if any(hook.manual for hook in _hooks(self._connection)):
            hooks = self._committed()
            entries = self._connection.run_on_commit
            self._connection.run_on_commit = [entry for entry in entries if not isinstance(entry[1], Hook)]
            for hook in hooks:
                hook()

    def _committed(self) -> list[Hook]:
        """Tell the hooks that wait that their transaction has committed."""
        hooks = _hooks(self._connection)
        for hook in hooks:
            hook.committed = hooks
        return hooks


class Savepoints:
    """The savepoints within which a job is submitted: all that there have been in the transaction.

    One that is released is never rolled back. Django lists those of ``atomic`` alone, and would keep a job that is
    submitted after ``transaction.savepoint_create()`` when that is rolled back.

    Args:
        connection: the connection.
    """

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._open = tuple(connection.savepoint_ids)
        self._count = connection.savepoint_state

    def __contains__(self, sid: str) -> bool:
        number = sid.rpartition("_x")[2]  # see BaseDatabaseWrapper.savepoint
        return sid in self._open or (number.isdigit() and int(number) <= self._count)


def defer(services: Services, publications: Sequence[Publication]) -> bool:
    """Leave publications to the commit of the transaction that is open, if one is.

    The default database's transaction counts; when it has none, that of another connection.

    Returns:
        Whether they were taken; False means that no transaction is open.
    """
    connection: Any = _open_transaction()
    if connection is None:
        return False
    waiting = {hook.publication.message.uuid: hook.publication for hook in _hooks(connection)}
    for publication in publications:
        # A job that waits already shares the fate of what is open here, or of less: it is sent once.
        known = waiting.get(publication.message.uuid)
        if known is not None and known.unsent:
            publication.duplicate_of(known)
    Commits.watch(connection)
    manual = _is_manual(connection)
    for publication in (each for each in publications if each.unsent):
        hook = Hook(services, publication, connection, manual=manual)
        # As `on_commit` does, which knows fewer savepoints and refuses while autocommit is off.
        connection.run_on_commit.append((Savepoints(connection), hook, False))
    if manual:  # turning autocommit on ends the transaction as well
        connection.run_commit_hooks_on_set_autocommit_on = True
    return True


async def beside_transaction[T](call: Callable[[], T]) -> T:
    """Make a call where Django makes those to the database, which alone sees the transaction that is open."""
    return await sync_to_async(call, thread_sensitive=True)()


def _open_transaction() -> BaseDatabaseWrapper | None:
    opened = {connection.alias: connection for connection in connections.all(initialized_only=True)}
    default = opened.pop(DEFAULT_DB_ALIAS, None)
    candidates = [default, *opened.values()] if default is not None else list(opened.values())
    return next((each for each in candidates if each.in_atomic_block or _is_manual(each)), None)


def _is_manual(connection: BaseDatabaseWrapper) -> bool:
    """Return whether autocommit is off, and not for the length of an ``atomic`` alone."""
    if connection.connection is None:
        return False
    return not (connection.commit_on_exit if connection.in_atomic_block else connection.autocommit)


def _hooks(connection: BaseDatabaseWrapper) -> list[Hook]:
    return [entry[1] for entry in connection.run_on_commit if isinstance(entry[1], Hook)]
