"""System checks of the parameters of the template that the project is deployed with, for ``check --deploy``."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core import checks

from django_integration.startup.checks.deployment import Deployment
from serverless_tasks.engine.aws.session import require_region
from serverless_tasks.errors import AwsError, ConfigurationError
from serverless_tasks.project.build import DEFAULT_ARCHITECTURE, baked_variables, built_architecture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serverless_tasks.engine.aws.secrets import Reference

# What a worker calls for each job, and what it calls for some.
_ALWAYS = ("sqs", "dynamodb")
_SOMETIMES = {
    "s3": "jobs with large inputs or outputs",
    "scheduler": "jobs and retries that are delayed by more than 15 minutes",
    "sns": "the announcements of new kinds of failure",
}
_NEEDED = {"secretsmanager": "Secrets Manager", "ssm": "Parameter Store"}
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


def register() -> None:
    """Add the checks."""
    checks.register(check_network, "serverless_tasks", deploy=True)
    checks.register(check_architecture, "serverless_tasks", deploy=True)
    checks.register(check_secrets, "serverless_tasks", deploy=True)


def check_network(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:
    """Check that functions in a VPC reach what they call: without a way they wait until their timeout."""
    deployed = Deployment.read()
    subnets, groups = _items(deployed, "SubnetIds"), _items(deployed, "SecurityGroupIds")
    if bool(subnets) != bool(groups):
        message = (
            "samconfig.toml deploys with one of SubnetIds and SecurityGroupIds: Lambda takes both or neither."
        )
        return [checks.Error(message, id="serverless_tasks.E023")]
    if deployed is None or not subnets:
        return []
    from serverless_tasks.engine.aws.network import unreachable_services

    try:
        require_region()
        resolved = {each.service for each in _references(deployed)}
        sometimes = [each for each in _SOMETIMES if each != "sns" or deployed.parameters.get("ErrorTopicArn")]
        missing = unreachable_services(subnets, [*_ALWAYS, *sometimes, *sorted(resolved)])
    except (AwsError, ConfigurationError) as error:
        return [_not_seen(error)]
    return list(_cut_off(missing))


def check_architecture(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:
    """Check that what was built is for the processor that it is deployed on."""
    deployed = Deployment.read()
    built = built_architecture(_directory()) if deployed else None
    if deployed is None or built is None:
        return []
    wanted = deployed.parameters.get("Architecture", DEFAULT_ARCHITECTURE)
    if built == wanted:
        return []
    message = f"The last build is for {built}, and samconfig.toml deploys for {wanted}: the functions would not start."
    hint = (
        "Run `sam build` again, with Architecture in [default.global.parameters], which both commands read."
    )
    return [checks.Error(message, hint=hint, id="serverless_tasks.E021")]


def check_secrets(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:
    """Check that the functions may read the secrets that they are referred to."""
    deployed = Deployment.read()
    try:
        wanted = _references(deployed)
    except ConfigurationError as error:
        return [checks.Error(str(error), id="serverless_tasks.E022")]
    allowed = _items(deployed, "SecretArns")
    missing = sorted({each.name for each in wanted if not any(_covers(arn, each) for arn in allowed)})
    if not missing:
        return []
    message = (
        f"SecretArns has no ARN of the secrets for {', '.join(missing)}: the functions may not read them."
    )
    hint = "Add the ARNs in samconfig.toml, unless TaskPolicyArn allows it for the worker and direct invoke."
    return [checks.Warning(message, hint=hint, id="serverless_tasks.W021")]


def _cut_off(missing: dict[str, list[str]]) -> Iterator[checks.CheckMessage]:
    hint = 'Add a NAT gateway or VPC endpoints: see "Functions in a VPC" in docs/deployment.md.'
    for service, subnets in missing.items():
        where = f"The subnets {', '.join(subnets)} have no route to {_NEEDED.get(service, service)}"
        if service in _SOMETIMES:
            message = f"{where}: {_SOMETIMES[service]} would wait until the worker's timeout."
            yield checks.Warning(message, hint=hint, id="serverless_tasks.W020")
        else:
            what = (
                "functions that read secrets there would not start"
                if service in _NEEDED
                else "workers would hang"
            )
            yield checks.Error(f"{where}: {what}.", hint=hint, id="serverless_tasks.E020")


def _not_seen(error: AwsError | ConfigurationError) -> checks.CheckMessage:
    if isinstance(error, AwsError) and error.code in _DENIED:
        message = "This role may not look at the routes of SubnetIds: whether workers reach SQS there is not checked."
        hint = "Grant ec2:DescribeSubnets, ec2:DescribeRouteTables and ec2:DescribeVpcEndpoints."
        return checks.Info(message, hint=hint, id="serverless_tasks.I020")
    message = f"The routes of SubnetIds cannot be looked at: {error}"
    return checks.Warning(message, hint="Check the region and the ids.", id="serverless_tasks.W022")


def _references(deployed: Deployment | None) -> list[Reference]:
    if deployed is None:
        return []
    from serverless_tasks.engine.aws.secrets import EACH, LIST, references

    given = {name: value for name, value in baked_variables(_directory()).items() if name.startswith(EACH)}
    return references({LIST: deployed.parameters.get("SecretReferences", ""), **given})


def _covers(arn: str, reference: Reference) -> bool:
    """Return whether a policy's ARN, which may have wildcards, allows a reference to be read."""
    if reference.id.startswith("arn:"):
        return fnmatchcase(reference.id, arn)
    return fnmatchcase(reference.id.lstrip("/"), arn.partition(":parameter/")[2])


def _items(deployed: Deployment | None, parameter: str) -> list[str]:
    text = deployed.parameters.get(parameter, "") if deployed else ""
    return [each.strip() for each in text.split(",") if each.strip()]


def _directory() -> Path:
    return Path(getattr(settings, "BASE_DIR", "."))
