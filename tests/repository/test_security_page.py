"""What the pages say of rights is what the template gives."""

import re

import pytest

from tests.repository.test_template import RESOURCES, ROOT, TEMPLATE, actions, as_list, statements

PAGE = (ROOT / "docs/security.md").read_text()
# Which each function may write, and the page leaves out.
LOGS_AND_TRACES = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "sts:AssumeRole",
}
HOLDERS = sorted(
    name for name, each in RESOURCES.items() if each["Type"] in ("AWS::IAM::ManagedPolicy", "AWS::IAM::Role")
)


def row(holder: str) -> str:
    [found] = re.findall(rf"^\| `{holder}` \|(.*)\|$", PAGE, re.MULTILINE)
    text: str = found
    return text


def rights_in(text: str) -> set[str]:
    return set(re.findall(r"`([a-z0-9]+:[A-Z]\w+)`", text))


@pytest.mark.parametrize("holder", HOLDERS)
def test_the_page_names_the_rights_of_each_holder(holder: str) -> None:
    assert rights_in(row(holder)) == actions(holder) - LOGS_AND_TRACES


@pytest.mark.parametrize("holder", HOLDERS)
def test_the_publisher_and_the_worker_may_ask_the_indexes(holder: str) -> None:
    resources = [
        str(each["Resource"])
        for name, each in statements()
        if name == holder and "dynamodb:Query" in as_list(each["Action"])
    ]
    asks_indexes = any("/index/" in resource for resource in resources)
    assert asks_indexes == (holder in ("PublisherPolicy", "WorkerRole"))
    assert ("(no index)" in row(holder)) == (bool(resources) and not asks_indexes)


def test_no_page_says_that_a_publisher_can_only_publish() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), ROOT / "template.yaml"]
    texts = {path.name: " ".join(path.read_text().split()) for path in pages}
    said = {
        name: found
        for name, text in texts.items()
        if (found := re.findall(r"[^.|]*[Pp]ublish[^.|]*\b(?:nothing else|no more)\b", text))
    }
    assert said == {}


def test_what_a_publisher_is_trusted_with_is_said_where_its_policy_is_named() -> None:
    output = TEMPLATE["Outputs"]["PublisherPolicyArn"]["Description"]
    assert re.search(r"all\s+owners", output)
    for page in ("README.md", "docs/deployment.md", "docs/django.md", "docs/reliability.md", "docs/tasks.md"):
        assert "security.md" in (ROOT / page).read_text(), page


def test_a_policys_own_description_stays_since_another_would_be_another_policy() -> None:
    descriptions = {
        name: each["Properties"]["Description"]
        for name, each in RESOURCES.items()
        if each["Type"] == "AWS::IAM::ManagedPolicy"
    }
    assert descriptions == {
        "PublisherPolicy": "What a Django site or a script needs to submit, follow and cancel tasks.",
        "OperatorPolicy": "What it takes beside the publisher policy to delete jobs, to see to dead letters and to"
        " watch the queues.",
        "SchedulesPolicy": "What `serverless-tasks schedules sync` and `list` need.",
        "ReaderPolicy": "What a caller of the status URL needs.",
    }
