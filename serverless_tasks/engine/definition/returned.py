"""Run what a task's ``run`` returned to its end: a coroutine or a generator has not run when it is returned."""

from __future__ import annotations

import inspect
import sys
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Generator,
    Iterable,
    Iterator,
)
from types import GeneratorType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Never,
    NoReturn,
    TypeAliasType,
    Union,
    get_args,
    get_origin,
)

from serverless_tasks.errors import InvalidOutputs

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

# What calls the user's code as it is read, and is made for nothing else.
_READ = (Generator, map, filter)


def run_to_end(value: Any, finish: Callable[[Coroutine[Any, Any, Any]], Any]) -> Any:
    """Run what a task returned until there is nothing left to run.

    Args:
        value: what it returned: an awaitable is awaited, a generator of either kind is read, and its list is the value;
            what comes of them is looked at again.
        finish: runs a coroutine and returns its value.

    Returns:
        The value.

    Raises:
        InvalidOutputs: it holds coroutines, which nobody has run.
    """
    while True:
        if _is_asynchronous(value):
            value = _finished(value, finish)
            if _is_asynchronous(value):  # awaited, it gives itself
                return value
        elif isinstance(value, _READ):
            value = list(value)
        else:
            _refuse_unrun(value)
            return value


def returned_type(annotation: Any) -> Any:
    """The type of the value that `run_to_end` makes of what ``run`` is annotated to return.

    Args:
        annotation: such as ``AsyncIterator[int]``, whose list it is, ``Awaitable[int]``, or a union of such types.
    """
    if annotation in (NoReturn, Never):
        return type(None)
    origin, given = get_origin(annotation) or annotation, get_args(annotation)
    if isinstance(origin, TypeAliasType):
        value = origin.__value__[given] if given else origin.__value__
        return _unless_same(returned_type(value), value, annotation)
    if origin is Annotated:
        inner = returned_type(given[0])
        return _unless_same(inner, given[0], annotation, Annotated[inner, *given[1:]])
    if origin in (Union, UnionType):
        members = tuple(map(returned_type, given))
        return _unless_same(members, given, annotation, Union[members])  # noqa: UP007 - made of a tuple
    if not isinstance(origin, type):
        return annotation
    if origin in (AsyncIterator, AsyncGenerator, AsyncIterable):
        return list[given[0]] if given else list  # type: ignore[valid-type]
    if origin is Iterator:
        return Iterable[given[0]] if given else Iterable  # type: ignore[valid-type]
    if issubclass(origin, (GeneratorType, map, filter)):
        return list
    if issubclass(origin, (Awaitable, *_future())):
        return returned_type(given[-1]) if given else Any
    return annotation


def _unless_same(made: Any, value: Any, annotation: Any, changed: Any = None) -> Any:
    """An annotation as it was written where it is the same type in the end: pydantic names an alias in the schema."""
    if made == value:
        return annotation
    return made if changed is None else changed


def _finished(value: Any, finish: Callable[[Coroutine[Any, Any, Any]], Any]) -> Any:
    outer = _awaited(value)
    try:
        return finish(outer)
    finally:
        for each in (outer, value):
            _forget(each)


async def _awaited(value: Any) -> Any:
    """Return what is left once all that needs an event loop has run on one."""
    while True:
        if isinstance(value, AsyncIterator):
            value = [each async for each in value]
        elif _is_asynchronous(value):
            awaited = await _awaitable(value)
            if awaited is value:
                return value
            value = awaited
        else:
            return value


def _forget(value: Any) -> None:
    """Close a coroutine that was never begun, which would warn of it. One that goes on, its loop ends."""
    if inspect.iscoroutine(value) and inspect.getcoroutinestate(value) == inspect.CORO_CREATED:
        value.close()


def _awaitable(value: Any) -> Awaitable[Any]:
    if isinstance(value, _future()):
        from asyncio import wrap_future

        value = wrap_future(value)
    awaitable: Awaitable[Any] = value
    return awaitable


def _is_asynchronous(value: Any) -> bool:
    if _goes_on_by_itself(type(value)):
        return False
    return inspect.isawaitable(value) or isinstance(value, (AsyncIterator, *_future()))


def _goes_on_by_itself(kind: type) -> bool:
    """Return whether a type is that of handles: a task that returns one does not wait for its job."""
    return getattr(kind, "in_background", False) is True


def _future() -> tuple[Any, ...]:
    """The future of threads' and processes' pools, once somebody has imported it."""
    pools = sys.modules.get("concurrent.futures")
    return () if pools is None else (pools.Future,)


def _refuse_unrun(value: Any) -> None:
    """A task without outputs gives a list of them back as if all was done."""
    unrun = list(_unrun(value))
    for each in unrun:
        _forget(each)
    if unrun:
        raise InvalidOutputs(
            f"run() returned a {type(value).__name__} that holds a {type(unrun[0]).__name__}, which nobody has run;"
            " await each of them, as with asyncio.gather()."
        )


def _unrun(value: Any) -> Iterator[Any]:
    held = value.values() if isinstance(value, dict) else value
    if not isinstance(value, (dict, list, tuple, set, frozenset)):
        return
    # Of a million numbers, one type is looked at.
    kinds = {
        kind
        for kind in set(map(type, held))
        if issubclass(kind, (Awaitable, AsyncIterator, *_future())) and not _goes_on_by_itself(kind)
    }
    if kinds:
        yield from (each for each in held if type(each) in kinds and not _is_done(each))


def _is_done(value: Any) -> bool:
    done = getattr(value, "done", None)
    return callable(done) and bool(done())
