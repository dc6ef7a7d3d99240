"""The dictionary style of a task: parameter objects under ``inputs`` and ``outputs``."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    create_model,
)

from serverless_tasks.engine.definition.accepted import Accepted, Compared
from serverless_tasks.engine.definition.run_signature import accepted_by, needed_of
from serverless_tasks.engine.definition.schema import HIDDEN, NO_TEXT, Definition
from serverless_tasks.engine.definition.values.comparison import whole_numbers
from serverless_tasks.engine.definition.values.conversion import NO_WAY_BACK, UNFIT, converted, in_json
from serverless_tasks.engine.definition.values.equality import equal_after_json
from serverless_tasks.engine.definition.values.field_errors import reason, refusals_of_django
from serverless_tasks.engine.definition.values.nesting import TOO_DEEP, is_too_deep
from serverless_tasks.engine.definition.values.secrets import unwrap
from serverless_tasks.engine.definition.values.unlike_json import changed_value
from serverless_tasks.engine.job.encoding import encode, is_json, other_key
from serverless_tasks.errors import FieldError, InvalidInputs, InvalidOutputs, TaskDefinitionError
from serverless_tasks.params import (
    BooleanParameter,
    DictParameter,
    ListParameter,
    Parameter,
    check_parameter,
    holds_secret,
    schema_of,
    seal,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from serverless_tasks.engine.definition.base import BaseTask

_DICT_CONFIG = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


class DictionaryDefinition(Definition):
    """Dictionary style: parameter objects under ``inputs`` and ``outputs``."""

    def __init__(self, task: type[BaseTask]) -> None:
        super().__init__(task)
        self._inputs = _parameters(task, "inputs", task.inputs)
        self._outputs = _parameters(task, "outputs", task.outputs)
        accepted = accepted_by(task)
        anything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted.values())
        for name in needed_of(accepted):
            if name not in self._inputs:
                raise TaskDefinitionError(
                    f"{task.__qualname__}.run() needs {name!r}, which is not among its inputs; add it there, or give"
                    " it a default."
                )
        for name, parameter in self._inputs.items():
            if not anything and name not in accepted:
                raise TaskDefinitionError(
                    f"{task.__qualname__}.run() does not take the input {name!r}; add it."
                )
            given = accepted.get(name)
            if not parameter.required and not anything and given is not None and given.default is given.empty:
                raise TaskDefinitionError(
                    f"{task.__qualname__}.run() has no default for {name!r}, which is not required; add one."
                )
        defaults = {name: given.default for name, given in accepted.items()}
        self._defaults = {
            name: given for name, given in defaults.items() if given is not inspect.Parameter.empty
        }

    @cached_property
    def inputs_model(self) -> type[BaseModel]:  # type: ignore[override]
        fields: dict[str, Any] = {}
        for name, parameter in self._inputs.items():
            typed = Annotated[Any, PlainValidator(_converter(parameter))]
            default = ... if parameter.required else None  # run has its own
            fields[f"field_{len(fields)}"] = (typed, Field(default, alias=name))
        return create_model(self.task.__name__, __config__=_DICT_CONFIG, **fields)

    @cached_property
    def secrets(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset(name for name, parameter in self._inputs.items() if holds_secret(parameter))

    def accept(self, inputs: Any) -> Accepted:
        self._unknown(inputs)  # the model names those, once the values are in JSON
        self._refuse_dropped(inputs)
        given = {name: unwrap(value) if name in self.secrets else value for name, value in inputs.items()}
        carried: dict[str, Any] = {}
        for name, value in given.items():
            try:
                carried[name] = self._carried(name, value)
            except InvalidInputs:
                if not self._is_default(name, value):  # else `run` has it by itself
                    raise
        return self.accept_json(carried)

    def accept_json(self, inputs: Any) -> Accepted:
        model = self.parse_json(inputs)
        made = _by_input(model)
        sent = {name: converted(self._inputs[name], given, made[name]) for name, given in inputs.items()}
        return Accepted(sent, inputs, model)

    def accept_partial(
        self, inputs: Mapping[str, Any], missing: Collection[str], *, as_json: bool = False
    ) -> dict[str, Any]:
        self._refuse_dropped(dict(inputs))
        refused = self._unknown({**inputs, **dict.fromkeys(missing)})
        sent: dict[str, Any] = {}
        for name, value in inputs.items():
            if name not in self._inputs:
                continue
            try:
                plain = unwrap(value) if name in self.secrets else value
                carried = plain if as_json else self._carried(name, plain)
                made = self._inputs[name].to_python(carried)
                sent[name] = converted(self._inputs[name], carried, made)
            except InvalidInputs as error:
                refused += error.fields
            except (*UNFIT, *refusals_of_django()) as error:
                refused.append(FieldError(name, reason(error), (name,)))
        refused += [
            FieldError(name, "Field required", (name,), "missing")
            for name, parameter in self._inputs.items()
            if parameter.required and name not in inputs and name not in missing
        ]
        if refused:
            raise self._refused(refused, dict(inputs))
        return sent

    def compared(self, accepted: Accepted) -> Compared:
        made = whole_numbers({**self._defaults_in_json, **accepted.sent})
        return Compared(made, accepted.given or {})

    @cached_property
    def _defaults_in_json(self) -> dict[str, Any]:
        """Return the defaults of ``run`` for the inputs that are not given, in JSON."""
        defaults = {
            name: in_json(parameter, self._defaults[name])
            for name, parameter in self._inputs.items()
            if self._defaults.get(name) is not None
        }
        return {name: default for name, default in defaults.items() if default is not NO_WAY_BACK}

    def default_inputs(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in self._defaults_in_json.items() if name not in self.secrets}

    def arguments(self, model: BaseModel) -> dict[str, Any]:
        arguments = _by_input(model)
        if not self.secrets:
            return arguments
        return {name: seal(self._inputs[name], value) for name, value in arguments.items()}

    def outputs_to_json(self, value: Any) -> dict[str, Any]:
        if not self._outputs:
            return {}
        returned = self._by_name(value)
        outputs: dict[str, Any] = {}
        for name, parameter in self._outputs.items():
            if name not in returned:
                continue
            given = returned[name]
            try:
                outputs[name] = None if given is None else parameter.to_json(given)
                encode(outputs[name])
            except (*UNFIT, *refusals_of_django()) as error:
                text = f" {TOO_DEEP}." if is_too_deep(given) else f": {error}"
                raise InvalidOutputs(f"Output {name!r} of task {self.task.name!r}{text}") from error
        return outputs

    def _output_schema(self) -> Any:
        properties = {name: {"title": name, **given.json_schema()} for name, given in self._outputs.items()}
        return {"type": "object", "properties": properties}

    def _input_schema(self) -> Any:
        required = [name for name, parameter in self._inputs.items() if parameter.required]
        return {
            "title": self.task.__name__,
            "type": "object",
            "properties": {name: self._property(name, given) for name, given in self._inputs.items()},
            **({"required": required} if required else {}),
            "additionalProperties": False,
        }

    def _property(self, name: str, parameter: Parameter) -> dict[str, Any]:
        described = {"title": name.title().replace("_", " ").strip(), **schema_of(parameter)}
        if parameter.required:
            return described
        return {**described, "default": None if name in self.secrets else self._defaults.get(name)}

    def _by_name(self, value: Any) -> Mapping[str, Any]:
        if len(self._outputs) == 1:
            ((name, parameter),) = self._outputs.items()
            return value if _is_by_name(value, name, parameter) else {name: value}
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise InvalidOutputs(
                f"Task {self.task.name!r} has {len(self._outputs)} outputs and returned a {type(value).__name__};"
                f" return a dictionary with the keys {sorted(self._outputs)}."
            )
        return value

    def _is_default(self, name: str, value: Any) -> bool:
        if name not in self._inputs or self._inputs[name].required or name not in self._defaults:
            return False
        try:
            return equal_after_json(value, self._defaults[name])
        except (ValueError, TypeError):  # arrays, which cannot be compared
            return False

    def _carried(self, name: str, value: Any) -> Any:
        """A value that is JSON already travels as it is given; any other goes through the parameter's to_json."""
        if is_json(value):
            if (key := other_key(value)) is not None:
                told = "a name" if name in self.secrets else f"the name {key}"
                said = NO_TEXT.format(told)
                raise self._refused([FieldError(name, said, (name,), "json")])
            if (text := _changed(self._inputs.get(name), value)) is not None:
                said = HIDDEN if name in self.secrets else text
                raise self._refused([FieldError(name, said, (name,), "json")])
            return value
        parameter = self._inputs.get(name)
        try:
            converted = value if parameter is None else parameter.to_json(value)
            encode(converted)
        except (*UNFIT, *refusals_of_django()) as error:
            text = TOO_DEEP if is_too_deep(value) else reason(error)
            said = HIDDEN if name in self.secrets else text
            raise self._refused([FieldError(name, said, (name,), "json")]) from None
        return converted


def _is_by_name(value: Any, name: str, parameter: Parameter) -> bool:
    """Return whether the one output was returned as ``{name: ...}``: only where it cannot be a dictionary itself.

    So it depends on what the output is and not on what a dictionary of data holds: `{"words": 3}` is a count of words.
    """
    if not isinstance(value, dict) or value.keys() != {name}:
        return False
    if isinstance(parameter, (BooleanParameter, ListParameter)):
        return True  # they make a truth, or a list of one, of whatever they are given
    try:
        parameter.to_json(value)
    except (*UNFIT, *refusals_of_django()):
        return True
    return False


def _by_input(model: BaseModel) -> dict[str, Any]:
    """Return the converted inputs by their names."""
    given = model.model_fields_set
    fields = type(model).model_fields
    return {str(fields[field].alias): getattr(model, field) for field in fields if field in given}


def _changed(parameter: Any, value: Any) -> str | None:
    """Return what in a value would come back as something else, where the parameter takes any value as it is."""
    if getattr(type(parameter), "to_python", None) in (Parameter.to_python, DictParameter.to_python):
        return changed_value(value)
    if not isinstance(parameter, ListParameter):
        return None
    elements, inner = list(value) if isinstance(value, (list, tuple)) else [value], parameter.param_type
    if not isinstance(inner, ListParameter):
        return _changed(inner, elements)
    return next((text for each in elements if (text := _changed(inner, each)) is not None), None)


def _parameters(task: type[BaseTask], attribute: str, given: Any) -> dict[str, Parameter]:
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise TaskDefinitionError(
            f"{task.__qualname__}.{attribute} is {given!r}; expected a dictionary of names and parameters."
        )
    return {
        name: check_parameter(f"{task.__qualname__}: {name!r}", parameter)
        for name, parameter in given.items()
    }


def _converter(parameter: Parameter) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        try:
            return parameter.to_python(value)
        except (*UNFIT, *refusals_of_django()) as error:
            raise ValueError(reason(error)) from error

    return convert
