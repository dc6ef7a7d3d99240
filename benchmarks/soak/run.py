"""One run: MiniStack, the template's queues and table on it, workers, jobs, and the wait for their ends."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.soak import diary
from benchmarks.soak.network import disturb
from benchmarks.soak.submission import submit
from benchmarks.soak.verdict import Seen, Verdict, judge, seen
from benchmarks.soak.workers import Workers
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.services import Services
from serverless_tasks.local.aws.stack import create_stack
from serverless_tasks.local.aws.template import read_template
from serverless_tasks.local.environment import local_environment
from tests.support.ministack import ROOT, ministack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.soak.plan import Plan
    from serverless_tasks.engine.job.record import Record

# Seconds between two looks at the diary, and at the queues.
_LOOK = 0.02
_ASK = 2.0
_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run came to.

    Attributes:
        verdict: the counts that must be zero.
        seen: what the run went through.
        kills: worker processes that were killed while they ran a task, or counted the members of groups.
        crashes: worker processes that ended although nobody killed them.
        seconds: from the first submit until nothing was left in the queues.
        seconds_until_90: until nine of ten jobs had ended.
    """

    verdict: Verdict
    seen: Seen
    kills: int
    crashes: int
    seconds: float
    seconds_until_90: float


def run(plan: Plan, directory: Path, say: Callable[[str], None]) -> Result:
    """Run a plan.

    Args:
        plan: what to do.
        directory: an empty one, for state and logs.
        say: is told how far it is, about every ten seconds.

    Raises:
        MissingTool: MiniStack is not installed.
        ConfigurationError: the template's resources could not be made.
    """
    path = directory / "diary"
    more = {diary.VARIABLE: str(path), "POWERTOOLS_LOG_LEVEL": "WARNING"}
    with ministack(directory / "ministack") as endpoint, local_environment({}):
        template = read_template(ROOT / "template.yaml")
        stack = create_stack(endpoint, template, modules=["benchmarks.soak.tasks"])
        with local_environment({**stack.environment, **more}):
            observer = Observer(Config.from_environ())
            session.reset()
            disturb(plan.throttles, f"submitter {plan.seed}")
            with Workers(plan, directory / "workers.log") as workers:
                return _Run(plan, workers, diary.Reader(path), observer, say).to_the_end()


class Observer:
    """Looks at the table and the queues with clients of its own, which nobody throttles.

    Args:
        config: where they are.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._store = Services(config).store
        self._sqs = session.client("sqs")

    def records(self, uuids: Sequence[str]) -> dict[str, Record]:
        """The records of jobs."""
        return self._store.read_many(uuids)

    def drained(self) -> bool:
        """Whether nothing is left in the tasks' queues, hidden messages counted."""
        return not any(map(self._messages, self._config.queue_urls.values()))

    def messages_left(self) -> int:
        """The messages in the tasks' queues and in the dead-letter queue."""
        return sum(
            map(self._messages, [*self._config.queue_urls.values(), self._config.dead_letter_queue_url])
        )

    def _messages(self, url: str) -> int:
        answer = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS))
        return sum(map(int, answer["Attributes"].values()))


class _Run:
    def __init__(
        self,
        plan: Plan,
        workers: Workers,
        reader: diary.Reader,
        observer: Observer,
        say: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._workers = workers
        self._diary = reader
        self._observer = observer
        self._say = say
        self._ended: set[str] = set()
        self._began = time.monotonic()
        self._until_90 = 0.0
        self._asked = 0.0
        self._said = 0.0

    def to_the_end(self) -> Result:
        with ThreadPoolExecutor(1) as pool:
            submitted = pool.submit(submit, self._plan, Services(Config.from_environ()))
            while not (submitted.done() and self._drained()) and self._seconds() < self._plan.limit:
                self._look()
            sent = submitted.result()
        seconds = self._seconds()
        self._look()
        records = self._observer.records([*sent.tasks, *sent.groups])
        return Result(
            verdict=judge(sent, records, self._diary.events, self._observer.messages_left()),
            seen=seen(sent, self._diary.events),
            kills=self._workers.kills,
            crashes=self._workers.crashes,
            seconds=round(seconds, 1),
            seconds_until_90=round(self._until_90, 1),
        )

    def _look(self) -> None:
        """Kill who waits for it, replace who died, count who ended."""
        for event in self._diary.news():
            if event.what == diary.WAITING:
                self._workers.kill(event.pid)
            elif event.what == diary.RECORDED:
                self._ended.add(event.id)
        self._workers.mend()
        if not self._until_90 and len(self._ended) >= 0.9 * self._plan.tasks:
            self._until_90 = self._seconds()
        if self._seconds() - self._said >= 10:
            self._said = self._seconds()
            kills, ended = self._workers.kills, len(self._ended)
            self._say(f"{self._said:4.0f} s  {ended:,} of {self._plan.tasks:,} ended, {kills} kills")
        time.sleep(_LOOK)

    def _drained(self) -> bool:
        if self._seconds() - self._asked < _ASK:
            return False
        self._asked = self._seconds()
        return self._observer.drained()

    def _seconds(self) -> float:
        return time.monotonic() - self._began
