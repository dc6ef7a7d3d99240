"""`aliases`: a renamed task is found under the names that it had."""

from __future__ import annotations

from typing import Any

import pytest

from serverless_tasks import Task
from serverless_tasks.engine.definition.registry import OPERATIONS, Registry
from serverless_tasks.errors import DuplicateTask, TaskDefinitionError, UnknownTask


def declare(
    name: str, *aliases: str, module: str = "shop", base: type[Task] = Task, **more: Any
) -> type[Task]:
    own = {"run": lambda self: None, "name": name, "aliases": aliases, "__module__": module, **more}
    return type("Declared", (base,), own)


def test_it_is_found_by_each_of_its_names_and_is_one_task() -> None:
    registry = Registry()
    task = declare("mail.send", "send", "shop.send")
    registry.add(task)
    for name in ("mail.send", "send", "shop.send"):
        assert name in registry
        assert registry.get(name) is registry.for_message(name) is task
        assert registry.definition(name) is registry.definition("mail.send")
        assert registry.present_name(name) == "mail.send"
        assert registry.names_of(name) == ("mail.send", "send", "shop.send")
    assert list(registry) == [task]
    assert (registry.present_name("other"), registry.names_of("other")) == ("other", ("other",))
    with pytest.raises(UnknownTask):
        registry.get("other")


@pytest.mark.parametrize(
    ("first", "second", "names"),
    [
        (("send",), ("mail.send", "send"), "'send' in its aliases, which is a name of"),
        (("mail.send", "send"), ("send",), "is named 'send', which .* has in its aliases"),
        (("mail.send", "send"), ("sms.send", "send"), "'send' in its aliases, which is a name of"),
    ],
)
def test_a_name_that_means_two_tasks_is_an_error_at_every_look(
    first: tuple[str, ...], second: tuple[str, ...], names: str
) -> None:
    growing = [declare(*first), declare(*second, module="store")]
    registry = Registry(growing)
    for _ in range(2):
        with pytest.raises(DuplicateTask, match=names):
            len(registry)


def test_a_task_of_the_library_has_its_name_for_itself() -> None:
    with pytest.raises(DuplicateTask, match="a task of this library"):
        Registry().add(declare("mine", *OPERATIONS))


def test_a_module_that_is_loaded_again_may_give_an_alias_up() -> None:
    registry = Registry()
    registry.add(declare("mail.send", "send"))
    registry.add(declare("mail.send"))
    assert "send" not in registry
    registry.add(declare("send", module="store"))
    assert registry.get("send").__module__ == "store"


def test_a_derived_class_has_none_of_its_bases() -> None:
    base = declare("mail.send", "send")
    derived = type("Derived", (base,), {"__module__": "shop"})
    assert derived.aliases == ()
    registry = Registry()
    registry.add(derived)
    registry.add(base)
    assert registry.get("send") is base


@pytest.mark.parametrize("aliases", ["send", {"send"}, ("",), ("x" * 201,), (3,), None])
def test_what_is_no_list_of_names_is_refused(aliases: Any) -> None:
    with pytest.raises(TaskDefinitionError, match=r"Declared\.aliases is"):
        type("Declared", (Task,), {"aliases": aliases, "__qualname__": "Declared"})


def test_the_present_name_is_none_of_those_before() -> None:
    with pytest.raises(TaskDefinitionError, match="'send' is its name now"):
        declare("send", "send")
