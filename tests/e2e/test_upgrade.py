"""A deployed project is upgraded from build A to B, and back to A, while 500 jobs are under way.

B renames one task, with an alias, and gives another a new required input. What takes hours of waiting is simulated with
injected time in tests/chaos/test_upgrade.py; here jobs wait for seconds, and the processes are real.
"""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from serverless_tasks.client.task_client import TaskClient
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.services import Services
from tests.e2e import deployment
from tests.e2e.deployment import REGION, Stack, eventually
from tests.e2e.own_project import Made

# The classes that A and B have in common.
COMMON = """
import time

from serverless_tasks import Task
from serverless_tasks.params import NumberParameter, StringParameter


class Flaky(Task):
    name = "flaky"
    retries = 3

    def run(self):
        if self.attempt == 1:
            self.retry(after=15)


class Long(Task):
    name = "long-one"

    def run(self):
        time.sleep(4)
"""
A = f"""{COMMON}

class Bill(Task):
    name = "bill"
    inputs = {{"amount": NumberParameter()}}

    def run(self, amount):
        pass


class Send(Task):
    name = "send"
    inputs = {{"to": StringParameter()}}

    def run(self, to):
        pass
"""
B = f"""{COMMON}

class Bill(Task):
    name = "bill"
    inputs = {{"amount": NumberParameter(), "currency": StringParameter()}}

    def run(self, amount, currency):
        pass


class SendMail(Task):
    name = "mail.send"
    aliases = ["send"]
    inputs = {{"to": StringParameter()}}

    def run(self, to):
        pass
"""
LONGEST_DELAY = 100


class Upgrades:
    """A copy of the project, deployed as its environment staging by the command that `init` has printed."""

    def __init__(self, project: Path, released: Path, endpoint: str, command: str) -> None:
        self.project, self.released, self.endpoint, self.command = project, released, endpoint, command

    def deploy(self, build: str, tasks: str) -> None:
        (self.project / "shop/tasks.py").write_text(tasks)
        environment = {**deployment.ROOT_KEY, "SERVERLESS_TASKS_BUILD": build}
        done = deployment.run_step(
            self.project, self.released, self.endpoint, f"{self.command} --yes", environment
        )
        assert done.returncode == 0, done.stdout + done.stderr[-5000:]


@pytest.fixture(scope="module")
def upgrades(
    shop: Made,
    deployed: Stack,
    released: Path,
    endpoint: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Upgrades:
    """The project as another checkout of it; what was installed for its artefact is there already."""
    project = tmp_path_factory.mktemp("upgrade") / shop.project.name
    shutil.copytree(shop.project, project)
    config = project / "samconfig.toml"
    default, section, staging = config.read_text().partition("[staging.global.parameters]")
    # MiniStack ends the processes of the old code with their jobs; the messages come back after the visibility timeout.
    short = staging.replace("parameter_overrides = [", 'parameter_overrides = ["WorkerTimeout=60", ', 1)
    assert short != staging
    config.write_text(default + section + short)
    return Upgrades(project, released, endpoint, shop.commands["staging"])


def shorten_visibility(stack: Stack) -> None:
    """Let messages of killed workers come back soon after their leases, in place of six times as late."""
    sqs = stack.client("sqs")
    for url in json.loads(stack.outputs["QueueUrls"]).values():
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "75"})


@pytest.fixture
def site(upgrades: Upgrades, monkeypatch: pytest.MonkeyPatch) -> Iterator[TaskClient]:
    """A site of build A that holds PublisherPolicy alone."""
    upgrades.deploy("A", A)
    stack = deployment.deployed_stack("shop-staging", upgrades.endpoint)
    shorten_visibility(stack)
    publisher = deployment.user(stack, "upgraded-site", [], stack.outputs["PublisherPolicyArn"])
    for name, value in {
        **deployment.ROOT_KEY,
        "AWS_ENDPOINT_URL": stack.endpoint,
        "AWS_DEFAULT_REGION": REGION,
    }.items():
        monkeypatch.setenv(name, value)
    session.reset()
    config = TaskClient.from_stack(stack.name).services.config  # the outputs are a deployer's to read
    for name, value in publisher.items():
        monkeypatch.setenv(name, value)
    session.reset()
    yield TaskClient(services=Services(replace(config, build="A")))
    session.reset()


def test_no_job_is_lost_and_each_end_says_its_builds(site: TaskClient, upgrades: Upgrades) -> None:
    eventually(lambda: site.services.deployed_tasks.find("bill"), 60)
    uuids: dict[str, list[str]] = {}

    def submit(task: str, count: int, spread: bool = True, **inputs: object) -> None:
        for number in range(count):
            delay = number * LONGEST_DELAY // count if spread else 0
            handle = site.submit_json(task, inputs, delay=delay)
            uuids.setdefault(task, []).append(handle.uuid)

    submit("bill", 180, amount=3)
    submit("send", 180, to="Ada")
    submit("flaky", 100)
    submit("long-one", 40, spread=False)
    upgrades.deploy("B", B)
    upgrades.deploy("A", A)

    every = [uuid for each in uuids.values() for uuid in each]
    assert len(every) == 500

    left = set(every)

    def all_ended() -> bool:
        found = site.services.store.read_many(sorted(left)[:100], whole=False)
        left.difference_update(uuid for uuid, record in found.items() if record.ended)
        return not left

    eventually(all_ended, 400)
    ends: dict[str, Counter[str]] = {}
    builds: Counter[str] = Counter()
    for task, named in uuids.items():
        for uuid in named:
            record = site.services.store.read(uuid)
            assert record is not None
            ends.setdefault(task, Counter())[record.status] += 1
            builds[record.build] += 1
            if record.status != "failed":
                continue
            assert record.failure is not None
            assert (task, record.failure.type, record.build) == ("bill", "InvalidInputs", "B")
            assert record.failure.message.endswith("(build: worker 'B', job 'A')")
    assert ends.pop("bill").keys() <= {"succeeded", "failed"}
    assert ends == {"send": {"succeeded": 180}, "flaky": {"succeeded": 100}, "long-one": {"succeeded": 40}}
    assert builds.keys() == {"A", "B"}, "no job ran while B was deployed"
    _, record = deployment.deployed_stack("shop-staging", upgrades.endpoint).invoke(
        {"task": "read-variable", "inputs": {"variable": "DATABASE_URL"}}
    )
    assert record["outputs"] == {"value": "database of staging"}
