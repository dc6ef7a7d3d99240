"""AWS clients across a fork, as of gunicorn's `--preload`, uWSGI and multiprocessing: each process has its own.

A server of its own process keeps the connections open, in plain HTTP and in TLS.
"""

import json
import multiprocessing
import os
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from serverless_tasks.client.task_client import TaskClient
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.services import Services
from tests.support.aws import ENVIRONMENT
from tests.support.certificate import certificate
from tests.support.forks import SECONDS, Child

ROOT = Path(__file__).parents[2]
READS = 10
ALL_OWN = [0] * 5


@dataclass(frozen=True)
class Site:
    """What a process has that uses AWS.

    Attributes:
        url: where the stand-in for AWS is.
        bundle: its certificate's file, or "".
    """

    url: str
    bundle: str

    @property
    def services(self) -> Services:
        return Services(
            Config(table="jobs", queue_urls={"default": f"{self.url}/1/default"}, invoke_function="invoke")
        )

    def said(self) -> dict[str, Any]:
        """What the server has seen; asked over a connection more."""
        context = ssl.create_default_context(cafile=self.bundle) if self.bundle else None
        with urllib.request.urlopen(self.url, context=context) as answer:
            found: dict[str, Any] = json.load(answer)
        return found


@pytest.fixture(params=["plain", "tls"])
def site(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    bundle = str(certificate(tmp_path)) if request.param == "tls" else ""
    command = [sys.executable, "-m", "tests.support.job_server", bundle or "-"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = f"{'https' if bundle else 'http'}://127.0.0.1:{server.stdout.readline().strip()}"
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": url, "AWS_CA_BUNDLE": bundle}.items():
            monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
        session.reset()
        try:
            yield Site(url, bundle)
        finally:
            session.reset()
            server.kill()


def others(answers: Callable[[], bool], together: Barrier) -> int:
    """How many of some questions were answered with what another process has asked for."""
    together.wait(SECONDS)
    return sum(not answers() for _ in range(READS))


def others_in_child(answers: Callable[[], bool], together: Barrier) -> int:
    """See `others`; the first question comes while the parent's connection is idle, and would be sent over it."""
    return (not answers()) + others(answers, together)


def among_children(answers: Callable[[], bool], *, told: bool = True) -> list[int]:
    """See `others`, for this process and four of its children at the same time."""
    assert answers()
    together = multiprocessing.get_context("fork").Barrier(5)
    children = [Child(partial(others_in_child, answers, together), told=told) for _ in range(4)]
    try:
        here = others(answers, together)
    finally:
        found = [child.result() for child in children]
    return [here, *found]


def mine() -> str:
    """A text that no other question has, and that tells who asks it."""
    return f"process-{os.getpid()}-{uuid4()}"


def reads(services: Services) -> bool:
    uuid = mine()
    record = services.store.read(uuid)
    return record is not None and record.uuid == uuid


@pytest.mark.parametrize("told", [True, False], ids=["told", "as of uWSGI"])
def test_each_read_is_given_its_own_job(site: Site, told: bool) -> None:
    services = site.services

    assert among_children(lambda: reads(services), told=told) == ALL_OWN
    assert site.said()["shared"] == []


def test_each_direct_invoke_is_given_its_own_outputs(site: Site) -> None:
    client = TaskClient(services=site.services)

    def runs() -> bool:
        text = mine()
        return client.run("echo", text=text) == {"text": text}

    assert among_children(runs) == ALL_OWN
    assert site.said()["shared"] == []


def test_what_is_submitted_after_a_fork_is_sent_once_and_handles_of_before_it_hold(site: Site) -> None:
    client = TaskClient(services=site.services)
    uuids: list[str] = []

    def submits() -> bool:
        uuids.append(client.submit("echo", text=mine()).uuid)
        before.refresh()
        return before.record.uuid == before.uuid

    def submitted(together: Barrier) -> list[str]:
        assert others_in_child(submits, together) == 0
        return uuids

    before = client.submit("echo", text=mine())
    together = multiprocessing.get_context("fork").Barrier(4)
    children = [Child(partial(submitted, together)) for _ in range(3)]
    try:
        assert others(submits, together) == 0
    finally:
        sent = [before.uuid, *uuids]
        sent += [uuid for child in children for uuid in child.result()]

    said = site.said()
    assert (sorted(said["sent"]), said["shared"]) == (sorted(sent), [])


# The child drops the parent's clients, and ends as a process does; in the second case while a thread of its parent's
# had taken the lock of each pool of connections.
ENDING = """
import gc, os, sys, threading
from uuid import uuid4
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.services import Services

store = Services(Config(table="jobs")).store
def reads():
    uuid = str(uuid4())
    assert store.read(uuid).uuid == uuid
reads()
if sys.argv[1] == "held":
    pools = session.client("dynamodb")._endpoint.http_session._manager.pools
    held = [pools.lock, *(pools[key].pool.mutex for key in pools.keys())]
    taken = threading.Event()
    def hold():
        for lock in held:
            lock.acquire()
        taken.set()
        threading.Event().wait()
    threading.Thread(target=hold, daemon=True).start()
    taken.wait()
pid = os.fork()
if pid == 0:
    reads()
    gc.collect()
    sys.exit(3)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
if sys.argv[1] == "free":
    reads()
else:
    os._exit(0)
"""


@pytest.mark.parametrize("locks", ["free", "held"])
def test_a_child_that_ends_takes_no_connection_with_it_and_waits_for_nobody(site: Site, locks: str) -> None:
    before = site.said()["connections"]
    command = [sys.executable, "-W", "ignore", "-c", ENDING, locks]

    subprocess.run(command, check=True, cwd=ROOT, env=os.environ, timeout=SECONDS)

    # The parent's, the child's, and the one of this question.
    assert site.said()["connections"] - before == 3
