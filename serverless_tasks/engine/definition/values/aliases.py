"""The names that a model's field goes by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import AliasChoices, AliasPath

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo


def field_names(name: str, field: FieldInfo) -> set[str]:
    """Every name that a field goes by, on the way in and out."""
    return {name, field.serialization_alias or name, *aliases_of(field)}


def plain_aliases(field: FieldInfo) -> list[str]:
    """The names that a field is read from, its value being all that they hold."""
    return [choice for choice in _choices(field) if isinstance(choice, str)]


def aliases_of(field: FieldInfo) -> set[str]:
    """The names that a field is read from."""
    first = [choice.path[0] if isinstance(choice, AliasPath) else choice for choice in _choices(field)]
    return {str(choice) for choice in first}


def _choices(field: FieldInfo) -> list[str | AliasPath]:
    alias = field.validation_alias
    if alias is None:
        return []
    return alias.choices if isinstance(alias, AliasChoices) else [alias]
