"""``{% load job_pages %}``: statuses and times as the pages show them, in the page's language."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from django import template
from django.utils.dateformat import format as format_time
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.timezone import localtime
from django.utils.translation import gettext, gettext_lazy

from django_integration.web.timeline import outcome_word
from django_integration.web.times import local_time
from serverless_tasks.engine.job.record import CANCELLED, FAILED, PENDING, RUNNING, SUCCEEDED

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise
    from django.utils.safestring import SafeString

register = template.Library()

# The statuses themselves are in attributes and in JSON; people read these.
STATUS_WORDS: Final[dict[str, _StrPromise]] = {
    PENDING: gettext_lazy("Pending"),
    RUNNING: gettext_lazy("Running"),
    SUCCEEDED: gettext_lazy("Succeeded"),
    FAILED: gettext_lazy("Failed"),
    CANCELLED: gettext_lazy("Cancelled"),
}

register.filter(outcome_word)


@register.filter
def status_word(status: str) -> str:
    """Return the word for a status; one that is not known stands for itself."""
    return str(STATUS_WORDS.get(status, status.capitalize()))


@register.simple_tag
def status_words() -> list[tuple[str, str]]:
    """Return each status and the word for it, for scripts."""
    return [(status, str(word)) for status, word in STATUS_WORDS.items()]


@register.filter
def moment_text(when: datetime | str | None) -> str:
    """Return a time in the site's zone, to the second and with the zone; "" for no time.

    Args:
        when: a time that knows its zone, or such a time in ISO 8601.
    """
    if not when:
        return ""
    local = localtime(datetime.fromisoformat(when) if isinstance(when, str) else when)
    # The time formats of Django's languages have neither seconds nor a zone.
    parts = {"date": date_format(local, "DATE_FORMAT"), "time": format_time(local, "H:i:s T")}
    return gettext("%(date)s, %(time)s") % parts


@register.filter
def moment(when: datetime | str | int | None) -> SafeString | str:
    """Return a time as `moment_text` does, in an element that has it in ISO 8601 as well; "" for no time.

    Args:
        when: as for `moment_text`, or milliseconds since the epoch.
    """
    if not when:
        return ""
    if isinstance(when, int):
        when = local_time(when)
    exact = when if isinstance(when, str) else when.isoformat()
    return format_html('<time datetime="{}">{}</time>', exact, moment_text(when))
