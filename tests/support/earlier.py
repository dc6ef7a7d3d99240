"""The tasks of `tests/events/locks_of_given_inputs.json`: rows of when inputs were compared as they were given.

The file holds the table's items after `submit_all`, run with the code of commit a055bd7 at `NOW`.
"""

from uuid import UUID, uuid4

from pydantic import BaseModel, Field

from serverless_tasks import Handle, Task
from serverless_tasks.engine.services import Services
from serverless_tasks.engine.submit.options import Options
from serverless_tasks.engine.submit.submission import Submission, submit_json
from serverless_tasks.params import IntParameter

NOW = 1_790_000_000.0


class Count(Task):
    name = "count"
    inputs = {"n": IntParameter()}

    def run(self, n: int) -> None:
        return None


class CountOnce(Count):
    name = "count-once"
    unique = True


class Order(BaseModel):
    order: int
    currency: str = "EUR"
    payment: UUID = Field(default_factory=uuid4)


class Charge(Task[Order]):
    name = "charge"

    def run(self) -> str:
        return str(self.params.payment)


class ChargeOnce(Charge):
    name = "charge-once"
    unique = True


TASKS = (Count, CountOnce, Charge, ChargeOnce)


def options(number: int, **given: object) -> Options:
    """Those of the job of a number, whose id is made of it."""
    return Options.parse({"uuid": f"0b0e64f7-7d0b-4d6c-8a3a-{number:012}", "owner": "7", **given})


def submit_all(services: Services) -> list[Handle]:
    """What was submitted then."""
    month = {"idempotency_ttl": 25 * 86_400}
    return [
        submit_json(services, "count", {"n": "1"}, options(1, idempotency_key="http", **month)),
        Submission(Count, options(2, idempotency_key="python", **month), services).submit(n="1"),
        submit_json(services, "charge", {"order": "5"}, options(3, idempotency_key="charge", **month)),
        submit_json(services, "count-once", {"n": "1"}, options(4)),
        submit_json(services, "charge-once", {"order": 5}, options(5)),
        Submission(CountOnce, options(6), services).submit(n=2),
    ]
