"""Parameters and outputs of template.yaml, as its groups have them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from samtranslator.yaml_helper import yaml_parse

from infra.site.markdown import code, table, text

if TYPE_CHECKING:
    from collections.abc import Iterator

PARAMETERS: Final = (
    "Set them in `samconfig.toml` under `parameter_overrides`: [more](../deployment.md#parameters).\n"
)
OUTPUTS: Final = (
    "`serverless-tasks outputs` prints those that a site needs; [deployment](../deployment.md#what-the-outputs-are-for)"
    " says what each is for.\n"
)
TEMPLATE: Final = Path(__file__).resolve().parents[2] / "template.yaml"


def page() -> str:
    """Return the page."""
    template: dict[str, Any] = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))
    parameters = template["Parameters"]
    parts = [
        "# The template\n",
        "## Parameters\n",
        PARAMETERS,
    ]
    for group in template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]:
        parts.append(f"### {group['Label']['default']}\n")
        rows = [
            (
                code(name),
                code(parameters[name].get("Default")),
                ", ".join(_accepted(parameters[name])),
                _says(parameters[name]),
            )
            for name in group["Parameters"]
        ]
        parts.append(table(("parameter", "default", "accepted", ""), rows))
    parts += [
        "## Outputs\n",
        OUTPUTS,
        table(
            ("output", ""), [(code(name), _output(output)) for name, output in template["Outputs"].items()]
        ),
    ]
    return "\n".join(parts)


def _says(entry: dict[str, Any]) -> str:
    return text(entry["Description"])


def _output(output: dict[str, Any]) -> str:
    condition = output.get("Condition")
    return _says(output) + (f" Only with the condition `{condition}`." if condition else "")


def _accepted(parameter: dict[str, Any]) -> Iterator[str]:
    allowed = [str(each) for each in parameter.get("AllowedValues", ())]
    if len(allowed) > 6:
        yield f"{code(allowed[0])}, {code(allowed[1])}, ... {code(allowed[-1])}"
    elif allowed:
        yield ", ".join(map(code, allowed))
    if "MinValue" in parameter:
        yield (
            f"{parameter['MinValue']} to {parameter['MaxValue']}"
            if "MaxValue" in parameter
            else f"{parameter['MinValue']} or more"
        )
    if parameter["Type"] == "CommaDelimitedList":
        yield "a list, separated by commas"
