"""What template.yaml promises, read from the file: much of it no local stand-in would notice."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from serverless_tasks.engine.aws.dynamodb import manifest
from serverless_tasks.local.aws.template import translate
from tests.support.template import EVERY, decided

ROOT = Path(__file__).parents[2]
TEMPLATE: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
RESOURCES: dict[str, dict[str, Any]] = decided(TEMPLATE, {})["Resources"]
"""As they are where no parameter is given."""
ALL_RESOURCES: dict[str, dict[str, Any]] = decided(TEMPLATE, EVERY)["Resources"]
"""As they are where every parameter is given."""
QUEUES = ("HighQueue", "DefaultQueue", "LowQueue")
HANDLERS = {
    "WorkerFunction": "lambda_handlers.worker.handler",
    "InvokeFunction": "lambda_handlers.invoke.handler",
    "StatusFunction": "lambda_handlers.status.handler",
    "DeadLetterFunction": "lambda_handlers.dead_letter.handler",
}
NETWORK_INTERFACES = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
}
# X-Ray's two write actions, reading CloudWatch's figures, and listing mappings know no resource but "*"; Lambda asks
# for network interfaces without one.
WITHOUT_RESOURCE = {
    *NETWORK_INTERFACES,
    *("xray:PutTraceSegments", "xray:PutTelemetryRecords"),
    *("cloudwatch:GetMetricData", "lambda:ListEventSourceMappings"),
}


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    return {name: each["Properties"] for name, each in RESOURCES.items() if each["Type"] == kind}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def get_att(name: str, attribute: str = "Arn") -> dict[str, list[str]]:
    return {"Fn::GetAtt": [name, attribute]}


def statements(
    resources: dict[str, dict[str, Any]] = RESOURCES,
) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for name, each in resources.items():
        properties = each.get("Properties", {})
        documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        documents += [
            properties[key] for key in ("PolicyDocument", "AssumeRolePolicyDocument") if key in properties
        ]
        found += [(name, statement) for document in documents for statement in document["Statement"]]
    return found


def actions(role: str) -> set[str]:
    return {
        action for name, statement in statements() if name == role for action in as_list(statement["Action"])
    }


def test_outputs_are_those_that_users_rely_on() -> None:
    assert set(TEMPLATE["Outputs"]) == {
        "QueueUrls",
        "HighQueueUrl",
        "DefaultQueueUrl",
        "LowQueueUrl",
        "LongQueueUrl",
        "DeadLetterQueueUrl",
        "TableName",
        "PayloadBucketName",
        "InvokeFunctionName",
        "StatusUrl",
        "BrowserStatusUrl",
        "TokenSecretArn",
        "ScheduleGroupName",
        "SchedulerRoleArn",
        "PublisherPolicyArn",
        "ReaderPolicyArn",
        "OperatorPolicyArn",
        "SchedulesPolicyArn",
        "WorkerLogGroupName",
        "TaskPauses",
    }


def test_queue_urls_are_json_and_the_same_in_the_output_and_the_environment() -> None:
    three = {"high": "${HighQueue}", "default": "${DefaultQueue}", "low": "${LowQueue}"}
    for given, queues in (({}, three), ({"LongWork": "true"}, three | {"long": "${LongQueue}"})):
        made = decided(TEMPLATE, given)
        output = made["Outputs"]["QueueUrls"]["Value"]["Fn::Sub"]
        variables = made["Globals"]["Function"]["Environment"]["Variables"]
        assert json.loads(output) == queues
        assert variables["SERVERLESS_TASKS_QUEUE_URLS"]["Fn::Sub"] == output


def test_every_parameter_has_a_default() -> None:
    assert [name for name, each in TEMPLATE["Parameters"].items() if "Default" not in each] == []


def test_a_message_is_hidden_for_six_timeouts_of_the_worker_whichever_is_chosen() -> None:
    mapping = TEMPLATE["Mappings"]["SixTimeouts"]
    assert set(mapping) == set(TEMPLATE["Parameters"]["WorkerTimeout"]["AllowedValues"])
    assert sorted(map(int, mapping)) == list(range(60, 901, 30))
    assert all(each["Visibility"] == 6 * int(timeout) for timeout, each in mapping.items())
    chosen = {"Fn::FindInMap": ["SixTimeouts", {"Ref": "WorkerTimeout"}, "Visibility"]}
    assert [RESOURCES[queue]["Properties"]["VisibilityTimeout"] for queue in QUEUES] == [chosen] * 3
    assert RESOURCES["WorkerFunction"]["Properties"]["Timeout"] == {"Ref": "WorkerTimeout"}
    dead_letters = RESOURCES["DeadLetterQueue"]["Properties"]["VisibilityTimeout"]
    assert dead_letters == 6 * RESOURCES["DeadLetterFunction"]["Properties"]["Timeout"]


@pytest.mark.parametrize("queue", QUEUES)
def test_a_queue_gives_up_late_and_keeps_its_messages_for_less_time_than_the_dead_letter_queue(
    queue: str,
) -> None:
    properties = RESOURCES[queue]["Properties"]
    redrive = {"deadLetterTargetArn": get_att("DeadLetterQueue"), "maxReceiveCount": 100}
    assert properties["RedrivePolicy"] == redrive
    assert properties["MessageRetentionPeriod"] == 4 * 86400
    assert RESOURCES["DeadLetterQueue"]["Properties"]["MessageRetentionPeriod"] == 14 * 86400


def test_queues_are_encrypted() -> None:
    assert all(each["SqsManagedSseEnabled"] is True for each in of_type("AWS::SQS::Queue").values())


def test_each_queue_feeds_the_worker_by_a_mapping_with_a_concurrency_of_its_own() -> None:
    events = [each["Properties"] for each in RESOURCES["WorkerFunction"]["Properties"]["Events"].values()]
    assert [each["Queue"] for each in events] == [get_att(queue) for queue in QUEUES]
    limits = [each["ScalingConfig"]["MaximumConcurrency"] for each in events]
    assert limits == [{"Ref": "HighConcurrency"}, {"Ref": "DefaultConcurrency"}, {"Ref": "LowConcurrency"}]
    assert all(TEMPLATE["Parameters"][limit["Ref"]]["MinValue"] == 2 for limit in limits)


def test_every_mapping_reports_its_failures_one_by_one_and_waits_for_no_window() -> None:
    for function in of_type("AWS::Serverless::Function").values():
        for event in function.get("Events", {}).values():
            assert event["Type"] == "SQS"
            assert event["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
            assert event["Properties"]["BatchSize"] == 10
            assert "MaximumBatchingWindowInSeconds" not in event["Properties"]


def test_the_table_forgets_old_records_can_be_restored_and_is_encrypted() -> None:
    table = RESOURCES["Table"]["Properties"]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}


def test_the_table_has_the_keys_and_indexes_of_the_store() -> None:
    table = RESOURCES["Table"]["Properties"]
    keys = {None: table["KeySchema"]}
    keys |= {each["IndexName"]: each["KeySchema"] for each in table["GlobalSecondaryIndexes"]}
    assert {name: [key["AttributeName"] for key in schema] for name, schema in keys.items()} == {
        None: ["pk", "sk"],
        "by_owner": ["owner_day", "created_uuid"],
        "by_task": ["task_day", "created_uuid"],
    }
    for index in table["GlobalSecondaryIndexes"]:
        assert index["Projection"] == {
            "ProjectionType": "INCLUDE",
            "NonKeyAttributes": ["task", "owner", "created", "expires"],
        }


@pytest.mark.parametrize("name", ["Table", "PayloadBucket"])
def test_data_outlives_the_stack(name: str) -> None:
    assert RESOURCES[name]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert RESOURCES[name]["UpdateReplacePolicy"] == "Retain"


def test_the_bucket_is_encrypted_private_and_emptied_in_time() -> None:
    bucket = RESOURCES["PayloadBucket"]["Properties"]
    [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert all(value is True for value in bucket["PublicAccessBlockConfiguration"].values())
    rules = {rule["Id"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}
    assert rules["expire"]["ExpirationInDays"] == {"Ref": "PayloadRetentionDays"}
    assert all(rule["Status"] == "Enabled" for rule in rules.values())


def test_the_bucket_refuses_what_does_not_come_over_tls() -> None:
    [statement] = RESOURCES["PayloadBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize(("name", "statement"), statements(ALL_RESOURCES))
def test_no_policy_allows_a_wildcard_action_or_resource(name: str, statement: dict[str, Any]) -> None:
    if statement["Effect"] == "Deny":
        return
    allowed = as_list(statement["Action"])
    assert not any("*" in action for action in allowed), name
    if "Principal" in statement:
        return
    if set(allowed) <= WITHOUT_RESOURCE:
        assert statement["Resource"] == "*"
        return
    for resource in as_list(statement["Resource"]):
        assert isinstance(resource, dict), "a literal resource is a wildcard or tied to one account"
        if resource.get("Ref") in ("KmsKeyArn", "SecretArns", "SecretsKeyArn"):
            continue
        text = resource.get("Fn::Sub", "")
        if allowed == ["scheduler:ListSchedules"]:  # it is not divided by groups
            assert text.endswith(":${AWS::AccountId}:schedule/*/*")
            continue
        if allowed == [
            "lambda:UpdateEventSourceMapping"
        ]:  # their ids are made by Lambda; the function is ours
            assert statement["Condition"] == {"ArnEquals": {"lambda:FunctionArn": get_att("WorkerFunction")}}
            continue
        # A star stands for what is in a place of ours: objects below a prefix, schedules of the group.
        assert re.fullmatch(
            r"[^*]*|\$\{PayloadBucket\.Arn\}/[a-z-]+/\*|[^*]*:::\$\{ExistingBucketName\}/[a-z-]+/\*"
            r"|[^*]*:schedule/\$\{ScheduleGroup\}/\*",
            text,
        )


def test_each_function_has_a_role_of_its_own() -> None:
    roles = [each["Role"]["Fn::GetAtt"][0] for each in of_type("AWS::Serverless::Function").values()]
    assert len(set(roles)) == len(HANDLERS)


def test_roles_hold_what_their_function_does_and_no_more() -> None:
    logs_and_traces = {"logs:CreateLogStream", "logs:PutLogEvents", *WITHOUT_RESOURCE, "sts:AssumeRole"}
    assert actions("StatusRole") - logs_and_traces == {
        *("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"),
        "s3:GetObject",
    }
    assert {action for action in actions("InvokeRole") if action.startswith("sqs:")} == {"sqs:SendMessage"}
    # What submitting takes, alone, in bulk, with a key and of unique tasks: a task that submits others does it too.
    for role in ("WorkerRole", "InvokeRole", "PublisherPolicy"):
        assert {action for action in actions(role) if action.startswith("dynamodb:")} >= {
            f"dynamodb:{call}"
            for call in ("PutItem", "UpdateItem", "GetItem", "Query", "BatchGetItem", "BatchWriteItem")
        }
    # A task that waits for others reads their outputs, wherever these lie.
    for role, more in (("WorkerRole", {"s3:DeleteObject", "s3:ListBucket"}), ("InvokeRole", set())):
        assert {action for action in actions(role) if action.startswith("s3:")} - more == {
            "s3:GetObject",
            "s3:PutObject",
        }
        [outputs] = [each for name, each in statements() if name == role and each.get("Sid") == "Outputs"]
        assert set(as_list(outputs["Action"])) == {"s3:GetObject", "s3:PutObject"}
    assert actions("SchedulerRole") == {"sts:AssumeRole", "sqs:SendMessage"}
    assert not {action for action in actions("PublisherPolicy") if "Delete" in action or "Receive" in action}


def test_what_sends_a_groups_continuation_may_do_the_whole_step() -> None:
    """After a member's end: by the worker, by the dead-letter function, and by who cancels or deletes."""
    queues = [get_att(name) for name in ("HighQueue", "DefaultQueue", "LowQueue")]
    for role in ("WorkerRole", "InvokeRole", "DeadLetterRole", "PublisherPolicy"):
        # It counts, closes the group, reads its plan and its shards, and keeps the job that follows.
        assert actions(role) >= {
            *("dynamodb:UpdateItem", "dynamodb:GetItem", "dynamodb:BatchGetItem"),
            *("dynamodb:PutItem", "dynamodb:Query"),
        }
        held = [each for name, each in statements() if name == role]
        assert any(
            "sqs:SendMessage" in as_list(each["Action"]) and each["Resource"] == queues for each in held
        )
        [inputs] = [each for each in held if each.get("Sid") == "Inputs"]
        assert set(as_list(inputs["Action"])) == {"s3:GetObject", "s3:PutObject"}
        assert {"scheduler:CreateSchedule", "iam:PassRole"} <= actions(role)


def test_the_dead_letter_function_may_do_no_more_than_that_and_keep_what_it_receives() -> None:
    held = [each for name, each in statements() if name == "DeadLetterRole"]
    # In bulk it writes nothing: it opens no group, and what follows is one job. To write in bulk is also to delete.
    assert {action for action in actions("DeadLetterRole") if action.startswith("dynamodb:")} == {
        *("dynamodb:UpdateItem", "dynamodb:GetItem", "dynamodb:BatchGetItem"),
        *("dynamodb:PutItem", "dynamodb:Query"),
    }
    objects = {
        (action, each["Resource"]["Fn::Sub"].partition("/")[2])
        for each in held
        for action in as_list(each["Action"])
        if action.startswith("s3:")
    }
    assert objects == {
        ("s3:GetObject", "inputs/*"),
        ("s3:PutObject", "inputs/*"),
        ("s3:PutObject", "dead-letters/*"),
    }
    [receiving] = [each for each in held if "sqs:ReceiveMessage" in as_list(each["Action"])]
    assert receiving["Resource"] == get_att("DeadLetterQueue")
    assert "sqs:SendMessage" not in as_list(receiving["Action"])


def test_an_operator_may_delete_and_the_worker_for_them() -> None:
    assert actions("OperatorPolicy") == {
        "dynamodb:DeleteItem",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:ListBucket",
        "sqs:GetQueueAttributes",
        "cloudwatch:GetMetricData",
        "logs:FilterLogEvents",
        *("scheduler:DeleteSchedule", "scheduler:GetSchedule", "scheduler:ListSchedules"),
        *("lambda:ListEventSourceMappings", "lambda:UpdateEventSourceMapping"),
    }
    [reading] = [each for _, each in statements() if each["Action"] == "logs:FilterLogEvents"]
    assert reading["Resource"] == get_att("WorkerLogGroup")
    held = {"s3:DeleteObject", "s3:ListBucket", "dynamodb:DeleteItem"}
    deleting = {name for name, each in statements() if held & set(as_list(each["Action"]))}
    assert deleting == {"OperatorPolicy", "WorkerRole"}
    listing = {name: each for name, each in statements() if each["Action"] == "s3:ListBucket"}
    prefixes = {
        name: each["Condition"]["StringLike"]["s3:prefix"]
        for name, each in listing.items()
        if each["Resource"] == get_att("PayloadBucket")
    }
    assert prefixes == {"OperatorPolicy": ["outputs/*", "dead-letters/*"], "WorkerRole": ["outputs/*"]}


def test_an_action_on_many_jobs_may_do_on_the_worker_what_it_takes() -> None:
    """It lists by the indexes, and deletes what a job has: items, payloads, dead letters and schedules."""
    held = [each for name, each in statements() if name == "WorkerRole"]
    [listings] = [each for each in held if each.get("Sid") == "Listings"]
    assert listings["Action"] == "dynamodb:Query"
    assert listings["Resource"] == [
        {"Fn::Sub": "${Table.Arn}/index/by_owner"},
        {"Fn::Sub": "${Table.Arn}/index/by_task"},
    ]
    [items] = [each for each in held if each["Action"] == "dynamodb:DeleteItem"]
    assert items["Resource"] == get_att("Table")
    [objects] = [each for each in held if each["Action"] == "s3:DeleteObject"]
    assert objects["Resource"] == [
        {"Fn::Sub": f"${{PayloadBucket.Arn}}/{folder}/*"} for folder in ("inputs", "outputs", "dead-letters")
    ]


def test_only_our_schedules_take_the_role_of_the_scheduler() -> None:
    [statement] = RESOURCES["SchedulerRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert statement["Condition"]["StringEquals"] == {
        "aws:SourceAccount": {"Ref": "AWS::AccountId"},
        "aws:SourceArn": get_att("ScheduleGroup"),
    }


def test_who_submits_may_pass_the_role_of_the_scheduler_to_the_scheduler_alone() -> None:
    passing = {name: each for name, each in statements() if each["Action"] == "iam:PassRole"}
    assert set(passing) == {
        *("WorkerRole", "InvokeRole", "DeadLetterRole"),
        *("PublisherPolicy", "SchedulesPolicy"),
    }
    for statement in passing.values():
        assert statement["Resource"] == get_att("SchedulerRole")
        assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}


def test_who_submits_may_create_schedules_of_our_group_and_who_deletes_jobs_delete_them() -> None:
    ours = "schedule/${ScheduleGroup}/*"
    schedules = {
        (name, action, each["Resource"]["Fn::Sub"].rsplit(":", 1)[-1])
        for name, each in statements()
        for action in as_list(each["Action"])
        if action.startswith("scheduler:") and name != "SchedulesPolicy"
    }
    assert schedules == {
        *(
            (name, "scheduler:CreateSchedule", ours)
            for name in ("WorkerRole", "InvokeRole", "DeadLetterRole", "PublisherPolicy")
        ),
        ("OperatorPolicy", "scheduler:DeleteSchedule", ours),
        ("OperatorPolicy", "scheduler:GetSchedule", ours),
        ("OperatorPolicy", "scheduler:ListSchedules", "schedule/*/*"),  # AWS knows no narrower one
        ("WorkerRole", "scheduler:DeleteSchedule", ours),  # for an operator's action on many jobs
    }


def test_only_an_operator_may_pause_queues_and_only_those_of_the_worker() -> None:
    held = [(name, each) for name, each in statements() if "EventSourceMapping" in str(each["Action"])]
    assert {name for name, _ in held} == {"OperatorPolicy"}
    [update] = [each for _, each in held if each["Action"] == "lambda:UpdateEventSourceMapping"]
    assert update["Resource"]["Fn::Sub"].endswith(":${AWS::AccountId}:event-source-mapping:*")
    assert update["Condition"] == {"ArnEquals": {"lambda:FunctionArn": get_att("WorkerFunction")}}


def test_workers_look_at_pauses_only_where_the_parameter_says_so() -> None:
    assert TEMPLATE["Parameters"]["TaskPauses"]["Default"] == "false"
    variables = RESOURCES["WorkerFunction"]["Properties"]["Environment"]["Variables"]
    assert variables["SERVERLESS_TASKS_PAUSES"] == {"Ref": "TaskPauses"}
    assert "SERVERLESS_TASKS_PAUSES" not in TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    assert TEMPLATE["Outputs"]["TaskPauses"]["Value"] == {"Ref": "TaskPauses"}


def test_who_deploys_schedules_may_change_those_of_our_group_and_list_all() -> None:
    held = {
        action: each["Resource"]["Fn::Sub"].rsplit(":", 1)[-1]
        for name, each in statements()
        if name == "SchedulesPolicy"
        for action in as_list(each["Action"])
        if action.startswith("scheduler:")
    }
    ours = "schedule/${ScheduleGroup}/*"
    assert held == {
        "scheduler:CreateSchedule": ours,
        "scheduler:DeleteSchedule": ours,
        "scheduler:GetSchedule": ours,
        "scheduler:UpdateSchedule": ours,
        "scheduler:ListSchedules": "schedule/*/*",  # AWS knows no narrower one
    }


def test_who_deploys_schedules_may_write_the_manifest_and_nothing_else_in_the_table() -> None:
    [statement] = [
        each for name, each in statements() if name == "SchedulesPolicy" and "dynamodb" in str(each["Action"])
    ]
    assert statement["Action"] == "dynamodb:UpdateItem"
    assert statement["Resource"] == get_att("Table")
    assert statement["Condition"] == {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [manifest.PK]}}


def test_the_scheduler_may_leave_what_it_could_not_send_with_the_dead_letters() -> None:
    targets = [
        resource
        for name, each in statements()
        if name == "SchedulerRole" and each["Action"] == "sqs:SendMessage"
        for resource in as_list(each["Resource"])
    ]
    assert targets == [get_att(queue) for queue in (*QUEUES, "DeadLetterQueue")]


@pytest.mark.parametrize("function", HANDLERS)
def test_a_function_writes_to_a_log_group_that_forgets(function: str) -> None:
    properties = RESOURCES[function]["Properties"]
    assert properties["Handler"] == HANDLERS[function]
    group = RESOURCES[properties["LoggingConfig"]["LogGroup"]["Ref"]]
    assert group["Type"] == "AWS::Logs::LogGroup"
    assert group["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    role = properties["Role"]["Fn::GetAtt"][0]
    [logs] = [each for name, each in statements() if name == role and "logs:PutLogEvents" in each["Action"]]
    assert logs["Resource"] == get_att(properties["LoggingConfig"]["LogGroup"]["Ref"])


def test_functions_are_built_once_for_the_processor_that_they_run_on() -> None:
    function = TEMPLATE["Globals"]["Function"]
    assert function["Architectures"] == [{"Ref": "Architecture"}]
    assert function["CodeUri"] == {"Fn::Sub": "infra/lambda/${Architecture}"}
    for architecture in TEMPLATE["Parameters"]["Architecture"]["AllowedValues"]:
        makefile = (ROOT / "infra/lambda" / architecture / "Makefile").read_text()
        assert f"ARCHITECTURE := {architecture}\n" in makefile
    for name in HANDLERS:
        assert RESOURCES[name]["Metadata"] == {"BuildMethod": "makefile"}


def test_the_environment_names_the_resources_and_django_only_when_it_is_asked_for() -> None:
    function = TEMPLATE["Globals"]["Function"]
    variables = function["Environment"]["Variables"]
    assert variables["SERVERLESS_TASKS_MODULES"] == {"Ref": "TaskModules"}
    own_or = {"Fn::If": ["MakesTable", {"Ref": "Table"}, {"Ref": "ExistingTableName"}]}
    assert variables["SERVERLESS_TASKS_TABLE"] == own_or
    own_or = {"Fn::If": ["MakesBucket", {"Ref": "PayloadBucket"}, {"Ref": "ExistingBucketName"}]}
    assert variables["SERVERLESS_TASKS_BUCKET"] == own_or
    assert variables["SERVERLESS_TASKS_DEAD_LETTER_QUEUE_URL"] == {"Ref": "DeadLetterQueue"}
    assert variables["SERVERLESS_TASKS_SCHEDULE_GROUP"] == {"Ref": "ScheduleGroup"}
    assert variables["SERVERLESS_TASKS_SCHEDULER_ROLE"] == get_att("SchedulerRole")
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == "ServerlessTasks"
    settings = variables["DJANGO_SETTINGS_MODULE"]["Fn::If"]
    assert settings == ["UsesDjango", {"Ref": "DjangoSettingsModule"}, {"Ref": "AWS::NoValue"}]
    assert TEMPLATE["Parameters"]["DjangoSettingsModule"]["Default"] == ""
    assert function["Tracing"] == "Active"


def test_the_functions_that_end_jobs_count_them_unless_it_is_switched_off() -> None:
    assert TEMPLATE["Parameters"]["Statistics"]["Default"] == "true"
    counting = {"SERVERLESS_TASKS_STATISTICS": {"Ref": "Statistics"}}
    told = {"SERVERLESS_TASKS_ERROR_TOPIC": {"Ref": "ErrorTopicArn"}}
    for resources, more in ((RESOURCES, {}), (ALL_RESOURCES, told)):
        own = {
            name: {
                variable: value
                for variable, value in resources[name]["Properties"]
                .get("Environment", {"Variables": {}})["Variables"]
                .items()
                if "SECRETS" not in variable  # see test_template_parameters
            }
            for name in HANDLERS
        }
        assert own == {
            "WorkerFunction": {"SERVERLESS_TASKS_PAUSES": {"Ref": "TaskPauses"}, **counting, **more},
            "InvokeFunction": {},
            "StatusFunction": {},
            "DeadLetterFunction": counting | more,
        }


def test_they_may_publish_new_errors_to_the_one_topic_that_is_named_and_only_then() -> None:
    assert not [name for name, each in statements() if "sns" in str(each["Action"])]
    [(name, statement)] = [
        (name, each) for name, each in statements(ALL_RESOURCES) if "sns" in str(each["Action"])
    ]
    assert (statement["Action"], statement["Resource"]) == ("sns:Publish", {"Ref": "ErrorTopicArn"})
    assert TEMPLATE["Resources"][name]["Condition"] == "HasErrorTopic"
    roles = [{"Ref": "WorkerRole"}, {"Ref": "DeadLetterRole"}]
    assert ALL_RESOURCES[name]["Properties"]["Roles"] == roles
    assert TEMPLATE["Conditions"]["HasErrorTopic"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "ErrorTopicArn"}, ""]}]
    }


def test_the_status_url_asks_for_a_signature() -> None:
    assert RESOURCES["StatusFunction"]["Properties"]["FunctionUrlConfig"] == {"AuthType": "AWS_IAM"}


def test_nobody_may_call_a_function_by_a_permission_on_the_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """What SAM makes of the template counts: an open function URL is a permission that it adds by itself."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    made = translate(copy.deepcopy(TEMPLATE), "template.yaml")
    kinds = [each["Type"] for each in decided(made, {})["Resources"].values()]
    assert kinds.count("AWS::Lambda::Url") == 1
    assert "AWS::Lambda::Permission" not in kinds
    # With origins of browsers, one other function may be called by anybody, and by way of its URL alone.
    open_to_all = {
        name: each["Properties"]
        for name, each in decided(made, EVERY)["Resources"].items()
        if each["Type"] == "AWS::Lambda::Permission"
    }
    assert {each["FunctionName"]["Ref"] for each in open_to_all.values()} == {"BrowserStatusFunction"}
    assert {
        each["Action"]: (each.get("FunctionUrlAuthType"), each.get("InvokedViaFunctionUrl"))
        for each in open_to_all.values()
    } == {"lambda:InvokeFunctionUrl": ("NONE", None), "lambda:InvokeFunction": (None, True)}


def test_what_the_security_rules_let_pass_says_why() -> None:
    """`make checkov` reads these comments, and takes one without a reason as well."""
    skips = re.findall(r"checkov:skip=(.*)", (ROOT / "template.yaml").read_text())
    assert skips
    assert [skip for skip in skips if not re.fullmatch(r"CKV_AWS_\d+:[A-Z].{20,}\.", skip)] == []


def test_alarms_watch_what_can_go_wrong_and_tell_the_topic_if_there_is_one() -> None:
    alarms = of_type("AWS::CloudWatch::Alarm")
    assert set(alarms) < {
        name for name, each in ALL_RESOURCES.items() if each["Type"] == "AWS::CloudWatch::Alarm"
    }
    watched = sorted((each["Namespace"], each["MetricName"]) for each in alarms.values())
    assert watched == [
        ("AWS/Lambda", "Errors"),
        ("AWS/Lambda", "Errors"),
        ("AWS/Lambda", "Throttles"),
        *[("AWS/SQS", "ApproximateAgeOfOldestMessage")] * 3,
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
        ("ServerlessTasks", "DeadLettered"),
        ("ServerlessTasks", "TaskFailed"),
        ("ServerlessTasks", "Undecodable"),
        ("ServerlessTasks", "UnknownTask"),
    ]
    for name, alarm in alarms.items():
        assert "AlarmActions" not in alarm
        told = ALL_RESOURCES[name]["Properties"]
        assert told["AlarmActions"] == told["OKActions"] == [{"Ref": "AlarmTopicArn"}]
        assert alarm["TreatMissingData"] == "notBreaching"


def test_the_status_function_for_browsers_has_an_alarm_where_there_is_one() -> None:
    assert "BrowserStatusErrorsAlarm" not in RESOURCES
    alarm = ALL_RESOURCES["BrowserStatusErrorsAlarm"]["Properties"]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Threshold"]) == ("AWS/Lambda", "Errors", 0)
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": "BrowserStatusFunction"}}]


@pytest.mark.parametrize(
    ("alarm", "metric", "module"),
    [
        ("DeadLetteredAlarm", "DeadLettered", "dead_letter"),
        ("UndecodableAlarm", "Undecodable", "dead_letter"),
        ("UnknownTaskAlarm", "UnknownTask", "worker"),
    ],
)
def test_one_dead_letter_or_unknown_task_raises_an_alarm_at_once(
    alarm: str, metric: str, module: str
) -> None:
    watched = RESOURCES[alarm]["Properties"]
    assert (watched["Namespace"], watched["MetricName"]) == ("ServerlessTasks", metric)
    assert watched["Dimensions"] == [{"Name": "service", "Value": {"Ref": "AWS::StackName"}}]
    threshold = watched["Threshold"]
    threshold = TEMPLATE["Parameters"][threshold["Ref"]]["Default"] if threshold else threshold
    assert (watched["Statistic"], threshold) == ("Sum", 0)
    assert watched["ComparisonOperator"] == "GreaterThanThreshold"
    assert (watched["Period"], watched["EvaluationPeriods"]) == (60, 1)
    handler = (ROOT / "lambda_handlers" / f"{module}.py").read_text()
    assert f'count("{metric}")' in handler


def test_the_dashboard_is_json_that_names_each_queue() -> None:
    [dashboard] = of_type("AWS::CloudWatch::Dashboard").values()
    body = dashboard["DashboardBody"]["Fn::Sub"]
    assert len(json.loads(body)["widgets"]) == 6
    assert all(f"${{{queue}.QueueName}}" in body for queue in (*QUEUES, "DeadLetterQueue"))
