"""The pydantic model behind a task of either style: validation, conversion and JSON Schema."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, RootModel, ValidationError

from serverless_tasks.engine.definition.json_schema import Described, sound
from serverless_tasks.engine.definition.values.aliases import aliases_of
from serverless_tasks.engine.definition.values.field_errors import (
    not_an_object,
    refusals_of_django,
    whole,
)
from serverless_tasks.engine.definition.values.nesting import TOO_DEEP, refused_fields, too_deep_fields
from serverless_tasks.engine.definition.values.secrets import all_texts, texts_of
from serverless_tasks.engine.definition.values.unlike_json import dropped_values
from serverless_tasks.engine.job.encoding import encode, other_key
from serverless_tasks.engine.job.masking import NO_MASK, Mask
from serverless_tasks.errors import FieldError, InvalidInputs, ServerlessTasksError, TaskDefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from serverless_tasks.engine.definition.accepted import Accepted, Compared
    from serverless_tasks.engine.definition.base import BaseTask
    from serverless_tasks.engine.job.execution import Execution


_UNFIT: tuple[type[Exception], ...] = (ValueError, OverflowError)
NO_TEXT = "has {} that is no text, and would come back as one"
HIDDEN = "is invalid; the reason is not shown, because the input is secret"
# The refusals of pydantic, and ours, that never quote the value:
# https://docs.pydantic.dev/latest/errors/validation_errors/
_WITHOUT_VALUE = frozenset(
    {
        "bytes_too_long",
        "bytes_too_short",
        "bytes_type",
        "dict_type",
        "extra_forbidden",
        "json",
        "list_type",
        "missing",
        "model_type",
        "string_too_long",
        "string_too_short",
        "string_type",
    }
)


class Definition:
    """The inputs and outputs of a task. Two subclasses, one for each style, have the same methods.

    Args:
        task: the task class.
    """

    inputs_model: type[BaseModel]
    # The names that an input which holds a secret can travel under.
    secrets: frozenset[str]

    def __init__(self, task: type[BaseTask]) -> None:
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
        return self._validated(inputs, lambda: self.inputs_model.model_validate_json(encode(inputs)))

    def to_json(self, inputs: Any) -> dict[str, Any]:
        """Validate Python inputs and give them as the JSON object that travels in the message; see `accept`."""
        return self.accept(inputs).sent

    def accept(self, inputs: Any) -> Accepted:
        """Validate Python inputs of a job that is to be sent: what validation made travels, defaults and all.

        Args:
            inputs: a dictionary of Python values, or (pydantic style) an instance of the model.

        Raises:
            InvalidInputs: naming each field that is refused, or that would not survive the way there.
        """
        raise NotImplementedError

    def accept_json(self, inputs: Any) -> Accepted:
        """As `accept`, of inputs that came as JSON: to a strict model a text is a time or a UUID there."""
        raise NotImplementedError

    def accept_partial(
        self, inputs: Mapping[str, Any], missing: Collection[str], *, as_json: bool = False
    ) -> dict[str, Any]:
        """Validate Python inputs of which others are not known yet, each by itself; return them as they travel.

        Args:
            inputs: those that are known.
            missing: the names of the others.
            as_json: whether the inputs came as JSON; see `accept_json`.

        Raises:
            InvalidInputs: naming each field that is refused, is unknown, or is neither here nor to come.
        """
        raise NotImplementedError

    def compared(self, accepted: Accepted) -> Compared:
        """Return the forms in which accepted inputs are compared with those of other jobs."""
        raise NotImplementedError

    def instance(self, model: BaseModel, execution: Execution) -> BaseTask:
        """A task for one run."""
        task = self._made(model)
        task.execution = execution
        return task

    def _made(self, model: BaseModel) -> BaseTask:
        return self.task()

    def secrets_in(self, inputs: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the names of the inputs that hold a secret."""
        if not self.secrets:
            return ()
        return tuple(sorted(name for name in inputs if self.is_secret(name) and inputs[name] is not None))

    def is_secret(self, name: str) -> bool:
        """Return whether an input of that name holds a secret."""
        return name in self.secrets

    def mask(self, model: BaseModel) -> Mask:
        """Return a mask that redacts this run's secrets from messages, errors and tracebacks."""
        if not self.secrets:
            return NO_MASK
        return Mask(texts_of([model, self.arguments(model)]))

    def default_inputs(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return the inputs by which a job is compared although they were not given, as far as its schema says them."""
        properties = schema.get("properties", {}).items()
        return {
            name: each["default"]
            for name, each in properties
            if "default" in each and not self.is_secret(name)
        }

    def arguments(self, model: BaseModel) -> dict[str, Any]:
        """The keyword arguments that ``run`` is called with."""
        raise NotImplementedError

    def outputs_to_json(self, value: Any) -> dict[str, Any]:
        """Return the value of ``run`` as the record's ``outputs``.

        Raises:
            InvalidOutputs: when it does not fit what was declared, or is not JSON.
        """
        raise NotImplementedError

    def input_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the inputs; it says that no others are taken where that is so.

        Raises:
            TaskDefinitionError: it cannot be made.
        """
        schema = self._described("inputs", self._input_schema)
        for name in self.secrets & schema.get("properties", {}).keys():  # pydantic says it of texts alone
            schema["properties"][name].setdefault("writeOnly", True)
        return schema

    def output_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the outputs.

        Raises:
            TaskDefinitionError: it cannot be made.
        """
        return self._described("outputs", self._output_schema)

    def _described(self, what: str, make: Callable[[], Any]) -> dict[str, Any]:
        try:
            schema = sound(make())
            encode(schema)
        except ServerlessTasksError:
            raise
        except Exception as error:
            raise TaskDefinitionError(
                f"The {what} of task {self.task.name!r} have no JSON Schema: {type(error).__name__}: {error}. See what"
                " json_schema_extra, WithJsonSchema or json_schema() gives."
            ) from error
        return schema

    def _input_schema(self) -> Any:
        schema = self.inputs_model.model_json_schema(schema_generator=Described)
        if "extra" not in self.inputs_model.model_config and self.input_names == set(
            schema.get("properties", ())
        ):
            schema["additionalProperties"] = False
        return schema

    def _output_schema(self) -> Any:
        raise NotImplementedError

    def _refused(self, fields: Iterable[FieldError], given: Any = None) -> InvalidInputs:
        """The error that names fields, without a word of the secrets among the inputs that were given."""
        if self.secrets:
            inputs = given if isinstance(given, dict) else {}
            mask = Mask(all_texts([value for name, value in inputs.items() if self.is_secret(str(name))]))
            fields = [self._without_secret(field, mask) for field in fields]
        return InvalidInputs(self.task.name, list(fields))

    def _without_secret(self, field: FieldError, mask: Mask) -> FieldError:
        own = bool(field.loc) and self.is_secret(str(field.loc[0]))
        message = HIDDEN if own and field.type not in _WITHOUT_VALUE else mask(field.message)
        return replace(field, message=message)

    def _refuse_dropped(self, inputs: Any) -> None:
        """Refuse Python values of which validation or JSON would keep a part without a word."""
        if dropped := dropped_values(inputs):
            raise self._refused([FieldError(name, text, (name,), "json") for name, text in dropped.items()])

    def _validated(self, inputs: Any, validate: Callable[[], BaseModel]) -> BaseModel:
        """The model of inputs, every refusal told at once."""
        unknown = self._unknown(inputs)
        try:
            model = validate()
        except ValidationError as error:
            raise self._refused([*unknown, *refused_fields(error, inputs)], inputs) from None
        except RecursionError as error:
            raise self._refused([*unknown, *(too_deep_fields(inputs) or whole(error))], inputs) from None
        except (*_UNFIT, *refusals_of_django()) as error:
            raise self._refused([*unknown, *whole(error)], inputs) from None
        if unknown:
            raise self._refused(unknown, inputs)
        return model

    def _unknown(self, inputs: Any) -> list[FieldError]:
        """The names that the task does not have (pydantic ignores them by default); what is no object is refused."""
        if not isinstance(inputs, dict):
            raise self._refused([not_an_object(inputs)])
        if "extra" in self.inputs_model.model_config or issubclass(self.inputs_model, RootModel):
            return []
        return [
            FieldError(str(name), "is not an input of this task", (name,), "extra_forbidden")
            for name in inputs
            if name not in self.input_names
        ]

    @cached_property
    def input_names(self) -> frozenset[str]:
        """The names that inputs can travel under."""
        config = self.inputs_model.model_config
        by_name = config.get("populate_by_name") or config.get("validate_by_name")
        names: set[str] = set()
        for name, field in self.inputs_model.model_fields.items():
            if field.validation_alias is None or by_name:
                names.add(name)
            names |= aliases_of(field)
        return frozenset(names)


def check_json(task: str, inputs: Any) -> None:
    """See that inputs are a JSON object; of a task without its code that is all that can be seen.

    Raises:
        InvalidInputs: they are not.
    """
    if not isinstance(inputs, dict):
        raise InvalidInputs(task, [not_an_object(inputs)])
    if dropped := dropped_values(inputs):
        raise InvalidInputs(task, [FieldError(name, text, (name,), "json") for name, text in dropped.items()])
    for name, value in inputs.items():
        try:
            encode({name: value})
        except RecursionError:
            raise InvalidInputs(task, [FieldError(str(name), TOO_DEEP, (str(name),), "json")]) from None
        except (ValueError, TypeError) as error:
            raise InvalidInputs(task, [FieldError(str(name), str(error), (str(name),), "json")]) from None
        if (key := other_key({name: value})) is not None:
            said = NO_TEXT.format(f"the name {key}")
            raise InvalidInputs(task, [FieldError(str(name), said, (str(name),), "json")])
