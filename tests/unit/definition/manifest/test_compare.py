"""The jobs that would fail while one build takes the place of another, and which way round fails none."""

from __future__ import annotations

from enum import StrEnum
from types import new_class
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, create_model

from serverless_tasks import InvalidInputs, Task
from serverless_tasks.engine.definition.manifest.build import Manifest
from serverless_tasks.engine.definition.manifest.compare import Order, TaskChange, compare
from serverless_tasks.engine.definition.manifest.entry import DeployedTask
from serverless_tasks.engine.definition.registry import Registry, definition_of
from serverless_tasks.params import IntParameter, NumberParameter, StringParameter


def task(name: str = "bill", *aliases: str, **inputs: Any) -> type[Task]:
    own = {"run": lambda self, **_: None, "name": name, "aliases": aliases, "inputs": inputs}
    return type("Declared", (Task,), own)


def typed(name: str = "bill", **fields: Any) -> type[Task]:
    model = create_model("Params", **fields)
    own = {"run": lambda self: None, "name": name}
    return new_class("Declared", (Task[model],), exec_body=lambda body: body.update(own))  # type: ignore[valid-type]


def entries(*tasks: type[Task]) -> dict[str, DeployedTask]:
    registry = Registry()
    for each in tasks:
        registry.add(each)
    return dict(Manifest.from_item(Manifest.of(registry, 0).to_item()).tasks)


def change(here: type[Task] | None, deployed: type[Task] | None) -> TaskChange | None:
    """The one change between two builds of a task."""
    found = compare(*(entries(*([each] if each else [])) for each in (here, deployed)))
    assert len(found) < 2
    return found[0] if found else None


def test_the_same_tasks_have_none() -> None:
    assert change(task(amount=NumberParameter()), task(amount=NumberParameter())) is None


def test_a_new_task_is_for_the_worker_first() -> None:
    found = change(task(), None)
    assert found == TaskChange(task="bill", site_first=("there is no task 'bill'",))
    assert found.order == Order.WORKER_FIRST
    assert "If the site goes first, its jobs fail or wait: there is no task 'bill'." in found.text
    assert found.advice == "Deploy the worker before the site."


def test_a_removed_task_is_for_the_site_first() -> None:
    found = change(None, task())
    assert found == TaskChange(task="bill", worker_first=("there is no task 'bill'",))
    assert found.order == Order.SITE_FIRST
    assert "`aliases`" in found.advice


def test_a_renamed_task_with_an_alias_is_for_the_worker_first() -> None:
    found = change(task("shop.bill", "bill"), task("bill"))
    assert found == TaskChange(task="shop.bill", site_first=("there it is still 'bill'",))
    assert change(task("bill"), task("shop.bill", "bill")) == TaskChange(
        task="shop.bill", worker_first=("there it is still 'bill'",)
    )


def test_a_renamed_task_without_one_fails_either_way() -> None:
    found = compare(entries(task("shop.bill")), entries(task("bill")))
    assert [(each.task, each.order) for each in found] == [
        ("bill", Order.SITE_FIRST),
        ("shop.bill", Order.WORKER_FIRST),
    ]


def test_an_alias_that_is_given_up_fails_the_jobs_that_still_have_it() -> None:
    found = change(task("bill"), task("bill", "old.bill"))
    assert found == TaskChange(task="bill", worker_first=("there is no task 'old.bill'",))


def test_a_new_required_input_fails_either_way() -> None:
    found = change(task(amount=NumberParameter(), currency=StringParameter()), task(amount=NumberParameter()))
    assert found == TaskChange(
        task="bill",
        site_first=("input 'currency' is not one of its inputs",),
        worker_first=("input 'currency' is required, and is not sent",),
    )
    assert found.order == Order.NEITHER
    assert "docs/upgrading.md" in found.advice


def test_in_two_steps_it_fails_none() -> None:
    before, between, after = (
        typed(amount=(int, ...)),
        typed(amount=(int, ...), currency=(str, "EUR")),
        typed(amount=(int, ...), currency=(str, ...)),
    )
    first = change(between, before)
    assert first is not None
    assert first.order == Order.WORKER_FIRST
    assert change(after, between) is None  # the value that it has unless it is given is always sent


def test_an_input_that_may_be_left_out_and_is_then_required() -> None:
    found = change(task(note=StringParameter()), task(note=StringParameter(required=False)))
    assert found == TaskChange(
        task="bill",
        worker_first=("input 'note' is required, and may be left out where it is submitted",),
    )


def test_a_removed_input_is_for_the_site_first() -> None:
    found = change(task(), task(note=StringParameter(required=False)))
    assert found == TaskChange(task="bill", worker_first=("input 'note' is not one of its inputs",))


def test_a_changed_type_names_both() -> None:
    found = change(task(amount=StringParameter()), task(amount=NumberParameter()))
    assert found is not None
    assert found.site_first == ("input 'amount' is sent as string, and taken as number",)
    assert found.worker_first == ("input 'amount' is sent as number, and taken as string",)


def test_of_a_wider_type_the_worker_goes_first() -> None:
    found = change(task(amount=NumberParameter()), task(amount=IntParameter()))
    assert found is not None
    assert (found.order, len(found.site_first)) == (Order.WORKER_FIRST, 1)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Red(StrEnum):
    RED = "red"


class Line(BaseModel):
    price: int
    lines: list[Line] = []


class LineWithTax(BaseModel):
    price: int
    lines: list[LineWithTax] = []
    tax: int = 0


class Priced(BaseModel):
    price: str
    lines: list[Priced] = []


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        (int, int | None),
        (int, float),
        (int, Any),
        (Red, Colour),
        (Literal["a"], Literal["a", "b"]),
        (Annotated[str, Field(max_length=5)], Annotated[str, Field(max_length=9)]),
        (Annotated[int, Field(ge=5)], Annotated[int, Field(ge=1)]),
        (Annotated[int, Field(ge=5)], int),
        (Annotated[str, Field(pattern="a+")], str),
        (Line, LineWithTax),
        (list[int], list[int | str]),
        (dict[str, int], dict[str, float]),
    ],
    ids=str,
)
def test_all_values_of_one_type_are_values_of_the_other_and_not_the_other_way_round(
    narrow: Any, wide: Any
) -> None:
    wider = change(typed(x=(wide, ...)), typed(x=(narrow, ...)))
    assert wider is None or not wider.worker_first
    narrower = change(typed(x=(narrow, ...)), typed(x=(wide, ...)))
    if wide is LineWithTax:  # pydantic passes over what a nested model does not have
        assert narrower is None
        return
    assert narrower is not None
    assert narrower.worker_first


@pytest.mark.parametrize(("one", "other"), [(Line, Priced), (list[int], list[str]), (int, str)], ids=str)
def test_types_of_which_neither_is_wider(one: Any, other: Any) -> None:
    found = change(typed(x=(one, ...)), typed(x=(other, ...)))
    assert found is not None
    assert found.order == Order.NEITHER


def test_the_same_types_with_other_bounds_say_so() -> None:
    found = change(typed(x=(Annotated[int, Field(ge=5)], ...)), typed(x=(int, ...)))
    assert found is not None
    assert found.worker_first == ("input 'x' (integer) takes fewer values than are sent",)


def test_without_schemas_their_hashes_tell_that_inputs_differ() -> None:
    large = entries(task(amount=NumberParameter()))
    bare = {name: DeployedTask.from_json(each.to_json(schema=False)) for name, each in large.items()}
    assert compare(large, bare) == []
    (found,) = compare(entries(task(amount=StringParameter())), bare)
    assert "too large to say how" in found.text


def test_what_it_says_is_what_a_worker_does() -> None:
    """The reasons stand for what `parse_json` of the other build raises."""
    old, new = (definition_of(each) for each in (typed(a=(int, 1)), typed(a=(int, 1), b=(int, ...))))
    with pytest.raises(InvalidInputs, match="b: Field required"):
        new.parse_json(old.accept_json({}).sent)
    with pytest.raises(InvalidInputs, match="b: "):
        old.parse_json(new.accept_json({"b": 1}).sent)
