"""The files of a project's deployment: how they are made, and brought up to date beside the user's edits."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import unified_diff
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from serverless_tasks.cli.init.container import LONG_WORK, container_files
from serverless_tasks.cli.init.environments import brought_up_to_date, joined, split, with_environment
from serverless_tasks.cli.init.overrides import with_overrides
from serverless_tasks.cli.init.project import Project
from serverless_tasks.cli.init.queues import chosen_queues, with_queues
from serverless_tasks.engine.definition.base import QUEUES
from serverless_tasks.errors import ConfigurationError
from serverless_tasks.project.samconfig import FILE as SAMCONFIG
from serverless_tasks.project.worker_time import LONG, STATE

# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
_STACK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")
_COPIED = (
    "template.yaml",
    "infra/lambda/artefact.py",
    "infra/lambda/artefact.mk",
    "infra/lambda/x86_64/Makefile",
    "infra/lambda/arm64/Makefile",
)
_REQUIREMENTS_FILE = "infra/lambda/requirements.txt"
_REQUIREMENTS = """\
# Requirements of the Lambda functions, installed by `sam build`; boto3 is part of the runtime and not listed.
# Add what your tasks need: `serverless-tasks init` lists the imports that it finds.
"""


class Action(StrEnum):
    """The outcome for one file."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    KEPT = "kept"
    """Edited by its user, and there is nothing new to offer."""
    OFFERED = "offered"
    """Edited by its user, and the new version lies beside it as `<name>.new`, to be compared and merged."""


class WrittenFile(NamedTuple):
    """A file of the project (relative to its directory) and what became of it."""

    path: Path
    action: Action


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file of the project and what is to become of it.

    Attributes:
        path: the file, relative to the project's directory.
        action: what is done about it.
        before: its text as it is; None where there is none.
        text: its text as it would be generated now.
    """

    path: Path
    action: Action
    before: str | None
    text: str

    @property
    def is_out_of_date(self) -> bool:
        """True if `init` would write it, or its new version beside it."""
        return self.action in (Action.CREATED, Action.UPDATED, Action.OFFERED)

    def difference(self) -> list[str]:
        """Return what would change in it, as the lines of a unified diff."""
        before = (self.before or "").splitlines(keepends=True)
        old = "/dev/null" if self.before is None else f"a/{self.path.as_posix()}"
        return list(
            unified_diff(before, self.text.splitlines(keepends=True), old, f"b/{self.path.as_posix()}")
        )

    def write(self, directory: Path) -> None:
        """Write what is to be written of it."""
        if self.is_out_of_date:
            name = f"{self.path.name}.new" if self.action is Action.OFFERED else self.path.name
            target = (directory / self.path).with_name(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(self.text, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class _Options:
    """The options of this run, or of the last one; None where not given."""

    django_settings: str | None = None
    requirement: str | None = None
    stack_name: str | None = None
    container: bool | None = None
    queues: Sequence[str] | None = None

    def over(self, last: Mapping[str, Any]) -> _Options:
        given = {name: value for name, value in asdict(self).items() if value is not None}
        return _Options(**{**last, **given})


class _State(NamedTuple):
    """The files and options of the last `init`."""

    digests: Mapping[str, str]
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """The work of `init` in a project, before it is done.

    Attributes:
        directory: the project's.
        files: the files, with what is to become of each.
        state: what is remembered of this run, as JSON.
        queues: the names of the queues that the template has.
    """

    directory: Path
    files: Sequence[PlannedFile]
    state: str
    queues: frozenset[str]

    def write(self) -> list[WrittenFile]:
        """Do it."""
        for file in self.files:
            file.write(self.directory)
        (self.directory / STATE).write_text(self.state, encoding="utf-8")
        return [WrittenFile(file.path, file.action) for file in self.files]


def plan_project(
    directory: Path,
    *,
    django_settings: str | None = None,
    requirement: str | None = None,
    stack_name: str | None = None,
    environment: str | None = None,
    container: bool | None = None,
    queues: Sequence[str] = (),
    drop_queues: Sequence[str] = (),
) -> Plan:
    """Return what there is to write into a Django project for `sam build && sam deploy`.

    A file that is as it was once written is replaced. One that its user has edited is never touched: if there is
    something new for it, the new version is written beside it. What was written last is remembered by its hash in
    `infra/lambda/.generated.json`, which belongs in version control with the rest. So are the options: what is not
    given is as it was the last time.

    Args:
        directory: where `manage.py` is.
        django_settings: settings module to ship Django with; empty to ship none; None to look whether the task
            modules import Django, and then take the settings that `manage.py` names.
        requirement: how to install serverless-tasks in the artefact, as a line of a requirements file; by default,
            or when empty, this version from the package index.
        stack_name: CloudFormation's name for the deployment; by default, or when empty, made from the directory's
            name.
        queues: queues of one's own that are added or changed, such as ``emails:concurrency=3``.
        drop_queues: the names of those that are no more.
        environment: the name of an environment that is added to `samconfig.toml`, a copy of the default one with a
            stack of its own. It is the user's from then on.
        container: whether to write the files of a container's worker on ECS Fargate too, and to deploy the queue
            that it works on; False leaves those that are there to you.

    Raises:
        ConfigurationError: there is no Django project, or it has no such settings module, or the stack's name is none.
    """
    project = Project.read(directory)
    last = _read_state(directory / STATE)
    own = chosen_queues(last.options.get("queues") or (), queues, drop_queues)
    options = _Options(
        django_settings, requirement, stack_name, container, [str(queue) for queue in own]
    ).over(last.options)
    if options.stack_name and not _STACK_NAME.fullmatch(options.stack_name):
        raise ConfigurationError(
            f"{options.stack_name!r} is not a valid stack name for CloudFormation: use letters, digits and hyphens,"
            " starting with a letter, at most 128 characters."
        )
    contents = _contents(project, options)
    files = [
        file
        for path, new in contents.items()
        for file in (
            _plan_samconfig(directory, new, last.digests.get(path), environment)
            if path == SAMCONFIG
            else [_plan(directory, Path(path), new, last.digests.get(path))]
        )
    ]
    state = _State({path: _digest(new) for path, new in contents.items()}, asdict(options))
    names = {*QUEUES, *(queue.name for queue in own), *([LONG] if options.container else [])}
    return Plan(directory, files, json.dumps(state._asdict(), indent=2) + "\n", frozenset(names))


def _contents(project: Project, options: _Options) -> dict[str, str]:
    django_settings = options.django_settings
    if django_settings is None:
        django_settings = (project.settings_module or "") if project.needs_django else ""
    root = _source()
    read = {path: (root / path).read_text(encoding="utf-8") for path in _COPIED}
    own = chosen_queues(options.queues or ())
    read["template.yaml"] = with_overrides(with_queues(read["template.yaml"], own), project.directory)
    stack_name = options.stack_name or _stack_name(project.directory)
    parameters = [
        f"TaskModules={','.join(project.task_modules)}",
        *([f"DjangoSettingsModule={django_settings}"] if django_settings else []),
        *([LONG_WORK] if options.container else []),
    ]
    read["samconfig.toml"] = _replaced(
        (root / "samconfig.toml").read_text(encoding="utf-8"),
        stack_name=json.dumps(stack_name),
        parameter_overrides=_list(parameters),
    )
    if options.container:
        read |= container_files(root, stack_name, parameters)
    artefact = _replaced(
        (root / "infra/lambda/artefact.toml").read_text(encoding="utf-8"),
        # Every package and module at the project's root, so that later additions are shipped as well.
        include=_list(["*/__init__.py", "*.py"]),
    )
    artefact = re.sub(r'(?m)^    "examples/.*\n', "", artefact)  # this repository's own
    if not django_settings:
        artefact = artefact.replace("trim = [\n", 'trim = [\n    "django_integration",\n', 1)
    read["infra/lambda/artefact.toml"] = artefact
    needed = [options.requirement or _own_requirement(), *project.requirements(django_settings)]
    read[_REQUIREMENTS_FILE] = _REQUIREMENTS + "".join(f"{line}\n" for line in needed)
    return read


def _source() -> Path:
    """In a wheel the files lie beside this module; in a checkout they are the repository's own."""
    packaged = Path(__file__).with_name("template")
    return packaged if packaged.is_dir() else Path(__file__).parents[3]


def _replaced(text: str, **values: str) -> str:
    for key, value in values.items():
        [line] = re.findall(rf"^{key} = .*$", text, flags=re.MULTILINE)
        text = text.replace(line, f"{key} = {value}")
    return text


def _list(values: Iterable[str]) -> str:
    return f"[{', '.join(map(json.dumps, values))}]"


def _stack_name(directory: Path) -> str:
    name = re.sub(r"[^A-Za-z0-9]+", "-", directory.absolute().name).strip("-")
    return name if name[:1].isalpha() else f"tasks-{name}".rstrip("-")


def _own_requirement() -> str:
    try:
        return f"serverless-tasks[lambda]=={metadata.version('serverless-tasks')}"
    except metadata.PackageNotFoundError:
        return "serverless-tasks[lambda]"


def unreleased_source(directory: Path) -> str:
    """Return where this package was installed from if that is no package index, which the functions take it from.

    https://packaging.python.org/en/latest/specifications/direct-url/

    Args:
        directory: where `manage.py` is.

    Returns:
        A URL; "" where the index had it, and where the functions' requirements have it from elsewhere as well.
    """
    if _own_requirement() not in (directory / _REQUIREMENTS_FILE).read_text(encoding="utf-8").splitlines():
        return ""
    try:
        said = metadata.distribution("serverless-tasks").read_text("direct_url.json")
        return str(json.loads(said)["url"]) if said else ""
    except (metadata.PackageNotFoundError, ValueError, KeyError):
        return ""


def _plan(directory: Path, path: Path, new: str, recorded: str | None) -> PlannedFile:
    target = directory / path
    if not target.exists():
        return PlannedFile(path, Action.CREATED, None, new)
    current = target.read_text(encoding="utf-8")
    if current == new:
        action = Action.UNCHANGED
    elif _digest(current) == recorded:
        action = Action.UPDATED
    else:
        action = Action.KEPT if _digest(new) == recorded else Action.OFFERED
    return PlannedFile(path, action, current, new)


def _plan_samconfig(
    directory: Path, default: str, recorded: str | None, environment: str | None
) -> list[PlannedFile]:
    """Plan the default environment as any file; the others are their user's, but for what `init` finds out."""
    path = Path(SAMCONFIG)
    whole = (directory / path).read_text(encoding="utf-8") if (directory / path).exists() else None
    before, others = split(whole or "")
    edited = whole is not None and before != default and _digest(before) != recorded
    wanted = before if edited else default
    kept = brought_up_to_date(others, before, wanted) if others else ""
    if environment is not None:
        kept = with_environment(kept, wanted, environment)
    planned: list[PlannedFile] = []
    if edited and _digest(default) != recorded:
        planned.append(PlannedFile(path, Action.OFFERED, whole, joined(default, kept)))
    text = joined(wanted, kept)
    if whole is None:
        planned.append(PlannedFile(path, Action.CREATED, None, text))
    elif text != whole:
        planned.append(PlannedFile(path, Action.UPDATED, whole, text))
    elif not planned:
        planned.append(PlannedFile(path, Action.KEPT if edited else Action.UNCHANGED, whole, text))
    return planned


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _read_state(path: Path) -> _State:
    if not path.exists():
        return _State({}, {})
    try:
        return _State(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{path} cannot be read ({error}): restore it, or delete it and compare every file."
        ) from error
