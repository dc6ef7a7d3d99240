"""The documentation page: every task of the OpenAPI document, readable, and runnable from a form."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import violations
from tests.browser.scripted_site import UUID, Answer, ScriptedSite, record, succeeded

pytestmark = pytest.mark.browser

WIDTHS = [1280, 375]


def json_body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


SUM = {
    "title": "sum",
    "description": "Adds numbers.",
    "type": "object",
    "properties": {"task": {"const": "sum"}, "inputs": {"$ref": "#/components/schemas/SumInputs"}},
}
SUM_RECORD = {
    "type": "object",
    "properties": {
        "task": {"const": "sum"},
        "outputs": {"anyOf": [{"$ref": "#/components/schemas/SumOutputs"}, {"maxProperties": 0}]},
    },
}
WAIT = {
    "type": "object",
    "properties": {
        "task": {"enum": ["wait"]},
        "inputs": {"type": "object", "properties": {}},
    },
}
OPENAPI = {
    "openapi": "3.1.0",
    "info": {
        "title": "Tasks of the shop",
        "version": "1",
        "description": "What runs in the background here.",
    },
    "paths": {
        "/tasks/": {
            "post": {
                "summary": "Submit a task",
                "requestBody": json_body({"oneOf": [{"$ref": "#/components/schemas/SumSubmission"}, WAIT]}),
                "responses": {"201": json_body({"oneOf": [SUM_RECORD]})},
            },
            "get": {"summary": "Your tasks, newest first", "responses": {"200": {}}},
        },
        "/tasks/shop.tasks.Resize/": {
            "post": {
                "description": "Makes an image smaller.",
                "requestBody": json_body({"$ref": "#/components/schemas/ResizeParams"}),
                "responses": {
                    "201": json_body(
                        {
                            "type": "object",
                            "properties": {
                                "task": {"const": "shop.tasks.Resize"},
                                "outputs": {"type": "object", "properties": {"result": {"type": "string"}}},
                            },
                        }
                    )
                },
            }
        },
        "/tasks/{uuid}/": {"get": {"summary": "A task's record", "responses": {"200": {}}}},
    },
    "components": {
        "schemas": {
            "SumSubmission": SUM,
            "SumOutputs": {"type": "object", "properties": {"sum": {"type": "number"}}, "required": ["sum"]},
            "SumInputs": {
                "type": "object",
                "properties": {
                    "numbers": {"type": "array", "items": {"type": "number"}, "description": "What to add."},
                    "round": {"type": "boolean", "default": False},
                },
                "required": ["numbers"],
            },
            "ResizeParams": {
                "type": "object",
                "properties": {
                    "url": {"type": "string", "format": "uri"},
                    "width": {"type": "integer"},
                    "mode": {"enum": ["fit", "crop"], "default": "fit"},
                    "quality": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
                },
                "required": ["url", "width"],
            },
        }
    },
}


@pytest.fixture
def docs(site: ScriptedSite, page: Page) -> Page:
    site.on("GET", "/tasks/openapi.json", Answer(OPENAPI))
    page.goto(site.shows("docs.html", {"openapi_url": "/tasks/openapi.json", "task_api_base": "/tasks/"}))
    page.get_by_role("heading", name="shop.tasks.Resize").wait_for()
    return page


def test_lists_every_task_with_its_typed_inputs_and_outputs(docs: Page) -> None:
    expect(docs).to_have_title("Tasks of the shop")
    names = docs.get_by_role("article").get_by_role("heading", level=2)
    expect(names).to_have_text(["sum", "wait", "shop.tasks.Resize"])
    total = docs.get_by_role("article").first
    expect(total).to_contain_text("Adds numbers.")
    rows = total.locator(".shape > div")
    expect(rows).to_have_text(
        [
            re.compile(r"numbers\s*list of numberWhat to add\."),
            re.compile(r"round\s*boolean, optional \(false if left out\)"),
            re.compile(r"sum\s*number"),
        ]
    )
    resize = docs.get_by_role("article").nth(2)
    expect(resize).to_contain_text("POST /tasks/shop.tasks.Resize/")
    expect(resize).to_contain_text('"fit" or "crop"')
    expect(docs.get_by_role("region", name="Other calls").get_by_role("listitem")).to_have_text(
        ["GET /tasks/Your tasks, newest first", "GET /tasks/{uuid}/A task's record"]
    )


def test_a_task_that_is_served_in_two_ways_is_listed_once_with_both(site: ScriptedSite, page: Page) -> None:
    typed = OPENAPI["paths"]["/tasks/shop.tasks.Resize/"]  # type: ignore[index]
    twice = {"post": typed["post"] | {"responses": {"201": json_body(SUM_RECORD)}}}
    paths = {**OPENAPI["paths"], "/tasks/sum/": twice}  # type: ignore[dict-item]
    site.on("GET", "/tasks/openapi.json", Answer(OPENAPI | {"paths": paths}))
    page.goto(site.shows("docs.html", {"openapi_url": "/tasks/openapi.json", "task_api_base": "/tasks/"}))
    names = page.get_by_role("article").get_by_role("heading", level=2)
    expect(names).to_have_text(["sum", "wait", "shop.tasks.Resize"])
    expect(page.get_by_role("navigation").get_by_role("listitem")).to_have_count(3)
    expect(page.get_by_role("article").first.locator(".call li")).to_have_text(
        ['POST /tasks/ with {"task": "sum", "inputs": {…}}', "POST /tasks/sum/ with the inputs"]
    )


def test_its_icon_is_there(docs: Page, site: ScriptedSite) -> None:
    icon = docs.locator("link[rel=icon]").evaluate("link => link.href")
    answer = docs.request.get(icon)
    assert (answer.status, answer.headers["content-type"]) == (200, "image/svg+xml")


def test_runs_a_task_from_its_form(docs: Page, site: ScriptedSite) -> None:
    site.on("POST", "/tasks/", Answer(record(status="pending"), 201))
    site.polls(record(progress=1, target=2, messages=["half way"]), succeeded())
    total = docs.get_by_role("article").first
    total.get_by_text("Try it").click()
    total.get_by_label("numbers").fill("[1, 2]")
    total.get_by_role("button", name="Run").click()
    expect(total.get_by_role("status")).to_have_text("half way")
    expect(total.get_by_role("status")).to_have_text("Succeeded")
    expect(total.locator("pre")).to_have_text(re.compile(r'"sum": 3'))
    (request,) = site.asked("POST", "/tasks/")
    assert request.body == {"task": "sum", "inputs": {"numbers": [1, 2], "round": False}}


def test_runs_a_typed_call_from_its_form(docs: Page, site: ScriptedSite) -> None:
    path = "/tasks/shop.tasks.Resize/"
    site.on("POST", path, Answer(record(status="pending"), 201))
    site.polls(succeeded(outputs={"result": "small.png"}))
    resize = docs.get_by_role("article").nth(2)
    resize.get_by_text("Try it").click()
    resize.get_by_label("url").fill("a.png")
    resize.get_by_label("width").fill("320")
    resize.get_by_label("mode").select_option("crop")
    resize.get_by_role("button", name="Run").click()
    expect(resize.locator("pre")).to_have_text(re.compile("small.png"))
    (request,) = site.asked("POST", path)
    assert request.body == {"url": "a.png", "width": 320, "mode": "crop"}
    assert request.headers["x-csrftoken"] == "s3cret"


NOTE = {
    "type": "object",
    "properties": {
        "task": {"const": "note"},
        "inputs": {
            "type": "object",
            "properties": {
                "text": {"type": "string"},
                "code": {"type": "string", "maxLength": 8},
                "token": {"type": "string", "format": "password", "writeOnly": True},
                "pin": {"anyOf": [{"type": "integer", "writeOnly": True}, {"type": "null"}]},
                "plain": {"type": "string", "format": "binary"},
                "picture": {"type": "string", "format": "base64url"},
                "thumbnail": {"type": "string", "format": "base64"},
            },
        },
    },
}


@pytest.fixture
def note(site: ScriptedSite, page: Page) -> Locator:
    body = {
        "requestBody": json_body({"oneOf": [NOTE]}),
        "responses": {"201": json_body({"oneOf": [SUM_RECORD]})},
    }
    document = OPENAPI | {"paths": {"/tasks/": {"post": body}}}
    site.on("GET", "/tasks/openapi.json", Answer(document))
    site.on("POST", "/tasks/", Answer(record(status="pending"), 201))
    page.goto(site.shows("docs.html", {"openapi_url": "/tasks/openapi.json", "task_api_base": "/tasks/"}))
    entry = page.get_by_role("article")
    entry.get_by_text("Try it").click()
    return entry


def test_a_text_keeps_its_lines_secrets_are_hidden_and_bytes_take_a_file(
    site: ScriptedSite, note: Locator
) -> None:
    site.polls(succeeded())
    note.get_by_label("text").fill("first\nsecond")
    note.get_by_label("token").fill("hunter2")
    note.get_by_label("pin").fill("1234")
    for name in ("token", "pin"):
        expect(note.get_by_label(name)).to_have_attribute("type", "password")
    expect(note.get_by_label("code")).to_have_js_property("tagName", "INPUT")
    data = bytes([0xFB, 0xEF, 0xFF, 0])
    for name, content in (("plain", "zwölf\n".encode()), ("picture", data), ("thumbnail", data)):
        note.get_by_label(name).set_input_files({"name": name, "mimeType": "x/y", "buffer": content})
    note.get_by_role("button", name="Run").click()
    expect(note.get_by_role("status")).to_have_text("Succeeded")
    (request,) = site.asked("POST", "/tasks/")
    assert request.body["inputs"] == {
        "text": "first\nsecond",
        "token": "hunter2",
        "pin": 1234,
        "plain": "zwölf\n",
        "picture": "--__AA==",
        "thumbnail": "++//AA==",
    }


def test_a_file_that_is_no_text_is_refused_where_text_is_wanted(site: ScriptedSite, note: Locator) -> None:
    file = {"name": "cat.png", "mimeType": "image/png", "buffer": b"\xff\xfe"}
    note.get_by_label("plain").set_input_files(file)  # type: ignore[arg-type]
    note.get_by_role("button", name="Run").click()
    expect(note.get_by_role("status")).to_have_text("plain takes text, and cat.png is not UTF-8")
    assert site.asked("POST", "/tasks/") == []


@pytest.mark.parametrize("width", WIDTHS)
def test_a_long_answer_is_clipped_with_a_link_to_all(site: ScriptedSite, note: Locator, width: int) -> None:
    note.page.set_viewport_size({"width": width, "height": 800})
    site.polls(succeeded(outputs={"text": "x" * 1_000_000}))
    note.get_by_role("button", name="Run").click()
    expect(note.get_by_text("Characters left out:")).to_be_visible()
    expect(note.get_by_role("link", name="all of it")).to_have_attribute("href", f"/tasks/{UUID}/")
    assert len(note.locator("pre").inner_text()) == 4_000
    assert violations(note.page) == []
    assert note.page.evaluate("document.documentElement.scrollWidth") <= width


def test_shows_what_the_server_refuses_and_what_is_not_json(docs: Page, site: ScriptedSite) -> None:
    site.on("POST", "/tasks/", Answer({"error": {"numbers": "is required"}}, 400))
    total = docs.get_by_role("article").first
    total.get_by_text("Try it").click()
    total.get_by_label("numbers").fill("[1,")
    total.get_by_role("button", name="Run").click()
    expect(total.get_by_role("status")).to_contain_text("numbers is not JSON")
    assert site.asked("POST", "/tasks/") == []
    total.get_by_label("numbers").fill("")
    total.get_by_role("button", name="Run").click()
    expect(total.locator("pre")).to_contain_text("is required")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_has_no_accessibility_violation(docs: Page, width: int, scheme: Any) -> None:
    docs.set_viewport_size({"width": width, "height": 800})
    docs.emulate_media(color_scheme=scheme)
    docs.get_by_text("Try it").first.click()
    docs.get_by_text("Try it").last.click()
    assert violations(docs) == []
    assert docs.evaluate("document.documentElement.scrollWidth") <= width


def test_says_when_the_document_cannot_be_read(site: ScriptedSite, page: Page) -> None:
    page.goto(site.shows("docs.html", {"openapi_url": "/tasks/none.json", "task_api_base": "/tasks/"}))
    expect(page.get_by_role("status")).to_contain_text("/tasks/none.json answered 404")
