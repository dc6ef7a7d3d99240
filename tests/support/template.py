"""template.yaml with parameters given: its conditions decided, as CloudFormation decides them.

`python -m tests.support.template DIRECTORY` writes it with every parameter given and with none, for tools that look at
a template without deciding its conditions.
"""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from serverless_tasks.cli.init.overrides import FILE as OVERRIDES
from serverless_tasks.cli.init.overrides import with_overrides
from serverless_tasks.cli.init.queues import OwnQueue, with_queues

FILE = Path(__file__).resolve().parents[2] / "template.yaml"
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
EVERY = {
    "TaskModules": "shop.background",
    "DjangoSettingsModule": "website.settings",
    "TaskPolicyArn": "arn:aws:iam::123456789012:policy/shop",
    "SecretReferences": (
        "DATABASE_URL=arn:aws:secretsmanager:us-east-1:123456789012:secret:shop-AbCdEf:url,API_TOKEN=/shop/token"
    ),
    "SecretArns": (
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop-AbCdEf,"
        "arn:aws:ssm:us-east-1:123456789012:parameter/shop/token"
    ),
    "SecretsKeyArn": KEY,
    "SecretsMaxAge": "900",
    "Architecture": "arm64",
    "WorkerTimeout": "210",
    "WorkerMemory": "1024",
    "HighConcurrency": "20",
    "DefaultConcurrency": "10",
    "LowConcurrency": "5",
    "LongWork": "true",
    "ReservedConcurrency": "35",
    "SubnetIds": "subnet-0a1b2c3d,subnet-1a2b3c4d",
    "SecurityGroupIds": "sg-0a1b2c3d",
    "PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/boundary",
    "KmsKeyArn": KEY,
    "LogKmsKeyArn": KEY,
    "AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:alarms",
    "Statistics": "false",
    "ErrorTopicArn": "arn:aws:sns:us-east-1:123456789012:errors",
    "TaskPauses": "true",
    "FailedTasksThreshold": "50",
    "FailedTasksPercent": "25",
    "UnknownTaskThreshold": "5",
    "LogLevel": "WARNING",
    "LogRetentionDays": "90",
    "PayloadRetentionDays": "120",
    "BrowserStatusOrigins": "https://app.example,https://www.example",
    "BrowserStatusConcurrency": "20",
    "ExistingTableName": "shop-Table-1ABCDEF",
    "ExistingBucketName": "shop-payloadbucket-1abcdef",
    "TableDeletionProtection": "true",
}
"""A value for each parameter that is not the default."""

_NO_VALUE = {"Ref": "AWS::NoValue"}
_ABSENT = object()


def read() -> dict[str, Any]:
    """Read template.yaml."""
    template: dict[str, Any] = yaml_parse(FILE.read_text())
    return template


def decided(template: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """Return the template with each `Fn::If` replaced by what it comes to, and without what a condition leaves out.

    Args:
        template: as `read` returns it, or translated by SAM.
        given: values of parameters; the others have their defaults.
    """
    values = {name: str(each.get("Default", "")) for name, each in template["Parameters"].items()} | dict(
        given
    )
    conditions = {name: _holds(each, values) for name, each in template["Conditions"].items()}
    chosen = _chosen({key: each for key, each in template.items() if key != "Conditions"}, conditions)
    for part in ("Resources", "Outputs"):
        chosen[part] = {
            name: {key: value for key, value in each.items() if key != "Condition"}
            for name, each in chosen[part].items()
            if conditions.get(each.get("Condition"), True)
        }
    for name, value in given.items():
        number = chosen["Parameters"][name]["Type"] == "Number"
        chosen["Parameters"][name]["Default"] = int(value) if number else value
    return dict(chosen)


def _holds(condition: Any, values: Mapping[str, str]) -> bool:
    [(function, operands)] = condition.items()
    if function == "Fn::Not":
        return not _holds(operands[0], values)
    assert function == "Fn::Equals", function
    one, other = (_text(each, values) for each in operands)
    return one == other


def _text(value: Any, values: Mapping[str, str]) -> str:
    if isinstance(value, dict) and "Fn::Join" in value:
        separator, parameter = value["Fn::Join"]
        return str(separator).join(values[parameter["Ref"]].split(","))
    return values[value["Ref"]] if isinstance(value, dict) else str(value)


def _chosen(value: Any, conditions: Mapping[str, bool]) -> Any:
    if isinstance(value, list):
        return [each for item in value if (each := _chosen(item, conditions)) is not _ABSENT]
    if not isinstance(value, dict):
        return value
    if value == _NO_VALUE:
        return _ABSENT
    if "Fn::If" in value:
        name, yes, no = value["Fn::If"]
        return _chosen(yes if conditions[name] else no, conditions)
    pairs = ((key, _chosen(item, conditions)) for key, item in value.items())
    return {key: each for key, each in pairs if each is not _ABSENT}


def skips(file: Path = FILE) -> dict[str, list[dict[str, str]]]:
    """Return what checkov's comments in a template let pass, by resource, as its metadata has it."""
    found: dict[str, list[dict[str, str]]] = {}
    resource = ""
    for line in file.read_text().splitlines():
        if name := re.fullmatch(r"  (\w+):", line):
            resource = name[1]
        if skip := re.search(r"checkov:skip=(\w+):(.*)", line):
            found.setdefault(resource, []).append({"id": skip[1], "comment": skip[2]})
    return found


def _write(directory: Path) -> None:
    for name, given in (("every", EVERY), ("none", {})):
        template = decided(read(), given)
        write(template, FILE, directory / f"{name}.json")
    with TemporaryDirectory() as project:
        file = a_projects_own(Path(project))
        write(decided(yaml_parse(file.read_text()), EVERY), file, directory / "own.json")


def a_projects_own(project: Path) -> Path:
    """Write the template of a project with two queues of its own and overrides."""
    overrides = project / OVERRIDES
    overrides.parent.mkdir(parents=True)
    overrides.write_text(
        "Resources:\n  WorkerFunction:\n    Properties:\n      EphemeralStorage: {Size: 2048}\n  Dashboard: null\n"
    )
    queues = [OwnQueue.parse(each) for each in ("emails:concurrency=3", "big-reports:timeout=120,age=7200")]
    file = project / "template.yaml"
    file.write_text(with_overrides(with_queues(FILE.read_text(), queues), project))
    return file


def write(template: dict[str, Any], file: Path, target: Path) -> None:
    """Write a template whose conditions are decided, with what checkov is to let pass in `file`."""
    for resource, skipped in skips(file).items():
        if resource in template["Resources"]:
            template["Resources"][resource].setdefault("Metadata", {})["checkov"] = {"skip": skipped}
    target.write_text(json.dumps(template, indent=1))


if __name__ == "__main__":
    _write(Path(sys.argv[1]))
