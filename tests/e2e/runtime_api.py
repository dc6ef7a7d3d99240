"""Lambda's Runtime API, enough of it for `awslambdaric`: hands out events, takes the answers.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from typing import IO, Any

REQUEST_ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
# What Lambda's runtime has beside Python: its own client, and boto3.
RUNTIME = ("awslambdaric", "boto3")


class RuntimeApi(ThreadingHTTPServer):
    """Serves one function's environment on a free port of this machine."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.events: queue.Queue[Any] = queue.Queue()
        self.answers: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.process: subprocess.Popen[bytes] | None = None
        self.output: IO[bytes] | None = None

    @property
    def address(self) -> str:
        """Host and port, as AWS_LAMBDA_RUNTIME_API has them."""
        return f"127.0.0.1:{self.server_port}"

    def run(self, event: Any, seconds: float = 60) -> Any:
        """Hand out an event and wait for the function's answer."""
        self.events.put(event)
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            try:
                kind, answer = self.answers.get(timeout=0.5)
            except queue.Empty:
                assert self.process is not None
                assert self.process.poll() is None, (
                    f"the function ended ({self.process.returncode}): {self._output()}"
                )
            else:
                assert kind == "response", f"{kind}: {answer}"
                return answer
        raise AssertionError(f"no answer in {seconds} s: {self._output()}")

    def _output(self) -> str:
        assert self.output is not None
        self.output.seek(0)
        return self.output.read().decode()[-3000:]


class _Request(BaseHTTPRequestHandler):
    server: RuntimeApi

    def do_GET(self) -> None:
        event = self.server.events.get()
        body = json.dumps(event).encode()
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", REQUEST_ID)
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + 120) * 1000)))
        self.send_header(
            "Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:f"
        )
        self.send_header(
            "Lambda-Runtime-Trace-Id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0",
        )
        # Its client does not survive an answer without one.
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"null")
        # .../invocation/<id>/response, .../invocation/<id>/error, or .../init/error
        kind = "init error" if "/init/" in self.path else self.path.rpartition("/")[2]
        self.server.answers.put((kind, body))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def function(code: Path, handler: str, packages: Path, environment: dict[str, str]) -> Iterator[RuntimeApi]:
    """Run a handler under `awslambdaric`, in an interpreter that has nothing but the code and `packages`.

    Args:
        code: the artefact's directory.
        handler: such as `lambda_handlers.worker.handler`.
        packages: a directory with what the runtime brings; see `runtime_packages`.
        environment: all the variables that the process gets beside Lambda's own.
    """
    with RuntimeApi() as api, tempfile.TemporaryFile() as output:
        api.output = output
        threading.Thread(target=api.serve_forever, daemon=True).start()
        variables = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(packages),
            "LAMBDA_TASK_ROOT": str(code),
            "AWS_LAMBDA_RUNTIME_API": api.address,
            "AWS_LAMBDA_FUNCTION_NAME": "f",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python",
            "_X_AMZN_TRACE_ID": "",
            **environment,
        }
        # -S: no site-packages, not those of the interpreter either.
        process = subprocess.Popen(
            [sys.executable, "-S", "-m", "awslambdaric", handler],
            cwd=code,
            env=variables,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        api.process = process
        try:
            yield api
        finally:
            process.kill()
            process.wait()
            api.shutdown()


def runtime_packages(directory: Path) -> Path:
    """Link what Lambda's runtime has into a directory of its own, from the environment of the tests."""
    directory.mkdir()
    waiting, seen = list(RUNTIME), set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        package = metadata.distribution(name)
        required = [each.split(";") for each in package.requires or []]
        waiting += [_name(each[0]) for each in required if "extra" not in each[-1]]
        for top in {
            file.parts[0] for file in package.files or [] if file.parts[0] not in ("..", "__pycache__")
        }:
            (directory / top).symlink_to(Path(str(package.locate_file(top))))
    return directory


def _name(requirement: str) -> str:
    for sign in " [<>=!~(":
        requirement = requirement.split(sign, maxsplit=1)[0]
    return requirement
