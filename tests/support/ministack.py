"""MiniStack in a clean environment of its own, for the deployed tests and for benchmarks."""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class MissingTool(Exception):
    """A program that `make setup` installs is not there."""


def installed(variable: str, environment: str, name: str) -> Path:
    """A program of an environment that `make setup` makes, or of the one that a variable names.

    Raises:
        MissingTool: it is not there.
    """
    path = Path(os.environ.get(variable) or ROOT / ".venvs" / environment / "bin" / name)
    if not path.exists():
        raise MissingTool(f"{path} is missing: run `make setup`, or name {name} in {variable}")
    return path


@contextmanager
def ministack(directory: Path, *, auth: bool = True, grace: float = 10) -> Iterator[str]:
    """Run MiniStack until the block ends; yields its endpoint.

    Args:
        directory: where it keeps its state and its log.
        auth: whether it holds callers to their policies.
        grace: seconds that it gets to end by itself; with a long poll that nobody waits for any more it takes them all.

    Raises:
        MissingTool: it is not installed.
    """
    program = installed("MINISTACK_BIN", "ministack", "ministack")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (directory / "state").mkdir(parents=True)
    # Functions inherit its environment: nothing of this one may get there.
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(directory),
        "TMPDIR": str(directory),
        "STATE_DIR": str(directory / "state"),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "AUTH": str(auth).lower(),
        "LOG_LEVEL": "WARNING",
    }
    endpoint = f"http://127.0.0.1:{port}"
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [program],
            env=environment,
            cwd=directory,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(f"{endpoint}/_ministack/health", process, directory / "log")
        yield endpoint
    finally:
        # Its function workers are in its process group and may outlive it.
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=grace)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        assert process.poll() is None, f"MiniStack ended: {log.read_text()[-2000:]}"
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer: {log.read_text()[-2000:]}")
