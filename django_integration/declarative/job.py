"""The inputs of a deferred task's job: the task, its instance and its arguments."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.exceptions import ObjectDoesNotExist
from django.db import connections, models, router
from pydantic import BaseModel, Field

from django_integration.declarative.correlation import correlation_id
from serverless_tasks.errors import TaskError

# The registered name of the task that runs these jobs: `django_integration.background` defines it.
RUNS_DEFERRED_JOBS = "declarative.deferred"


class InstanceDeleted(TaskError):
    """The instance that a deferred task was to work on is no longer there."""


class UnknownModel(TaskError):
    """A deferred task names a model or a database that this project does not have."""


class DeferredJob(BaseModel):
    """The inputs of the job that runs a deferred task.

    Attributes:
        task: the registered name of the endpoint's task or of the model's method.
        model: the label of the instance's model, such as ``shop.order``; None when there is no instance.
        pk: its primary key, as Django's serializers write it.
        database: the alias of the database that it is in.
        args: further arguments.
        kwargs: further arguments by name.
        packed: what the packer of a generic task made.
        correlation_id: the id that django-cid has given the request; left out without one.
    """

    task: str
    model: str | None = None
    pk: str | None = None
    database: str | None = None
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    packed: Any = None
    correlation_id: str | None = Field(None, exclude_if=lambda given: given is None)

    def instance(self) -> models.Model:
        """Load the instance.

        Raises:
            UnknownModel: this project has no such model or database.
            InstanceDeleted: it is no longer there.
        """
        try:
            model = apps.get_model(self.model or "")
        except (LookupError, ValueError) as error:
            raise UnknownModel(
                f"The job refers to model {self.model!r}, which is not installed: {error}."
            ) from None
        if self.database is None or self.database not in connections:
            raise UnknownModel(
                f"The job's instance is in database {self.database!r}; DATABASES has no such alias."
            )
        field = model._meta.pk
        assert field is not None
        try:
            # A model's first manager may hide rows.
            manager = getattr(model, "objects", model._default_manager)
            found: models.Model = manager.using(self.database).get(pk=field.to_python(self.pk))
        except ObjectDoesNotExist:
            raise InstanceDeleted(
                f"{model._meta.label} {self.pk} is not in database {self.database!r}: it was deleted before the task"
                " ran."
            ) from None
        return found


def job_on(instance: models.Model, task: str, args: Any, kwargs: Any) -> DeferredJob:
    """The job of a task on an instance; one that is not saved yet is saved first.

    Args:
        instance: the instance.
        task: the task's registered name.
        args: further arguments.
        kwargs: further arguments by name.
    """
    save_first(instance)
    model = type(instance)
    field = model._meta.pk
    assert field is not None
    return DeferredJob(
        task=task,
        model=model._meta.label_lower,
        pk=field.value_to_string(instance),
        database=instance._state.db or router.db_for_write(model, instance=instance),
        args=as_lists(list(args)),
        kwargs=as_lists(dict(kwargs)),
        correlation_id=correlation_id(),
    )


def save_first(instance: models.Model) -> None:
    """Save an instance that is not in its database yet."""
    if instance._state.adding or instance.pk is None:
        instance.save()


def as_lists(value: Any) -> Any:
    """The value with its tuples as lists, which is how they arrive."""
    if isinstance(value, (list, tuple)):
        return [as_lists(each) for each in value]
    if isinstance(value, dict):
        return {name: as_lists(each) for name, each in value.items()}
    return value
