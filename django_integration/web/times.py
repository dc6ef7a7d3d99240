"""Times of records as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

from django.utils.timezone import localtime


def local_time(milliseconds: int) -> datetime:
    """Return a time of a record, in milliseconds since the epoch, in the site's time zone."""
    return localtime(datetime.fromtimestamp(milliseconds / 1000, UTC))
