"""The outputs of earlier jobs of a workflow, for the job that comes after them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.engine.job.record import SUCCEEDED, Members
from serverless_tasks.engine.store.groups import member_ids
from serverless_tasks.errors import FieldError, InvalidInputs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from serverless_tasks.engine.job.message import Message
    from serverless_tasks.engine.store.base import Store

PREVIOUS: Final = "previous"
RESULTS: Final = "results"
_PAGE: Final = 100


def resolved(message: Message, inputs: dict[str, Any], store: Store) -> dict[str, Any]:
    """Return the inputs of a job with the outputs of earlier ones in their places.

    Args:
        message: the job.
        inputs: its inputs as they travelled; they stay as they are.
        store: where jobs are kept.

    Raises:
        InvalidInputs: an output is not there.
        AwsError: they could not be read now.
    """
    assert message.previous is not None, "who makes a reference says what it speaks of"
    refused: list[FieldError] = []
    earlier = EarlierJobs(store, message.previous)
    kinds = {kind for kind, *_ in message.references.values()}
    one = earlier.outputs() if PREVIOUS in kinds else {}
    several = earlier.results() if RESULTS in kinds else ()
    values: dict[str, Any] = {}
    for name, (kind, *path) in message.references.items():
        if kind == RESULTS:
            values[name] = []
        else:
            values[name] = _at(one, path, name, refused)
    for outputs in several:
        for name, (kind, *path) in message.references.items():
            if kind == RESULTS:
                values[name].append(None if outputs is None else _at(outputs, path, name, refused))
    for name, value in values.items():
        inputs = _with(inputs, _parts(name), value)
    if refused:
        raise InvalidInputs(message.task, refused)
    return inputs


def pointer(parts: Sequence[str | int]) -> str:
    """Return as one text where a value stands in a job's inputs: of a whole input its name, else ``kwargs/to``.

    Names are escaped as in JSON Pointer, https://www.rfc-editor.org/rfc/rfc6901#section-3.
    """
    return "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def whole_inputs(pointers: Iterable[str]) -> list[str]:
    """Return the names of those inputs that pointers name as a whole."""
    return [parts[0] for parts in map(_parts, pointers) if len(parts) == 1]


class EarlierJobs:
    """The job, or the group, that came before a job.

    Args:
        store: where jobs are kept.
        uuid: its id.
    """

    def __init__(self, store: Store, uuid: str) -> None:
        self._store = store
        self.uuid = uuid

    @property
    def members(self) -> Members:
        """How its members ended."""
        record = self._store.read(self.uuid, whole=False)
        members = record.members if record is not None else None
        return members or Members(total=0)

    def outputs(self) -> dict[str, Any]:
        """Return the outputs of the one job; empty where it has none."""
        record = self._store.read(self.uuid)
        return record.outputs if record is not None else {}

    def results(self) -> Iterator[dict[str, Any] | None]:
        """Yield the outputs of its members in their order, None of one that did not succeed; read in pages."""
        group = self._store.groups.get(self.uuid)
        if group is None:
            return
        shards = self._store.groups.shards(group.uuid, group.total)
        for start in range(0, group.total, _PAGE):
            wanted = range(start, min(start + _PAGE, group.total))
            ids = member_ids(group, wanted, shards, self._store.groups)
            records = self._store.read_many(ids)
            for uuid in ids:
                record = records.get(uuid)
                yield record.outputs if record is not None and record.status == SUCCEEDED else None


def _at(outputs: Any, path: list[str | int], name: str, refused: list[FieldError]) -> Any:
    value = outputs
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            text = f"is to be {path[0]!r} of the job before it, which has no such output"
            where = _parts(name)
            refused.append(FieldError(".".join(where), text, where, "reference"))
            return None
    return value


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in name.split("/"))


def _with(container: Any, parts: Sequence[str], value: Any) -> Any:
    """Return a dictionary or a list with a value at its place; both stay as they are."""
    first, *rest = parts
    changed = container.copy()
    place = int(first) if isinstance(container, list) else first
    changed[place] = _with(container[place], rest, value) if rest else value
    return changed
