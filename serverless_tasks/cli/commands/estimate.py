"""The command `estimate`: what jobs will cost, before anything is deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from serverless_tasks.cli.output import Output
from serverless_tasks.cli.parameters import Json, PriceFile, Region
from serverless_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from serverless_tasks.client.operations.cost.estimate import Estimate

_SIZES = {"": 1, "b": 1, "kb": 1_000, "mb": 1_000_000, "kib": 1_024, "mib": 1_048_576}


def estimate(
    jobs: Annotated[float, typer.Option(min=0, help="Jobs a month: 1000000 or 1e6.")] = 1e6,
    inputs: Annotated[
        str, typer.Option(metavar="SIZE", help="The inputs of each, as JSON: 800, 10kB, 2MB.")
    ] = "1kB",
    seconds: Annotated[float, typer.Option(min=0, max=900, help="How long the task runs.")] = 1.0,
    memory: Annotated[int, typer.Option(min=128, max=10_240, help="MB of the worker function.")] = 512,
    batch: Annotated[
        float, typer.Option(min=1, max=10, help="Jobs in each batch of a worker; 1 where few come at a time.")
    ] = 1.0,
    retries: Annotated[
        float, typer.Option(min=0, max=100, help="Further attempts a job: 0.01 for one job of a hundred.")
    ] = 0.0,
    failures: Annotated[
        float, typer.Option(min=0, max=1, help="The share of jobs that fail in the end.")
    ] = 0.0,
    group: Annotated[
        int, typer.Option(min=0, max=40_000, help="Members of each group; 0 for jobs in no group.")
    ] = 0,
    updates: Annotated[
        float, typer.Option(min=0, max=900, help="Writes of progress a job: one a second at most.")
    ] = 0.0,
    track: Annotated[
        bool, typer.Option("--track/--no-track", help="Whether jobs are stored from their submission on.")
    ] = True,
    arm: Annotated[bool, typer.Option("--arm", help="An arm64 function.")] = False,
    compressed: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="What compressing leaves of inputs past 1 kB: a quarter of records, 0.4 of prose; 1 where it is off.",
        ),
    ] = 0.4,
    region: Region = None,
    prices: PriceFile = None,
    as_json: Json = False,
) -> None:
    """Estimate what jobs will cost a month, by service, from list prices and a model of what each asks of AWS."""
    output = Output(as_json)
    with output.errors():
        from serverless_tasks.client.operations.cost.estimate import estimate_of
        from serverless_tasks.client.operations.cost.model import Workload
        from serverless_tasks.client.operations.cost.prices import chosen_prices
        from serverless_tasks.engine.config import Config

        workload = Workload(
            jobs=jobs,
            inputs=_bytes(inputs),
            seconds=seconds,
            memory=memory,
            batch=batch,
            retries=retries,
            failures=failures,
            group=group,
            updates=updates,
            track=track,
            arm=arm,
            compressed=compressed,
        )
        used, _ = chosen_prices(region, prices, Config.from_environ().prices)
        made = estimate_of(workload, used)
        output.document(made.to_json(), _picture(made))


def _bytes(text: str) -> int:
    """Read a size.

    Raises:
        ConfigurationError: it is none.
    """
    number = text.strip().rstrip("abikmABIKM ")
    unit = text.strip()[len(number) :].strip().lower()
    try:
        size = float(number) * _SIZES[unit]
        if not 0 <= size <= 50_000_000:  # the largest inputs that a job may have
            raise ValueError(size)
    except (ValueError, KeyError):
        raise ConfigurationError(
            f"--inputs is {text!r}; expected a size up to 50MB, such as 800, 10kB or 2MB."
        ) from None
    return round(size)


def _picture(estimate: Estimate) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from serverless_tasks.engine.store.items import UNCOMPRESSED
    from serverless_tasks.engine.store.payloads import INLINE_INPUTS

    table = Table(box=None, pad_edge=False)
    table.add_column("service")
    for heading in ("a month", "a million jobs"):
        table.add_column(heading, justify="right")
    for name, each in estimate.by_service.items():
        table.add_row(name, _dollars(each * estimate.workload.jobs), _dollars(each * 1e6))
    table.add_row("together", _dollars(estimate.a_month), _dollars(estimate.a_job * 1e6), style="bold")
    usage, prices, idle = estimate.usage, estimate.prices, _dollars(estimate.idle)
    calls = f"{usage.sqs:.2f} requests of SQS, {usage.writes:.2f} write and {usage.reads:.2f} read units"
    lines = [
        f"A job: {calls}, {usage.gb_seconds:.3f} GB-seconds.",
        f"List prices of {prices.region} of {prices.date}, without free tiers; --prices sets others.",
        "Not included: storage, data transfer, cold starts, polls of status, alarms.",
        f"Lambda also polls queues that are empty, for at most {idle} a month.",
    ]
    workload = estimate.workload
    if workload.track and workload.compressed < 1 and UNCOMPRESSED < workload.inputs <= INLINE_INPUTS:
        left = f"{workload.compressed:g} of their size"
        lines.insert(1, f"Inputs are stored compressed, to {left}; --compressed sets that.")
    return Group(table, Text(""), *map(Text, lines))


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}"
