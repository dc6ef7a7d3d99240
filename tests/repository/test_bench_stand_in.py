"""That what the end-to-end benchmark runs on is what template.yaml deploys."""

from typing import Any

from samtranslator.yaml_helper import yaml_parse

from benchmarks.stand_in import DELIVERIES, QUEUE_PROPERTIES, TABLE_PROPERTIES
from tests.support.ministack import ROOT

RESOURCES: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())["Resources"]


def test_its_table_is_the_templates() -> None:
    table = RESOURCES["Table"]["Properties"]
    # What costs no call on AWS either, and no time.
    kept_elsewhere = {
        *("TimeToLiveSpecification", "PointInTimeRecoverySpecification", "SSESpecification"),
        "DeletionProtectionEnabled",
    }

    assert {name: value for name, value in table.items() if name not in kept_elsewhere} == TABLE_PROPERTIES


def test_its_queues_are_the_templates_default_one() -> None:
    queue = RESOURCES["DefaultQueue"]["Properties"]

    assert queue["RedrivePolicy"]["maxReceiveCount"] == DELIVERIES
    for name in ("MessageRetentionPeriod", "ReceiveMessageWaitTimeSeconds"):
        assert str(queue[name]) == QUEUE_PROPERTIES[name]
