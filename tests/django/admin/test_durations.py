"""Lengths of time on the admin's pages, in the page's language."""

import pytest
from django.utils.translation import override

from django_integration.admin.insight.numbers import seconds_text
from django_integration.admin.rows import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (4.24, "4.2 s"),
        (59.9, "59 s"),
        (185, "3 min 5 s"),
        (7800, "2 h 10 min"),
        (349_200, "4 d 1 h"),
    ],
)
def test_the_two_largest_units(seconds: float, text: str) -> None:
    with override("en"):
        assert duration(seconds) == text


def test_numbers_are_the_languages() -> None:
    with override("de"):
        assert duration(4.24) == "4,2 s"
        assert duration(3_600 * 24 * 1_200) == "1.200 d 0 h"
        assert seconds_text(0.0052) == "5,2 ms"
