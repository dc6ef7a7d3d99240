"""A SAM template as plain CloudFormation, reduced to what local work needs."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse
from yaml import YAMLError

from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FUNCTION = "AWS::Lambda::Function"
EVENT_SOURCE_MAPPING = "AWS::Lambda::EventSourceMapping"

CREATED_TYPES = frozenset(
    {
        FUNCTION,
        "AWS::DynamoDB::Table",
        "AWS::KMS::Alias",
        "AWS::KMS::Key",
        "AWS::Logs::LogGroup",
        "AWS::S3::Bucket",
        "AWS::SNS::Topic",
        "AWS::SQS::Queue",
        "AWS::SSM::Parameter",
    }
)
"""Resource types that are made locally; moto knows them all. The properties that refer to others are dropped too."""

MAPPING_PARTS = {
    "Source": ("EventSourceArn",),
    "Function": ("FunctionName",),
    "BatchSize": ("BatchSize",),
    "Concurrency": ("ScalingConfig", "MaximumConcurrency"),
    "ResponseTypes": ("FunctionResponseTypes",),
}
"""What is asked of each event source mapping: the suffix of an output -> the path of a property."""

_FUNCTION_PROPERTIES = ("FunctionName", "Handler", "Runtime", "Timeout", "MemorySize", "Environment", "Code")
# moto requires a function's role to exist and to trust Lambda; permissions are not enforced locally.
_LOCAL_ROLE = "LocalFunctionRole"
_ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "lambda.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
    },
}
_NOT_LOCAL = ("CodeUri", "AutoPublishAlias", "DeploymentPreference", "Layers")
_MISSING = object()


@dataclass(frozen=True, slots=True)
class LocalTemplate:
    """The part of a template that local work needs.

    Args:
        body: CloudFormation that moto can create, with outputs of our own for the event source mappings.
        mappings: logical ids of the event source mappings; ``<id>Source``, ``<id>Function`` and so on are outputs.
        functions: logical ids of the functions.
    """

    body: dict[str, Any]
    mappings: tuple[str, ...]
    functions: tuple[str, ...]


def read_template(path: Path) -> LocalTemplate:
    """Read a SAM template, translate it as ``sam deploy`` does, and keep what moto can make of it.

    The translator asks boto3 for the region: call it with one in the environment.

    Args:
        path: the template's file.

    Raises:
        ConfigurationError: there is no such file, or it is no template.
    """
    try:
        template = yaml_parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"Template {path} cannot be read ({error.strerror}); run from the project's directory, or make one with"
            " `serverless-tasks init`."
        ) from error
    except YAMLError as error:
        raise ConfigurationError(f"Template {path} is not YAML: {error}") from error
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        raise ConfigurationError(f"Template {path} has no Resources.")
    return reduce_template(translate(template, str(path)))


def translate(template: dict[str, Any], name: str) -> dict[str, Any]:
    """Translate SAM to plain CloudFormation; code stays where it is and aliases are left out.

    Args:
        template: the parsed template; changed in place.
        name: what to call it in errors.

    Raises:
        ConfigurationError: with what the translator found wrong.
    """
    _forget(template.get("Globals", {}).get("Function", {}))
    for resource in template["Resources"].values():
        if resource.get("Type") == "AWS::Serverless::Function":
            properties = resource.setdefault("Properties", {})
            _forget(properties)
            properties["InlineCode"] = "pass"
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    try:
        translated: dict[str, Any] = transform(template, {}, _NoManagedPolicies())
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise ConfigurationError(
            f"Template {name} cannot be translated: {causes or error.message}"
        ) from error
    return translated


def reduce_template(template: Mapping[str, Any]) -> LocalTemplate:
    """Keep the resources that local work needs; outputs that refer to others are empty."""
    resources = template["Resources"]
    dropped = {name for name, resource in resources.items() if resource["Type"] not in CREATED_TYPES}
    mappings = {
        name: resource["Properties"]
        for name, resource in resources.items()
        if resource["Type"] == EVENT_SOURCE_MAPPING and resource["Properties"].get("Enabled") is not False
    }
    outputs = {name: {"Value": output["Value"]} for name, output in template.get("Outputs", {}).items()}
    for name, properties in mappings.items():
        outputs |= _mapping_outputs(name, properties)
    body = {key: value for key, value in template.items() if key in ("Parameters", "Mappings", "Conditions")}
    body["Resources"] = {
        name: _resource(resource, dropped) for name, resource in resources.items() if name not in dropped
    }
    body["Resources"][_LOCAL_ROLE] = _ROLE
    body["Outputs"] = {
        name: {"Value": ""} if _references(output) & dropped else output for name, output in outputs.items()
    }
    functions = tuple(name for name, resource in resources.items() if resource["Type"] == FUNCTION)
    return LocalTemplate(body, tuple(mappings), functions)


def _mapping_outputs(name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Outputs that make CloudFormation itself resolve a mapping's references and parameters."""
    outputs: dict[str, Any] = {}
    for suffix, path in MAPPING_PARTS.items():
        value: Any = properties
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            outputs[name + suffix] = {"Value": _text(value)}
    return outputs


def _text(value: Any) -> Any:
    """A literal as the text that an output has to be; an intrinsic stays."""
    if isinstance(value, list):
        return ",".join(value)
    return value if isinstance(value, dict) else str(value)


def _resource(resource: Mapping[str, Any], dropped: set[str]) -> dict[str, Any]:
    properties = resource.get("Properties", {})
    if resource["Type"] == FUNCTION:
        properties = {key: properties[key] for key in _FUNCTION_PROPERTIES if key in properties}
        properties["Role"] = {"Fn::GetAtt": [_LOCAL_ROLE, "Arn"]}
    kept = {key: value for key, value in resource.items() if key in ("Type", "Condition")}
    kept["Properties"] = _without(properties, dropped)
    return kept


def _without(value: Any, dropped: set[str]) -> Any:
    """A value without the properties and list entries that refer to dropped resources."""
    if isinstance(value, list):
        return [left for item in value if (left := _without(item, dropped)) is not _MISSING]
    if not isinstance(value, dict):
        return value
    if _is_intrinsic(value):
        return _MISSING if _references(value) & dropped else value
    pairs = ((key, _without(item, dropped)) for key, item in value.items())
    return {key: left for key, left in pairs if left is not _MISSING}


def _is_intrinsic(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref"))


def _references(value: Any) -> set[str]:
    """The logical ids that a value refers to."""
    if isinstance(value, list):
        return set().union(*map(_references, value))
    if not isinstance(value, dict):
        return set()
    found: set[str] = set()
    for key, item in value.items():
        if key == "Ref":
            found.add(item)
        elif key == "Fn::GetAtt":
            found.add(item[0] if isinstance(item, list) else item.split(".")[0])
        elif key == "Fn::Sub":
            text, names = item if isinstance(item, list) else (item, {})
            found |= {name.split(".")[0] for name in re.findall(r"\$\{([^!}][^}]*)\}", text)} - set(names)
            found |= _references(names)
        else:
            found |= _references(item)
    return found


def _forget(properties: dict[str, Any]) -> None:
    for key in _NOT_LOCAL:
        properties.pop(key, None)


class _NoManagedPolicies:
    """Stands where the translator would ask IAM for the names of managed policies: roles are not made locally."""

    def load(self) -> dict[str, str]:
        return {}
