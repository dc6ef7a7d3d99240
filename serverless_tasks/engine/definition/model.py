"""The pydantic style of a task, and the choice between the two."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import is_dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, get_origin, get_type_hints, is_typeddict

from pydantic import (
    BaseModel,
    ConfigDict,
    PydanticSchemaGenerationError,
    PydanticUndefinedAnnotation,
    PydanticUserError,
    RootModel,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import PydanticSerializationError

from serverless_tasks.engine.definition.accepted import Accepted, Compared
from serverless_tasks.engine.definition.json_schema import Described
from serverless_tasks.engine.definition.model_json import Lossy, ModelJson
from serverless_tasks.engine.definition.returned import returned_type
from serverless_tasks.engine.definition.run_signature import accepted_by, needed_of
from serverless_tasks.engine.definition.schema import Definition
from serverless_tasks.engine.definition.values.aliases import field_names
from serverless_tasks.engine.definition.values.field_errors import field_errors, refusals_of_django
from serverless_tasks.engine.definition.values.nesting import TOO_DEEP, is_too_deep, too_deep_fields
from serverless_tasks.engine.definition.values.secrets import holds_secret, with_secrets
from serverless_tasks.engine.job.encoding import encode
from serverless_tasks.errors import FieldError, InvalidOutputs, TaskDefinitionError
from serverless_tasks.params import plain_advice

if TYPE_CHECKING:
    from collections.abc import Collection

    from serverless_tasks.engine.definition.base import BaseTask

# The types of functions and classes, which pydantic checks and cannot write.
_NO_JSON = ("callable", "is-subclass")
_UNFIT: tuple[type[Exception], ...] = (
    PydanticSerializationError,
    ValidationError,
    ValueError,
    TypeError,
    OverflowError,
    RecursionError,
)


class ModelDefinition(Definition):
    """Pydantic style: ``Task[Params]``, the outputs typed by ``run``'s return annotation."""

    def __init__(self, task: type[BaseTask], inputs_model: type[BaseModel]) -> None:
        super().__init__(task)
        if needed := needed_of(accepted_by(task)):
            raise TaskDefinitionError(
                f"{task.__qualname__}.run() needs {needed[0]!r}; in pydantic style it is called with self alone, and"
                " the inputs are in self.params."
            )
        self.inputs_model = inputs_model
        self._annotation = self._returned()
        self._adapter = self._output_adapter()  # here, and not after the work, it is found that there is none

    def accept(self, inputs: Any) -> Accepted:
        model = self._model(inputs)
        return Accepted(self._carried(model), None, model)

    def accept_json(self, inputs: Any) -> Accepted:
        model = self.parse_json(inputs)
        return Accepted(self._carried(model, inputs), inputs, model)

    def accept_partial(
        self, inputs: Mapping[str, Any], missing: Collection[str], *, as_json: bool = False
    ) -> dict[str, Any]:
        self._refuse_dropped(dict(inputs))
        refused = self._unknown({**inputs, **dict.fromkeys(missing)})
        sent: dict[str, Any] = {}
        for field_name, field in self.inputs_model.model_fields.items():
            names = field_names(field_name, field) & self.input_names
            given = [name for name in names if name in inputs]
            if not given:
                if field.is_required() and names.isdisjoint(missing):
                    refused.append(FieldError(field_name, "Field required", (field_name,), "missing"))
                continue
            try:
                declared: Any = Annotated[(field.annotation, field)]
                adapter = _adapter_of(declared)
                value = inputs[given[0]]
                made = adapter.validate_json(encode(value)) if as_json else adapter.validate_python(value)
                dumped = adapter.dump_python(made, mode="json", by_alias=True, round_trip=True)
                sent[given[0]] = with_secrets({given[0]: dumped}, {given[0]: made})[given[0]]
                encode(sent[given[0]])
            except ValidationError as error:
                refused += [
                    replace(each, field=given[0], loc=(given[0], *each.loc)) for each in field_errors(error)
                ]
            except (*_UNFIT, *refusals_of_django()) as error:
                refused.append(FieldError(given[0], str(error), (given[0],)))
        if refused:
            raise self._refused(refused, dict(inputs))
        return sent

    def compared(self, accepted: Accepted) -> Compared:
        made = self._json.compared(accepted.model, accepted.sent)
        return Compared(made, made if accepted.given is None else accepted.given)

    def _carried(self, model: BaseModel, given: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            return self._json.carried(model, given)
        except Lossy as lossy:
            raise self._refused(lossy.fields, given) from None
        except RecursionError:
            if fields := too_deep_fields(model):
                raise self._refused(fields, given) from None
            raise

    @cached_property
    def _json(self) -> ModelJson:
        return ModelJson(self.inputs_model)

    @cached_property
    def secrets(self) -> frozenset[str]:  # type: ignore[override]
        fields = self.inputs_model.model_fields
        return frozenset().union(
            *(field_names(name, field) for name, field in fields.items() if holds_secret(field.annotation))
        )

    def is_secret(self, name: str) -> bool:
        # A root model has no names of its own: all that it is given is its one value.
        return name in self.secrets or (bool(self.secrets) and issubclass(self.inputs_model, RootModel))

    def _made(self, model: BaseModel) -> BaseTask:
        make: Any = self.task
        task: BaseTask = make(model) if self._is_made_of_params else make()
        task.params = model
        return task

    @cached_property
    def _is_made_of_params(self) -> bool:
        """Return whether a task's own ``__init__`` takes the params, as `Task` does."""
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
                f"Task {self.task.name!r} returned a value that {TOO_DEEP}."
                if is_too_deep(value)
                else f"Task {self.task.name!r} returned a value that does not match its return annotation: {error}"
                f"{plain_advice(value)}"
            ) from error
        return dumped if self._returns_object and isinstance(dumped, dict) else {"result": dumped}

    def _output_schema(self) -> Any:
        if self._annotation is None:
            return {"type": "object", "properties": {}}
        schema = self._adapter.json_schema(mode="serialization", schema_generator=Described)
        if self._returns_object:
            return schema
        definitions = schema.pop("$defs", None)
        wrapped: dict[str, Any] = {"type": "object", "properties": {"result": schema}, "required": ["result"]}
        return {**wrapped, "$defs": definitions} if definitions else wrapped

    def _returned(self) -> Any:
        try:
            hints = get_type_hints(self.task.run, include_extras=True)
        except Exception as error:
            where = f"{self.task.__qualname__}.run()"
            raise TaskDefinitionError(
                f"An annotation of {where} cannot be resolved in its module: {error}."
            ) from error
        annotation = returned_type(hints.get("return", Any))
        return None if annotation is type(None) else annotation

    def _output_adapter(self) -> TypeAdapter[Any]:
        declared = Any if self._annotation is None else self._annotation
        why = "pydantic knows no form in JSON"
        try:
            adapter = _adapter_of(declared)
            if adapter.core_schema["type"] in _NO_JSON:
                raise self._unfit_output(declared, why)
        except PydanticSchemaGenerationError:
            raise self._unfit_output(declared, why) from None
        except (PydanticUserError, PydanticUndefinedAnnotation) as error:
            raise self._unfit_output(declared, f"pydantic says {error.message!r}") from None
        return adapter

    def _unfit_output(self, declared: Any, why: str) -> TaskDefinitionError:
        return TaskDefinitionError(
            f"{self.task.__qualname__}.run() says that it returns {declared}, of which {why}; annotate it with what it"
            " gives back, or with nothing."
        )

    @cached_property
    def _returns_object(self) -> bool:
        """Whether outputs have the names of a model's fields; a root model that may be a list or a number has none."""
        returned = self._annotation
        if not isinstance(returned, type) or not issubclass(returned, BaseModel):
            return False
        while isinstance(returned, type) and issubclass(returned, RootModel):
            returned = returned.model_fields["root"].annotation
        kind = get_origin(returned) or returned
        return isinstance(kind, type) and (
            issubclass(kind, (BaseModel, Mapping)) or is_dataclass(kind) or is_typeddict(kind)
        )

    def _model(self, inputs: Any) -> BaseModel:
        if isinstance(inputs, self.inputs_model):
            return inputs
        self._refuse_dropped(inputs)
        return self._validated(inputs, lambda: self.inputs_model.model_validate(inputs))


def _adapter_of(declared: Any) -> TypeAdapter[Any]:
    try:  # NaN must come out as NaN, to be refused, and not as null
        return TypeAdapter(declared, config=ConfigDict(ser_json_inf_nan="constants"))
    except PydanticUserError:  # a model brings a configuration of its own
        return TypeAdapter(declared)
