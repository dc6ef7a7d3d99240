"""Numbers as people read them on the pages, in the page's language."""

from __future__ import annotations

from django.utils.formats import number_format
from django.utils.translation import gettext


def count_text(value: float) -> str:
    """Return a whole number, its digits grouped."""
    return str(number_format(round(value), 0, force_grouping=True))


def decimal_text(value: float, places: int = 2) -> str:
    """Return a number with so many decimal places, its digits grouped."""
    return str(number_format(f"{value:.{places}f}", places, force_grouping=True))


def percent_text(part: float | None, places: int | None = None) -> str:
    """Return a part (from 0 to 1) in percent; "-" for none.

    Args:
        part: the part.
        places: decimal places; None for one where the part is small.
    """
    if part is None:
        return "-"
    if places is None:
        places = 1 if 0 < part < 0.0995 else 0
    return gettext("%(percent)s%%") % {"percent": decimal_text(part * 100, places)}


def seconds_text(value: float | None) -> str:
    """Return a length of time in its most fitting unit, to two or three digits; "-" for none."""
    if value is None:
        return "-"
    if value == 0:
        return gettext("%(count)s s") % {"count": 0}
    if value < 0.9995:
        return gettext("%(count)s ms") % {"count": decimal_text(value * 1000, 1 if value < 0.00995 else 0)}
    if value < 119.5:
        return gettext("%(count)s s") % {"count": _short(value)}
    if value < 7170:
        return gettext("%(count)s min") % {"count": _short(value / 60)}
    return gettext("%(count)s h") % {"count": _short(value / 3600)}


def _short(value: float) -> str:
    """Return a number with a decimal place where it has one and is below ten."""
    return decimal_text(value, 1 if value < 9.95 and round(value, 1) % 1 else 0)


def money_text(dollars: float) -> str:
    """Return dollars to the cent, and small sums to two figures."""
    if not dollars:
        return gettext("$%(amount)s") % {"amount": "0"}
    if dollars < 0.000_05:
        return gettext("less than $%(amount)s") % {"amount": decimal_text(0.0001, 4)}
    places = 2 if dollars >= 0.995 else 3 if dollars >= 0.0095 else 4
    return gettext("$%(amount)s") % {"amount": decimal_text(dollars, places)}
