"""The pydantic model behind a task of either style: validation, conversion and JSON Schema."""

from __future__ import annotations

import inspect
import json
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    create_model,
)
from pydantic_core import PydanticSerializationError

from serverless_tasks.errors import FieldError, InvalidInputs, TaskDefinitionError, TaskError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from serverless_tasks.declaration import Declaration
    from serverless_tasks.execution import Execution
    from serverless_tasks.params import Parameter

_DICT_CONFIG = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


class InvalidOutputs(TaskError):
    """What ``run`` returned does not fit the task's declared outputs."""


class Definition:
    """What a task takes and gives back. Two subclasses, one for each style, answer the same questions.

    Args:
        task: the task class.
    """

    inputs_model: type[BaseModel]

    def __init__(self, task: type[Declaration]) -> None:
        self.task = task

    def parse_json(self, inputs: Any) -> BaseModel:
        """Validate inputs that came as JSON.

        Args:
            inputs: the decoded JSON value; only an object is taken.

        Returns:
            The task's model, its fields converted to what ``run`` receives.

        Raises:
            InvalidInputs: naming each field that was refused.
        """
        self._check_names(inputs)
        try:
            return self.inputs_model.model_validate_json(encode(inputs))
        except ValidationError as error:
            raise self._refused(_field_errors(error)) from None
        except (ValueError, RecursionError) as error:
            raise self._refused([FieldError("", _reason(error))]) from None

    def to_json(self, inputs: Any) -> dict[str, Any]:
        """Validate Python inputs and give them as the JSON object that travels in the message.

        Args:
            inputs: a dictionary of Python values, or (pydantic style) an instance of the model.

        Raises:
            InvalidInputs: naming each field that is refused, or that would not survive the way there.
        """
        raise NotImplementedError

    def instance(self, model: BaseModel, execution: Execution) -> Declaration:
        """A task for one run."""
        task = self.task()
        task.execution = execution
        return task

    def arguments(self, model: BaseModel) -> dict[str, Any]:
        """The keyword arguments that ``run`` is called with."""
        raise NotImplementedError

    def outputs_to_json(self, value: Any) -> dict[str, Any]:
        """What ``run`` returned, as the record's ``outputs``.

        Raises:
            InvalidOutputs: when it does not fit what was declared, or is not JSON.
        """
        raise NotImplementedError

    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the inputs."""
        return self.inputs_model.model_json_schema()

    def output_schema(self) -> dict[str, Any]:
        """JSON Schema of the outputs."""
        raise NotImplementedError

    def _refused(self, fields: Iterable[FieldError]) -> InvalidInputs:
        return InvalidInputs(self.task.name, list(fields))

    def _check_names(self, inputs: Any) -> None:
        """Refuse what is not an object, and names that the task does not have (pydantic ignores them by default)."""
        if not isinstance(inputs, dict):
            raise self._refused(
                [FieldError("", f"must be an object, not {type(inputs).__name__}", (), "dict_type")]
            )
        if "extra" in self.inputs_model.model_config:
            return
        extra = [name for name in inputs if name not in self._names]
        if extra:
            raise self._refused(
                FieldError(str(name), "is not an input of this task", (name,), "extra_forbidden")
                for name in extra
            )

    @cached_property
    def _names(self) -> frozenset[str]:
        config = self.inputs_model.model_config
        by_name = config.get("populate_by_name") or config.get("validate_by_name")
        names: set[str] = set()
        for name, field in self.inputs_model.model_fields.items():
            alias = field.validation_alias
            if alias is None or by_name:
                names.add(name)
            choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
            for choice in choices:
                if isinstance(choice, AliasPath):
                    names.add(str(choice.path[0]))
                elif choice is not None:
                    names.add(choice)
        return frozenset(names)


class ModelDefinition(Definition):
    """Pydantic style: ``Task[Params]``, the outputs typed by ``run``'s return annotation."""

    def __init__(self, task: type[Declaration], inputs_model: type[BaseModel]) -> None:
        super().__init__(task)
        self.inputs_model = inputs_model

    def to_json(self, inputs: Any) -> dict[str, Any]:
        model = self._model(inputs)
        try:
            dumped = model.model_dump(mode="json", by_alias=True, round_trip=True)
            returned = self.inputs_model.model_validate_json(encode(dumped), by_alias=True)
        except (PydanticSerializationError, ValidationError, ValueError):
            raise self._refused(self._lossy_fields(model)) from None
        if returned != model:
            raise self._refused(self._lossy_fields(model))
        return dumped

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

    @cached_property
    def _annotation(self) -> Any:
        hints = get_type_hints(self.task.run, include_extras=True)
        annotation = hints.get("return", Any)
        return None if annotation is type(None) else annotation

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(Any if self._annotation is None else self._annotation)

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
            raise self._refused(_field_errors(error)) from None

    def _lossy_fields(self, model: BaseModel) -> list[FieldError]:
        """Which fields do not come back from JSON as they went, found by sending each alone."""
        lossy = []
        for name, field in type(model).model_fields.items():
            adapter: TypeAdapter[Any] = TypeAdapter(Annotated[field.annotation, field])
            value = getattr(model, name)
            try:
                same = adapter.validate_json(encode(adapter.dump_python(value, mode="json"))) == value
            except (PydanticSerializationError, ValidationError, ValueError, TypeError):
                same = False
            if not same:
                lossy.append(
                    FieldError(name, f"a {type(value).__name__} here does not survive JSON", (name,), "json")
                )
        return lossy or [FieldError("", "the model does not survive JSON as a whole", (), "json")]


class DictionaryDefinition(Definition):
    """Dictionary style: parameter objects under ``inputs`` and ``outputs``."""

    def __init__(self, task: type[Declaration]) -> None:
        super().__init__(task)
        self._inputs = {name: _parameter(task, name, given) for name, given in task.inputs.items()}
        self._outputs = {name: _parameter(task, name, given) for name, given in task.outputs.items()}
        accepted = inspect.signature(task.run).parameters
        anything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted.values())
        for name, parameter in self._inputs.items():
            if not anything and name not in accepted:
                raise TaskDefinitionError(
                    f"{task.__qualname__}.run() does not take the input {name!r}; add it."
                )
            given = accepted.get(name)
            if not parameter.required and not anything and given is not None and given.default is given.empty:
                raise TaskDefinitionError(
                    f"{task.__qualname__}.run() has no default for {name!r}, which is not required; give it one."
                )
        self._defaults = {
            name: given.default for name, given in accepted.items() if given.default is not given.empty
        }

    @cached_property
    def inputs_model(self) -> type[BaseModel]:  # type: ignore[override]
        fields: dict[str, Any] = {}
        for name, parameter in self._inputs.items():
            typed = Annotated[
                Any, PlainValidator(parameter.to_python), WithJsonSchema(parameter.json_schema())
            ]
            default = ... if parameter.required else self._defaults.get(name)
            fields[f"field_{len(fields)}"] = (typed, Field(default, alias=name))
        return create_model(self.task.__name__, __config__=_DICT_CONFIG, **fields)

    def to_json(self, inputs: Any) -> dict[str, Any]:
        self._check_names(inputs)
        carried = {name: self._carried(name, value) for name, value in inputs.items()}
        self.parse_json(carried)
        return carried

    def arguments(self, model: BaseModel) -> dict[str, Any]:
        given = model.model_fields_set
        fields = type(model).model_fields
        return {str(fields[field].alias): getattr(model, field) for field in fields if field in given}

    def outputs_to_json(self, value: Any) -> dict[str, Any]:
        if not self._outputs:
            return {}
        returned = self._by_name(value)
        outputs: dict[str, Any] = {}
        for name, parameter in self._outputs.items():
            if name not in returned:
                continue
            try:
                outputs[name] = parameter.to_json(returned[name])
                encode(outputs[name])
            except (ValueError, TypeError) as error:
                raise InvalidOutputs(f"Output {name!r} of task {self.task.name!r}: {error}") from error
        return outputs

    def output_schema(self) -> dict[str, Any]:
        properties = {name: {"title": name, **given.json_schema()} for name, given in self._outputs.items()}
        return {"type": "object", "properties": properties}

    def _by_name(self, value: Any) -> Mapping[str, Any]:
        if len(self._outputs) == 1:
            (name,) = self._outputs
            named = isinstance(value, dict) and value.keys() == {name}
            return value if named else {name: value}
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise InvalidOutputs(
                f"Task {self.task.name!r} has {len(self._outputs)} outputs and returned a {type(value).__name__};"
                f" return a dictionary with the keys {sorted(self._outputs)}."
            )
        return value

    def _carried(self, name: str, value: Any) -> Any:
        """A value that is JSON already travels as it is given; any other goes through the parameter's to_json."""
        if _is_json(value):
            return value
        parameter = self._inputs.get(name)
        try:
            converted = value if parameter is None else parameter.to_json(value)
            encode(converted)
        except (ValueError, TypeError, AttributeError) as error:
            raise self._refused([FieldError(name, _reason(error), (name,), "json")]) from None
        return converted


def encode(value: Any) -> str:
    """A JSON value as compact text.

    Raises:
        ValueError: for NaN, the infinities, and nesting without end.
        TypeError: for what JSON has no form for.
    """
    return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def define(task: type[Declaration]) -> Definition:
    """The definition of a task class, in the style that it is written in.

    Raises:
        TaskDefinitionError: when the class contradicts itself.
    """
    if task.params_model is not None:
        return ModelDefinition(task, task.params_model)
    return DictionaryDefinition(task)


def _parameter(task: type[Declaration], name: str, given: Any) -> Parameter:
    if not (hasattr(given, "to_python") and hasattr(given, "to_json")):
        hint = f"; write {given.__name__}() with brackets" if isinstance(given, type) else ""
        raise TaskDefinitionError(
            f"{task.__qualname__}: {name!r} is {given!r}, which is not a parameter{hint}."
        )
    parameter: Parameter = given
    return parameter


def _is_json(value: Any) -> bool:
    try:
        encode(value)
    except (ValueError, TypeError, RecursionError):
        return False
    return True


def _field_errors(error: ValidationError) -> list[FieldError]:
    return [
        FieldError(
            ".".join(map(str, found["loc"])), _reason_text(found["msg"]), tuple(found["loc"]), found["type"]
        )
        for found in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _reason_text(message: str) -> str:
    return message.removeprefix("Value error, ")
