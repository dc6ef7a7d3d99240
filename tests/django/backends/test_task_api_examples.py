"""What Django Task API documents, through the REST endpoint."""

import threading
from typing import Any

import pytest
from django.test import Client
from django.urls import include, path, resolve, reverse

from serverless_tasks import InvalidInputs, Task
from serverless_tasks.engine.services import current_services
from serverless_tasks.errors import TaskFailed
from serverless_tasks.params import IntParameter, ParameterNotValidError, StringParameter
from tests.django import task_api_examples as examples
from tests.support.clock import until

PATH = "tests.django.task_api_examples"
TASKS = ("SumNumbers", "WaitTask", "MyTask", "TwoOutputs", "Lines", "Echo", "Invert")
TIMES = {"created", "started", "finished"}


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    settings.DEBUG = True
    settings.SERVERLESS_TASKS = {"BACKEND": "immediate"}
    settings.TASK_API_BACKGROUND_TASKS = [f"{PATH}.{name}" for name in TASKS]


def create(task: str, **inputs: Any) -> Any:
    sent = {"task": task, "inputs": inputs}
    return Client().post("/tasks/", sent, content_type="application/json")


def ended(task: str, **inputs: Any) -> dict[str, Any]:
    created = create(task, **inputs)
    assert created.status_code == 201, created.content
    record: dict[str, Any] = Client().get(f"/tasks/{created.json()['uuid']}/").json()
    return record


class TestExamples:
    def test_sum(self) -> None:
        record = ended("sum-numbers", numbers=[1, 2, 3.5])
        assert (record["status"], record["outputs"]) == ("succeeded", {"sum": 6.5})

    def test_wait(self, monkeypatch: pytest.MonkeyPatch) -> None:
        waited: list[int] = []
        monkeypatch.setattr(examples, "sleep", waited.append)
        record = ended("wait")
        assert (record["status"], record["outputs"]) == ("succeeded", {})
        assert (record["progress"], record["target"], waited) == (10, 10, [1] * 10)
        assert ended("wait", seconds="3")["progress"] == 3

    def test_name_and_count(self) -> None:
        assert ended("my-task", name="a")["outputs"] == {"output": "a a a a a"}
        assert ended("my-task", name="a", count="2")["outputs"] == {"output": "a a"}

    def test_several_outputs(self) -> None:
        assert ended("two-outputs")["outputs"] == {"out": "Foo", "count": 5}

    def test_the_json_has_what_is_documented(self) -> None:
        created = create("sum-numbers", numbers=[1])
        record = created.json()
        documented = {"uuid", "task", "status", "progress", "target", "outputs", "messages", *TIMES}
        assert documented <= record.keys()
        assert Client().get(f"/tasks/{record['uuid']}/").json().keys() == record.keys()

    @pytest.mark.parametrize(
        ("task", "inputs", "field"),
        [
            ("sum-numbers", {}, "numbers"),
            ("my-task", {"name": "a", "count": "not a number"}, "count"),
            ("nothing", {}, "task"),
        ],
    )
    def test_what_is_wrong_is_refused_and_named(self, task: str, inputs: dict[str, Any], field: str) -> None:
        answer = create(task, **inputs)
        assert answer.status_code == 400
        assert [each["field"] for each in answer.json()["error"]["fields"]] == [field]

    def test_classes_and_the_alias_serve_as_well(self, settings: Any) -> None:
        settings.TASK_API_BACKGROUND_TASKS = []
        settings.TASK_API_BACKGROUND_CLASSES = [examples.TwoOutputs]
        assert ended("two-outputs")["status"] == "succeeded"
        assert create("sum-numbers", numbers=[1]).status_code == 400


class TestParameters:
    @pytest.mark.parametrize(
        ("name", "sent", "received", "kind"),
        [
            ("any", {"a": [None, 1]}, {"a": [None, 1]}, "dict"),
            ("text", "a", "a", "str"),
            ("text", 5.5, "5.5", "str"),
            ("number", "5.3", 5.3, "float"),
            ("number", "5", 5, "int"),
            ("whole", 5.2, 5, "int"),
            ("whole", "6", 6, "int"),
            ("whole", True, 1, "int"),
            ("number", False, False, "bool"),
            ("text", True, "True", "str"),
            ("real", "5.3", 5.3, "float"),
            ("real", 5, 5.0, "float"),
            ("flag", "true", True, "bool"),
            ("flag", "False", False, "bool"),
            ("flag", 0, False, "bool"),
            ("flag", True, True, "bool"),
            ("grid", [["1", 2.5], []], [[1, 2], []], "list"),
            ("grid", "7", [[7]], "list"),
            ("data", {"a": 1}, {"a": 1}, "dict"),
            ("data", [1, "b"], [1, "b"], "list"),
        ],
    )
    def test_conversion(self, name: str, sent: Any, received: Any, kind: str) -> None:
        outputs = ended("echo", **{name: sent})["outputs"]
        assert outputs == {"given": {name: received}, "kinds": {name: kind}}

    @pytest.mark.parametrize(
        ("name", "sent"),
        [
            ("text", ["a"]),
            ("text", None),
            ("number", "a"),
            ("number", [1]),
            ("whole", "five"),
            ("real", None),
            ("grid", [["x"]]),
            ("data", "text"),
            ("data", 5),
        ],
    )
    def test_refusals(self, name: str, sent: Any) -> None:
        answer = create("echo", **{name: sent})
        assert answer.status_code == 400
        (field,) = answer.json()["error"]["fields"]
        assert field["field"].split(".")[0] == name

    def test_a_refusal_is_a_value_error(self) -> None:
        with pytest.raises(ParameterNotValidError):
            IntParameter().to_python("not a number")
        assert issubclass(ParameterNotValidError, ValueError)


class TestOwnParameters:
    def test_in_inputs_and_outputs(self) -> None:
        record = ended("invert", colours=["#00ff10", "#000000"], label="dark")
        assert record["outputs"] == {"inverted": ["#ff00ef", "#ffffff"], "label": "DARK"}
        assert ended("invert", colours="#00ff10")["outputs"]["inverted"] == ["#ff00ef"]

    def test_their_refusal_reaches_the_caller(self) -> None:
        answer = create("invert", colours=["red"])
        assert answer.status_code == 400
        (field,) = answer.json()["error"]["fields"]
        assert "Value must be a colour like #0a0b0c" in field["message"]

    def test_from_python_their_to_json_is_used(self) -> None:
        job = examples.Invert.submit(colours=[examples.Colour(0, 255, 16)])
        assert job.wait()["inverted"] == ["#ff00ef"]

    def test_in_openapi(self) -> None:
        schemas = Client().get("/tasks/openapi.json").json()["components"]["schemas"]
        (inputs,) = (schemas[name] for name in schemas if name.startswith("invert.") and "inputs" in name)
        (outputs,) = (schemas[name] for name in schemas if name.startswith("invert.") and "outputs" in name)
        colour = {"type": "string", "format": "color"}
        assert inputs["properties"]["colours"]["items"] == colour
        assert inputs["required"] == ["colours"]
        assert outputs["properties"]["inverted"]["items"] == colour
        assert "label" in outputs["properties"]


class TestProgress:
    def test_counting_up_works_before_any_set_progress(self) -> None:
        record = ended("lines", lines=["a", "b"])
        assert (record["progress"], record["target"], record["messages"]) == (2, 2, ["a", "b"])

    def test_messages_of_many_threads_are_all_kept_each_threads_in_order(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def run(task: examples.Lines, lines: list[str]) -> None:
            def say(name: str) -> None:
                for number in range(100):
                    task.add_message(f"{name} {number}")
                    task.inc_progress()

            threads = [threading.Thread(target=say, args=[name]) for name in lines]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        monkeypatch.setattr(examples.Lines, "run", run)
        record = ended("lines", lines=["a", "b", "c"])
        assert record["progress"] == 300
        assert len(record["messages"]) == 300
        for name in "abc":
            own = [message for message in record["messages"] if message.startswith(name)]
            assert own == [f"{name} {number}" for number in range(100)]

    def test_a_poll_sees_them_while_the_task_runs(
        self, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        go_on = threading.Event()

        def run(task: examples.Lines, lines: list[str]) -> None:
            task.set_target(2)
            task.inc_progress()
            task.add_message(lines[0])
            go_on.wait(10)
            task.inc_progress()

        monkeypatch.setattr(examples.Lines, "run", run)
        settings.SERVERLESS_TASKS = {"BACKEND": "threading"}
        uuid = create("lines", lines=["half way"]).json()["uuid"]
        seen: dict[str, Any] = {}

        def polled() -> bool:
            seen.update(Client().get(f"/tasks/{uuid}/").json())
            return bool(seen["messages"])

        until(polled)
        half = {"status": "running", "progress": 1, "target": 2, "messages": ["half way"], "finished": None}
        assert {name: seen[name] for name in half} == half
        go_on.set()
        until(lambda: current_services().store.read(uuid).ended)  # type: ignore[union-attr]
        polled()
        assert (seen["status"], seen["progress"]) == ("succeeded", 2)


class TestUrlNames:
    """As Django REST framework's router names them."""

    def test_they_lead_to_the_calls(self, settings: Any) -> None:
        settings.ROOT_URLCONF = (path("", include("django_integration.task_api_urls")),)
        assert reverse("taskinfo-list") == "/tasks/"
        url = reverse("taskinfo-detail", kwargs={"uuid": ended("sum-numbers", numbers=[1])["uuid"]})
        assert Client().get(url).json()["status"] == "succeeded"
        for call, name in ((reverse("taskinfo-list"), "tasks"), (url, "task")):
            assert resolve(call).view_name == f"serverless_tasks:{name}"

    def test_a_suffix_is_no_call(self) -> None:
        assert Client().get("/tasks.json").status_code == 404
        job = "/tasks/0b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c6d.json"
        assert Client().get(job, follow=True).status_code == 404


class TestFromPython:
    @pytest.mark.parametrize("inputs", [{}, None, {"numbers": ["x"]}, {"numbers": [1], "more": 2}], ids=str)
    def test_what_does_not_fit_is_refused_where_it_is_started(self, inputs: Any) -> None:
        with pytest.raises(InvalidInputs) as raised:
            examples.SumNumbers().start(inputs)
        assert [field.field for field in raised.value.fields] in (["numbers"], ["numbers.0"], ["more"])

    @pytest.mark.parametrize(
        ("returned", "given"), [(True, {"count": 1, "text": "True"}), (None, {"count": None, "text": None})]
    )
    def test_an_output_is_converted(self, returned: Any, given: Any) -> None:
        class Returns(Task):
            name = "returns"
            outputs = {"count": IntParameter(), "text": StringParameter()}

            def run(self):
                return {"count": returned, "text": returned}

        assert Returns().start({}).wait(1) == given

    @pytest.mark.parametrize("returned", [[1], {"a": 1}, b"a"], ids=str)
    def test_a_text_is_not_made_of_what_is_none(self, returned: Any) -> None:
        class ReturnsText(Task):
            name = "returns-text"
            outputs = {"text": StringParameter()}

            def run(self):
                return returned

        handle = ReturnsText().start({})
        with pytest.raises(TaskFailed, match="InvalidOutputs"):
            handle.wait(1)
