"""Statuses and times as the pages show them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.template import Context, Template
from django.utils.translation import override

from django_integration.templatetags.job_pages import moment, moment_text, status_word, status_words

WHEN = datetime(2026, 3, 4, 10, 15, 2, 250_000, tzinfo=UTC)


@pytest.fixture(autouse=True)
def zone(settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "March 4, 2026, 11:15:02 CET"),
        ("en-gb", "4 Mar 2026, 11:15:02 CET"),
        ("de", "4. März 2026, 11:15:02 CET"),
        ("ar", "4 مارس، 2026, 11:15:02 CET"),
    ],
)
def test_a_time_has_seconds_and_its_zone_in_every_language(language: str, text: str) -> None:
    with override(language):
        assert moment_text(WHEN) == text


@pytest.mark.parametrize("given", ["2026-03-04T10:15:02.250Z", "2026-03-04T04:15:02-06:00"])
def test_a_time_of_a_record_is_shown_in_the_sites_zone(given: str) -> None:
    assert moment(given) == f'<time datetime="{given}">March 4, 2026, 11:15:02 CET</time>'


def test_a_time_in_milliseconds_is_one_too() -> None:
    shown = '<time datetime="2026-03-04T11:15:02.250000+01:00">March 4, 2026, 11:15:02 CET</time>'
    assert moment(1_772_619_302_250) == shown


def test_the_zone_is_that_of_the_season() -> None:
    assert moment_text("2026-08-04T10:15:02Z") == "Aug. 4, 2026, 12:15:02 CEST"


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_time_is_no_text(nothing: str | None) -> None:
    assert (moment(nothing), moment_text(nothing)) == ("", "")


def test_a_page_that_leaves_numbers_alone_still_has_the_languages_dates() -> None:
    page = Template("{% load l10n job_pages %}{% localize off %}{{ when|moment_text }}{% endlocalize %}")
    with override("de"):
        assert page.render(Context({"when": WHEN})) == "4. März 2026, 11:15:02 CET"


def test_a_status_has_a_word_and_an_unknown_one_is_shown_as_it_is() -> None:
    with override("de"):
        assert status_word("running") == "Läuft"
        assert status_word("paused") == "Paused"
        assert ("failed", "Fehlgeschlagen") in status_words()
