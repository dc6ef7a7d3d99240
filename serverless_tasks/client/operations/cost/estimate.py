"""What a workload costs, from the model of what its jobs ask of AWS."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from serverless_tasks.client.operations.cost.model import dollars, usage_of

if TYPE_CHECKING:
    from serverless_tasks.client.operations.cost.model import Usage, Workload
    from serverless_tasks.client.operations.cost.prices import Prices

# Lambda polls each queue by five long polls of 20 seconds at least, of which those of an empty queue cost as well:
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
_QUEUES: Final = 3
_IDLE_POLLS: Final = _QUEUES * 5 * 30 * 86_400 / 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a workload costs.

    Attributes:
        workload: what is to be run.
        prices: the prices that were used.
        usage: what a job asks for.
        by_service: dollars a job, by service.
        idle: dollars a month for polling queues that are empty, at most.
    """

    workload: Workload
    prices: Prices
    usage: Usage
    by_service: dict[str, float]
    idle: float

    @property
    def a_job(self) -> float:
        """Dollars a job."""
        return sum(self.by_service.values())

    @property
    def a_month(self) -> float:
        """Dollars a month."""
        return self.a_job * self.workload.jobs

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "workload": asdict(self.workload),
            "prices": asdict(self.prices),
            "usage_per_job": asdict(self.usage),
            "dollars_per_job": {**self.by_service, "total": self.a_job},
            "dollars_per_month": {
                **{name: each * self.workload.jobs for name, each in self.by_service.items()},
                "total": self.a_month,
            },
            "idle_polling_per_month": self.idle,
        }


def estimate_of(workload: Workload, prices: Prices) -> Estimate:
    """Return what a workload costs at these prices."""
    usage = usage_of(workload)
    return Estimate(
        workload=workload,
        prices=prices,
        usage=usage,
        by_service=dollars(usage, prices),
        idle=_IDLE_POLLS * prices.sqs_requests / 1_000_000,
    )
