"""Inspection of Django REST framework's permission classes before they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.exceptions import APIException
from rest_framework.permissions import (
    BasePermission,
    DjangoModelPermissions,
    DjangoObjectPermissions,
    OperandHolder,
    SingleOperandHolder,
)

from django_integration.models import Job
from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Jobs are submitted by code: `Job` has permissions to view, change and delete.
_NOBODYS = f"{Job._meta.app_label}.add_{Job._meta.model_name}"


def is_composed(entry: Any) -> bool:
    """Return whether an entry of the settings is permission classes joined by ``&``, ``|`` or ``~``."""
    return isinstance(entry, (OperandHolder, SingleOperandHolder))


def looks_at_jobs(entry: Any) -> bool:
    """Return whether a permission class, or a part of a composed one, checks object permissions."""
    asks = BasePermission.has_object_permission
    return is_composed(entry) or getattr(entry, "has_object_permission", None) is not asks


def check_can_be_had(setting: str, entry: Any) -> None:
    """Refuse a class that lets nobody submit: jobs are no rows of the database, and no model stands for them there.

    Raises:
        ConfigurationError: naming it.
    """
    for kind in _parts(entry):
        if isinstance(kind, type) and any(_asks_for_nobodys(asked) for asked in _asked(kind)):
            raise ConfigurationError(
                f"{setting} names {f'{kind.__module__}.{kind.__qualname__}'!r}, which requires the permission"
                f" {_NOBODYS!r}: there is none, for jobs are no rows of the database. Name another class, or derive"
                " one from it whose perms_map names permissions that users have."
            )


def _parts(entry: Any) -> Iterator[Any]:
    if not is_composed(entry):
        yield entry
        return
    yield from _parts(entry.op1_class)
    if isinstance(entry, OperandHolder):
        yield from _parts(entry.op2_class)


def _asked(kind: type) -> Iterator[Callable[..., Any]]:
    """The methods that say which of the model's permissions are asked for, where the class uses them as they are."""
    if not issubclass(kind, DjangoModelPermissions):
        return
    made = kind()
    if getattr(kind, "has_permission", None) is DjangoModelPermissions.has_permission:
        yield made.get_required_permissions
    if getattr(kind, "has_object_permission", None) is DjangoObjectPermissions.has_object_permission:
        yield made.get_required_object_permissions


def _asks_for_nobodys(asked: Callable[..., Any]) -> bool:
    try:
        return _NOBODYS in asked("POST", Job)
    except APIException:
        return False  # the class refuses the method by itself
