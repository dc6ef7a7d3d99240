"""What the manifest says of a task, and what is refused by it."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel, SecretStr

from serverless_tasks import InvalidInputs, Task
from serverless_tasks.engine.definition.manifest.build import LARGEST, Manifest
from serverless_tasks.engine.definition.manifest.entry import DeployedTask
from serverless_tasks.engine.definition.registry import Registry, definition_of
from serverless_tasks.errors import TaskDefinitionError
from serverless_tasks.params import BooleanParameter, IntParameter, ListParameter, Parameter, StringParameter


class Colour(StrEnum):
    RED = "red"


class Node(BaseModel):
    value: int
    children: list["Node"] = []


class Typed(BaseModel):
    n: int
    price: Decimal = Decimal(1)
    when: datetime | None = None
    colours: list[Colour] = []
    tree: Node | None = None
    token: SecretStr | None = None


class Order(Task[Typed]):
    name = "order"
    queue = "low"
    unique = True

    def run(self) -> None: ...


class Old(Task):
    name = "old"
    priority = 1
    inputs = {
        "numbers": ListParameter(IntParameter()),
        "text": StringParameter(required=False),
        "flag": BooleanParameter(required=False),
        "pin": StringParameter(required=False, secret=True),
    }

    def run(self, numbers: list[int], text: str = "x", flag: bool = False, pin: str = "") -> None: ...


def entry(task: type[Task]) -> DeployedTask:
    return DeployedTask.of(definition_of(task))


def refused(task: type[Task], inputs: Any) -> list[tuple[str, str]]:
    try:
        entry(task).check(inputs)
    except InvalidInputs as error:
        return [(each.field, each.type) for each in error.fields]
    return []


def test_an_entry_has_what_a_submission_takes_from_the_class() -> None:
    order, old = entry(Order), entry(Old)
    assert (order.name, order.queue, order.priority, order.unique) == ("order", "low", 0, True)
    assert (old.name, old.queue, old.priority, old.unique) == ("old", None, 1, False)
    assert (order.secrets, old.secrets) == (("token",), ("pin",))
    assert order.secrets_in({"n": 1, "token": "x"}) == ("token",)
    assert order.secrets_in({"n": 1, "token": None}) == ()
    assert order.schema == definition_of(Order).input_schema()
    assert DeployedTask.from_json(order.to_json() | {"added_later": 1}) == order


@pytest.mark.parametrize(
    ("task", "inputs"),
    [
        (Order, {"n": "3", "price": "1.5", "when": 0, "colours": ["red"]}),
        (Order, {"n": 1, "tree": {"value": 1, "children": [{"value": "2"}]}}),
        (Order, {"n": True, "when": None}),
        (Old, {"numbers": "3"}),
        (Old, {"numbers": ["3", 4, 5.5], "text": 7, "flag": "true"}),
    ],
)
def test_what_the_task_itself_accepts_is_not_refused(task: type[Task], inputs: Any) -> None:
    definition_of(task).accept_json(inputs)
    assert refused(task, inputs) == []


@pytest.mark.parametrize(
    ("task", "inputs", "fields"),
    [
        (Order, {}, [("n", "missing")]),
        (Order, {"n": 1, "m": 2}, [("m", "extra_forbidden")]),
        (Order, {"n": "three"}, [("n", "type")]),
        (Order, {"n": [1]}, [("n", "type")]),
        (Order, {"n": None}, [("n", "type")]),
        (Order, {"n": 1, "colours": {"red": 1}}, [("colours", "type")]),
        (Order, {"n": 1, "tree": {"value": 1, "children": [{"value": "x"}]}}, [("tree", "type")]),
        (Order, {"n": 1, "tree": "x"}, [("tree", "type")]),
        (Order, [1], [("", "dict_type")]),
        (Old, {"numbers": ["x"], "text": {}}, [("numbers", "type"), ("text", "type")]),
        (
            Old,
            {"flag": [True], "more": 1},
            [("more", "extra_forbidden"), ("numbers", "missing"), ("flag", "type")],
        ),
    ],
)
def test_what_the_task_would_refuse_by_its_kind_is_refused(
    task: type[Task], inputs: Any, fields: list[tuple[str, str]]
) -> None:
    with pytest.raises(InvalidInputs):
        definition_of(task).accept_json(inputs)
    assert refused(task, inputs) == fields


def test_a_refusal_shows_no_value() -> None:
    with pytest.raises(InvalidInputs) as refusal:
        entry(Order).check({"n": "swordfish", "token": ["swordfish"]})
    assert "swordfish" not in str(refusal.value)


class Loose(BaseModel):
    model_config = ConfigDict(populate_by_name=True, extra="forbid")
    number: int = Field(alias="no")


class Bag(RootModel[dict[str, SecretStr]]): ...


class Anything(Parameter):
    """Says nothing of its values."""


@pytest.mark.parametrize("inputs", [{"no": 1}, {"number": 1}])
def test_where_inputs_have_other_names_too_names_are_left_to_the_worker(inputs: Any) -> None:
    class Aliased(Task[Loose]):
        def run(self) -> None: ...

    definition_of(Aliased).accept_json(inputs)
    assert refused(Aliased, inputs) == []


def test_every_input_of_a_model_that_is_one_secret_is_secret() -> None:
    class Vault(Task[Bag]):
        def run(self) -> None: ...

    assert entry(Vault).secrets_in({"a": "x", "b": "y"}) == ("a", "b")


def test_a_parameter_of_ones_own_takes_what_it_takes() -> None:
    class Own(Task):
        inputs = {"any": Anything()}

        def run(self, any: Any) -> None: ...

    assert [refused(Own, {"any": value}) for value in (1, "x", [], {}, None)] == [[]] * 5


@pytest.mark.parametrize(
    ("task", "inputs"),
    [(Order, {"n": 1}), (Order, {"n": 1, "price": "2"}), (Old, {"numbers": [1], "flag": True})],
)
def test_inputs_are_compared_with_those_of_a_submission_by_class(
    task: type[Task], inputs: dict[str, Any]
) -> None:
    definition = definition_of(task)
    by_class = definition.compared(definition.accept_json(inputs))
    assert entry(task).compared(inputs).made == {
        name: value for name, value in by_class.made.items() if name not in definition.secrets
    }


def registry(*tasks: type[Task]) -> Registry:
    made = Registry()
    for task in tasks:
        made.add(task)
    return made


def test_a_manifest_is_kept_and_read_whole() -> None:
    manifest = Manifest.of(registry(Order, Old), 5.0)
    assert Manifest.from_item(manifest.to_item()) == manifest
    assert manifest.since == 5000


def test_a_build_is_told_by_its_tasks_in_whatever_order_they_are_loaded() -> None:
    one, other = Manifest.of(registry(Order, Old), 1), Manifest.of(registry(Old, Order), 2)
    assert one.build == other.build != Manifest.of(registry(Old), 1).build


def test_a_task_that_contradicts_itself_is_not_in_it() -> None:
    class Broken(Task):
        inputs = {"n": IntParameter()}

        def run(self) -> None: ...

    with pytest.raises(TaskDefinitionError):
        definition_of(Broken)
    assert list(Manifest.of(registry(Broken, Order), 1).tasks) == ["order"]


def test_a_manifest_too_large_for_an_item_has_no_schemas_and_refuses_no_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manifest = Manifest.of(registry(Order), 1)
    assert len(manifest.to_item()["tasks"]) < LARGEST
    monkeypatch.setattr("serverless_tasks.engine.definition.manifest.build.LARGEST", 10)
    read = Manifest.from_item(manifest.to_item())
    assert (read.build, read.tasks["order"].queue) == (manifest.build, "low")
    assert read.tasks["order"].schema_hash == manifest.tasks["order"].schema_hash
    read.tasks["order"].check({"x": 1})
