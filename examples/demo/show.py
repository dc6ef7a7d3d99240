"""The demo itself: tasks and workflows, what is seen of each on the way, and whether that is as it should be."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

import serverless_tasks
from examples import workflows
from examples.demo import http, samples
from examples.demo.local import Local
from examples.tasks.rates import DATABASE
from serverless_tasks import Record, TaskClient
from serverless_tasks.client.operations.cost.estimate import estimate_of
from serverless_tasks.client.operations.cost.model import Workload
from serverless_tasks.client.operations.cost.prices import prices_of
from serverless_tasks.engine.services import reset

SHOPS = 200
NEXT = (
    ("the same in a browser", "make serve"),
    ("the tasks that ran", "examples/tasks, examples/workflows.py"),
    ("a project of your own", "serverless-tasks init, README.md (Quick start)"),
    ("writing tasks, and workflows", "docs/tasks.md, docs/workflows.md"),
    ("what runs twice, and may it", "docs/reliability.md, docs/testing.md"),
    ("on AWS, and what it costs", "docs/deployment.md, docs/performance.md"),
)


class Show:
    """Runs tasks over HTTP and shows them.

    Args:
        console: where to show.
        local: the stack that runs.
    """

    def __init__(self, console: Console, local: Local) -> None:
        self.console = console
        self.local = local
        self.wrong: list[str] = []

    def everything(self) -> int:
        """Show it all; the exit code."""
        self.console.print(f"[bold]The example site runs at {self.local.site}[/]; a task goes")
        self.console.print("[dim]HTTP -> Django -> SQS -> worker handler -> DynamoDB -> Django -> HTTP[/]\n")
        self.columns()
        self.thumbnail()
        self.failure()
        self.refusal()
        self.workflows()
        return self.end()

    def workflows(self) -> None:
        """Groups and chains, submitted from Python."""
        with self._stack():
            self.report()
            self.broken_chain()
            self.retry()

    def end(self) -> int:
        """Tell whether all was as it should be, and where to look next; the exit code."""
        if self.wrong:
            self.console.print("\n[red bold]Not as it should be:[/]")
            for fault in self.wrong:
                self.console.print(f"  {fault}", markup=False)
            self.console.print(Text(self.local.log.read_text()[-4000:], style="dim"))
            return 1
        self.console.print("\n[bold green]All as it should be.[/] Where to look next:")
        for what, where in NEXT:
            self.console.print(f"  {what:<28} [cyan]{where}[/]", soft_wrap=True)
        return 0

    def columns(self) -> None:
        """A task in dictionary style, with progress."""
        rows = samples.ROWS
        seen = self._summarise(rows)
        if not _on_its_way(seen):
            # Progress is written once a second: a machine that needs no longer gets more to do.
            rows *= 2
            seen = self._summarise(rows)
        self.expect(_on_its_way(seen), "summarise-columns showed no progress on its way")
        last = seen[-1]
        self.expect(last["status"] == "succeeded", f"summarise-columns {last['status']}: {last['error']}")
        self.expect(last["outputs"].get("rows") == rows, f"summarise-columns gave {last['outputs']}")
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name in ("column", "kind", "distinct", "empty"):
            table.add_column(name, justify="right" if name in ("distinct", "empty") else "left")
        for column in last["outputs"].get("columns", ()):
            more = "+" if column["distinct_is_least"] else ""
            table.add_row(
                column["name"], column["kind"], f"{column['distinct']:,}{more}", f"{column['empty']:,}"
            )
        self.console.print(table)

    def thumbnail(self) -> None:
        """A task in pydantic style."""
        last = self.follow("make-thumbnail", {"image": samples.picture(), "width": 320, "height": 320})[-1]
        self.expect(last["status"] == "succeeded", f"make-thumbnail {last['status']}: {last['error']}")
        made = last["outputs"]
        self.expect((made.get("width"), made.get("height")) == (320, 200), "the thumbnail has the wrong size")
        if made:
            self.console.print(
                f"{made['original_width']} x {made['original_height']}, {made['original_size']:,} bytes ->"
                f" {made['width']} x {made['height']} {made['media_type']}, {made['size']:,} bytes",
                markup=False,
            )

    def failure(self) -> None:
        """A task that fails with a reason for its user."""
        last = self.follow("make-thumbnail", {"image": samples.no_picture()})[-1]
        error = last["error"] or {}
        self.expect(last["status"] == "failed", f"a file that is no picture {last['status']}")
        self.expect("not a picture" in error.get("message", ""), f"its reason is {error}")
        self.console.print(Text(f"{error.get('type')}: {error.get('message')}", style="red"))

    def refusal(self) -> None:
        """Inputs that are refused before anything is published."""
        self._title("sum", "an input that is no number")
        try:
            http.submit(self.local.site, "sum", {"numbers": ["one"]})
        except http.Refused as refused:
            fields = [each["field"] for each in refused.body["error"].get("fields", ())]
            self.expect((refused.status, fields) == (400, ["numbers"]), f"the refusal was {refused.body}")
            self.console.print(Text(str(refused), style="red"))
        else:
            self.expect(False, "an input that is no number was taken")

    def report(self) -> None:
        """A group: the files of 200 shops, and one report when the last has been read."""
        self._title("sales", f"{SHOPS} files, and a report of all: a group is submitted from Python")
        handle = workflows.report_sales("June", samples.sales(SHOPS))
        last = self._bar(handle.record.to_json())[-1]
        self.expect(last["status"] == "succeeded", f"the group {last['status']}: {last['error']}")
        self.expect(last["members"]["succeeded"] == SHOPS, f"its members: {last['members']}")
        following = last["outputs"].get("continuation")
        self.expect(following is not None, "no report followed the group")
        if following is not None:
            *_, report = http.records(self.local.site, following)
            outputs = report["outputs"]
            self.expect(outputs.get("title") == f"June: {SHOPS} shops", f"the report was {outputs}")
            self.console.print(
                f"{outputs.get('title')}, total {outputs.get('total'):,}, best {', '.join(outputs.get('best', ()))}",
                markup=False,
            )
        self.cost(handle.uuid)

    def cost(self, group: str) -> None:
        """The price of the group on AWS, reckoned from how long its members ran."""
        ran = [_seconds(record) for record in TaskClient().members(group)]
        self.expect(len(ran) == SHOPS, f"{len(ran)} members have ended")
        sizes = [len(json.dumps({"shop": shop, "text": text})) for shop, text in samples.sales(SHOPS).items()]
        workload = Workload(
            jobs=SHOPS, inputs=sum(sizes) // SHOPS, seconds=sum(ran) / SHOPS, group=SHOPS, owner=False
        )
        found = estimate_of(workload, prices_of(None))
        self.expect(0 < found.a_month < 0.01, f"the group is to cost {found.a_month}")
        shares = ", ".join(
            f"{service} {each / found.a_job:.0%}" for service, each in found.by_service.items() if each
        )
        self.console.print(
            f"On AWS its {SHOPS} jobs cost ${found.a_month:.5f} by list price, ${found.a_job * 1e6:.2f} a million"
            f" ({shares}).",
            soft_wrap=True,
        )
        self.console.print(
            "[dim]`serverless-tasks cost --stack NAME` says what tasks have cost, `estimate` what they would.[/]",
            soft_wrap=True,
        )

    def broken_chain(self) -> None:
        """A chain whose middle fails: what comes after it is not run."""
        self._title("rates", "fetch, parse and store: a chain, whose document has a rate that is none")
        handle = workflows.import_rates(samples.broken_rates())
        last = self._bar(handle.record.to_json())[-1]
        self.expect(last["status"] == "failed", f"the chain {last['status']}")
        self._steps(handle.uuid, ["succeeded", "failed", "cancelled"])

    def retry(self) -> None:
        """A retry: the cause is mended, and what has not succeeded runs again."""
        self._title("rates", "good rates, but no database; then the cause is mended and the chain retried")
        in_the_way = self.local.folder / DATABASE.name
        in_the_way.mkdir()
        handle = workflows.import_rates(samples.rates())
        last = self._bar(handle.record.to_json())[-1]
        self.expect(last["status"] == "failed", f"the chain without its database {last['status']}")
        before = self._steps(handle.uuid, ["succeeded", "succeeded", "failed"])
        in_the_way.rmdir()
        again = handle.retry_failed()
        self.console.print(f"  serverless-tasks retry {handle.uuid}", style="cyan", soft_wrap=True)
        last = self._bar(again.record.to_json())[-1]
        self.expect(last["status"] == "succeeded", f"its retry {last['status']}: {last['error']}")
        after = self._steps(again.uuid, ["succeeded"] * 3)
        self.expect(before[:2] == after[:2], "steps that had succeeded ran again")
        self.console.print("[dim]  The first two did not run again.[/]")

    def _steps(self, chain: str, expected: list[str]) -> list[str]:
        steps = list(TaskClient().members(chain))
        statuses = [step.status for step in steps]
        self.expect(statuses == expected, f"the steps of the chain {statuses}")
        for step in steps:
            reason = f"{step.error['type']}: {step.error['message']}" if step.error else ""
            self.console.print(Text(f"  {step.task} {step.status} ") + Text(reason, style="red"))
        return [step.uuid for step in steps]

    @contextmanager
    def _stack(self) -> Iterator[None]:
        """Let this process submit to the stack, as any of its scripts would."""
        before = dict(os.environ)
        os.environ.update(self.local.environment)
        serverless_tasks.configure()
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
            reset()

    def _summarise(self, rows: int) -> list[dict[str, Any]]:
        text = samples.weather(rows)
        return self.follow("summarise-columns", {"text": text}, unit=lambda size: f"{size / 1e6:.1f} MB")

    def follow(self, task: str, inputs: dict[str, Any], unit: Any = "{:g}".format) -> list[dict[str, Any]]:
        """Submit a task and show it until it has ended; every record that was seen."""
        size = sum(len(value) for value in inputs.values() if isinstance(value, str))
        self._title(task, f"{size:,} bytes of input")
        return self._bar(http.submit(self.local.site, task, inputs), unit)

    def _bar(self, first: dict[str, Any], unit: Any = "{:g}".format) -> list[dict[str, Any]]:
        """Show a job that was submitted until it has ended; every record that was seen."""
        seen = [first]
        columns = (
            TextColumn("{task.description:<10}"),
            BarColumn(40, complete_style="cyan", finished_style="green"),
            TextColumn("{task.fields[far]}", markup=False),
        )
        with Progress(*columns, console=self.console) as progress:
            bar = progress.add_task(first["status"], total=None, far="")
            told = 0
            for record in http.records(self.local.site, first["uuid"]):
                seen.append(record)
                for message in record["messages"][told:]:
                    self.console.print(Text(f"  {message}", style="dim"))
                told = len(record["messages"])
                target = record["target"]
                far = f"{unit(record['progress'])} of {unit(target)}" if target else ""
                progress.update(
                    bar, description=record["status"], total=target, completed=record["progress"], far=far
                )
                if not self.console.is_terminal and target:
                    self.console.print(f"  {record['status']} {record['progress'] / target:.0%}")
        return seen

    def expect(self, holds: bool, otherwise: str) -> None:
        """Note what is not as it should be."""
        if not holds:
            self.wrong.append(otherwise)

    def _title(self, task: str, about: str) -> None:
        self.console.print(f"\n[bold]{task}[/] [dim]{about}[/]")


def _seconds(record: Record) -> float:
    """The time that a job ran."""
    ended = record.to_json()
    times = [datetime.fromisoformat(ended[name]).timestamp() for name in ("started", "finished")]
    return times[1] - times[0]


def _on_its_way(seen: list[dict[str, Any]]) -> bool:
    """Whether any of the records shows a task that has done neither nothing nor all."""
    return any(record["target"] and 0 < record["progress"] < record["target"] for record in seen)
