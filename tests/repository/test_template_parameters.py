"""What the parameters of template.yaml change, read from what SAM and its conditions make of it."""

import os
import re
from typing import Any, ClassVar

import pytest

from serverless_tasks.local.aws.template import translate
from tests.support import template as rendered
from tests.support.template import EVERY, decided, read

VPC = {"SubnetIds": EVERY["SubnetIds"], "SecurityGroupIds": EVERY["SecurityGroupIds"]}
SECRETS = {"SecretReferences": EVERY["SecretReferences"], "SecretArns": EVERY["SecretArns"]}
ROLES = ("WorkerRole", "InvokeRole", "StatusRole", "DeadLetterRole", "SchedulerRole")
BROWSERS = {"BrowserStatusOrigins": "https://app.example,https://www.example"}
FUNCTIONS = ("WorkerFunction", "InvokeFunction", "StatusFunction", "DeadLetterFunction")
QUEUES = ("HighQueue", "DefaultQueue", "LowQueue", "DeadLetterQueue")
# What a statement may do with the key, and on behalf of which services.
READ = {"kms:Decrypt", "kms:DescribeKey"}
USE = {*READ, "kms:GenerateDataKey"}


def made(**given: str) -> dict[str, dict[str, Any]]:
    """The resources of the template as SAM translates it, with these parameters."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    resources: dict[str, dict[str, Any]] = decided(translate(read(), "template.yaml"), given)["Resources"]
    return resources


def properties(resources: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    found: dict[str, Any] = resources[name]["Properties"]
    return found


def statements(resources: dict[str, dict[str, Any]], name: str, *, prefix: str) -> list[dict[str, Any]]:
    """The statements of a role or a managed policy that are about the actions of a service."""
    found = properties(resources, name)
    documents = [policy["PolicyDocument"] for policy in found.get("Policies", [])]
    documents += [found["PolicyDocument"]] if "PolicyDocument" in found else []
    all_of_them = [statement for document in documents for statement in document["Statement"]]
    return [each for each in all_of_them if any(action.startswith(prefix) for action in actions(each))]


def actions(statement: dict[str, Any]) -> list[str]:
    action = statement["Action"]
    return action if isinstance(action, list) else [action]


@pytest.fixture(scope="module")
def none() -> dict[str, dict[str, Any]]:
    return made()


@pytest.fixture(scope="module")
def every() -> dict[str, dict[str, Any]]:
    return made(**EVERY)


def test_each_parameter_is_given_by_the_tests_that_give_every_one() -> None:
    parameters = read()["Parameters"]
    assert set(EVERY) == set(parameters)
    assert [name for name, value in EVERY.items() if value == str(parameters[name].get("Default"))] == []


def test_a_parameter_is_used_and_stands_in_a_group() -> None:
    text = rendered.FILE.read_text()
    groups = read()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    assert sorted(grouped) == sorted(read()["Parameters"])
    assert [name for name in grouped if not re.search(rf"!Ref {name}\b|\$\{{{name}\}}", text)] == []


def test_with_none_of_them_nothing_of_what_they_add_is_made(none: dict[str, dict[str, Any]]) -> None:
    text = str(none)
    for absent in (
        *("VpcConfig", "ec2:", "PermissionsBoundary", "ReservedConcurrentExecutions"),
        *(
            "kms:",
            "KmsMasterKeyId",
            "KMSMasterKeyId",
            "KMSMasterKeyID",
            "KmsKeyId",
            "SSEType",
            "BucketKeyEnabled",
        ),
        *("secretsmanager:", "ssm:", "'SERVERLESS_TASKS_SECRETS'", "MetricStat", "Fn::If", "AWS::NoValue"),
    ):
        assert absent not in text, absent


def test_every_resource_is_made_with_every_parameter(every: dict[str, Any], none: dict[str, Any]) -> None:
    for_browsers = {name for name in every if name.startswith("BrowserStatus")} | {"TokenSecret"}
    assert set(every) - set(none) - for_browsers == {
        "ErrorTopicPolicy",
        "FailedTasksPercentAlarm",
        "LongQueue",
    }
    assert {"BrowserStatusFunction", "BrowserStatusFunctionUrl", "BrowserStatusRole"} < for_browsers - set(
        none
    )
    assert set(none) - set(every) == {"PayloadBucket", "Table"}


class TestExistingData:
    """A stack that goes on with the table and the bucket of a deleted one."""

    EXISTING: ClassVar = {name: EVERY[name] for name in ("ExistingTableName", "ExistingBucketName")}

    def test_it_makes_none_and_names_them_wherever_it_would_have_named_its_own(self) -> None:
        def replaced(value: Any) -> Any:
            if isinstance(value, list):
                return [replaced(each) for each in value]
            if not isinstance(value, dict):
                return value
            for own, parameter, arn in (
                (
                    "Table",
                    "ExistingTableName",
                    "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/",
                ),
                ("PayloadBucket", "ExistingBucketName", "arn:${AWS::Partition}:s3:::"),
            ):
                if value == {"Ref": own}:
                    return {"Ref": parameter}
                if value == {"Fn::GetAtt": [own, "Arn"]}:
                    return {"Fn::Sub": f"{arn}${{{parameter}}}"}
                if str(value.get("Fn::Sub", "")).startswith(f"${{{own}.Arn}}"):
                    return {"Fn::Sub": value["Fn::Sub"].replace(f"${{{own}.Arn}}", f"{arn}${{{parameter}}}")}
            return {key: replaced(each) for key, each in value.items()}

        whole = translate(read(), "template.yaml")
        own, existing = decided(whole, {}), decided(whole, self.EXISTING)
        assert {"Table", "PayloadBucket"} <= set(own["Resources"])
        for part in ("Resources", "Outputs"):
            expected = replaced(own[part])
            expected.pop("Table", None)
            expected.pop("PayloadBucket", None)
            assert existing[part] == expected

    @pytest.mark.parametrize(
        ("given", "made_anew"), [("ExistingTableName", "PayloadBucket"), ("ExistingBucketName", "Table")]
    )
    def test_one_of_them_may_be_new(self, given: str, made_anew: str) -> None:
        resources = made(**{given: EVERY[given]})
        assert {"Table", "PayloadBucket"} & set(resources) == {made_anew}

    def test_both_survive_their_stack_and_no_failed_first_deployment(self, none: dict[str, Any]) -> None:
        assert [none[name]["DeletionPolicy"] for name in ("Table", "PayloadBucket")] == [
            "RetainExceptOnCreate"
        ] * 2

    def test_deletion_protection_is_a_parameter(self) -> None:
        table = properties(made(TableDeletionProtection="true"), "Table")
        assert table["DeletionProtectionEnabled"] is True
        assert properties(made(), "Table")["DeletionProtectionEnabled"] is False
        # A first deployment that fails could not remove its table.
        assert read()["Parameters"]["TableDeletionProtection"]["Default"] == "false"


class TestNetwork:
    def test_what_runs_tasks_is_in_the_subnets(self) -> None:
        resources = made(**VPC)
        for name in FUNCTIONS:
            expected = {"SubnetIds": {"Ref": "SubnetIds"}, "SecurityGroupIds": {"Ref": "SecurityGroupIds"}}
            inside = name in ("WorkerFunction", "InvokeFunction")
            assert properties(resources, name).get("VpcConfig") == (expected if inside else None), name

    def test_their_roles_have_the_rights_for_network_interfaces(self) -> None:
        resources = made(**VPC)
        for name in ROLES:
            found = statements(resources, name, prefix="ec2:")
            if name not in ("WorkerRole", "InvokeRole"):
                assert found == []
                continue
            allowed, denied = found
            assert (allowed["Effect"], denied["Effect"]) == ("Allow", "Deny")
            assert "ec2:CreateNetworkInterface" in actions(allowed)
            # Lambda has them, and the function's code has not.
            assert actions(denied) == actions(allowed)
            assert set(denied["Condition"]["ArnLike"]) == {"lambda:SourceFunctionArn"}


class TestKey:
    def test_what_keeps_data_is_encrypted_with_it(self) -> None:
        resources = made(KmsKeyArn=EVERY["KmsKeyArn"])
        key = {"Ref": "KmsKeyArn"}
        for name in QUEUES:
            assert properties(resources, name)["KmsMasterKeyId"] == key
            # SQS refuses both kinds of encryption together.
            assert "SqsManagedSseEnabled" not in properties(resources, name)
        table = {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
        assert properties(resources, "Table")["SSESpecification"] == table
        [rule] = properties(resources, "PayloadBucket")["BucketEncryption"][
            "ServerSideEncryptionConfiguration"
        ]
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
        assert rule["BucketKeyEnabled"] is True

    @pytest.mark.parametrize(
        ("holder", "use", "services"),
        [
            ("WorkerRole", USE, {"dynamodb", "s3", "sqs"}),
            ("InvokeRole", USE, {"dynamodb", "s3", "sqs"}),
            ("DeadLetterRole", USE, {"dynamodb", "s3", "sqs"}),
            ("StatusRole", READ, {"dynamodb", "s3"}),
            ("SchedulerRole", USE - {"kms:DescribeKey"}, {"sqs"}),
            ("PublisherPolicy", USE, {"dynamodb", "s3", "sqs"}),
            ("OperatorPolicy", READ, {"dynamodb", "s3"}),
            ("SchedulesPolicy", READ, {"dynamodb"}),
        ],
    )
    def test_who_reads_or_writes_them_may_use_it_by_their_services_alone(
        self, holder: str, use: set[str], services: set[str]
    ) -> None:
        [statement] = statements(made(KmsKeyArn=EVERY["KmsKeyArn"]), holder, prefix="kms:")
        assert set(actions(statement)) == use
        assert statement["Resource"] == {"Ref": "KmsKeyArn"}
        by = statement["Condition"]["StringEquals"]["kms:ViaService"]
        assert [each["Fn::Sub"] for each in by] == [
            f"{service}.${{AWS::Region}}.amazonaws.com" for service in sorted(services)
        ]

    def test_whoever_is_given_something_of_the_stack_is_among_them(self, every: dict[str, Any]) -> None:
        """A new policy says what it needs of the key."""
        holders = {
            name
            for name, each in every.items()
            if each["Type"] in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy")
            and any(statements(every, name, prefix=service) for service in ("dynamodb:", "s3:", "sqs:Send"))
        }
        key = {"Ref": "KmsKeyArn"}
        assert holders == {
            name
            for name in holders
            if key in [each["Resource"] for each in statements(every, name, prefix="kms:")]
        }

    def test_the_log_groups_have_a_key_of_their_own(self) -> None:
        groups = [f"{name}LogGroup" for name in ("Worker", "Invoke", "Status", "DeadLetter")]
        resources = made(LogKmsKeyArn=EVERY["LogKmsKeyArn"])
        assert [properties(resources, name).get("KmsKeyId") for name in groups] == [
            {"Ref": "LogKmsKeyArn"}
        ] * 4
        assert not any("KmsKeyId" in properties(made(KmsKeyArn="arn"), name) for name in groups)


def test_the_boundary_bounds_every_role(every: dict[str, dict[str, Any]]) -> None:
    roles = (*ROLES, "BrowserStatusRole")
    assert {name for name, each in every.items() if each["Type"] == "AWS::IAM::Role"} == set(roles)
    bounds = [properties(every, name)["PermissionsBoundary"] for name in roles]
    assert bounds == [{"Ref": "PermissionsBoundaryArn"}] * len(roles)


class TestBrowsers:
    """The status function for browsers."""

    def test_the_key_of_tokens_is_read_by_that_function_and_by_publishers_alone(self) -> None:
        resources = made(**BROWSERS)
        holders = [
            name
            for name, each in resources.items()
            if each["Type"] in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy")
            and statements(resources, name, prefix="secretsmanager:")
        ]
        assert sorted(holders) == ["BrowserStatusRole", "PublisherPolicy"]
        for name in holders:
            [statement] = statements(resources, name, prefix="secretsmanager:")
            assert statement["Action"] == "secretsmanager:GetSecretValue"
            assert statement["Resource"] == {"Fn::GetAtt": ["TokenSecret", "Id"]}

    def test_the_key_is_made_by_the_stack_and_in_no_variable(self) -> None:
        resources = made(**BROWSERS)
        assert "SecretString" not in properties(resources, "TokenSecret")
        assert properties(resources, "TokenSecret")["GenerateSecretString"]["PasswordLength"] == 64
        variables = properties(resources, "BrowserStatusFunction")["Environment"]["Variables"]
        assert variables["SERVERLESS_TASKS_TOKEN_SECRET"] == {"Fn::GetAtt": ["TokenSecret", "Id"]}

    def test_it_reads_what_the_other_status_function_does(self) -> None:
        resources = made(**BROWSERS)
        for prefix in ("dynamodb:", "s3:"):
            found = [
                statements(resources, name, prefix=prefix) for name in ("StatusRole", "BrowserStatusRole")
            ]
            assert found[0] == found[1]

    def test_pages_of_the_origins_alone_may_read_its_answers_and_no_cookies_travel(self) -> None:
        url = properties(made(**BROWSERS), "BrowserStatusFunctionUrl")
        assert url["AuthType"] == "NONE"
        assert url["Cors"]["AllowOrigins"] == {"Ref": "BrowserStatusOrigins"}
        assert url["Cors"]["AllowMethods"] == ["GET"]
        assert "AllowCredentials" not in url["Cors"]
        assert "authorization" in url["Cors"]["AllowHeaders"]
        assert "etag" in url["Cors"]["ExposeHeaders"]

    def test_its_concurrency_is_limited_where_that_is_given(self) -> None:
        for given, limit in (
            ({}, None),
            ({"BrowserStatusConcurrency": "7"}, {"Ref": "BrowserStatusConcurrency"}),
        ):
            function = properties(made(**BROWSERS, **given), "BrowserStatusFunction")
            assert function.get("ReservedConcurrentExecutions") == limit

    def test_without_origins_publishers_read_no_secret(self, none: dict[str, dict[str, Any]]) -> None:
        assert statements(none, "PublisherPolicy", prefix="secretsmanager:") == []


def test_concurrency_is_reserved_for_the_worker_alone() -> None:
    resources = made(ReservedConcurrency="17")
    reserved = {name: properties(resources, name).get("ReservedConcurrentExecutions") for name in FUNCTIONS}
    assert reserved == dict.fromkeys(FUNCTIONS) | {"WorkerFunction": {"Ref": "ReservedConcurrency"}}


class TestSecrets:
    def test_what_loads_tasks_is_told_of_them(self) -> None:
        resources = made(**SECRETS)
        for name in FUNCTIONS:
            variables = properties(resources, name)["Environment"]["Variables"]
            told = {each: value for each, value in variables.items() if "SECRETS" in each}
            expected = {
                "SERVERLESS_TASKS_SECRETS": {"Ref": "SecretReferences"},
                "SERVERLESS_TASKS_SECRETS_MAX_AGE": {"Ref": "SecretsMaxAge"},
            }
            # The status function loads none.
            assert told == ({} if name == "StatusFunction" else expected), name

    def test_those_that_the_build_refers_to_grow_old_too(self, none: dict[str, dict[str, Any]]) -> None:
        """They stand in no parameter."""
        for name in ("WorkerFunction", "InvokeFunction", "DeadLetterFunction"):
            variables = properties(none, name)["Environment"]["Variables"]
            assert variables["SERVERLESS_TASKS_SECRETS_MAX_AGE"] == {"Ref": "SecretsMaxAge"}, name

    def test_its_role_may_read_these_and_no_other(self) -> None:
        resources = made(**SECRETS)
        for name in ROLES:
            found = [
                *statements(resources, name, prefix="secretsmanager:"),
                *statements(resources, name, prefix="kms:"),
            ]
            if name in ("StatusRole", "SchedulerRole"):
                assert found == []
                continue
            [statement] = found
            assert set(actions(statement)) == {"secretsmanager:GetSecretValue", "ssm:GetParameter"}
            assert statement["Resource"] == {"Ref": "SecretArns"}

    def test_it_may_decrypt_with_a_key_that_is_given_by_their_services_alone(self) -> None:
        resources = made(**SECRETS, SecretsKeyArn=EVERY["SecretsKeyArn"])
        for name in ("WorkerRole", "InvokeRole", "DeadLetterRole"):
            [statement] = statements(resources, name, prefix="kms:")
            assert (statement["Action"], statement["Resource"]) == ("kms:Decrypt", {"Ref": "SecretsKeyArn"})
            by = statement["Condition"]["StringEquals"]["kms:ViaService"]
            assert {each["Fn::Sub"].partition(".")[0] for each in by} == {"secretsmanager", "ssm"}


class TestAlarms:
    def test_failed_tasks_are_counted_over_five_minutes(self, none: dict[str, dict[str, Any]]) -> None:
        alarm = properties(none, "FailedTasksAlarm")
        assert (alarm["MetricName"], alarm["Statistic"], alarm["Period"]) == ("TaskFailed", "Sum", 300)
        assert alarm["Threshold"] == {"Ref": "FailedTasksThreshold"}
        assert alarm["ComparisonOperator"] == "GreaterThanThreshold"

    def test_the_part_of_them_that_failed_where_a_percentage_is_given(self, every: dict[str, Any]) -> None:
        alarm = properties(every, "FailedTasksPercentAlarm")
        counted = [each["MetricStat"] for each in alarm["Metrics"] if "MetricStat" in each]
        assert {each["Metric"]["MetricName"] for each in counted} == {"TaskFailed", "TaskSucceeded"}
        assert all(each["Metric"]["Dimensions"][0]["Value"] == {"Ref": "AWS::StackName"} for each in counted)
        assert [each["Id"] for each in alarm["Metrics"] if each.get("ReturnData") is not False] == ["percent"]
        assert alarm["Threshold"] == {"Ref": "FailedTasksPercent"}

    def test_unknown_tasks_have_a_threshold(self, none: dict[str, dict[str, Any]]) -> None:
        assert properties(none, "UnknownTaskAlarm")["Threshold"] == {"Ref": "UnknownTaskThreshold"}


def test_a_reader_may_call_the_status_url_and_nothing_else(none: dict[str, dict[str, Any]]) -> None:
    document = properties(none, "ReaderPolicy")["PolicyDocument"]
    held = {(each["Action"], each["Resource"]["Fn::GetAtt"][0]) for each in document["Statement"]}
    assert held == {
        ("lambda:InvokeFunctionUrl", "StatusFunction"),
        ("lambda:InvokeFunction", "StatusFunction"),
    }
    assert all("Condition" in each for each in document["Statement"])
