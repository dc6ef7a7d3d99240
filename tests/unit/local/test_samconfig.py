"""What is read of the file that `sam deploy` is told by."""

from pathlib import Path

import pytest

from serverless_tasks.project.samconfig import deployed_parameters

BOTH = """
[default.global.parameters]
parameter_overrides = "A=1 B=2"
[default.deploy.parameters]
parameter_overrides = ["B=3"]
"""


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ('[default.global.parameters]\nparameter_overrides = ["A=1", "B=x=y", "C="]', {"A": "1", "B": "x=y"}),
        ("[default.deploy.parameters]\nparameter_overrides = 'A=1 B=\"x y\"'", {"A": "1", "B": "x y"}),
        (BOTH, {"A": "1", "B": "3"}),
        ("[staging.deploy.parameters]\nparameter_overrides = 'A=1'", {}),
        ("no toml", {}),
        (None, {}),
    ],
    ids=["list", "text", "both commands", "another environment", "broken", "absent"],
)
def test_the_parameters_are_those_of_the_default_deployment(
    tmp_path: Path, text: str | None, parameters: dict[str, str]
) -> None:
    if text is not None:
        (tmp_path / "samconfig.toml").write_text(text)

    assert deployed_parameters(tmp_path) == parameters
