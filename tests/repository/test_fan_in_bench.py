"""That the benchmark of groups whose workers die would say so if what follows a group were early, twice or lost."""

import json
from collections.abc import Iterator

import pytest

from benchmarks.crashes.groups import run_groups
from benchmarks.crashes.world import Died, Fate, World, told
from benchmarks.null_aws.answers import Kept, answer
from benchmarks.rows.fan_in import IN_MEMORY
from serverless_tasks.engine import services
from serverless_tasks.engine.job.place import Place
from serverless_tasks.engine.job.record import SUCCEEDED
from serverless_tasks.engine.workflow.fan_in import FanIn
from serverless_tasks.local.environment import local_environment

GROUPS, SIZE = 4, 5


@pytest.fixture
def aws() -> Iterator[None]:
    with local_environment(IN_MEMORY):
        yield
    services.reset()


def counts(world: World) -> dict[str, int]:
    fates = run_groups(world, GROUPS, SIZE, 1)
    return {name: count for name, count in told(world, fates).items() if name in ("early", "twice", "lost")}


@pytest.mark.usefixtures("aws")
def test_without_deaths_each_continuation_runs_once() -> None:
    world = World()
    assert counts(world) == {"early": 0, "twice": 0, "lost": 0}
    assert world.moments > 2 * GROUPS * SIZE


@pytest.mark.usefixtures("aws")
def test_deaths_at_many_calls_change_nothing() -> None:
    world = World(deaths=range(0, 200, 41))
    assert counts(world) == {"early": 0, "twice": 0, "lost": 0}
    assert world.died == 5


@pytest.mark.usefixtures("aws")
def test_a_continuation_that_is_never_sent_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FanIn, "close", lambda self, group: None)
    assert counts(World())["lost"] == GROUPS


@pytest.mark.usefixtures("aws")
def test_a_continuation_that_is_sent_one_member_too_soon_is_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Place, "shard_size", property(lambda self: 1))
    monkeypatch.setattr(FanIn, "_outcome", lambda self, group, members, shards: (SUCCEEDED, None))
    assert counts(World())["early"] > 0


def test_what_runs_more_than_once_is_twice() -> None:
    found = told(World(), [Fate(("a",), runs=2), Fate(("b",), runs=1), Fate(("c",))])
    assert (found["members"], found["twice"], found["lost"]) == (3, 1, 1)


def test_a_process_that_has_died_makes_no_call_and_the_next_one_does() -> None:
    world, made = World(deaths={1}, on=True), list[str]()

    def deliver() -> None:
        world.before_call()
        made.append("applied")
        try:
            world.after_call()
        finally:
            world.before_call()
            made.append("afterwards")

    assert not world.survives(deliver)
    assert made == ["applied"]
    assert world.survives(deliver)
    with pytest.raises(Died):
        World(deaths={0}, on=True).before_call()


def update(kept: Kept, key: str, numbers: list[str]) -> dict[str, dict[str, object]]:
    body = {
        "Key": {"pk": {"S": key}},
        "UpdateExpression": "ADD #ended :unite_ended",
        "ExpressionAttributeValues": {":unite_ended": {"NS": numbers}},
        "ReturnValues": "ALL_NEW",
    }
    answered = answer("DynamoDB_20120810.UpdateItem", json.dumps(body).encode(), "", kept)
    return dict(answered["Attributes"])


def test_the_null_endpoint_keeps_what_is_added_to_a_set_of_one_item() -> None:
    kept = Kept()
    assert update(kept, "a", ["1", "10"])["ended"] == {"NS": ["1", "10"]}
    assert update(kept, "a", ["2", "1"])["ended"] == {"NS": ["1", "2", "10"]}
    assert update(kept, "b", ["3"])["ended"] == {"NS": ["3"]}


def test_the_null_endpoint_answers_an_update_and_a_get_with_what_it_holds() -> None:
    kept = Kept()
    held = {"pk": {"S": "a"}, "total": {"N": "7"}}
    kept.hold([held])
    assert update(kept, "a", ["1"]) == held | {"ended": {"NS": ["1"]}}
    get = json.dumps({"Key": {"pk": {"S": "a"}}}).encode()
    assert answer("DynamoDB_20120810.GetItem", get, "", kept) == {"Item": held}
    kept.hold([held])
    assert update(kept, "a", ["2"])["ended"] == {"NS": ["2"]}
