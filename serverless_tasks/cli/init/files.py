"""The files of a project's deployment: how they are made, and brought up to date beside the user's edits."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from serverless_tasks.cli.init.container import LONG_WORK, container_files
from serverless_tasks.cli.init.environments import brought_up_to_date, joined, split, with_environment
from serverless_tasks.cli.init.project import Project
from serverless_tasks.errors import ConfigurationError
from serverless_tasks.project.samconfig import FILE as SAMCONFIG

# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
_STACK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")
STATE = "infra/lambda/.generated.json"
_COPIED = (
    "template.yaml",
    "infra/lambda/artefact.py",
    "infra/lambda/artefact.mk",
    "infra/lambda/x86_64/Makefile",
    "infra/lambda/arm64/Makefile",
)
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
class _Options:
    """The options of this run, or of the last one; None where not given."""

    django_settings: str | None = None
    requirement: str | None = None
    stack_name: str | None = None
    container: bool | None = None

    def over(self, last: Mapping[str, Any]) -> _Options:
        given = {name: value for name, value in asdict(self).items() if value is not None}
        return _Options(**{**last, **given})


class _State(NamedTuple):
    """The files and options of the last `init`."""

    digests: Mapping[str, str]
    options: Mapping[str, Any]


def init_project(
    directory: Path,
    *,
    django_settings: str | None = None,
    requirement: str | None = None,
    stack_name: str | None = None,
    environment: str | None = None,
    container: bool | None = None,
) -> list[WrittenFile]:
    """Write what `sam build && sam deploy` needs into a Django project, or bring it up to date.

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
        environment: the name of an environment that is added to `samconfig.toml`, a copy of the default one with a
            stack of its own. It is the user's from then on.
        container: whether to write the files of a container's worker on ECS Fargate too, and to deploy the queue
            that it works on; False leaves those that are there to you.

    Raises:
        ConfigurationError: there is no Django project, or it has no such settings module, or the stack's name is none.
    """
    project = Project.read(directory)
    last = _read_state(directory / STATE)
    options = _Options(django_settings, requirement, stack_name, container).over(last.options)
    if options.stack_name and not _STACK_NAME.fullmatch(options.stack_name):
        raise ConfigurationError(
            f"{options.stack_name!r} is not a valid stack name for CloudFormation: use letters, digits and hyphens,"
            " starting with a letter, at most 128 characters."
        )
    contents = _contents(project, options)
    written = [
        _write_samconfig(directory, new, last.digests.get(path), environment)
        if path == SAMCONFIG
        else _write(directory, Path(path), new, last.digests.get(path))
        for path, new in contents.items()
    ]
    state = _State({path: _digest(new) for path, new in contents.items()}, asdict(options))
    (directory / STATE).write_text(json.dumps(state._asdict(), indent=2) + "\n", encoding="utf-8")
    return written


def _contents(project: Project, options: _Options) -> dict[str, str]:
    django_settings = options.django_settings
    if django_settings is None:
        django_settings = (project.settings_module or "") if project.needs_django else ""
    root = _source()
    read = {path: (root / path).read_text(encoding="utf-8") for path in _COPIED}
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
    if not django_settings:
        artefact = artefact.replace("trim = [\n", 'trim = [\n    "django_integration",\n', 1)
    read["infra/lambda/artefact.toml"] = artefact
    own = options.requirement or _own_requirement()
    needed = [own, *project.requirements(django_settings)]
    read["infra/lambda/requirements.txt"] = _REQUIREMENTS + "".join(f"{line}\n" for line in needed)
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


def _write(directory: Path, path: Path, new: str, recorded: str | None) -> WrittenFile:
    target = directory / path
    if not target.exists():
        return _put(target, path, new, Action.CREATED)
    current = target.read_text(encoding="utf-8")
    if current == new:
        return WrittenFile(path, Action.UNCHANGED)
    if _digest(current) == recorded:
        return _put(target, path, new, Action.UPDATED)
    if _digest(new) == recorded:
        return WrittenFile(path, Action.KEPT)
    return _put(target.with_name(f"{target.name}.new"), path, new, Action.OFFERED)


def _write_samconfig(
    directory: Path, default: str, recorded: str | None, environment: str | None
) -> WrittenFile:
    """Write the default environment as any file, and leave the others to their user, but for what `init` finds out."""
    target, path = directory / SAMCONFIG, Path(SAMCONFIG)
    before, others = split(target.read_text(encoding="utf-8")) if target.exists() else ("", "")
    edited = bool(before) and _digest(before) != recorded
    wanted = before if edited else default
    kept = brought_up_to_date(others, before, wanted) if others else ""
    if environment is not None:
        kept = with_environment(kept, wanted, environment)
    if edited and before != default and _digest(default) != recorded:
        offered = joined(default, kept)
        _put(target.with_name(f"{SAMCONFIG}.new"), path, offered, Action.OFFERED)
        if kept == others:
            return WrittenFile(path, Action.OFFERED)
    new = joined(wanted, kept)
    if not before:
        return _put(target, path, new, Action.CREATED)
    if new == target.read_text(encoding="utf-8"):
        return WrittenFile(path, Action.KEPT if edited and before != default else Action.UNCHANGED)
    return _put(target, path, new, Action.UPDATED)


def _put(target: Path, path: Path, text: str, action: Action) -> WrittenFile:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return WrittenFile(path, action)


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
