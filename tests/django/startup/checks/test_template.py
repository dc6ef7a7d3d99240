"""What `check --deploy` says of the parameters of the template, with moto's AWS behind it."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from django.core.checks import run_checks

from lambda_handlers import artefact
from serverless_tasks.engine.aws import session
from serverless_tasks.project import build

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop-AbCdEf"
ALL = ("sqs", "dynamodb", "s3", "scheduler")


def messages() -> list[tuple[str, str]]:
    found = run_checks(include_deployment_checks=True)
    ours = [message for message in found if str(message.id).startswith("serverless_tasks.")]
    numbers = ("E02", "W02", "I02")
    said = [(str(message.id).removeprefix("serverless_tasks."), message.msg) for message in ours]
    return [each for each in said if each[0].startswith(numbers)]


def deployed(settings: Any, directory: Path, *parameters: str) -> None:
    settings.BASE_DIR = directory
    every = ["DjangoSettingsModule=tests.django.settings", *parameters]
    if any(each.startswith("SubnetIds=") for each in parameters):
        every.append("SecurityGroupIds=sg-0a1b2c3d")
    text = f"[default.global.parameters]\nparameter_overrides = {json.dumps(every)}\n"
    (directory / "samconfig.toml").write_text(text)


class Vpc:
    """A VPC with one subnet, deployed in."""

    def __init__(self) -> None:
        self.ec2 = session.client("ec2")
        self.id = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnet = self.add_subnet("10.0.1.0/24")

    def add_subnet(self, block: str) -> str:
        subnet: str = self.ec2.create_subnet(VpcId=self.id, CidrBlock=block)["Subnet"]["SubnetId"]
        return subnet

    def table(self, subnet: str | None = None) -> str:
        """A route table: of a subnet, or the main one."""
        if subnet is None:
            inside = [
                {"Name": "vpc-id", "Values": [self.id]},
                {"Name": "association.main", "Values": ["true"]},
            ]
            [found] = self.ec2.describe_route_tables(Filters=inside)["RouteTables"]
            main: str = found["RouteTableId"]
            return main
        made: str = self.ec2.create_route_table(VpcId=self.id)["RouteTable"]["RouteTableId"]
        self.ec2.associate_route_table(RouteTableId=made, SubnetId=subnet)
        return made

    def route(self, table: str, **target: str) -> None:
        self.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **target)

    def nat(self) -> str:
        address = self.ec2.allocate_address(Domain="vpc")["AllocationId"]
        made = self.ec2.create_nat_gateway(SubnetId=self.subnet, AllocationId=address)
        gateway: str = made["NatGateway"]["NatGatewayId"]
        return gateway

    def internet(self) -> str:
        gateway: str = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.id)
        return gateway

    def endpoint(self, service: str, kind: str = "Interface", **more: Any) -> None:
        self.ec2.create_vpc_endpoint(
            VpcId=self.id, ServiceName=f"com.amazonaws.us-east-1.{service}", VpcEndpointType=kind, **more
        )


@pytest.fixture
def vpc() -> Vpc:
    return Vpc()


class TestNetwork:
    def test_subnets_without_a_way_to_anything(self, vpc: Vpc, settings: Any, tmp_path: Path) -> None:
        deployed(settings, tmp_path, f"SubnetIds={vpc.subnet}")
        found = messages()
        assert [number for number, _ in found] == ["E020", "E020", "W020", "W020"]
        assert found[0][1] == f"The subnets {vpc.subnet} have no route to sqs: workers would hang."
        assert "no route to dynamodb" in found[1][1]
        assert "no route to s3: jobs with large inputs" in found[2][1]
        assert "no route to scheduler" in found[3][1]

    def test_a_nat_gateway_in_the_main_table_or_in_the_subnets_own(
        self, vpc: Vpc, settings: Any, tmp_path: Path
    ) -> None:
        deployed(settings, tmp_path, f"SubnetIds={vpc.subnet}")
        vpc.route(vpc.table(), NatGatewayId=vpc.nat())
        assert messages() == []
        own = vpc.table(vpc.subnet)  # which now stands in the place of the main one
        assert len(messages()) == 4
        vpc.route(own, NatGatewayId=vpc.nat())
        assert messages() == []

    def test_an_internet_gateway_is_no_way_out_of_a_function(
        self, vpc: Vpc, settings: Any, tmp_path: Path
    ) -> None:
        deployed(settings, tmp_path, f"SubnetIds={vpc.subnet}")
        vpc.route(vpc.table(), GatewayId=vpc.internet())
        assert len(messages()) == 4

    def test_endpoints_of_what_is_called(self, vpc: Vpc, settings: Any, tmp_path: Path) -> None:
        other = vpc.add_subnet("10.0.2.0/24")
        own = vpc.table(other)
        deployed(settings, tmp_path, f"SubnetIds={vpc.subnet},{other}")
        for service in ("sqs", "scheduler"):
            vpc.endpoint(service, SubnetIds=[vpc.subnet], PrivateDnsEnabled=True)
        vpc.endpoint("s3", "Gateway", RouteTableIds=[vpc.table(), own])
        vpc.endpoint("dynamodb", "Gateway", RouteTableIds=[vpc.table()])
        [(number, sentence)] = messages()
        assert (number, sentence.partition(":")[0]) == (
            "E020",
            f"The subnets {other} have no route to dynamodb",
        )

    def test_an_endpoint_that_clients_have_to_name_does_not_count(
        self, vpc: Vpc, settings: Any, tmp_path: Path
    ) -> None:
        deployed(settings, tmp_path, f"SubnetIds={vpc.subnet}")
        for service in ALL:
            vpc.endpoint(service, SubnetIds=[vpc.subnet], PrivateDnsEnabled=False)
        assert len(messages()) == 4

    def test_an_endpoint_of_another_vpc_does_not_count(self, vpc: Vpc, settings: Any, tmp_path: Path) -> None:
        deployed(settings, tmp_path, f"SubnetIds={vpc.subnet},{Vpc().subnet}")
        for service in ALL:
            vpc.endpoint(service, SubnetIds=[vpc.subnet], PrivateDnsEnabled=True)
        found = messages()
        assert len(found) == 4
        assert not any(vpc.subnet in sentence for _, sentence in found)

    def test_where_secrets_are_is_looked_at_too(self, vpc: Vpc, settings: Any, tmp_path: Path) -> None:
        secrets = (f"SecretReferences=URL={ARN},TOKEN=/shop/token", f"SecretArns={ARN},*:parameter/shop/*")
        deployed(settings, tmp_path, f"SubnetIds={vpc.subnet}", *secrets)
        for service in ALL:
            vpc.endpoint(service, SubnetIds=[vpc.subnet], PrivateDnsEnabled=True)
        assert [sentence.partition("route to ")[2] for _, sentence in messages()] == [
            "Secrets Manager: functions that read secrets there would not start.",
            "Parameter Store: functions that read secrets there would not start.",
        ]

    def test_a_role_that_may_not_look_is_told_so(
        self, vpc: Vpc, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(**_: Any) -> Any:
            error = {"Code": "UnauthorizedOperation", "Message": "You are not authorized"}
            raise ClientError(
                {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 403}}, "DescribeRouteTables"
            )

        deployed(settings, tmp_path, f"SubnetIds={vpc.subnet}")
        monkeypatch.setattr(session.client("ec2")._made, "describe_route_tables", refuse)
        [(number, sentence)] = messages()
        assert number == "I020"
        assert "may not look at the routes of SubnetIds" in sentence

    def test_a_subnet_that_does_not_exist(self, settings: Any, tmp_path: Path) -> None:
        deployed(settings, tmp_path, "SubnetIds=subnet-0123456789abcdef0")
        [(number, sentence)] = messages()
        assert number == "W022"
        assert "subnet-0123456789abcdef0" in sentence

    def test_a_topic_of_errors_is_looked_at_where_there_is_one(
        self, vpc: Vpc, settings: Any, tmp_path: Path
    ) -> None:
        deployed(
            settings, tmp_path, f"SubnetIds={vpc.subnet}", "ErrorTopicArn=arn:aws:sns:us-east-1:123:errors"
        )
        assert [sentence for _, sentence in messages() if "to sns: the announcements" in sentence]

    def test_subnets_and_security_groups_go_together(self, settings: Any, tmp_path: Path) -> None:
        deployed(settings, tmp_path, "SecurityGroupIds=sg-0a1b2c3d")
        assert [number for number, _ in messages()] == ["E023"]

    def test_nothing_is_asked_without_subnets(
        self, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("serverless_tasks.engine.aws.network.client", None)
        deployed(settings, tmp_path)
        assert messages() == []


class TestArchitecture:
    def built(self, directory: Path, architecture: str) -> None:
        target = directory / ".aws-sam/build/WorkerFunction"
        target.mkdir(parents=True)
        (target / build.MANIFEST).write_text(json.dumps({"architecture": architecture, "environment": {}}))

    def test_a_build_for_another_processor(self, settings: Any, tmp_path: Path) -> None:
        self.built(tmp_path, "arm64")
        deployed(settings, tmp_path)
        [(number, sentence)] = messages()
        assert number == "E021"
        assert sentence.startswith("The last build is for arm64, and samconfig.toml deploys for x86_64")
        deployed(settings, tmp_path, "Architecture=arm64")
        assert messages() == []

    def test_without_a_build_there_is_nothing_to_compare(self, settings: Any, tmp_path: Path) -> None:
        deployed(settings, tmp_path, "Architecture=arm64")
        assert messages() == []

    def test_the_file_is_the_one_that_handlers_read(self) -> None:
        assert build.MANIFEST == artefact.MANIFEST


class TestSecrets:
    @pytest.mark.parametrize(
        ("references", "arns", "missing"),
        [
            (f"URL={ARN}:key", ARN, ""),
            (f"URL={ARN}", "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop-??????", ""),
            (f"URL={ARN}", f"{ARN}:key", "URL"),
            (f"URL={ARN},TOKEN=/shop/token", ARN, "TOKEN"),
            ("TOKEN=/shop/token", "arn:aws:ssm:us-east-1:123456789012:parameter/shop/*", ""),
            ("TOKEN=/mail/token", "arn:aws:ssm:us-east-1:123456789012:parameter/shop/*", "TOKEN"),
            (f"B={ARN},A={ARN}", "", "A, B"),
        ],
    )
    def test_what_the_functions_may_not_read(
        self, settings: Any, tmp_path: Path, references: str, arns: str, missing: str
    ) -> None:
        deployed(
            settings, tmp_path, f"SecretReferences={references}", *([f"SecretArns={arns}"] if arns else [])
        )
        expected = f"SecretArns has no ARN of the secrets for {missing}: the functions may not read them."
        assert messages() == ([("W021", expected)] if missing else [])

    def test_those_of_the_artefact_count_too(self, settings: Any, tmp_path: Path) -> None:
        deployed(settings, tmp_path)
        (tmp_path / "infra/lambda").mkdir(parents=True)
        text = f'[environment]\nHOST = "x"\nSERVERLESS_TASKS_SECRET_URL = "{ARN}"\n'
        (tmp_path / "infra/lambda/artefact.toml").write_text(text)
        [(number, sentence)] = messages()
        assert (number, "for URL:" in sentence) == ("W021", True)

    def test_what_is_no_reference(self, settings: Any, tmp_path: Path) -> None:
        deployed(settings, tmp_path, "SecretReferences=URL=postgres://hunter2@db")
        [(number, sentence)] = messages()
        assert number == "E022"
        assert "hunter2" not in sentence
