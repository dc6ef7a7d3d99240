"""The admin's pages of groups in German."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from serverless_tasks.workflow import group
from tests.django.admin.test_admin import LIST, text
from tests.django.admin.test_groups import failing, numbers, submit

pytestmark = pytest.mark.usefixtures("scheduling", "german")


@pytest.fixture
def german(settings: Any) -> None:
    settings.LANGUAGE_CODE = "de"


@pytest.fixture
def failed(work: Callable[[], int], db: None) -> str:
    """A group of which two members succeeded and one failed."""
    uuid = submit(group(numbers(1, 2) + failing(1), name="nightly").then(numbers(3)[0])).uuid
    work()
    return uuid


def test_the_page_of_a_group(operator: Client, failed: str) -> None:
    page = text(operator.get(f"{LIST}{failed}/"))
    assert re.search(r"Fehlgeschlagen .*Teiljobs: 3 von 3 beendet", page)
    assert re.search(r"100\s% Erfolgreich 2 Fehlgeschlagen 1 Abgebrochen 0", page)
    assert "Nicht übermittelt, da nicht alle Teiljobs erfolgreich waren" in page
    assert "Fehlgeschlagene Teiljobs wiederholen" in page


def test_statuses_in_links_and_attributes_are_as_in_every_language(operator: Client, failed: str) -> None:
    page = operator.get(f"{LIST}{failed}/").content.decode()
    assert "?status=failed" in page
    assert 'data-field="succeeded"' in page
    assert operator.get(f"{LIST}live/?uuid={failed}").json()[failed]["status"] == "failed"


def test_the_members_of_a_group(operator: Client, failed: str) -> None:
    page = text(operator.get(f"{LIST}{failed}/members/"))
    assert "Teiljob Aufgabe Status Fehler Fortschritt" in page
    assert "3 Teiljobs" in page
    assert "1 Teiljob" in text(operator.get(f"{LIST}{failed}/members/?status=failed"))
    assert "Keine Teiljobs mit diesem Status." in text(
        operator.get(f"{LIST}{failed}/members/?status=cancelled")
    )


def test_the_question_before_members_are_submitted_again(operator: Client, failed: str) -> None:
    page = text(operator.get(f"{LIST}{failed}/retry-failed/"))
    assert "(1 fehlgeschlagen, 0 abgebrochen) in einer neuen Gruppe erneut übermitteln?" in page
    assert "2 erfolgreiche Teiljobs werden nicht erneut ausgeführt" in page
    assert "Nein, bitte abbrechen" in page  # a text of Django's own


def test_the_index_of_the_admin_names_the_jobs(operator: Client) -> None:
    page = text(operator.get("/admin/"))
    assert re.search(r"Serverless Tasks .*Jobs", page)
