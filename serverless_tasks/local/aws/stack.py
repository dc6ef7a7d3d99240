"""The stack of a template, created in a local server by moto's CloudFormation."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from serverless_tasks.engine.config import Config
from serverless_tasks.errors import ConfigurationError
from serverless_tasks.local.aws.client import local_client
from serverless_tasks.local.aws.functions import Function
from serverless_tasks.local.aws.scheduler import GROUP, ROLE
from serverless_tasks.local.aws.template import MAPPING_PARTS, LocalTemplate
from serverless_tasks.local.environment import LOCAL_AWS, REGION
from serverless_tasks.poller.mapping import Mapping

if TYPE_CHECKING:
    from collections.abc import Mapping as Dictionary
    from collections.abc import Sequence

STACK_NAME = "local"
MOST_THREADS = 4
"""Threads for one queue at most: a laptop is not Lambda."""


@dataclass(frozen=True, slots=True)
class LocalStack:
    """A stack that runs on this machine.

    Args:
        endpoint: the server's URL.
        outputs: the template's outputs; empty where they refer to what is not made locally.
        environment: what processes need in their environment to use the stack, AWS's variables included.
        mappings: which handler serves which queue.
        functions: the template's functions.
    """

    endpoint: str
    outputs: Dictionary[str, str]
    environment: Dictionary[str, str]
    mappings: Sequence[Mapping]
    functions: Sequence[Function]

    @property
    def queue_urls(self) -> dict[str, str]:
        """Queue name -> URL."""
        urls: dict[str, str] = json.loads(self.outputs.get("QueueUrls", "{}"))
        return urls


def create_stack(
    endpoint: str,
    template: LocalTemplate,
    *,
    parameters: Dictionary[str, str] | None = None,
    modules: Sequence[str] = (),
    most_threads: int = MOST_THREADS,
) -> LocalStack:
    """Create the stack ``local`` in a running local server.

    Args:
        endpoint: the server's URL.
        template: what to create.
        parameters: values in place of the template's defaults.
        modules: the modules with tasks, in place of what the template says.
        most_threads: threads for one queue at most, whatever concurrency the template allows.

    Raises:
        ConfigurationError: a parameter is not the template's, or CloudFormation refused the template, with its
            reason.
    """
    _check_parameters(parameters or {}, template.body.get("Parameters", {}))
    cloudformation = local_client("cloudformation", endpoint)
    body = _with_schedule_group(template.body)
    try:
        cloudformation.create_stack(
            StackName=STACK_NAME,
            TemplateBody=json.dumps(body),
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in (parameters or {}).items()
            ],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
    except (ClientError, BotoCoreError, ResponseParserError) as error:
        raise ConfigurationError(
            f"The local stack could not be created from the template: {error}"
        ) from error
    stack = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    outputs = {
        # moto returns queue URLs of AWS's domain, which a client without the endpoint would call.
        output["OutputKey"]: output.get("OutputValue", "").replace(
            f"https://sqs.{REGION}.amazonaws.com", endpoint
        )
        for output in stack.get("Outputs", ())
    }
    if "ScheduleGroupName" in outputs:
        local_client("scheduler", endpoint).create_schedule_group(Name=GROUP)
    configurations = _configurations(endpoint, template)
    functions = [_function(*item) for item in configurations.items()]
    mappings = [_mapping(name, outputs, functions, endpoint, most_threads) for name in template.mappings]
    ours = {name + suffix for name in template.mappings for suffix in MAPPING_PARTS}
    outputs = {name: value for name, value in outputs.items() if name not in ours}
    return LocalStack(
        endpoint=endpoint,
        outputs=outputs,
        environment=_environment(endpoint, outputs, configurations, modules),
        mappings=mappings,
        functions=functions,
    )


def _with_schedule_group(body: Dictionary[str, Any]) -> dict[str, Any]:
    """The template with outputs that name the group and role that are made beside it, for whoever asks for the stack:
    moto's CloudFormation knows no schedule groups.
    """
    outputs = body.get("Outputs", {})
    if "ScheduleGroupName" not in outputs:
        return dict(body)
    named = {"ScheduleGroupName": {"Value": GROUP}, "SchedulerRoleArn": {"Value": ROLE}}
    return {**body, "Outputs": {**outputs, **named}}


def _check_parameters(given: Dictionary[str, str], declared: Dictionary[str, Any]) -> None:
    """As CloudFormation does; moto takes what it is given."""
    for name, value in given.items():
        if name not in declared:
            raise ConfigurationError(
                f"The template has no parameter {name!r}; it has {', '.join(sorted(declared)) or 'none'}."
            )
        allowed = [str(each) for each in declared[name].get("AllowedValues", [])]
        if allowed and value not in allowed:
            raise ConfigurationError(f"Parameter {name} is {value!r}; expected one of {', '.join(allowed)}.")


def _configurations(endpoint: str, template: LocalTemplate) -> dict[str, dict[str, Any]]:
    """Return Lambda's configurations of the template's functions by logical id, every reference resolved."""
    made = local_client("cloudformation", endpoint).describe_stack_resources(StackName=STACK_NAME)[
        "StackResources"
    ]
    # moto lists what a condition leaves out too, without an id.
    names = {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for resource in made
        if "LogicalResourceId" in resource
    }
    functions = local_client("lambda", endpoint)
    return {
        name: functions.get_function_configuration(FunctionName=names[name])
        for name in template.functions
        if name in names
    }


def _function(logical_id: str, configuration: Dictionary[str, Any]) -> Function:
    return Function(
        logical_id=logical_id,
        name=configuration["FunctionName"],
        handler=configuration["Handler"],
        timeout=float(configuration.get("Timeout") or 3),
        memory=int(configuration.get("MemorySize") or 128),
    )


def _mapping(
    name: str, outputs: Dictionary[str, str], functions: Sequence[Function], endpoint: str, most_threads: int
) -> Mapping:
    queue = outputs[name + "Source"].rsplit(":", 1)[-1]
    wanted = outputs[name + "Function"].rsplit(":", 1)[-1]
    function = next((function for function in functions if function.name == wanted), None)
    if function is None:
        raise ConfigurationError(
            f"Event source mapping {name} calls {wanted!r}, which is not a function of the template."
        )
    return Mapping(
        queue_url=local_client("sqs", endpoint).get_queue_url(QueueName=queue)["QueueUrl"],
        handler=function.handler,
        function_name=function.logical_id,
        batch_size=int(outputs.get(name + "BatchSize", 10)),
        concurrency=min(most_threads, int(outputs.get(name + "Concurrency", most_threads))),
        timeout=function.timeout,
        memory=function.memory,
        partial_responses="ReportBatchItemFailures" in outputs.get(name + "ResponseTypes", ""),
    )


def _environment(
    endpoint: str,
    outputs: Dictionary[str, str],
    configurations: Dictionary[str, Dictionary[str, Any]],
    modules: Sequence[str],
) -> dict[str, str]:
    variables: dict[str, str] = {}
    for configuration in configurations.values():
        variables |= configuration.get("Environment", {}).get("Variables", {})
    # The outputs last: their queue URLs are the local ones.
    variables |= Config.environment_of(outputs)
    if modules:
        variables["SERVERLESS_TASKS_MODULES"] = ",".join(modules)
    return {
        **{name: str(value) for name, value in variables.items() if value},
        **LOCAL_AWS,
        "AWS_ENDPOINT_URL": endpoint,
    }
