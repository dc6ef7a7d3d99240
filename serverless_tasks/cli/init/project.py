"""Static inspection of a Django project: its tasks, its settings, and what its tasks import."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from serverless_tasks.engine.definition.base import DEFAULT_TIMEOUT
from serverless_tasks.errors import ConfigurationError
from serverless_tasks.project.tasks import settings_of

TASK_MODULES = ("background", "tasks")
# Part of Lambda's runtime, or listed as requirements of their own.
_NOT_LISTED = {"boto3", "botocore", "serverless_tasks", "django_integration", "lambda_handlers"}
_DEFINES_TASKS = {"serverless_tasks", "django.tasks"}
_BACKEND = "django_integration.tasks_backend.ServerlessBackend"
# Directories without tasks of the project; and what is in that of another one, a checkout or a part of it say.
_NO_TASKS = {"node_modules", "tests"}
_ANOTHER_PROJECT = (".git", "pyproject.toml", "manage.py")


@dataclass(frozen=True, slots=True)
class Project:
    """A Django project on disk.

    Attributes:
        directory: where its `manage.py` is.
        settings_module: what `manage.py` names as settings, dotted; None when it names none.
        task_modules: dotted modules called `background` or `tasks` that import serverless_tasks or django.tasks, or
            tasks from another module of the project.
        imports: top-level names of what the task modules import from outside the project, directly or by way of
            other modules of the project; django as well where the settings name our backend for its tasks, which
            installed apps may have.
    """

    directory: Path
    settings_module: str | None
    task_modules: tuple[str, ...]
    imports: frozenset[str]

    @classmethod
    def read(cls, directory: Path) -> Project:
        """Look at the project in `directory`. None of its code is run.

        Raises:
            ConfigurationError: there is no `manage.py`, or a module that tasks need is not valid Python.
        """
        manage = directory / "manage.py"
        if not manage.is_file():
            raise ConfigurationError(
                f"{directory.absolute()} is not a Django project: it has no manage.py."
                " Run `serverless-tasks init` in the directory of manage.py, or pass that directory."
            )
        settings = settings_of(manage)
        tasks = sorted(_task_modules(directory))
        django = frozenset({"django"} if _runs_djangos_tasks(directory, settings) else ())
        return cls(directory, settings, tuple(tasks), _outside(directory, tasks) | django)

    @property
    def tasks(self) -> list[tuple[str, float, str | None]]:
        """The classes with a ``run`` in the task modules, with the timeout and the queue that each spells out.

        The default timeout stands for one that is not spelt out, and None for such a queue.
        """
        paths = [_file(self.directory, module) for module in self.task_modules]
        nodes = [node for path in paths if path is not None for node in ast.walk(_parse(path))]
        return [
            (node.name, _timeout(node), queue if isinstance(queue := _constant(node, "queue"), str) else None)
            for node in nodes
            if isinstance(node, ast.ClassDef) and _runs(node)
        ]

    @property
    def needs_django(self) -> bool:
        """True if a task module, or a module of the project that it imports, imports Django."""
        return bool(self.imports & {"django", "django_integration", "rest_framework", "ninja"})

    def requirements(self, settings_module: str) -> list[str]:
        """Return the requirements of the tasks, pinned to what is installed here; a comment for each that is not.

        Args:
            settings_module: the settings that the tasks are run with; empty when they are run without Django.
        """
        names = set(self.imports)
        if settings_module:
            names |= (
                {"django"}
                | _outside(self.directory, [settings_module])
                | self._installed_apps(settings_module)
            )
        distributions = metadata.packages_distributions()
        lines = {_pinned(name, distributions.get(name, [])) for name in names if name not in _NOT_LISTED}
        return sorted(lines, key=str.lower)

    def _installed_apps(self, settings_module: str) -> set[str]:
        path = _file(self.directory, settings_module)
        if path is None:
            raise ConfigurationError(
                f"{self.directory.absolute()} has no settings module {settings_module!r}."
            )
        apps: set[str] = set()
        for node in ast.walk(_parse(path)):
            if isinstance(node, (ast.Assign, ast.AugAssign)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(isinstance(target, ast.Name) and target.id == "INSTALLED_APPS" for target in targets):
                    apps |= set(_texts(node.value))
        return {app.split(".")[0] for app in apps if _file(self.directory, app.split(".")[0]) is None}


def _texts(value: ast.AST) -> list[str]:
    constants = [node.value for node in ast.walk(value) if isinstance(node, ast.Constant)]
    return [each for each in constants if isinstance(each, str)]


def _runs(node: ast.ClassDef) -> bool:
    functions = [each for each in node.body if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return any(function.name == "run" for function in functions)


def _timeout(node: ast.ClassDef) -> float:
    value = _constant(node, "timeout")
    return value if isinstance(value, (int, float)) else DEFAULT_TIMEOUT


def _constant(node: ast.ClassDef, name: str) -> object:
    """The constant that a class attribute of this name is given; None where there is none."""
    for each in node.body:
        target = each.targets[0] if isinstance(each, ast.Assign) else getattr(each, "target", None)
        value = getattr(each, "value", None)
        if isinstance(target, ast.Name) and target.id == name and isinstance(value, ast.Constant):
            return value.value
    return None


def _pinned(module: str, distributions: list[str]) -> str:
    if not distributions:
        return f"# {module} is imported but not installed here: add the requirement that provides it."
    return f"{distributions[0]}=={metadata.version(distributions[0])}"


def _task_modules(directory: Path) -> list[str]:
    found: list[str] = []
    waiting = [directory]
    while waiting:
        for path in waiting.pop().iterdir():
            if path.is_dir():
                if path.name.isidentifier() and path.name not in _NO_TASKS and not _is_apart(path):
                    waiting.append(path)
            elif path.suffix == ".py":
                parts = path.relative_to(directory).with_suffix("").parts
                parts = parts[:-1] if parts[-1] == "__init__" else parts
                module = ".".join(parts)
                if parts and parts[-1] in TASK_MODULES and _holds_tasks(directory, path, module):
                    found.append(module)
    return found


def _is_apart(directory: Path) -> bool:
    """Return whether a directory below the project's is a project of its own, or a virtual environment."""
    below = [directory, *(path for path in directory.iterdir() if path.is_dir())]
    return any((directory / name).exists() for name in _ANOTHER_PROJECT) or any(
        (path / "pyvenv.cfg").exists() for path in below
    )


def _holds_tasks(directory: Path, path: Path, module: str, seen: frozenset[str] = frozenset()) -> bool:
    """Return whether a module imports what tasks are made with, or tasks themselves from a module of the project."""
    if _names(path, module) & _DEFINES_TASKS:
        return True
    for node in ast.walk(_parse(path)):
        if isinstance(node, ast.ImportFrom):
            source = _source_of(node, path, module)
            found = _file(directory, source)
            if found is None or source in seen:
                continue
            names = {alias.name for alias in node.names}
            if _defines_task(found, source, names) or (
                _reexports(found, names) and _holds_tasks(directory, found, source, seen | {source})
            ):
                return True
    return False


def _defines_task(path: Path, module: str, names: set[str]) -> bool:
    """Return whether a module defines a task of one of these names: a class with ``run``, or a decorated function."""
    if not _names(path, module) & _DEFINES_TASKS:
        return False
    held = [node for node in _parse(path).body if getattr(node, "name", None) in names or "*" in names]
    return any(_is_task(node) for node in held)


def _is_task(node: ast.stmt) -> bool:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return "task" in map(_decorator, node.decorator_list)
    return isinstance(node, ast.ClassDef) and _runs(node)


def _reexports(path: Path, names: set[str]) -> bool:
    imports = [node for node in _parse(path).body if isinstance(node, ast.ImportFrom)]
    held = {alias.asname or alias.name for node in imports for alias in node.names}
    return bool(held & (names | {"*"})) or ("*" in names and bool(held))


def _decorator(node: ast.expr) -> str:
    called = node.func if isinstance(node, ast.Call) else node
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def _source_of(node: ast.ImportFrom, path: Path, module: str) -> str:
    """The module that an import takes names from, dotted."""
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    start = package[: len(package) - node.level + 1] if node.level else []
    return ".".join([*start, *([node.module] if node.module else [])])


def _runs_djangos_tasks(directory: Path, settings: str | None) -> bool:
    path = _file(directory, settings) if settings else None
    return path is not None and _BACKEND in _texts(_parse(path))


def _outside(directory: Path, modules: list[str]) -> frozenset[str]:
    """Follow imports through the project; return the top-level names that lead out of it."""
    outside: set[str] = set()
    waiting = list(modules)
    seen: set[str] = set()
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        if "." in module:
            waiting.append(module.rpartition(".")[0])
        path = _file(directory, module)
        if path is not None:
            waiting += _names(path, module)
        elif (
            "." not in module and not (directory / module).is_dir() and module not in sys.stdlib_module_names
        ):
            outside.add(module)
    return frozenset(outside)


def _file(directory: Path, module: str) -> Path | None:
    base = directory.joinpath(*module.split("."))
    candidates = [base.with_suffix(".py"), base / "__init__.py"]
    return next((path for path in candidates if path.is_file()), None)


def _names(path: Path, module: str) -> set[str]:
    """The dotted names that a module imports, relative ones resolved."""
    names: set[str] = set()
    for node in ast.walk(_parse(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _source_of(node, path, module)
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return {name for name in names if name} | {name.split(".")[0] for name in names if name}


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes(), filename=str(path))
    except SyntaxError as error:
        raise ConfigurationError(f"{path}:{error.lineno} is not valid Python: {error.msg}.") from error
