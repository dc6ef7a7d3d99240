"""infra/container/template.yaml with parameters given, as `tests.support.template` has it for template.yaml.

`python -m tests.support.container DIRECTORY` writes it with every parameter given and with those that are required.
"""

import json
import sys
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from tests.support import template

FOLDER = Path(__file__).resolve().parents[2] / "infra/container"
FILE = FOLDER / "template.yaml"
REQUIRED = {
    "ImageUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/worker:2f1c9a7",
    "VpcId": "vpc-0a1b2c3d",
    "SubnetIds": "subnet-0a1b2c3d,subnet-1a2b3c4d",
}
_SAME = (
    *("TaskModules", "DjangoSettingsModule", "TaskPolicyArn", "SecretReferences", "SecretArns"),
    *("SecretsKeyArn", "SecretsMaxAge", "SecurityGroupIds", "PermissionsBoundaryArn", "KmsKeyArn"),
    *("LogKmsKeyArn", "AlarmTopicArn", "Statistics", "ErrorTopicArn", "LogLevel", "LogRetentionDays"),
)
EVERY = {
    **REQUIRED,
    **{name: template.EVERY[name] for name in _SAME},
    "StackName": "shop",
    "Architecture": "ARM64",
    "Cpu": "1024",
    "Memory": "4096",
    "Concurrency": "2",
    "MinContainers": "1",
    "MaxContainers": "10",
    "WaitSeconds": "300",
    "IdleMinutes": "30",
    "AlarmMinutes": "120",
    "TaskPauses": "false",
}
EVERY_OF_MAIN = template.EVERY | {"LongWork": "true"}


def read() -> dict[str, Any]:
    """Read infra/container/template.yaml."""
    parsed: dict[str, Any] = yaml_parse(FILE.read_text())
    return parsed


def _write(directory: Path) -> None:
    for name, given in (("container-every", EVERY), ("container-required", REQUIRED)):
        made = template.decided(read(), given)
        text = json.dumps(made["Resources"])
        # What no resource uses is no fault where its condition has left it out.
        made["Parameters"] = {
            key: each
            for key, each in made["Parameters"].items()
            if f'"Ref": "{key}"' in text or f"${{{key}}}" in text
        }
        del made["Metadata"]
        template.write(made, FILE, directory / f"{name}.json")


if __name__ == "__main__":
    _write(Path(sys.argv[1]))
