from typing import Any

import pytest

from serverless_tasks.engine.config import OF_A_STACK, Config, setting_names
from serverless_tasks.errors import ConfigurationError

URL = "https://sqs.us-east-1.amazonaws.com/1/default"


def test_an_empty_environment_is_an_empty_configuration() -> None:
    assert Config.from_environ({}) == Config()


def test_every_setting_is_read_from_the_environment() -> None:
    config = Config.from_environ(
        {
            "SERVERLESS_TASKS_MODULES": "shop.background, shop.tasks,",
            "SERVERLESS_TASKS_TABLE": "jobs ",
            "SERVERLESS_TASKS_QUEUE_URLS": f'{{"default": "{URL}", "low": "{URL}-low"}}',
            "SERVERLESS_TASKS_DEAD_LETTER_QUEUE_URL": f"{URL}-dead",
            "SERVERLESS_TASKS_BUCKET": "payloads",
            "SERVERLESS_TASKS_INVOKE_FUNCTION": "invoke",
            "SERVERLESS_TASKS_SCHEDULE_GROUP": "group",
            "SERVERLESS_TASKS_SCHEDULER_ROLE": "role",
            "SERVERLESS_TASKS_LOG_GROUP": "/serverless-tasks/shop/worker",
            "SERVERLESS_TASKS_PAUSES": "true",
            "SERVERLESS_TASKS_COMPRESS_INPUTS": "true",
            "SERVERLESS_TASKS_IMMEDIATE_WAITS": "True",
            "SERVERLESS_TASKS_STATISTICS": "true",
            "SERVERLESS_TASKS_ON_NEW_ERROR": "shop.alerts.new_error",
            "SERVERLESS_TASKS_ERROR_TOPIC": "arn:aws:sns:us-east-1:1:errors",
            "SERVERLESS_TASKS_TRACES": "true",
            "SERVERLESS_TASKS_PRICES": " prices.toml ",
            "SERVERLESS_TASKS_BUILD": " 2026-11.3 ",
            "SERVERLESS_TASKS_TOKEN_KEYS": "new, old",
            "SERVERLESS_TASKS_TOKEN_SECRET": "arn:aws:secretsmanager:us-east-1:1:secret:token",
            "SERVERLESS_TASKS_BROWSER_STATUS_URL": "https://status.example/",
            "UNRELATED": "x",
        }
    )

    assert config == Config(
        modules=("shop.background", "shop.tasks"),
        table="jobs",
        queue_urls={"default": URL, "low": f"{URL}-low"},
        dead_letter_queue_url=f"{URL}-dead",
        bucket="payloads",
        invoke_function="invoke",
        schedule_group="group",
        scheduler_role="role",
        log_group="/serverless-tasks/shop/worker",
        pauses=True,
        compress_inputs=True,
        immediate_waits=True,
        statistics=True,
        on_new_error="shop.alerts.new_error",
        error_topic="arn:aws:sns:us-east-1:1:errors",
        traces=True,
        prices="prices.toml",
        build="2026-11.3",
        token_keys=("new", "old"),
        token_secret="arn:aws:secretsmanager:us-east-1:1:secret:token",
        browser_status_url="https://status.example/",
    )
    assert len(setting_names()) == 21


def test_token_keys_are_in_no_text() -> None:
    assert "hush" not in repr(Config().merged({"TOKEN_KEYS": ["hush"]}))
    with pytest.raises(ConfigurationError) as refused:
        Config().merged({"TOKEN_KEYS": {"hush": 1}})
    assert "hush" not in str(refused.value)


def test_a_bare_url_is_the_default_queue() -> None:
    assert Config().merged({"QUEUE_URLS": f" {URL} "}).queue_urls == {"default": URL}


def test_django_settings_win_over_the_environment() -> None:
    config = Config(table="from-environment", bucket="kept").merged(
        {"TABLE": "from-django", "MODULES": ["shop"]}
    )

    assert (config.table, config.bucket, config.modules) == ("from-django", "kept", ("shop",))


def test_in_a_process_of_a_stack_what_the_stack_says_of_itself_stays() -> None:
    site = Config(table="of-the-site", bucket="of-the-site", pauses=False, statistics=False)
    environ = {
        "SERVERLESS_TASKS_TABLE": "of-the-stack",
        "SERVERLESS_TASKS_BUCKET": "",
        "SERVERLESS_TASKS_PAUSES": "true",
        "SERVERLESS_TASKS_STATISTICS": "true",
    }
    assert site.kept_by_a_stack(environ) is site
    there = site.kept_by_a_stack({**environ, OF_A_STACK: "true"})
    assert there == Config(table="of-the-stack", bucket="of-the-site", pauses=True, statistics=False)


@pytest.mark.parametrize(
    ("value", "read"), [(True, True), ("1", True), ("false", False), ("", False), (False, False)]
)
def test_a_flag_is_read(value: Any, read: bool) -> None:
    assert Config(immediate_waits=not read).merged({"IMMEDIATE_WAITS": value}).immediate_waits is read


@pytest.mark.parametrize(
    ("value", "read"), [(None, None), ("", None), (" ", None), ("true", True), (True, True), ("0", False)]
)
def test_what_is_found_out_unless_it_is_said(value: Any, read: bool | None) -> None:
    config = Config().merged({"TRACES": value, "COMPRESS_INPUTS": value})
    assert (config.traces, config.compress_inputs) == (read, read)


def test_an_unknown_setting_is_named() -> None:
    with pytest.raises(ConfigurationError, match="no setting 'TABEL'"):
        Config().merged({"TABEL": "jobs"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("QUEUE_URLS", "not json"),
        ("QUEUE_URLS", "[]"),
        ("QUEUE_URLS", '{"default": 5}'),
        ("QUEUE_URLS", 5),
        ("MODULES", 5),
        ("MODULES", [5]),
        ("TABLE", None),
        ("BUCKET", 5),
        ("IMMEDIATE_WAITS", "perhaps"),
        ("IMMEDIATE_WAITS", 1),
        ("TRACES", "perhaps"),
        ("COMPRESS_INPUTS", "perhaps"),
        ("COMPRESS_INPUTS", 1),
    ],
)
def test_a_setting_that_cannot_be_read_is_named_with_its_value(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Config().merged({name: value})

    assert f"SERVERLESS_TASKS_{name}" in str(raised.value)
    assert repr(value) in str(raised.value)


@pytest.mark.parametrize(
    "name", ["table", "bucket", "queue_urls", "invoke_function", "dead_letter_queue_url"]
)
def test_a_missing_setting_is_one_sentence_that_names_it(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"SERVERLESS_TASKS_{name.upper()} is not set"):
        Config().require(name)


def test_a_queue_is_found_by_its_name() -> None:
    assert Config(queue_urls={"default": URL}).queue_url("default") == URL


def test_a_queue_without_url_is_named_with_those_that_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"no queue 'low'; it has \['default'\]"):
        Config(queue_urls={"default": URL}).queue_url("low")


def test_a_stack_of_something_else_is_named() -> None:
    with pytest.raises(ConfigurationError, match="'shop' has no output TableName"):
        Config.from_outputs("shop", {"WebsiteURL": "https://example.com"})


OUTPUTS = {
    "TableName": "jobs",
    "QueueUrls": f'{{"default": "{URL}"}}',
    "PayloadBucketName": "payloads",
    "InvokeFunctionName": "invoke",
    "DeadLetterQueueUrl": f"{URL}-dead",
    "ScheduleGroupName": "group",
    "SchedulerRoleArn": "role",
}


@pytest.mark.parametrize(("outputs", "pauses"), [({}, False), ({"TaskPauses": "true"}, True)])
def test_a_stack_of_the_version_before_has_no_look_at_pauses(outputs: dict[str, str], pauses: bool) -> None:
    config = Config.from_outputs("shop", OUTPUTS | outputs)

    assert (config.table, config.pauses) == ("jobs", pauses)
    assert Config.from_environ(Config.environment_of(OUTPUTS | outputs)) == config


def test_prices_may_be_a_mapping_and_nothing_else() -> None:
    assert Config().merged({"PRICES": {"sqs_requests": 0.3}}).prices == {"sqs_requests": 0.3}
    with pytest.raises(ConfigurationError, match=r"SERVERLESS_TASKS_PRICES is 0\.3; expected prices"):
        Config().merged({"PRICES": 0.3})


@pytest.mark.parametrize("group", ["", "/serverless-tasks/shop/worker"])
def test_a_stack_of_the_version_before_has_no_log_group(group: str) -> None:
    outputs = OUTPUTS | ({"WorkerLogGroupName": group} if group else {})

    assert Config.from_outputs("shop", outputs).log_group == group
    assert ("SERVERLESS_TASKS_LOG_GROUP" in Config.environment_of(outputs)) == bool(group)


def test_of_a_commit_the_build_is_the_beginning() -> None:
    commit = "55f729ef0c1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f"
    assert Config.from_environ({"SERVERLESS_TASKS_BUILD": commit}).build == "55f729ef0c1d"


@pytest.mark.parametrize("build", ["x" * 25, "two words", "caf\u00e9", "a'b"])
def test_a_build_that_no_reason_could_name_is_refused(build: str) -> None:
    with pytest.raises(ConfigurationError, match="SERVERLESS_TASKS_BUILD is"):
        Config.from_environ({"SERVERLESS_TASKS_BUILD": build})
