"""Forked processes: each has connections, locks and threads of its own."""

import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

# Each process reads jobs of its own, or invokes functions of its own, over what its parent has opened; it says what it
# was answered wrongly. A child that hangs is ended by its alarm.
SCRIPT = """
import os, signal, sys, threading
from uuid import uuid4
from serverless_tasks import TaskClient
from serverless_tasks.engine.aws.functions import invoke
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.services import Services

services = Services(Config(table="tasks", invoke_function="f"))
store = services.store
def ask():
    uuid = str(uuid4())
    if MODE == "read":
        return store.read(uuid).uuid == uuid
    return invoke("f", {"uuid": uuid})["uuid"] == uuid

def work():
    return sum(not ask() for _ in range(40))

MODE = sys.argv[1]
opening = [threading.Thread(target=ask) for _ in range(3)]
for thread in opening:
    thread.start()
for thread in opening:
    thread.join()
children = []
together, go = os.pipe()
for _ in range(4):
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        os.close(go)
        os.read(together, 1)  # its end: all begin at the same moment
        try:
            os._exit(min(work(), 100))
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(101)
    children.append(child)
os.close(go)
wrong = work()
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
wrong += work()
print(wrong, codes)
"""

THREADING = """
import os, signal, sys
from serverless_tasks import Task, configure
from serverless_tasks.params import NumberParameter

class Double(Task):
    name = "double"
    inputs = {"n": NumberParameter()}
    outputs = {"n": NumberParameter()}
    def run(self, n):
        return 2 * n

configure(backend="threading")
assert Double.submit(n=1).wait(20) == {"n": 2}
child = os.fork()
if child == 0:
    signal.alarm(30)
    try:
        os._exit(0 if Double.submit(n=2).wait(20) == {"n": 4} else 1)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(101)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), Double.submit(n=3).wait(20))
"""


# Never set: an invocation takes a while.
WAY = threading.Event()


class Answers(BaseHTTPRequestHandler):
    """Answers each call about a job with that job, over connections that stay open."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "X-Amz-Target" in self.headers:
            (key,) = [
                value["S"] for value in body["ExpressionAttributeValues"].values() if len(value["S"]) == 36
            ]
            state = {"status": "running", "task": "work", "token": "t"}
            times = dict.fromkeys(("created", "started", "attempted", "seq", "attempt"), 1)
            times |= dict.fromkeys(("expires", "lease"), 4_000_000_000_000)
            item = {"pk": {"S": key}, "sk": {"S": "s#state"}}
            item |= {name: {"S": value} for name, value in state.items()}
            item |= {name: {"N": str(value)} for name, value in times.items()}
            self._answer({"Items": [item], "Count": 1, "ScannedCount": 1})
        else:
            WAY.wait(0.01)
            self._answer(body)

    def _answer(self, body: object) -> None:
        answer = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """A client that ends with its process is no fault."""


@pytest.fixture(params=["http", "https"])
def endpoint(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The variables that lead a process to a server that keeps connections open."""
    server = Server(("127.0.0.1", 0), Answers)
    variables = {"AWS_ENDPOINT_URL": f"{request.param}://127.0.0.1:{server.server_port}"}
    if request.param == "https":
        certificate = a_certificate(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        variables["AWS_CA_BUNDLE"] = str(certificate)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield variables
    server.shutdown()
    thread.join()
    server.server_close()


def a_certificate(folder: Path) -> Path:
    """A certificate for this machine, with its key, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(
            name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1)
        )
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        made.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return path


def run(script: str, *words: str, **variables: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SERVERLESS_"))}
    credentials = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "us-east-1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script, *words],
        cwd=ROOT,
        env={**kept, **credentials, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.mark.parametrize("mode", ["read", "invoke"])
def test_parent_and_children_are_each_answered_what_they_asked(endpoint: dict[str, str], mode: str) -> None:
    assert run(SCRIPT, mode, **endpoint) == "0 [0, 0, 0, 0]"


def test_the_threading_backend_runs_jobs_in_a_child_and_goes_on_in_the_parent() -> None:
    assert run(THREADING) == "0 {'n': 6}"


def test_what_a_thread_held_as_the_process_was_forked_is_free_in_the_child() -> None:
    script = """
import contextlib, os, signal, sys, threading
from serverless_tasks import configure
from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.client import Client
wiring = sys.modules["serverless_tasks.engine.services"]

services = configure(backend="immediate")
held, go_on = threading.Event(), threading.Event()

locks = [Client.making, wiring._lock, services.making, services.store._lock]

def hold():
    with contextlib.ExitStack() as stack:
        for lock in locks:
            stack.enter_context(lock)
        held.set()
        go_on.wait(60)

thread = threading.Thread(target=hold)
thread.start()
held.wait(60)
child = os.fork()
if child == 0:
    signal.alarm(20)
    services.store.read("a")
    services.runner
    session.client("sqs")
    os._exit(0)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
go_on.set()
thread.join()
print(code)
"""
    assert run(script) == "0"


def test_what_is_forgotten_is_not_renewed() -> None:
    script = """
import gc
from serverless_tasks.engine.job import forks
from serverless_tasks.engine.services import Services
from serverless_tasks.engine.config import Config
before = len(forks._renewals)
for _ in range(10):
    Services(Config())
gc.collect()
print(len(forks._renewals) - before)
"""
    assert run(script) == "0"
