"""The OpenAPI document of a site with tasks that are hard to describe: it is served, JSON, and valid."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.support.corner_schemas import SOUND, UNSOUND

ROOT = Path(__file__).resolve().parents[3]
# A site of its own: the tasks are registered before its URLs are made.
SITE = """
import json
import sys
from django.conf import settings
settings.configure(
    DEBUG=True,
    SECRET_KEY="not a secret",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF="tests.django.urls",
    INSTALLED_APPS=["django.contrib.staticfiles", "django_integration"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    STATIC_URL="/static/",
    SERVERLESS_TASKS={"BACKEND": "immediate", "MODULES": ["tests.support.corner_schemas"]},
    TASKS_API_AUTHENTICATION=None,
)
import django
django.setup()
from django.core.checks import run_checks
from django.test import Client, override_settings
from tests.support.corner_schemas import SOUND, UNSOUND
client = Client()
with override_settings(TASK_API_BACKGROUND_TASKS=[*SOUND.values(), *UNSOUND.values()]):
    checks = [[message.id, message.msg] for message in run_checks()]
    ours = client.get("/tasks/openapi.json").content.decode()
    page = client.get("/tasks/docs").status_code
with override_settings(ROOT_URLCONF="tests.django.own_urls"):
    own = client.get("/own/openapi.json").content.decode()
json.dump({"ours": ours, "own": own, "page": page, "checks": checks}, sys.stdout)
"""


@pytest.fixture(scope="module")
def served() -> Any:
    done = subprocess.run([sys.executable, "-c", SITE], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def strictly(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("which", ["ours", "own"])
def test_it_is_valid(served: Any, which: str) -> None:
    document = strictly(served[which])
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


@pytest.mark.parametrize("which", ["ours", "own"])
def test_all_that_it_refers_to_is_in_it(served: Any, which: str) -> None:
    document = strictly(served[which])
    parts = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    found: set[str] = set()

    def look(part: Any) -> None:
        if isinstance(part, dict):
            discriminator = part.get("discriminator")
            mapping = discriminator.get("mapping") if isinstance(discriminator, dict) else None
            found.update(mapping.values() if isinstance(mapping, dict) else ())
            if isinstance(part.get("$ref"), str):
                found.add(part["$ref"])
        for value in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            look(value)

    look(document["paths"])
    look(document["components"])
    assert found - {"b"} <= parts  # what one of the tasks has as a default, and looks like a mapping


def test_every_task_that_can_be_described_is_in_it(served: Any) -> None:
    document = strictly(served["ours"])
    one_of = document["paths"]["/tasks/"]["post"]["requestBody"]["content"]["application/json"]["schema"][
        "oneOf"
    ]
    parts = document["components"]["schemas"]
    names = {parts[each["$ref"].split("/")[-1]]["properties"]["task"]["const"] for each in one_of}
    assert names == set(SOUND)
    typed = {name for name, task in SOUND.items() if task.params_model is not None}
    assert {name for name in [*SOUND, *UNSOUND] if f"/tasks/{name}/" in document["paths"]} == typed
    assert {name for name in [*SOUND, *UNSOUND] if f"/tasks/{name}/run" in document["paths"]} == typed


def test_a_model_named_as_one_of_ours_does_not_take_its_place(served: Any) -> None:
    general = strictly(served["ours"])["components"]["schemas"]["RecordBody"]
    assert "uuid" in general["properties"]


def test_ids_of_calls_are_unique(served: Any) -> None:
    paths = strictly(served["ours"])["paths"]
    assert (
        paths["/tasks/model.root/"]["post"]["operationId"]
        != paths["/tasks/model_root/"]["post"]["operationId"]
    )


def test_a_task_that_is_left_out_is_named_by_a_check(served: Any) -> None:
    told = [sentence for number, sentence in served["checks"] if number == "serverless_tasks.W012"]
    assert len(told) == len(UNSOUND)
    for name in UNSOUND:
        (sentence,) = [each for each in told if repr(name) in each]
        assert "have no JSON Schema: " in sentence


def test_its_page_is_served(served: Any) -> None:
    assert served["page"] == 200


def test_a_project_of_its_own_shows_what_it_can(served: Any) -> None:
    document = strictly(served["own"])
    for name in ("model.default-inf", "model.enum-object"):
        assert f"/own/jobs/{name}/" in document["paths"]
