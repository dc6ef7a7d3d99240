"""A deployed task as the manifest has it: what a submission takes from the task's class where that is at hand."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.engine.definition.accepted import Compared
from serverless_tasks.engine.definition.manifest.shape import input_errors
from serverless_tasks.engine.definition.schema import check_json
from serverless_tasks.engine.store.hashes import hashed
from serverless_tasks.errors import InvalidInputs, TaskDefinitionError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from serverless_tasks.engine.definition.schema import Definition

# Among the names of secret inputs: every input is one.
ALL: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedTask:
    """A task of a deployed build. One of which only the name is known has the defaults, and accepts any inputs.

    Attributes:
        name: its name.
        queue: its own queue; unless given, the priority decides.
        priority: above 0 means queue ``high``, below 0 ``low``, 0 ``default``.
        unique: whether one job of the same inputs may wait or run at a time.
        secrets: the names that its secret inputs travel under; `ALL` for every name.
        closed: whether it has the inputs that the schema names, under these names, and no others.
        defaults: the inputs that a job has although they were not given.
        schema: the JSON Schema of the inputs.
        aliases: the names that it had before.
        schema_hash: the schema's hash, which stays where the schema was left out of a large manifest.
    """

    name: str
    queue: str | None = None
    priority: int = 0
    unique: bool = False
    secrets: tuple[str, ...] = ()
    closed: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict)
    schema: Mapping[str, Any] = field(default_factory=dict)
    schema_hash: str = ""
    aliases: tuple[str, ...] = ()

    @classmethod
    def of(cls, definition: Definition) -> DeployedTask:
        """The entry of a task whose code is here."""
        task = definition.task
        try:
            schema = definition.input_schema()
        except TaskDefinitionError:  # the task runs all the same; Django's check says why
            schema = {}
        return cls(
            name=task.name,
            queue=task.queue,
            priority=task.priority,
            unique=task.unique,
            secrets=(ALL,) if definition.is_secret(ALL) else tuple(sorted(definition.secrets)),
            closed=schema.get("additionalProperties") is False
            and definition.input_names == schema.get("properties", {}).keys(),
            defaults=definition.default_inputs(schema),
            schema=schema,
            schema_hash=hashed(schema),
            aliases=tuple(task.aliases),
        )

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> DeployedTask:
        """Read what `to_json` gave; members that a later version added are passed over."""
        known = {name: given[name] for name in cls.__dataclass_fields__ if name in given}
        return cls(**{**known, **{name: tuple(known.get(name, ())) for name in ("secrets", "aliases")}})

    def to_json(self, *, schema: bool = True) -> dict[str, Any]:
        """Return it as JSON, with or without the schema."""
        entry = {**asdict(self), **({} if schema else {"schema": {}, "closed": False})}
        if not self.aliases:
            del entry["aliases"]  # so that the build of a version before which has none is the same
        return entry

    def check(self, inputs: Any, missing: Collection[str] = ()) -> None:
        """See that inputs can be this task's; the worker has the last word on their values.

        Args:
            inputs: the inputs.
            missing: the names of others that are not known yet.

        Raises:
            InvalidInputs: naming each field that is not.
        """
        check_json(self.name, inputs)
        if errors := input_errors(self.schema, inputs, closed=self.closed, missing=missing):
            raise InvalidInputs(self.name, errors)

    def secrets_in(self, inputs: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the names of the inputs that hold a secret."""
        secret = inputs.keys() if ALL in self.secrets else inputs.keys() & set(self.secrets)
        return tuple(sorted(name for name in secret if inputs[name] is not None))

    def compared(self, inputs: dict[str, Any]) -> Compared:
        """Return the forms in which inputs are compared with those of other jobs."""
        return Compared({**self.defaults, **inputs}, inputs)


def find_task(tasks: Mapping[str, DeployedTask], name: str) -> DeployedTask | None:
    """Return the task that has a name, or had it before; None where there is none."""
    return tasks.get(name) or next((task for task in tasks.values() if name in task.aliases), None)
