"""The pydantic style of a task, and the choice between the two."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

from pydantic import (
    BaseModel,
    ConfigDict,
    PydanticUserError,
    RootModel,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import PydanticSerializationError

from serverless_tasks.dictionary import DictionaryDefinition
from serverless_tasks.encoding import encode
from serverless_tasks.errors import FieldError, InvalidInputs, TaskDefinitionError
from serverless_tasks.schema import Definition, InvalidOutputs, field_errors, field_names
from serverless_tasks.secrecy import holds_secret, revealed

if TYPE_CHECKING:
    from serverless_tasks.declaration import Declaration
    from serverless_tasks.execution import Execution


class ModelDefinition(Definition):
    """Pydantic style: ``Task[Params]``, the outputs typed by ``run``'s return annotation."""

    def __init__(self, task: type[Declaration], inputs_model: type[BaseModel]) -> None:
        super().__init__(task)
        self.inputs_model = inputs_model
        self._annotation = self._returned()

    def to_json(self, inputs: Any) -> dict[str, Any]:
        model = self._model(inputs)
        try:
            dumped = model.model_dump(mode="json", by_alias=True, round_trip=True)
            if self.secrets:
                dumped = revealed(dumped, model.model_dump(by_alias=True, round_trip=True))
            returned = self.inputs_model.model_validate_json(encode(dumped), by_alias=True)
        except (PydanticSerializationError, ValidationError, ValueError):
            raise self._refused(self._lossy_fields(model)) from None
        if returned != model:
            raise self._refused(self._lossy_fields(model))
        return dumped

    @cached_property
    def secrets(self) -> frozenset[str]:  # type: ignore[override]
        fields = self.inputs_model.model_fields
        return frozenset().union(
            *(field_names(name, field) for name, field in fields.items() if holds_secret(field.annotation))
        )

    def is_secret(self, name: str) -> bool:
        # A root model has no names of its own: all that it is given is its one value.
        return name in self.secrets or (bool(self.secrets) and issubclass(self.inputs_model, RootModel))

    def instance(self, model: BaseModel, execution: Execution) -> Declaration:
        task = super().instance(model, execution)
        task.params = model
        return task

    def arguments(self, model: BaseModel) -> dict[str, Any]:
        return {}

    def outputs_to_json(self, value: Any) -> dict[str, Any]:
        if self._annotation is None and value is None:
            return {}
        try:
            checked = self._adapter.validate_python(value)
            dumped = self._adapter.dump_python(checked, mode="json", by_alias=True)
            encode(dumped)
        except (PydanticSerializationError, ValidationError, ValueError, TypeError) as error:
            raise InvalidOutputs(
                f"Task {self.task.name!r} returned what it does not declare: {error}"
            ) from error
        return dumped if self._returns_model else {"result": dumped}

    def output_schema(self) -> dict[str, Any]:
        if self._annotation is None:
            return {"type": "object", "properties": {}}
        schema = self._adapter.json_schema(mode="serialization")
        if self._returns_model:
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
        annotation = hints.get("return", Any)
        return None if annotation is type(None) else annotation

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        declared = Any if self._annotation is None else self._annotation
        try:  # NaN must come out as NaN, to be refused, and not as null
            return TypeAdapter(declared, config=ConfigDict(ser_json_inf_nan="constants"))
        except PydanticUserError:  # a model brings a configuration of its own
            return TypeAdapter(declared)

    @cached_property
    def _returns_model(self) -> bool:
        return isinstance(self._annotation, type) and issubclass(self._annotation, BaseModel)

    def _model(self, inputs: Any) -> BaseModel:
        if isinstance(inputs, self.inputs_model):
            return inputs
        self._check_names(inputs)
        try:
            return self.inputs_model.model_validate(inputs)
        except ValidationError as error:
            raise self._refused(field_errors(error), inputs) from None

    def _lossy_fields(self, model: BaseModel) -> list[FieldError]:
        """Which fields do not come back from JSON as they went, found by sending each alone."""
        lossy = []
        for name, field in type(model).model_fields.items():
            adapter: TypeAdapter[Any] = TypeAdapter(Annotated[field.annotation, field])
            value = getattr(model, name)
            try:
                shown = revealed(adapter.dump_python(value, mode="json"), adapter.dump_python(value))
                same = adapter.validate_json(encode(shown)) == value
            except (PydanticSerializationError, ValidationError, ValueError, TypeError):
                same = False
            if not same:
                lossy.append(
                    FieldError(name, f"a {type(value).__name__} here does not survive JSON", (name,), "json")
                )
        return lossy or [FieldError("", "the model does not survive JSON as a whole", (), "json")]


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
