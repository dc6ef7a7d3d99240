"""The simulated table answers as another implementation of DynamoDB does, to every call that the stories make."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar
from unittest import mock

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from tests.chaos import test_watched_faults, world
from tests.chaos.faults import Network
from tests.chaos.scenarios import SCENARIOS, Scenario
from tests.chaos.stories import STORIES
from tests.chaos.test_fault_sequences import tell_seed
from tests.chaos.test_single_faults import tell
from tests.support.aws import a_table

# What an answer tells a caller; moto counts some more.
_TOLD = ("Item", "Items", "Attributes", "Responses", "UnprocessedItems", "UnprocessedKeys")


class Compared(Network):
    """A network on which moto is asked as well, and what the two say differently."""

    differences: ClassVar[list[str]] = []
    whole = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.table.name = a_table()

    def _deliver(
        self,
        service: str,
        operation: str,
        event_name: str,
        request: AWSPreparedRequest,
        given: dict[str, Any],
    ) -> AWSResponse | None:
        answer = super()._deliver(service, operation, event_name, request, given)
        if service == "dynamodb":
            told, by_moto = _told(answer), _told(self.forward(event_name, request))
            if "UPDATED_NEW" in str(request.body):  # of a new item, moto tells the key as well
                for name in ("pk", "sk"):
                    by_moto["Attributes"].pop(name, None)
            if told != by_moto:
                self.differences.append(f"{request.body!r}: {told} and not {by_moto}")
        return answer


@pytest.fixture(autouse=True)
def compared(aws: None) -> Iterator[None]:
    Compared.differences.clear()
    with mock.patch.object(world, "Network", Compared):
        yield
    assert not Compared.differences


@pytest.mark.parametrize("scenario", STORIES, ids=lambda scenario: scenario.name)
def test_each_story_is_answered_alike(scenario: Scenario) -> None:
    tell(scenario)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_each_watched_story_is_answered_alike(scenario: Scenario) -> None:
    test_watched_faults.tell(scenario)


@pytest.mark.parametrize("seed", range(40))
def test_stories_with_faults_are_answered_alike(seed: int) -> None:
    tell_seed(seed)


def _in_order(value: Any) -> Any:
    """The numbers of sets in order: DynamoDB gives them in any."""
    if isinstance(value, dict):
        return {name: sorted(each) if name == "NS" else _in_order(each) for name, each in value.items()}
    return [_in_order(each) for each in value] if isinstance(value, list) else value


def _told(answer: AWSResponse | None) -> dict[str, Any]:
    assert answer is not None
    body = json.loads(answer.content)
    if answer.status_code == 200:
        return {name: _in_order(body[name]) for name in _TOLD if name in body}
    reasons = [(reason["Code"], reason.get("Item")) for reason in body.get("CancellationReasons", [])]
    return {"error": body["__type"].partition("#")[2], "item": body.get("Item"), "reasons": reasons}
