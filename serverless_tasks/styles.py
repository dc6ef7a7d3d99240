"""The pydantic style of a task, and the choice between the two."""

from __future__ import annotations

import inspect
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_type_hints

from pydantic import (
    BaseModel,
    ConfigDict,
    PydanticSchemaGenerationError,
    PydanticUserError,
    RootModel,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import PydanticSerializationError

from serverless_tasks.aliases import field_names, plain_aliases
from serverless_tasks.dictionary import DictionaryDefinition
from serverless_tasks.encoding import encode
from serverless_tasks.equality import members_of, same
from serverless_tasks.errors import FieldError, InvalidInputs, TaskDefinitionError
from serverless_tasks.refusals import field_errors, not_an_object, refusals_of_django, whole
from serverless_tasks.returned import returned_type
from serverless_tasks.schema import (
    Definition,
    Described,
    InvalidOutputs,
    accepted_by,
    needed_of,
)
from serverless_tasks.secrecy import holds_secret, revealed
from serverless_tasks.sets import holds_set, in_order

if TYPE_CHECKING:
    from serverless_tasks.declaration import Declaration

_UNFIT: tuple[type[Exception], ...] = (PydanticSerializationError, ValidationError, ValueError, TypeError)
_LOSS: tuple[type[Exception], ...] = (*_UNFIT, RecursionError)


class ModelDefinition(Definition):
    """Pydantic style: ``Task[Params]``, the outputs typed by ``run``'s return annotation."""

    def __init__(self, task: type[Declaration], inputs_model: type[BaseModel]) -> None:
        super().__init__(task)
        if needed := needed_of(accepted_by(task)):
            raise TaskDefinitionError(
                f"{task.__qualname__}.run() needs {needed[0]!r}; in pydantic style it is called with self alone, and"
                " the inputs are in self.params."
            )
        self.inputs_model = inputs_model
        self._annotation = self._returned()

    def to_json(self, inputs: Any) -> dict[str, Any]:
        model = self._model(inputs)
        try:
            sent = self._sent(model)
            returned = self.inputs_model.model_validate_json(encode(sent))
        except (*_LOSS, *refusals_of_django()):
            raise self._refused(self._lossy_fields(model)) from None
        if not isinstance(sent, dict):
            raise self._refused([not_an_object(sent)])
        if not self._alike(returned, model):
            raise self._refused(self._lossy_fields(model))
        return sent

    def _sent(self, model: BaseModel, only: set[str] | None = None) -> Any:
        """A model as the JSON that the worker reads, of all fields or of some."""
        dumped: Any = model.model_dump(mode="json", by_alias=True, round_trip=True, include=only)
        if self.secrets:
            dumped = revealed(dumped, model.model_dump(by_alias=True, round_trip=True, include=only))
        if self._holds_sets:
            dumped = in_order(dumped, model)
        if not isinstance(dumped, dict):
            return dumped  # of a root model
        return {self._read_as.get(name, name): value for name, value in dumped.items()}

    @cached_property
    def _holds_sets(self) -> bool:
        return any(holds_set(field.annotation) for field in self.inputs_model.model_fields.values())

    @cached_property
    def _read_as(self) -> dict[str, str]:
        """The names that fields are read by, of those that are written by another one."""
        by_alias = self.inputs_model.model_config.get("validate_by_alias", True)
        names: dict[str, str] = {}
        for name, field in self.inputs_model.model_fields.items():
            read = plain_aliases(field) if by_alias and field.validation_alias is not None else [name]
            written = field.serialization_alias or name
            if read and written not in read:
                names[written] = read[0]
        return names

    @cached_property
    def secrets(self) -> frozenset[str]:  # type: ignore[override]
        fields = self.inputs_model.model_fields
        return frozenset().union(
            *(field_names(name, field) for name, field in fields.items() if holds_secret(field.annotation))
        )

    def is_secret(self, name: str) -> bool:
        # A root model has no names of its own: all that it is given is its one value.
        return name in self.secrets or (bool(self.secrets) and issubclass(self.inputs_model, RootModel))

    def _made(self, model: BaseModel) -> Declaration:
        make: Any = self.task
        task: Declaration = make(model) if self._is_made_of_params else make()
        task.params = model
        return task

    @cached_property
    def _is_made_of_params(self) -> bool:
        """Whether a task with an ``__init__`` of its own takes the params there, as `Task` does."""
        return bool(inspect.signature(self.task).parameters)

    def arguments(self, model: BaseModel) -> dict[str, Any]:
        return {}

    def outputs_to_json(self, value: Any) -> dict[str, Any]:
        if self._annotation is None and value is None:
            return {}
        try:
            checked = self._adapter.validate_python(value)
            dumped = self._adapter.dump_python(checked, mode="json", by_alias=True)
            encode(dumped)
        except (*_UNFIT, *refusals_of_django()) as error:
            raise InvalidOutputs(
                f"Task {self.task.name!r} returned what it does not declare: {error}"
            ) from error
        # A root model may be a list or a bare value, which has no names to be served by.
        return dumped if self._returns_model and isinstance(dumped, dict) else {"result": dumped}

    def output_schema(self) -> dict[str, Any]:
        if self._annotation is None:
            return {"type": "object", "properties": {}}
        schema = self._adapter.json_schema(mode="serialization", schema_generator=Described)
        if self._returns_model and (
            not issubclass(self._annotation, RootModel) or schema.get("type") == "object"
        ):
            return schema
        definitions = schema.pop("$defs", None)
        wrapped: dict[str, Any] = {"type": "object", "properties": {"result": schema}, "required": ["result"]}
        return {**wrapped, "$defs": definitions} if definitions else wrapped

    def _returned(self) -> Any:
        try:
            hints = get_type_hints(self.task.run, include_extras=True)
        except NameError as error:
            where = f"{self.task.__qualname__}.run()"
            raise TaskDefinitionError(
                f"An annotation of {where} cannot be found in its module: {error}."
            ) from error
        annotation = returned_type(hints.get("return", Any))
        return None if annotation is type(None) else annotation

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        declared = Any if self._annotation is None else self._annotation
        try:  # NaN must come out as NaN, to be refused, and not as null
            return TypeAdapter(declared, config=ConfigDict(ser_json_inf_nan="constants"))
        except PydanticSchemaGenerationError:
            raise TaskDefinitionError(
                f"{self.task.__qualname__}.run() says that it returns {declared}, of which pydantic knows no form"
                " in JSON; annotate it with what it gives back, or with nothing."
            ) from None
        except PydanticUserError:  # a model brings a configuration of its own
            return TypeAdapter(declared)

    @cached_property
    def _returns_model(self) -> bool:
        return isinstance(self._annotation, type) and issubclass(self._annotation, BaseModel)

    def _model(self, inputs: Any) -> BaseModel:
        if isinstance(inputs, self.inputs_model):
            return inputs
        return self._validated(inputs, lambda: self.inputs_model.model_validate(inputs))

    def _lossy_fields(self, model: BaseModel) -> list[FieldError]:
        """Which fields do not come back from JSON as they went."""
        members = members_of(model)
        refused = [
            FieldError(name, _no_json(value), (name,), "json")
            for name, value in members.items()
            if not self._has_json(model, name)
        ]
        if refused:
            return refused
        try:
            returned = self.inputs_model.model_validate_json(encode(self._sent(model)))
        except ValidationError as error:
            return field_errors(error)
        except refusals_of_django() as error:
            return whole(error)
        return [
            FieldError(
                name, f"a value of type {type(value).__name__} comes back from JSON changed", (name,), "json"
            )
            for name, value in members.items()
            if not self._alike(returned, model, name)
        ] or [FieldError("", "the model does not survive JSON as a whole", (), "json")]

    def _alike(self, returned: BaseModel, model: BaseModel, name: str | None = None) -> bool:
        """Whether a model, or one of its fields, has come back from JSON as it went."""
        try:
            if name is None:
                return bool(returned == model) or same(returned, model)
            came, went = members_of(returned), members_of(model)
            return name in came and same(came[name], went[name])
        except (ValueError, TypeError):  # no value of its own has two arrays compared: their JSON has to do
            only = None if name is None else {name}
            return bool(self._sent(returned, only) == self._sent(model, only))

    def _has_json(self, model: BaseModel, name: str) -> bool:
        try:
            encode(self._sent(model, {name}))
        except (*_LOSS, *refusals_of_django()):
            return False
        return True


def _no_json(value: Any) -> str:
    said = f"a value of type {type(value).__name__} has no form in JSON here"
    if isinstance(value, (bytes, bytearray)):
        return (
            f"{said}: it is not UTF-8; give the model's config ser_json_bytes and val_json_bytes = 'base64'"
        )
    return said


def define(task: type[Declaration]) -> Definition:
    """The definition of a task class, in the style that it is written in.

    Raises:
        TaskDefinitionError: when the class contradicts itself.
    """
    model = task.params_model
    made = DictionaryDefinition(task) if model is None else ModelDefinition(task, model)
    if task.schedule is not None:
        try:
            made.to_json(task.schedule_inputs)
        except InvalidInputs as error:
            raise TaskDefinitionError(f"{task.__qualname__}.schedule_inputs do not fit: {error}") from error
    return made
