"""`serverless-tasks types`: TypeScript of the tasks. That it compiles, and to what, the client's own tests say."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from serverless_tasks.cli.app import app
from serverless_tasks.cli.typescript.document import document
from serverless_tasks.cli.typescript.names import Names, comment, literal, property_name, type_name
from serverless_tasks.cli.typescript.types import Declarations
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.definition.registry import Registry
from serverless_tasks.engine.services import configure, reset
from tests.unit.cli.typescript_cases import TASKS

CASES = Path("django_integration/client/tests/types/cases.gen.ts")
AGAIN = f"make it anew: python -m tests.unit.cli.test_types > {CASES}"


def made() -> str:
    """The types of all corner cases."""
    registry = Registry()
    for task in TASKS:
        registry.add(task)
    names = [task.name for task in TASKS]
    return document(registry, names, names)


def test_the_corner_cases_are_what_the_client_is_tested_with() -> None:
    assert len(TASKS) > 60
    assert made() == CASES.read_text(), AGAIN


def test_the_order_in_which_tasks_are_registered_changes_nothing() -> None:
    registry = Registry()
    for task in reversed(TASKS):
        registry.add(task)
    names = [task.name for task in reversed(TASKS)]
    assert document(registry, names, names) == made()


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A directory whose environment names tasks."""
    monkeypatch.chdir(tmp_path)
    configure(Config(modules=("examples.tasks",)))
    yield tmp_path
    reset()


class TestCommand:
    def test_it_writes_the_types_alone(self, project: Path) -> None:
        result = CliRunner().invoke(app, ["types"])
        assert result.exit_code == 0, result.output
        assert "export interface SumInputs {\n  numbers: number[];\n}\n" in result.stdout
        assert result.stderr == ""

    def test_a_file_that_is_up_to_date_passes(self, project: Path) -> None:
        (project / "tasks.gen.ts").write_text(CliRunner().invoke(app, ["types"]).stdout)
        assert CliRunner().invoke(app, ["types", "--check", "tasks.gen.ts"]).exit_code == 0

    @pytest.mark.parametrize(("text", "reason"), [("old", "is out of date"), (None, "is missing")])
    def test_another_fails_and_says_what_to_run(self, project: Path, text: str | None, reason: str) -> None:
        if text is not None:
            (project / "tasks.gen.ts").write_text(text)
        result = CliRunner().invoke(app, ["types", "--check", "tasks.gen.ts"])
        assert result.exit_code == 1
        assert result.stderr == f"tasks.gen.ts {reason}. Run: serverless-tasks types > tasks.gen.ts\n"

    def test_tasks_that_a_site_does_not_serve_have_outputs_alone(self, project: Path) -> None:
        configure(Config(modules=("examples.tasks",)), registry=Registry(served=lambda: ["sum"]))
        written = CliRunner().invoke(app, ["types"]).stdout
        assert "export interface SumInputs" in written
        assert "    inputs: never;\n    outputs: MakeThumbnailOutputs;\n    errors: never;\n" in written
        assert "MakeThumbnailInputs" not in written

    def test_without_tasks_it_says_where_they_are_looked_for(self, project: Path) -> None:
        configure(Config())
        result = CliRunner().invoke(app, ["types"])
        assert result.exit_code == 2
        assert "No tasks were found" in result.stderr


class TestWords:
    def test_names_are_given_once(self) -> None:
        names = Names()
        assert [names.give("Money") for _ in range(3)] == ["Money", "Money2", "Money3"]
        assert [names.give("Money", "ShopMoney") for _ in range(2)] == ["ShopMoney", "ShopMoney2"]

    def test_a_name_of_a_type_is_made_of_words(self) -> None:
        assert type_name("reports.monthly", "inputs") == "ReportsMonthlyInputs"
        assert type_name("record") == "Record2", "Record is TypeScript's own"
        assert type_name("1st") == "Type1st"
        assert type_name("größe") == "Größe"
        assert type_name("--") == "Type"

    def test_texts_are_written_as_typescript_does(self) -> None:
        assert literal('a"\n') == '"a\\"\\n"'
        assert literal("\ud800") == '"\\ud800"'
        assert (property_name("a_1"), property_name("1a"), property_name("größe")) == (
            "a_1",
            '"1a"',
            '"größe"',
        )

    def test_a_comment_cannot_be_left(self) -> None:
        assert comment(["a */ b"]) == "/** a *\\/ b */\n"
        assert comment([]) == ""


class TestSchemasOfOthers:
    """Schemas that pydantic does not make, but `json_schema_extra` or a parameter of one's own may."""

    @pytest.mark.parametrize(
        ("schema", "type_"),
        [
            (True, "unknown"),
            (False, "never"),
            ({"properties": {"a": {"type": "null"}}}, "{\n  a?: null;\n}"),
            ({"items": {"type": ["integer", "null"]}}, "(number | null)[]"),
            ({"type": "object", "additionalProperties": False}, "Record<string, never>"),
            ({"enum": [{"a": 1}, [True]]}, "{ a: 1 } | [true]"),
            ({"enum": ["a|b"], "type": "string"}, '"a|b"'),
            ({"items": {"const": "a|b"}}, '"a|b"[]'),
            ({"items": {"enum": ["a\\", "b"]}}, '("a\\\\" | "b")[]'),
            ({"items": {"anyOf": [{"type": "string"}, {"enum": [1, 2]}]}}, "(string | 1 | 2)[]"),
            ({"items": {"anyOf": [{"enum": [1, 2]}]}}, "(1 | 2)[]"),
            ({"$ref": "#"}, "Root"),
            ({"oneOf": [{"type": "string"}, {}]}, "unknown"),
            ({"oneOf": []}, "never"),
            ({"patternProperties": {"^x": {"type": "string"}}}, "{ [key: string]: string }"),
            ({"type": "strange"}, "unknown"),
        ],
    )
    def test_each_has_a_type(self, schema: object, type_: str) -> None:
        declarations = Declarations(Names())
        declarations.add("Root", {"type": "object", "properties": {"v": schema}, "required": ["v"]}, "root")
        [text] = declarations.texts()
        assert text == f"export interface Root {{\n  v: {type_.replace('\n', '\n  ')};\n}}\n"

    def test_definitions_that_differ_further_down_are_two_types(self) -> None:
        """Their keys have a slash, which references write as ~1."""
        declarations = Declarations(Names())
        for owner, inner in (("first", "string"), ("second", "number")):
            definitions = {"a/b": {"items": {"$ref": "#/$defs/c~1d"}}, "c/d": {"type": inner}}
            schema = {"properties": {"v": {"$ref": "#/$defs/a~1b"}}, "$defs": definitions}
            declarations.add(owner, schema, owner)
        text = "".join(declarations.texts())
        assert "type AB = CD[];" in text
        assert "type SecondAB = SecondCD[];" in text


if __name__ == "__main__":
    print(made(), end="")
