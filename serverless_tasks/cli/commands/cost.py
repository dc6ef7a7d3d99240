"""The command `cost`: what tasks have cost."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from serverless_tasks.cli.output import Output
from serverless_tasks.cli.parameters import Json, PriceFile, Region, Since, Stack, Until
from serverless_tasks.cli.session import connect
from serverless_tasks.cli.times import span


class By(StrEnum):
    """The sorts of lines."""

    TASK = "task"
    OWNER = "owner"
    TENANT = "tenant"


def cost(
    task: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this task.", show_default=False)
    ] = None,
    by: Annotated[
        By, typer.Option(help="A line for each; owners and tenants are estimated from a sample of jobs.")
    ] = By.TASK,
    since: Since = "7d",
    until: Until = None,
    region: Region = None,
    prices: PriceFile = None,
    stack: Stack = None,
    as_json: Json = False,
) -> None:
    """Print what tasks have cost, from what workers have counted and list prices."""
    from serverless_tasks.cli.insight.costs import costs_table, sample_table, task_picture
    from serverless_tasks.client.operations.cost.costs import costs_of, region_of
    from serverless_tasks.client.operations.cost.prices import chosen_prices
    from serverless_tasks.client.operations.cost.sample import sample_costs
    from serverless_tasks.client.operations.statistics import known_tasks

    output = Output(as_json)
    with output.errors():
        session = connect(stack)
        services = session.client.services
        used, place = chosen_prices(region, prices, services.config.prices)
        found = costs_of(
            services.statistics_store,
            known_tasks(services) if task is None else [task],
            used,
            **span(since, until, session.clock.now()),
            prices_from=place,
            region=region_of(services),
        )
        if by is not By.TASK:
            sample = sample_costs(services.store, found, by)
            output.document({**found.to_json(), "sample": sample.to_json()}, sample_table(found, sample))
        elif task is not None and found.tasks:
            output.document(found.to_json(), task_picture(found))
        else:
            output.document(found.to_json(), costs_table(found))
