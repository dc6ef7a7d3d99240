"""Writes by Django's databases. Django is never imported here: what has not loaded it has no writes of it."""

from __future__ import annotations

import re
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from serverless_tasks.repeatable.write import Write, place, values_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from serverless_tasks.repeatable.write import Recorder

_STATEMENT = re.compile(
    r"\s*(?P<verb>INSERT|REPLACE|UPDATE|DELETE)\b.*?(?:INTO|UPDATE|FROM|(?<=UPDATE))\s+(?:ONLY\s+)?"
    r"(?P<table>[\w.\"`\[\]]+)",
    re.IGNORECASE | re.DOTALL,
)
_UPSERT = re.compile(r"\bDO UPDATE\b|\bON DUPLICATE KEY\b|^\s*REPLACE\b", re.IGNORECASE)
_IGNORES = re.compile(r"\bDO NOTHING\b|\bINSERT (OR )?IGNORE\b", re.IGNORECASE)
_SET = re.compile(r"\bSET\b(.*?)(\bWHERE\b|\bRETURNING\b|$)", re.IGNORECASE | re.DOTALL)
_TARGET = re.compile(r"[\"`\[]?(\w+)[\"`\]]?\s*=(?!=)")
_ROWS = re.compile(r"\(\s*%s")


class _Committed:
    """Tells of a write that its transaction has committed."""

    def __init__(self, write: Write) -> None:
        self.write = write

    def __call__(self) -> None:
        self.write.happened = True


class _Database:
    """One database while a task runs in it.

    Args:
        connection: Django's.
        recorder: keeps the writes.
    """

    def __init__(self, connection: Any, recorder: Recorder) -> None:
        self.connection = connection
        self._recorder = recorder
        self._depth = len(connection.savepoint_ids)
        self._hooks = len(connection.run_on_commit)

    @property
    def in_transaction(self) -> bool:
        """True while a transaction that the task has opened has not ended."""
        return len(self.connection.savepoint_ids) > self._depth

    def crash(self) -> None:
        """Let what is open be rolled back, whatever becomes of the exception."""
        if self.in_transaction:
            self.connection.needs_rollback = True

    def run_hooks(self) -> None:
        """Run what waits for the commit: the task's outermost transaction has ended."""
        waiting = self.connection.run_on_commit
        while len(waiting) > self._hooks:
            _, call, *_ = waiting.pop(self._hooks)
            if isinstance(call, _Committed) or not self._recorder.dead:
                call()
            waiting = self.connection.run_on_commit

    def execute(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        """Run a statement; see Django's ``execute_wrapper``."""
        found = _STATEMENT.match(sql)
        if found is None:
            return execute(sql, params, many, context)
        self._recorder.before()
        result = execute(sql, params, many, context)
        write = _write(found, sql, params, many, context["cursor"])
        if write is not None:
            if self.in_transaction:
                write.happened = False
                self.connection.on_commit(_Committed(write))
            self._recorder.after(write)
        return result


def _write(found: re.Match[str], sql: str, params: Any, many: bool, cursor: Any) -> Write | None:
    """Return what a statement wrote; None for nothing, as where no row was met."""
    verb, table = found["verb"].upper(), found["table"].strip('"`[]')
    count = -1 if "RETURNING" in sql else cursor.rowcount
    if count == 0 and (verb in ("UPDATE", "DELETE") or _IGNORES.search(sql)):
        return None
    write = Write(kind="database", what=f"{verb} {table}", place=place(), values=values_of((sql, params)))
    if _UPSERT.search(sql):
        write.adds = 0
    elif verb == "INSERT":
        write.adds = len(params) if many else max(count, len(_ROWS.findall(sql)), 1)
    elif verb == "UPDATE" and not many:
        written = _SET.search(sql)
        targets = _TARGET.findall(written[1]) if written else []
        if written and any(len(re.findall(rf"\b{name}\b", written[1])) > 1 for name in targets):
            return write  # computed from what stands there
        set_values = written[1].count("%s") if written else 0
        given = list(params or ())
        write.adds, write.row = 0, values_of((sql, given[set_values:]))
        write.values = values_of(given[:set_values])
    else:
        write.adds = 0
        if verb == "DELETE":
            write.values = str(max(count, 0))
    return write


@contextmanager
def taken_back(modules: Mapping[str, Any]) -> Iterator[None]:
    """Take back, at the end of the block, what was written inside it to the databases that the test may use.

    Args:
        modules: ``sys.modules``.
    """
    with ExitStack() as stack:
        if _is_ready(modules):
            for alias in modules["django.db"].connections:
                _open(stack, modules["django.db"].transaction.Atomic, alias)
        yield


@contextmanager
def watched_databases(modules: Mapping[str, Any], recorder: Recorder) -> Iterator[None]:
    """See what is written to databases inside the block, which stands inside `taken_back`.

    Args:
        modules: ``sys.modules``.
        recorder: keeps the writes.
    """
    if not _is_ready(modules):
        yield
        return
    with ExitStack() as stack:
        databases = {}
        for connection in modules["django.db"].connections.all():
            if connection.in_atomic_block:
                database = databases[connection.alias] = _Database(connection, recorder)
                stack.enter_context(connection.execute_wrapper(database.execute))
                recorder.on_crash.append(database.crash)
        stack.enter_context(_transactions(modules["django.db"].transaction.Atomic, databases))
        yield
        for database in databases.values():
            database.run_hooks()


def _is_ready(modules: Mapping[str, Any]) -> bool:
    registry = modules.get("django.apps")
    return registry is not None and registry.apps.ready and "django.db" in modules


def _open(stack: ExitStack, atomic: Any, alias: str) -> None:
    """Open a transaction that is rolled back at the end, unless the test may not use the database."""
    block = atomic(alias, True, False)
    block._from_testcase = True  # a durable block of the task's may stand in it, as in Django's TestCase
    try:
        block.__enter__()
    except Exception:  # noqa: BLE001 - what forbids it forbids it to the task as well, and says so there
        return
    stack.callback(block.__exit__, _RolledBack, _RolledBack(), None)


class _RolledBack(Exception):
    """Ends a transaction without its writes."""


@contextmanager
def _transactions(atomic: Any, databases: dict[str, _Database]) -> Iterator[None]:
    """Let the outermost transaction of a task be one of its own, though it stands inside another."""
    enter, leave = atomic.__enter__, atomic.__exit__

    def entering(block: Any) -> None:
        database = databases.get(block.using or "default")
        outermost = database is not None and not database.in_transaction
        before = block.savepoint
        block.savepoint = before or outermost
        try:
            enter(block)
        finally:
            block.savepoint = before

    def leaving(block: Any, *raised: Any) -> None:
        leave(block, *raised)
        database = databases.get(block.using or "default")
        if database is not None and not database.in_transaction:
            database.run_hooks()

    atomic.__enter__, atomic.__exit__ = entering, leaving
    try:
        yield
    finally:
        atomic.__enter__, atomic.__exit__ = enter, leave
