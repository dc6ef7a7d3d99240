"""Publishing on commit: a job that is submitted inside a transaction is sent when it commits, and not otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import DEFAULT_DB_ALIAS, connections

from serverless_tasks.engine.submit.publish import publish_now
from serverless_tasks.errors import ServerlessTasksError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.backends.base.base import BaseDatabaseWrapper

    from serverless_tasks.engine.services import Services
    from serverless_tasks.engine.submit.publication import Publication


class Bulk:
    """Jobs that share the fate of one savepoint, and are published together.

    Django drops the hooks of a savepoint that is rolled back, and tells nobody. Jobs of different savepoints can
    therefore not share a bulk: one of them may be dropped and the other not.

    Args:
        services: the services to publish with.
        connection: the connection whose transaction is open.
        savepoints: the savepoints that are open, outermost first.
    """

    def __init__(
        self, services: Services, connection: BaseDatabaseWrapper, savepoints: tuple[str | None, ...]
    ) -> None:
        self._connection = connection
        self._publications: list[Publication] = []
        self.services = services
        self.savepoints = savepoints

    def add(self, publications: Sequence[Publication]) -> None:
        """Add jobs, each call with a hook of its own, so that whoever runs only the latest hooks (as
        ``TestCase.captureOnCommitCallbacks`` does) finds one; the first hook to run publishes all.
        """
        self._publications += publications
        for publication in publications:
            publication.awaited = self._is_waiting
        self._connection.on_commit(self.publish)

    @property
    def waiting(self) -> Sequence[Publication]:
        """The jobs that are left to publish."""
        return self._publications

    def publish(self) -> None:
        """Publish the jobs that are left.

        Raises:
            ServerlessTasksError: some could not be published; each knows its own error.
        """
        publications, self._publications = self._publications, []
        if not publications:
            return
        try:
            publish_now(self.services, publications)
        except ServerlessTasksError as error:
            for publication in publications:
                publication.settle(error)
        for publication in publications:
            if publication.error is not None:
                raise publication.error

    def _is_waiting(self) -> bool:
        return any(bulk is self for bulk in _bulks(self._connection))


def defer(services: Services, publications: Sequence[Publication]) -> bool:
    """Leave publications to the commit of the transaction that is open, if one is.

    The default database's transaction counts; when it has none, that of another connection.

    Returns:
        Whether they were taken; False means that no transaction is open.
    """
    connection = _open_transaction()
    if connection is None:
        return False
    bulks = _bulks(connection)
    waiting = {known.message.uuid: known for bulk in bulks for known in bulk.waiting}
    for publication in publications:
        # A job that waits already shares the fate of what is open here, or of less: it is sent once.
        if (known := waiting.get(publication.message.uuid)) is not None:
            publication.duplicate_of(known)
    publications = [publication for publication in publications if publication.unsent]
    if not publications:
        return True
    savepoints = tuple(connection.savepoint_ids)
    for bulk in bulks:
        if bulk.savepoints == savepoints and bulk.services is services:
            break
    else:
        _let_fail_alone(connection)
        bulk = Bulk(services, connection, savepoints)
    bulk.add(publications)
    return True


def _open_transaction() -> BaseDatabaseWrapper | None:
    opened = {connection.alias: connection for connection in connections.all(initialized_only=True)}
    default = opened.pop(DEFAULT_DB_ALIAS, None)
    candidates = [default, *opened.values()] if default is not None else list(opened.values())
    return next((connection for connection in candidates if connection.in_atomic_block), None)


def _bulks(connection: BaseDatabaseWrapper) -> list[Bulk]:
    hooks = (getattr(entry[1], "__self__", None) for entry in connection.run_on_commit)
    return [bulk for bulk in hooks if isinstance(bulk, Bulk)]


def _let_fail_alone(connection: BaseDatabaseWrapper) -> None:
    """Make the hooks of the bulks before a further one robust: an error that a hook raises makes Django drop all hooks
    after it, and with them the jobs of the other bulks. Django logs the error, and the handles hold it.
    """
    hooks: Any = connection.run_on_commit  # as Django keeps them: savepoints, hook, robust
    hooks[:] = [
        (savepoints, hook, robust or isinstance(getattr(hook, "__self__", None), Bulk))
        for savepoints, hook, robust in hooks
    ]
