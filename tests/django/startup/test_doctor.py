"""`manage.py serverless_tasks doctor`: Django's checks are part of its page."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from serverless_tasks.engine.aws import session

OUTPUTS = {
    "TableName": "tasks",
    "PayloadBucketName": "payloads",
    "InvokeFunctionName": "invoke",
    "DeadLetterQueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/low",
    "ScheduleGroupName": "group",
    "SchedulerRoleArn": "role",
}


def doctor(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    with pytest.raises(SystemExit) as ended:
        call_command("serverless_tasks", "doctor", "--json", *words)
    page: dict[str, Any] = json.loads(capsys.readouterr().out)
    return int(ended.value.code or 0), page


@pytest.fixture(autouse=True)
def elsewhere(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory without a deployment."""
    settings.BASE_DIR = tmp_path
    (tmp_path / "manage.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.django.settings")


def test_a_site_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    code, page = doctor(capsys)
    assert (code, page["errors"]) == (0, 0)
    # What other tests have imported, no worker does.
    said = [line["text"] for line in page["project"] if "(serverless_tasks.W007)" not in line["text"]]
    assert [text for text in said if "serverless_tasks." in text] == []
    assert any(
        text.startswith("Python ") and "Django" in text for text in map(str, page["environment"][0].values())
    )


def test_what_check_says_is_part_of_the_page(settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    settings.TASK_API_BACKGROUND_TASKS = ["tests.django.shop.background.NoSuchTask"]
    code, page = doctor(capsys)
    assert code == 1
    assert any("NoSuchTask" in line["text"] and "E00" in line["text"] for line in page["project"])


def test_what_it_says_for_deployment_is_part_of_it_with_a_stack_alone(
    settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {**OUTPUTS, "QueueUrls": json.dumps(settings.SERVERLESS_TASKS["QUEUE_URLS"])}
    outputs = {name: {"Value": value} for name, value in values.items()}
    body = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": outputs}
    session.client("cloudformation").create_stack(StackName="site", TemplateBody=json.dumps(body))
    settings.SERVERLESS_TASKS = {**settings.SERVERLESS_TASKS, "ALLOW_ANONYMOUS": True}
    _, page = doctor(capsys)
    assert "serverless_tasks.W001" not in str(page)
    _, page = doctor(capsys, "--stack", "site")
    (found,) = [line for line in page["stack"] if "serverless_tasks.W001" in line["text"]]
    assert (found["level"], found["cure"]) == (
        "warning",
        "Remove it to serve only callers who are logged in.",
    )
    assert any(
        line["text"].startswith("Settings here are not those of the stack: BUCKET") for line in page["stack"]
    )
