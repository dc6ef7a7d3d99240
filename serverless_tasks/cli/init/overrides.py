"""A project's own changes of the generated template: a file that is merged in each time the template is made."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

FILE: Final = "infra/template.overrides.yaml"
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html, and SAM's own.
_SECTIONS: Final = frozenset(
    {
        "Description",
        "Metadata",
        "Parameters",
        "Rules",
        "Mappings",
        "Conditions",
        "Globals",
        "Resources",
        "Outputs",
    }
)
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-product-attribute-reference.html, and SAM's own.
_OF_A_RESOURCE: Final = frozenset(
    {
        *(
            "Type",
            "Properties",
            "DependsOn",
            "Condition",
            "CreationPolicy",
            "UpdatePolicy",
            "UpdateReplacePolicy",
        ),
        *("DeletionPolicy", "Metadata", "Connectors", "IgnoreGlobals"),
    }
)
# At the end of a key: what is given is added to the list that is there.
_ADD: Final = "+"
_WIDTH: Final = 4096


def with_overrides(template: str, directory: Path) -> str:
    """Return the template with what a project overrides in it; the template itself where it overrides nothing.

    Mappings are merged key by key, ``null`` takes a key away, ``Key+`` adds to a list, and all else replaces what is
    there. CloudFormation's short forms, such as ``!Sub``, are kept, and comments mostly.

    Args:
        template: the generated text of template.yaml.
        directory: where the project's `manage.py` is.

    Raises:
        ConfigurationError: the file cannot be read, or names what the template does not have.
    """
    path = directory / FILE
    if not path.is_file():
        return template
    try:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{FILE} needs the package {error.name}: install it with `pip install 'serverless-tasks[cli]'`."
        ) from error
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = _WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    try:
        overrides = yaml.load(path.read_text(encoding="utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{FILE} cannot be read: {error}") from None
    if overrides is None:
        return template
    if not isinstance(overrides, dict):
        raise ConfigurationError(
            f"{FILE} is no mapping: write sections as in template.yaml, such as Resources."
        )
    if unknown := sorted(set(overrides) - _SECTIONS):
        raise ConfigurationError(
            f"{FILE} has {unknown[0]!r}, which is no section of a template that can be overridden; these are:"
            f" {', '.join(sorted(_SECTIONS))}."
        )
    document = yaml.load(template)
    for name, resource in (overrides.get("Resources") or {}).items():
        new = name.removesuffix(_ADD) not in document["Resources"]
        if new and not (isinstance(resource, dict) and "Type" in resource):
            raise ConfigurationError(
                f"{FILE}: the template has no Resources.{name}, and a new resource needs a Type."
            )
        if isinstance(resource, dict) and (unknown := sorted(set(resource) - _OF_A_RESOURCE)):
            raise ConfigurationError(
                f"{FILE}: Resources.{name} has {unknown[0]!r}, which no resource has; there are:"
                f" {', '.join(sorted(_OF_A_RESOURCE))}."
            )
    _merge(document, overrides, "")
    text = StringIO()
    yaml.dump(document, text)
    return text.getvalue()


def _merge(into: Any, overrides: Any, where: str) -> None:
    for key, value in overrides.items():
        path = f"{where}{key}"
        if value is None:
            if key not in into:
                raise ConfigurationError(f"{FILE} takes {path} away, which the template does not have.")
            del into[key]
        elif isinstance(key, str) and key.endswith(_ADD):
            _add(into, key.removesuffix(_ADD), value, path.removesuffix(_ADD))
        elif isinstance(value, dict) and isinstance(into.get(key), dict) and not _is_short_form(value):
            _merge(into[key], value, f"{path}.")
        else:
            into[key] = value


def _add(into: Any, key: str, value: Any, path: str) -> None:
    there = into.get(key)
    if _is_short_form(there):
        raise ConfigurationError(
            f"{FILE} adds to {path}, which is a function ({there.tag.value}) in the template: give the whole of {path}."
        )
    if not isinstance(there, list) or not isinstance(value, list):
        raise ConfigurationError(
            f"{FILE} adds to {path}, which is no list in the template: both have to be lists."
        )
    there.extend(value)


def _is_short_form(value: Any) -> bool:
    """Return whether a value is written as a function of CloudFormation, such as ``!If [...]``."""
    tag = getattr(value, "tag", None)
    return bool(tag is not None and getattr(tag, "value", None))
