"""A pydantic model as the JSON that travels, and whether it comes back as it went."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, RootModel, ValidationError
from pydantic_core import PydanticSerializationError, PydanticUndefined

from serverless_tasks.engine.definition.values.aliases import aliases_of, plain_aliases
from serverless_tasks.engine.definition.values.annotations import leaves_type_open
from serverless_tasks.engine.definition.values.comparison import without_made_anew
from serverless_tasks.engine.definition.values.equality import equal_after_json, members_of
from serverless_tasks.engine.definition.values.field_errors import (
    not_an_object,
    refusals_of_django,
    whole,
)
from serverless_tasks.engine.definition.values.nesting import TOO_DEEP, is_too_deep, refused_fields
from serverless_tasks.engine.definition.values.roundtrip import holds_set, sort_sets
from serverless_tasks.engine.definition.values.secrets import holds_secret, with_secrets
from serverless_tasks.engine.job.encoding import encode
from serverless_tasks.errors import FieldError
from serverless_tasks.params import plain_advice

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LOSS: tuple[type[Exception], ...] = (
    PydanticSerializationError,
    ValidationError,
    ValueError,
    TypeError,
    OverflowError,
    RecursionError,
)


class Lossy(Exception):
    """A model does not come back from JSON as it went.

    Args:
        fields: which of its fields do not, and why.
    """

    def __init__(self, fields: list[FieldError]) -> None:
        super().__init__(fields)
        self.fields = fields


class ModelJson:
    """Makes the JSON of a model's instances.

    Args:
        model: the model.
    """

    def __init__(self, model: type[BaseModel]) -> None:
        self._model = model

    def carried(self, made: BaseModel, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """An instance as the object that travels: validated again, it is equal.

        A plain default that is secret is left to the worker, and so are all where one is refused by its own field, as
        in ``name: str = None``, or has no form in JSON; then those too that were given.

        Args:
            made: the instance.
            given: the JSON that it was made of, if it was; what no dump of the model says travels as it is there.

        Raises:
            Lossy: it does not come back as it went.
        """
        plain = self._plain_defaults(made)
        for left_out in dict.fromkeys((plain & self._secrets, plain, plain | self._given_defaults(made))):
            try:
                sent = self._sent(made, given, left_out=left_out)
                returned = self._model.model_validate_json(encode(sent))
            except (*_LOSS, *refusals_of_django()):
                continue
            if not isinstance(sent, dict):
                raise Lossy([not_an_object(sent)])
            if self._alike(returned, made):
                return sent
        raise Lossy(self._lossy_fields(made, given))

    def compared(self, made: BaseModel, sent: dict[str, Any]) -> Any:
        """Return the form in which an instance is compared with others.

        Args:
            made: the instance.
            sent: what `carried` gave.
        """
        unsent = {name for name in self._plain_defaults(made) & self._secrets if self._has_json(made, name)}
        if unsent:
            sent = sent | self._sent(made, only=unsent)
        written = {read: name for name, read in self._read_as.items()}
        shown = {written.get(name, name): value for name, value in sent.items()}
        return self._as_read(without_made_anew(shown, made))

    @staticmethod
    def _plain_defaults(made: BaseModel) -> frozenset[str]:
        """The fields that were not given, and have the default that is the same for all."""
        return frozenset(
            name
            for name, field in type(made).model_fields.items()
            if name not in made.model_fields_set and field.default_factory is None
        )

    def _given_defaults(self, made: BaseModel) -> frozenset[str]:
        """The fields that were given, and have the default that is the same for all, but for one that JSON can hold."""
        return frozenset(
            name
            for name, field in type(made).model_fields.items()
            if name in made.model_fields_set
            and field.default is not PydanticUndefined
            and _is_same(getattr(made, name), field.default)
        )

    def _sent(
        self,
        made: BaseModel,
        given: Mapping[str, Any] | None = None,
        *,
        only: set[str] | None = None,
        left_out: frozenset[str] = frozenset(),
    ) -> Any:
        """An instance as the JSON that the worker reads, of all fields or of some."""
        how: Any = {"by_alias": True, "round_trip": True, "include": only, "exclude": set(left_out)}
        dumped: Any = made.model_dump(mode="json", **how)
        if self._secrets:
            dumped = with_secrets(dumped, made.model_dump(**how))
        if self._holds_sets:
            dumped = sort_sets(dumped, made)
        if not isinstance(dumped, dict):
            return dumped  # of a root model
        sent = self._as_read({name: each for name, each in dumped.items() if name not in self._unreadable})
        return sent if given is None else sent | self._unsaid(sent, given)

    def _as_read(self, dumped: Mapping[str, Any]) -> dict[str, Any]:
        """The members of a dump by names that they are read by."""
        return {self._read_as.get(name, name): value for name, value in dumped.items()}

    def _unsaid(self, sent: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """Return what was given for fields that a dump leaves out, or that are read by a path alone."""
        unsaid: dict[str, Any] = {}
        if not issubclass(self._model, RootModel):
            for name, field in self._model.model_fields.items():
                names = {name, *aliases_of(field)}
                if names.isdisjoint(sent):
                    unsaid |= {each: given[each] for each in names if each in given}
        return unsaid

    @cached_property
    def _secrets(self) -> frozenset[str]:
        """The fields that may hold a secret, which travels as it is."""
        fields = self._model.model_fields.items()
        return frozenset(name for name, field in fields if holds_secret(field.annotation))

    @cached_property
    def _holds_sets(self) -> bool:
        return any(holds_set(field.annotation) for field in self._model.model_fields.values())

    @cached_property
    def _may_change(self) -> bool:
        """Return whether a value may come back as one of another type that is equal to it, such as an enum's member."""
        return leaves_type_open(self._model)

    @cached_property
    def _read_as(self) -> dict[str, str]:
        """The names that fields are read by, of those that are written by another one."""
        return {written: read[0] for written, read in self._names() if read and written not in read}

    @cached_property
    def _unreadable(self) -> frozenset[str]:
        """The names of fields that are read by a path alone."""
        return frozenset(written for written, read in self._names() if not read)

    def _names(self) -> Iterator[tuple[str, list[str]]]:
        """Of each field the name that it is written by, and those that it is read by."""
        by_alias = self._model.model_config.get("validate_by_alias", True)
        for name, field in self._model.model_fields.items():
            read = plain_aliases(field) if by_alias and field.validation_alias is not None else [name]
            yield field.serialization_alias or name, read

    def _lossy_fields(self, made: BaseModel, given: Mapping[str, Any] | None) -> list[FieldError]:
        """Return the fields that do not survive the JSON round trip."""
        members = members_of(made)
        refused = [
            FieldError(name, _no_json(value), (name,), "json")
            for name, value in members.items()
            if not self._has_json(made, name)
        ]
        if refused:
            return refused
        try:
            returned = self._model.model_validate_json(encode(self._sent(made, given)))
        except ValidationError as error:
            return refused_fields(error, made)
        except refusals_of_django() as error:
            return whole(error)
        return [
            FieldError(
                name,
                f"a value of type {type(value).__name__} changes in a round trip through JSON",
                (name,),
                "json",
            )
            for name, value in members.items()
            if not self._alike(returned, made, name)
        ] or [FieldError("", "the model changes in a round trip through JSON", (), "json")]

    def _alike(self, returned: BaseModel, made: BaseModel, name: str | None = None) -> bool:
        """Return whether an instance, or one of its fields, survives the JSON round trip."""
        try:
            if name is None:
                same = bool(returned == made)
                return same if same and not self._may_change else equal_after_json(returned, made)
            came, went = members_of(returned), members_of(made)
            return name in came and equal_after_json(came[name], went[name])
        except (ValueError, TypeError):  # no value of its own has two arrays compared: their JSON has to do
            only = None if name is None else {name}
            return bool(self._sent(returned, only=only) == self._sent(made, only=only))

    def _has_json(self, made: BaseModel, name: str) -> bool:
        try:
            encode(self._sent(made, only={name}))
        except (*_LOSS, *refusals_of_django()):
            return False
        return True


def _is_same(value: Any, default: Any) -> bool:
    try:
        return equal_after_json(value, default)
    except (ValueError, TypeError):  # arrays, which cannot be compared
        return False


def _no_json(value: Any) -> str:
    if is_too_deep(value):
        return TOO_DEEP
    text = f"a value of type {type(value).__name__} cannot be serialised as JSON here"
    if isinstance(value, (bytes, bytearray)):
        return (
            f"{text}: it is not UTF-8; set ser_json_bytes and val_json_bytes = 'base64' in the model's config"
        )
    return text + plain_advice(value)
