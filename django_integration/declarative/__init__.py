"""Tasks declared on endpoints: in the request, or deferred to a worker with the endpoint's resource."""

from django_integration.declarative.deferrable_task import (
    DeferrableEndpointTask,
    DeferrableGenericEndpointTask,
    deferrable_generic_task,
    deferrable_task,
)
from django_integration.declarative.endpoint_task import EndpointTask, run_tasks, task
from django_integration.declarative.job import InstanceDeleted
from django_integration.declarative.resource_method import resource_task, schedule_resource_task_runner
from django_integration.declarative.views import TaskMixin

__all__ = [
    "DeferrableEndpointTask",
    "DeferrableGenericEndpointTask",
    "EndpointTask",
    "InstanceDeleted",
    "TaskMixin",
    "deferrable_generic_task",
    "deferrable_task",
    "resource_task",
    "run_tasks",
    "schedule_resource_task_runner",
    "task",
]
