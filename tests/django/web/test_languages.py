"""The status page in other languages: whose it is, what is translated, and what is not."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils.translation import gettext

from django_integration.models import Job
from serverless_tasks.engine.job.clock import to_ms
from serverless_tasks.engine.job.record import Failure, Record
from serverless_tasks.engine.services import current_services
from tests.django.shop.background import SumNumbers

LOCALE = "django.middleware.locale.LocaleMiddleware"


def ms(text: str) -> int:
    return to_ms(datetime.fromisoformat(text).timestamp())


@pytest.fixture
def page(browser: Client, user: User) -> Callable[..., str]:
    """The status page of a record with these attributes."""

    def rendered(language: str | None = None, **given: Any) -> str:
        given = {"created": ms("2026-03-04T10:15:00Z"), "started": ms("2026-03-04T10:15:02Z")} | given
        record = Record(uuid=str(uuid4()), task="sum", owner=str(user.pk), **given)
        headers = {} if language is None else {"Accept-Language": language}
        with mock.patch.object(current_services().store, "read", return_value=record):
            return browser.get(f"/tasks/{record.uuid}/view/", headers=headers).content.decode()

    return rendered


@pytest.fixture
def german(settings: Any) -> None:
    settings.LANGUAGE_CODE = "de"
    settings.TIME_ZONE = "Europe/Berlin"


@pytest.mark.usefixtures("german")
class TestSiteInGerman:
    def test_its_pages_are_in_german_without_the_middleware(self, page: Callable[..., str]) -> None:
        shown = page("en", status="running", attempt=1)
        assert '<html lang="de" dir="ltr">' in shown
        assert "<title>sum: Läuft</title>" in shown
        assert "Hintergrundaufgabe" in shown
        assert "Aufgabe abbrechen" in shown

    def test_times_and_numbers_are_the_languages(self, page: Callable[..., str], settings: Any) -> None:
        settings.USE_THOUSAND_SEPARATOR = True
        shown = page(status="running", progress=1200, target=2400, attempt=1)
        assert ">4. März 2026, 11:15:00 CET</time>" in shown
        assert "1.200 von 2.400" in shown
        assert "50\u00a0%" in shown

    def test_attributes_and_json_are_as_in_every_language(
        self, page: Callable[..., str], settings: Any
    ) -> None:
        settings.USE_THOUSAND_SEPARATOR = True
        shown = page(status="running", progress=1200, target=2400, attempt=1)
        assert 'data-status="running"' in shown
        assert 'value="1200" max="2400"' in shown
        assert '"status": "running"' in shown
        assert 'datetime="2026-03-04T10:15:00.000Z"' in shown

    def test_what_a_task_says_is_not_translated(self, page: Callable[..., str]) -> None:
        failure = Failure(type="TaskError", message="Running out of paper")
        shown = page(status="failed", finished=ms("2026-03-04T10:16:00Z"), failure=failure)
        assert "Running out of paper" in shown
        assert "Fehlgeschlagen" in shown

    def test_the_json_interface_speaks_english(self, browser: Client, user: User) -> None:
        uuid = SumNumbers.options(owner=str(user.pk), on_commit=False).submit(numbers=[1]).uuid
        assert browser.get(f"/tasks/{uuid}/").json()["status"] == "pending"
        refused = browser.post("/tasks/", {"task": "unknown"}, content_type="application/json")
        assert refused.status_code == 400
        assert refused.json()["error"]["message"] == "No task is named 'unknown'."

    def test_the_page_of_all_tasks(self, browser: Client) -> None:
        shown = browser.get("/tasks/docs").content.decode()
        assert "<title>Aufgaben dieser Website</title>" in shown
        assert '<p data-text="list-of">Liste von {type}</p>' in shown

    def test_the_words_of_the_model_and_the_app(self) -> None:
        assert (str(Job._meta.verbose_name), str(Job._meta.verbose_name_plural)) == ("Job", "Jobs")
        assert str(Job._meta.app_config.verbose_name) == "Serverless Tasks"


class TestReadersLanguage:
    @pytest.fixture(autouse=True)
    def middleware(self, settings: Any) -> None:
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, LOCALE]

    @pytest.mark.parametrize("asked", ["de", "de-AT,de;q=0.8,en;q=0.5"])
    def test_the_page_is_in_the_language_that_is_asked_for(
        self, page: Callable[..., str], asked: str
    ) -> None:
        shown = page(asked, status="running", attempt=1)
        assert '<html lang="de" dir="ltr">' in shown
        assert "Läuft" in shown

    def test_a_language_from_right_to_left_turns_the_page_also_without_a_translation(
        self, page: Callable[..., str]
    ) -> None:
        shown = page("ar", status="running", attempt=1)
        assert '<html lang="ar" dir="rtl">' in shown
        assert "Background task" in shown

    def test_a_language_that_the_site_does_not_speak_is_the_sites_own(
        self, page: Callable[..., str], settings: Any
    ) -> None:
        settings.LANGUAGE_CODE = "de"
        assert '<html lang="de"' in page("tlh", status="running", attempt=1)

    def test_a_site_adds_and_replaces_translations(
        self, page: Callable[..., str], settings: Any, tmp_path: Any
    ) -> None:
        from infra.messages import compile_catalogue

        for language, text in (("fr", "Tâche de fond"), ("de", "Hintergrundjob")):
            catalogue = tmp_path / language / "LC_MESSAGES" / "django.po"
            catalogue.parent.mkdir(parents=True)
            catalogue.write_text(f'msgid "Background task"\nmsgstr "{text}"\n')
            compile_catalogue(catalogue)
        settings.LOCALE_PATHS = [str(tmp_path)]
        assert "Tâche de fond" in page("fr", status="running", attempt=1)
        shown = page("de", status="running", attempt=1)
        assert "Hintergrundjob" in shown
        assert "Läuft" in shown


@pytest.mark.usefixtures("german")
def test_another_apps_word_is_not_replaced_by_ours() -> None:
    """A member of a group is no member of a club."""
    assert gettext("Member") == "Member"
    assert gettext("Members") == "Members"
