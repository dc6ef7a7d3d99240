import sys
from collections.abc import Iterator
from importlib import invalidate_caches
from pathlib import Path

import pytest

from serverless_tasks import Task
from serverless_tasks.engine.definition.base import CLASS_HOOKS
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.errors import ConfigurationError, DuplicateTask, UnknownTask

TASKS = """
from serverless_tasks import Task
from shop_elsewhere import Other

class Base(Task):
    pass

class Pack(Base):
    name = "pack"
    def run(self): return None

class Ship(Base):
    def run(self): return None
"""


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    (tmp_path / "shop_elsewhere.py").write_text(
        "from serverless_tasks import Task\nclass Other(Task):\n    def run(self): return None\n"
    )
    (tmp_path / "shop_tasks.py").write_text(TASKS)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def declare(name: str, module: str = "shop") -> type[Task]:
    return type("Declared", (Task,), {"run": lambda self: None, "name": name, "__module__": module})


def test_a_task_is_found_by_its_name() -> None:
    registry = Registry()
    task = declare("pack")
    registry.add(task)

    assert registry.get("pack") is task
    assert registry.definition("pack").task is task
    assert "pack" in registry


def test_a_name_that_is_not_registered_is_unknown() -> None:
    with pytest.raises(UnknownTask, match=r"No task is named 'os\.system'") as raised:
        Registry().get("os.system")

    assert raised.value.name == "os.system"


def test_two_tasks_of_one_name_are_an_error_that_names_both() -> None:
    registry = Registry()
    registry.add(declare("pack", "shop"))

    with pytest.raises(DuplicateTask, match=r"'pack': shop\.Declared and store\.Declared"):
        registry.add(declare("pack", "store"))


def test_a_class_may_be_registered_twice() -> None:
    registry = Registry()
    task = declare("pack")
    registry.add(task)
    registry.add(task)

    assert len(registry) == 1


def test_a_class_whose_module_was_loaded_again_takes_its_place() -> None:
    registry = Registry()
    registry.add(declare("pack"))
    registry.definition("pack")
    again = declare("pack")
    registry.add(again)

    assert registry.get("pack") is again
    assert registry.definition("pack").task is again


def test_what_a_module_defines_or_imports_is_registered(modules: Path) -> None:
    registry = Registry()
    registry.load(["shop_tasks"])

    assert sorted(task.name for task in registry) == ["pack", "shop_elsewhere.Other", "shop_tasks.Ship"]


@pytest.mark.parametrize("order", [["shop_derived", "shop_more"], ["shop_more", "shop_derived"]])
def test_a_task_that_is_imported_to_be_derived_from_gives_way_to_the_one_that_takes_its_name(
    modules: Path, order: list[str]
) -> None:
    (modules / "shop_more.py").write_text("from shop_elsewhere import Other\n")
    (modules / "shop_derived.py").write_text(
        "from shop_elsewhere import Other\nclass Mine(Other):\n    name = Other.name\n"
    )
    registry = Registry()
    registry.load(order)

    [task] = registry
    assert (task.__name__, registry.definition(task.name).task) == ("Mine", task)


def test_two_modules_may_import_one_task(modules: Path) -> None:
    for name in ("shop_one", "shop_two"):
        (modules / f"{name}.py").write_text("from shop_elsewhere import *\n")
    registry = Registry()
    registry.load(["shop_one", "shop_two", "shop_elsewhere"])

    assert [task.name for task in registry] == ["shop_elsewhere.Other"]


def test_a_task_of_the_library_itself_is_not_taken_for_the_projects(modules: Path) -> None:
    library = declare("library", "serverless_tasks.somewhere")
    sys.modules["shop_elsewhere_too"] = module = type(sys)("shop_elsewhere_too")
    module.__dict__["Library"] = library
    registry = Registry()
    registry.add_defined_in("shop_elsewhere_too")

    assert len(registry) == 0


def test_what_a_package_holds_of_its_own_modules_is_registered(modules: Path) -> None:
    package = modules / "shop_package"
    package.mkdir()
    (package / "__init__.py").write_text("from shop_package.tasks import Wrap\n")
    (package / "tasks.py").write_text(
        "from serverless_tasks import Task\nclass Wrap(Task):\n    def run(self): return None\n"
    )
    registry = Registry()
    registry.load(["shop_package"])

    assert [task.name for task in registry] == ["shop_package.tasks.Wrap"]


def test_a_module_that_does_not_exist_is_named_with_its_setting() -> None:
    with pytest.raises(ConfigurationError, match=r"SERVERLESS_TASKS_MODULES names 'no_such\.tasks'"):
        Registry().load(["no_such.tasks"])


BROKEN = {
    "import a_missing_library": "ModuleNotFoundError: No module named 'a_missing_library'",
    "1 / 0": "ZeroDivisionError: division by zero",
    "def": "SyntaxError: ",
    "raise SystemExit('usage')": "SystemExit: usage",
    "from serverless_tasks import Task\nclass Wrong(Task):\n    retries = -1": "Wrong has retries = -1",
}


@pytest.mark.parametrize("line", BROKEN)
def test_a_module_that_cannot_be_imported_is_named_and_the_others_are_there(modules: Path, line: str) -> None:
    (modules / "shop_broken.py").write_text(f"{line}\n")
    registry = Registry()
    registry.load(["shop_broken", "shop_tasks"])

    assert sorted(task.name for task in registry) == ["pack", "shop_elsewhere.Other", "shop_tasks.Ship"]
    (fault,) = registry.faults
    said = f"SERVERLESS_TASKS_MODULES names 'shop_broken', which cannot be imported: {BROKEN[line]}"
    assert str(fault).startswith(said)
    assert fault.__cause__ is not None


def test_where_nothing_can_be_imported_it_is_an_error_each_time(modules: Path) -> None:
    (modules / "shop_broken.py").write_text("import a_missing_library\n")
    registry = Registry()
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="No module named 'a_missing_library'"):
            registry.load(["shop_broken"])
    assert registry.faults == []


def test_what_a_broken_module_had_defined_is_left_out(modules: Path) -> None:
    made: list[type[Task]] = []
    CLASS_HOOKS.append(made.append)
    try:
        (modules / "shop_broken.py").write_text(f"{TASKS}\nimport a_missing_library\n")
        registry = Registry(made)
        registry.load(["shop_broken", "shop_elsewhere"])
    finally:
        CLASS_HOOKS.remove(made.append)

    assert [task.name for task in registry] == ["shop_elsewhere.Other"]


def test_a_module_that_can_be_imported_later_counts_from_then_on(modules: Path) -> None:
    (modules / "shop_broken.py").write_text("import a_missing_library\n")
    registry = Registry()
    registry.load(["shop_broken", "shop_tasks"])
    (modules / "a_missing_library.py").write_text("")
    invalidate_caches()
    registry.load(["shop_broken"])

    assert "shop_broken" in sys.modules
