"""``python -m benchmarks.listeners``: uvicorn, one process; listeners over loopback; a table that answers at once."""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from benchmarks.listeners.table import FakeTable
from serverless_tasks.local.server import LocalServer, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

TICKS = os.sysconf("SC_CLK_TCK")
PREPARE = "from benchmarks.listeners import site; print(site.prepare())"


class Process:
    """What the kernel says of the server's process."""

    def __init__(self, pid: int) -> None:
        self._at = Path("/proc") / str(pid)

    @property
    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = (self._at / "stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def status(self, name: str) -> int:
        """A number of ``/proc/<pid>/status``: ``VmRSS`` in kB, ``Threads``."""
        lines = (self._at / "status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])

    @property
    def database_connections(self) -> int:
        """How many files of the database are open."""
        opened = [each.readlink() for each in (self._at / "fd").iterdir() if each.is_symlink()]
        return sum(path.name == "site.db" for path in opened)


class Listener:
    """A connection that follows a task."""

    def __init__(self, uuid: str) -> None:
        self.uuid = uuid
        self.events = asyncio.Semaphore(0)
        self.comments = 0
        self._task: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def connect(self, port: int, session: str) -> None:
        """Ask, and wait for the first event."""
        reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        headers = f"Host: 127.0.0.1\r\nCookie: sessionid={session}"
        self._writer.write(f"GET /tasks/{self.uuid}/events/ HTTP/1.1\r\n{headers}\r\n\r\n".encode())
        status = await reader.readline()
        assert b" 200 " in status, status
        self._task = asyncio.create_task(self._listen(reader))
        await asyncio.wait_for(self.events.acquire(), 60)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            if line.startswith(b"id: "):
                self.events.release()
            elif line.startswith(b": "):
                self.comments += 1

    async def hang_up(self) -> None:
        """Close the connection."""
        assert self._task is not None
        assert self._writer is not None
        self._task.cancel()
        self._writer.close()


@contextmanager
def serving(endpoint: str) -> Iterator[tuple[int, int, str]]:
    """The site under uvicorn: its port, its process, a session of it."""
    with tempfile.TemporaryDirectory() as directory:
        environment = {
            **os.environ,
            "BENCHMARK_DATABASE": f"{directory}/site.db",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
        made = subprocess.run(
            [sys.executable, "-c", PREPARE], env=environment, check=True, capture_output=True, text=True
        )
        port = free_port()
        words = ["--port", str(port), "--log-level", "warning", "--no-access-log", "--lifespan", "off"]
        command = [sys.executable, "-m", "uvicorn", "benchmarks.listeners.site:application", *words]
        process = subprocess.Popen(command, env=environment)
        try:
            _wait(port)
            yield port, process.pid, made.stdout.strip()
        finally:
            process.terminate()
            process.wait(30)


def _wait(port: int) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/page/", timeout=5).close()
        except OSError:
            assert time.monotonic() < end, "the server does not answer"
            time.sleep(0.1)
        else:
            return


async def measure(table: FakeTable, count: int, seconds: float, serving_at: tuple[int, int, str]) -> None:
    """Print what so many who follow cost."""
    port, pid, session = serving_at
    process = Process(pid)
    first = Listener(str(uuid4()))
    await first.connect(port, session)  # what is loaded with the first request is nobody's share
    before = process.status("VmRSS")
    listeners = [Listener(str(uuid4())) for _ in range(count)]
    started = time.monotonic()
    for start in range(0, count, 50):
        await asyncio.gather(*(listener.connect(port, session) for listener in listeners[start : start + 50]))
    print(f"{count} listeners, one uvicorn process, {seconds:.0f} s")
    print(f"connected in                 {time.monotonic() - started:8.1f} s")
    await asyncio.sleep(3)
    table.calls.clear()
    cpu = process.cpu
    await asyncio.sleep(seconds)
    used, calls = process.cpu - cpu, table.calls.total()
    print(f"processor, idle              {used / seconds * 1000:8.1f} ms a second")
    print(f"calls of AWS, idle           {calls / seconds:8.1f} a second: {dict(table.calls)}")
    memory = process.status("VmRSS") - before
    print(f"memory                       {memory / 1024:8.1f} MB, {memory / count:.1f} kB each")
    print(f"threads                      {process.status('Threads'):8d}")
    print(f"database connections         {process.database_connections:8d}")
    print(f"comments that keep alive     {sum(listener.comments for listener in listeners):8d}")
    times = []
    for listener in listeners[:: max(1, count // 20)]:
        table.move(listener.uuid)
        moved = time.monotonic()
        await asyncio.wait_for(listener.events.acquire(), 10)
        times.append(time.monotonic() - moved)
    times.sort()
    print(f"from a change to its event   {times[len(times) // 2]:8.2f} s median, {times[-1]:.2f} s most")
    asked = time.monotonic()
    await asyncio.to_thread(urllib.request.urlopen, f"http://127.0.0.1:{port}/page/")
    print(f"another page meanwhile       {(time.monotonic() - asked) * 1000:8.1f} ms")
    await asyncio.gather(*(listener.hang_up() for listener in [first, *listeners]))
    await asyncio.sleep(3)
    table.calls.clear()
    await asyncio.sleep(3)
    print(f"calls of AWS, all gone       {table.calls.total():8d}")
    print(f"threads, all gone            {process.status('Threads'):8d}")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.listeners", description=__doc__)
    parser.add_argument("--listeners", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=20)
    given = parser.parse_args()
    table = FakeTable()
    with LocalServer(table) as server, serving(server.endpoint) as serving_at:
        asyncio.run(measure(table, given.listeners, given.seconds, serving_at))


if __name__ == "__main__":
    main()
