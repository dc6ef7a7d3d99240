"""The twelve tasks of the shop. Running one takes no time: it moves the clock, and ends as its inputs say."""

from __future__ import annotations

import logging
from typing import Any

from serverless_tasks import Task, TaskError
from serverless_tasks.params import FloatParameter, IntParameter, StringParameter
from serverless_tasks.testing import MovableClock

# The time that the tasks take their seconds from.
clock = MovableClock()
log = logging.getLogger("shop")


# Seconds from which on a task says how long it took.
SLOW = 5.0


class GatewayDown(Exception):
    """The payment gateway refuses connections."""


class StockConflict(Exception):
    """Two warehouses have the same article."""


class AddressUnknown(TaskError):
    """The carrier does not know an address."""


def charge(number: int) -> None:
    """Fail as the payment gateway does while it is down."""
    raise GatewayDown(f"connection to gateway-{number % 3}.internal:8443 refused after {number % 900} ms")


def reserve(number: int) -> None:
    """Fail as the warehouse does now and then."""
    raise StockConflict(f"article {number} is held by warehouse {number % 7}")


def address(number: int) -> None:
    """Fail as the carrier does now and then."""
    raise AddressUnknown(f"The carrier does not know the address of order {number}.")


_FAILURES = {"gateway": charge, "stock": reserve, "address": address}


class _Shop:
    inputs: Any = {
        "number": IntParameter(),
        "seconds": FloatParameter(),
        "fails": StringParameter(required=False),
    }
    outputs: Any = {"number": IntParameter()}

    def run(self, number: int, seconds: float, fails: str = "") -> int:
        if fails:
            self.add_message(f"order {number} is tried")  # type: ignore[attr-defined]
            log.warning("order %s is tried", number)
        clock.move(seconds)
        if fails:
            _FAILURES[fails](number)
        if seconds > SLOW:
            log.warning("%s took %.1f s for number %s", type(self).__name__, seconds, number)
        return number


class ChargeCard(_Shop, Task):
    """Charge a card by the payment gateway."""

    name, queue, retries, backoff = "billing.charge_card", "high", 2, 30


class SendInvoice(_Shop, Task):
    """Send an invoice."""

    name, queue, retries = "billing.send_invoice", "default", 1


class Refund(_Shop, Task):
    """Give money back by the payment gateway."""

    name, queue, retries = "billing.refund", "high", 2


class ReserveStock(_Shop, Task):
    """Reserve an article."""

    name, queue, retries = "stock.reserve", "high", 1


class SyncStock(_Shop, Task):
    """Compare the stock with the warehouses."""

    name, queue = "stock.sync", "default"


class PrintLabel(_Shop, Task):
    """Print the label of a parcel."""

    name, queue = "shipping.print_label", "default"


class TrackParcel(_Shop, Task):
    """Ask the carrier for a parcel."""

    name, queue = "shipping.track_parcel", "low"


class Newsletter(_Shop, Task):
    """Send one newsletter."""

    name, queue = "mail.newsletter", "low"


class Receipt(_Shop, Task):
    """Send a receipt."""

    name, queue, retries = "mail.receipt", "default", 3


class ResizePhoto(_Shop, Task):
    """Resize a photo."""

    name, queue = "photos.resize", "low"


class MonthlyReport(_Shop, Task):
    """Add up a month."""

    name, queue = "reports.monthly", "low"


class SearchIndex(_Shop, Task):
    """Index an article."""

    name, queue = "search.index", "default"
